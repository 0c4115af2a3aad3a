"""`filmstill deploy`: a student gets a name."""

from contextlib import closing
from pathlib import Path

import click

from filmstill.cli.options import PATH


@click.command()
@click.argument("student", type=PATH)
@click.option("--name", required=True, metavar="NAME", help="The deployment's name.")
def deploy(student: Path, name: str) -> None:
    """Deploy the student in the folder STUDENT under NAME.

    Servers that run with the same FILMSTILL_HOME serve it at once, and NAME is a router address for
    every command. The student is copied, so that the folder may change or go. STUDENT may also be
    the name of a student that a job distilled.

    \b
    Examples:
      filmstill deploy student --name search
      filmstill route "a dog barking in the rain" --router search
    """
    from filmstill.cli.deployments import student_of
    from filmstill.cli.screen import out
    from filmstill.registry import Registry
    from filmstill.registry.deployments import deploy as run

    with closing(Registry()) as registry:
        made = run(registry, name, student_of(registry, student))
    out().print(f"{made.name} is {made.status}: {made.source}", soft_wrap=True)
