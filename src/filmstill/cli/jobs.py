"""`filmstill jobs`: distillations and evaluations in the background."""

import json
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from filmstill.cli.options import PATH, json_option, read_task, settings_options, task_option
from filmstill.config import DEFAULT_BASE, DistillConfig

if TYPE_CHECKING:
    from filmstill.jobs.job import Job

_FOLLOW_S = 0.5


@click.group()
def jobs() -> None:
    """Start, list, show and stop jobs that distil in the background.

    A job runs in a process of its own and goes on when this command or a server ends. Servers and
    commands with the same FILMSTILL_HOME see the same jobs.

    \b
    Examples:
      filmstill jobs start train.jsonl --name july
      filmstill jobs logs july --follow
    """


@jobs.command()
@click.argument("train", type=PATH)
@click.option("--name", required=True, metavar="NAME", help="Name of the job and its student.")
@click.option(
    "--base",
    default=DEFAULT_BASE,
    show_default=True,
    metavar="NAME",
    help="Sentence encoder to start from: a folder, a Hugging Face id, or the default.",
)
@click.option(
    "--teacher",
    default="",
    metavar="ADDRESS",
    help="Who labels the examples without a label: openai:MODEL or bedrock:MODEL_ID_OR_ARN.",
)
@settings_options(DistillConfig)
@task_option
def start(train: Path, name: str, teacher: str, task_file: Path | None, **settings: float) -> None:
    """Distil the queries in TRAIN in the background; `filmstill deploy NAME` serves the student.

    Where a job is under way already, this one waits for its turn.
    """
    from filmstill.errors import InputError
    from filmstill.jobs.job import submit_distillation
    from filmstill.jobs.order import Distillation
    from filmstill.jobs.runner import Runner
    from filmstill.models.chat import is_model
    from filmstill.registry import Registry

    DistillConfig(**settings)  # type: ignore[arg-type]  # ranges
    if not train.is_file():
        raise InputError(f"{train}: no such file")
    if teacher and not is_model(teacher):
        raise InputError(f"{teacher!r} is no teacher: give openai:MODEL or bedrock:MODEL_ID_OR_ARN")
    # The job works in a folder of its own.
    base = Path(str(settings["base"]))
    chosen = {**settings, "base": str(base.resolve())} if base.exists() else settings
    task = read_task(task_file)
    order = Distillation(
        str(train.resolve()),
        name,
        task=task.to_toml() if task else "",
        settings=chosen,
        teacher=teacher,
    )
    with closing(Registry()) as registry:
        submit_distillation(registry, name, order)
        Runner(registry).tick(wait=True)
    click.echo(f"Job {name} is on its way: `filmstill jobs logs {name} --follow` shows how it goes")


@jobs.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List all jobs, the oldest first."""
    from rich.table import Table

    from filmstill.cli.screen import out
    from filmstill.jobs.job import all_jobs
    from filmstill.jobs.runner import Runner
    from filmstill.registry import Registry

    with closing(Registry()) as registry:
        Runner(registry).tick(start=False)
        found = all_jobs(registry)
    if as_json:
        click.echo(json.dumps([job.to_dict() for job in found]))
        return
    if not found:
        click.echo("There are no jobs; `filmstill jobs start` makes one.", err=True)
        return
    table = Table("name", "kind", "status", "since", "took", "", box=None, pad_edge=False)
    for job in found:
        table.add_row(
            job.name,
            job.to_dict()["kind"],
            _status(job),
            f"{job.created:%Y-%m-%d %H:%M}",
            _took(job),
            job.failure,
        )
    out().print(table)


@jobs.command()
@click.argument("name")
def show(name: str) -> None:
    """Show a job as JSON: phases, progress, metrics."""
    from filmstill.jobs.job import find_job
    from filmstill.jobs.runner import Runner
    from filmstill.registry import Registry

    with closing(Registry()) as registry:
        Runner(registry).tick(start=False)
        job = find_job(registry, name)
    click.echo(json.dumps(job.to_dict(), indent=2))


@jobs.command()
@click.argument("name")
@click.option("--follow", "-f", is_flag=True, help="Go on until the job ends.")
def logs(name: str, follow: bool) -> None:
    """Print what a job has written to its log."""
    from filmstill.jobs.job import find_job, log_path
    from filmstill.jobs.runner import Runner
    from filmstill.registry import Registry

    with closing(Registry()) as registry:
        runner, place = Runner(registry), 0
        while True:
            runner.tick(start=follow)
            job = find_job(registry, name)
            path = log_path(registry, job.id)
            if path.is_file():
                with path.open("rb") as file:
                    file.seek(place)
                    text = file.read()
                place += len(text)
                click.echo(text.decode("utf-8", "replace"), nl=False)
            if not follow or job.ended is not None:
                break
            time.sleep(_FOLLOW_S)
    if job.ended is not None:
        click.echo(f"{job.status}{f': {job.failure}' if job.failure else ''}", err=True)


@jobs.command()
@click.argument("name")
def stop(name: str) -> None:
    """Stop a job that is under way or waits for its turn."""
    from filmstill.jobs.job import find_job
    from filmstill.jobs.runner import stop as run
    from filmstill.registry import Registry

    with closing(Registry()) as registry:
        job = run(registry, find_job(registry, name))
    click.echo(f"Job {job.name} is {job.status}")


@jobs.command()
@click.argument("name")
def delete(name: str) -> None:
    """Forget a job that has ended, with its log. The student it made stays."""
    from filmstill.jobs.job import find_job
    from filmstill.jobs.runner import delete as run
    from filmstill.registry import Registry

    with closing(Registry()) as registry:
        run(registry, find_job(registry, name))
    click.echo(f"Job {name} is deleted")


def _status(job: "Job") -> str:
    if job.queued:
        return "InProgress (waits for its turn)"
    if job.ended is None and job.phase:
        facts = job.progress
        share = f" {facts['step'] / facts['steps']:.0%}" if facts.get("steps") else ""
        return f"{job.status} ({job.phase.replace('_', ' ')}{share})"
    return job.status


def _took(job: "Job") -> str:
    if job.ended is None:
        return ""
    return str(timedelta(seconds=round((job.ended - job.created).total_seconds())))
