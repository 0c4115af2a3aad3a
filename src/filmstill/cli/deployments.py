"""`filmstill deployments`: what is served, and under which names."""

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from filmstill.cli.options import PATH, json_option

if TYPE_CHECKING:
    from filmstill.registry import Registry


@click.group()
def deployments() -> None:
    """List, show, update and delete deployments.

    \b
    Examples:
      filmstill deployments list
      filmstill deployments update search student-2
    """


@deployments.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List all deployments, the oldest first."""
    from rich.table import Table

    from filmstill.cli.screen import out
    from filmstill.registry import Registry
    from filmstill.registry import deployments as library

    with closing(Registry()) as registry:
        found = library.deployments(registry)
    if as_json:
        click.echo(json.dumps([item.to_dict() for item in found]))
        return
    if not found:
        click.echo("There are no deployments; `filmstill deploy` makes one.", err=True)
        return
    table = Table("name", "status", "since", "student", box=None, pad_edge=False)
    for item in found:
        status = f"{item.status}, updating" if item.updating else item.status
        table.add_row(item.name, status, f"{item.modified:%Y-%m-%d %H:%M}", item.source)
    out().print(table)


@deployments.command()
@click.argument("name")
def show(name: str) -> None:
    """Show a deployment as JSON."""
    from filmstill.registry import Registry
    from filmstill.registry.deployments import DEPLOYMENT, deployment_of

    with closing(Registry()) as registry:
        found = deployment_of(registry, registry.get(DEPLOYMENT, name))
    click.echo(json.dumps(found.to_dict(), indent=2))


@deployments.command()
@click.argument("name")
@click.argument("student", type=PATH)
def update(name: str, student: Path) -> None:
    """Let the deployment NAME serve the student in the folder STUDENT.

    Servers go on with the old student until the new one is loaded; no request is lost.
    """
    from filmstill.errors import ArtefactError
    from filmstill.registry import Registry
    from filmstill.registry import deployments as library

    with closing(Registry()) as registry:
        made = library.update(registry, name, student_of(registry, student))
    if made.failure:
        raise ArtefactError(f"{name} goes on with the student it had: {made.failure}")
    click.echo(f"{made.name} is {made.status}: {made.source}")


@deployments.command()
@click.argument("name")
def delete(name: str) -> None:
    """Delete a deployment. The student stays in the folder that it came from."""
    from filmstill.registry import Registry
    from filmstill.registry import deployments as library

    with closing(Registry()) as registry:
        library.delete(registry, name)
    click.echo(f"{name} is deleted")


def student_of(registry: "Registry", student: Path) -> Path:
    """The folder of a student: as it is, or that of a student a job distilled, by its name."""
    from filmstill.registry.students import student_folder
    from filmstill.student.artefact import Layout

    if Layout(student).manifest.is_file():
        return student
    model: Any = registry.find("model", str(student))
    return student if model is None else student_folder(registry, model.body["student"])
