"""`filmstill evaluate`: score routers against reference labels."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from filmstill.cli.options import PATH, json_option, read_task, task_option

if TYPE_CHECKING:
    from filmstill.evals.evaluate import Scores
    from filmstill.task import Task


@click.command()
@click.option(
    "--router",
    "addresses",
    multiple=True,
    required=True,
    metavar="DIR|filmstill|mean|tfidf",
    help="A student's folder, the shipped student (filmstill) or a baseline; repeatable.",
)
@click.option(
    "--set", "evaluation_set", type=PATH, required=True, metavar="FILE", help="Labelled queries."
)
@click.option(
    "--train",
    "training",
    type=PATH,
    metavar="FILE",
    help="What baselines learn from.  [default: the task's own corpus]",
)
@click.option(
    "--exclude",
    type=PATH,
    metavar="FILE",
    help="Leave out queries that are in this file too, such as those trained on.",
)
@json_option
@task_option
def evaluate(
    addresses: tuple[str, ...],
    evaluation_set: Path,
    training: Path | None,
    exclude: Path | None,
    as_json: bool,
    task_file: Path | None,
) -> None:
    """Score routers on the labelled queries of a file.

    The rubric score (1 to 5) is the numeric part of the judge's rubric: 5 no weight off by more
    than 0.05, 4 by 0.10, 3 the leading channel matches and the mean error is below 0.15, 1 a weight
    off by more than 0.30, else 2. Latency is that of one query at a time on one thread.

    \b
    Examples:
      filmstill evaluate --router student --set eval.jsonl
      filmstill evaluate --router student --router mean --router tfidf --set eval.jsonl --json
    """
    from filmstill.cli.screen import err, progress_bar
    from filmstill.data.reading import load_examples, load_labelled
    from filmstill.errors import DataError
    from filmstill.evals.evaluate import evaluate as run
    from filmstill.query import same_query
    from filmstill.router import Router
    from filmstill.task import Task

    task = read_task(task_file) or Task.builtin()
    file = load_labelled(evaluation_set, task)
    for reject in file.rejects:
        click.echo(f"Left out {file.path}:{reject.line}: {reject.reason}", err=True)
    examples = file.examples
    if exclude is not None:
        known = {same_query(example.query) for example in load_examples(exclude, task).examples}
        examples = tuple(item for item in examples if same_query(item.query) not in known)
        if not examples:
            raise DataError(f"{evaluation_set}: all queries are in {exclude} too")
    with err().status("Loading routers"):
        routers = [Router.load(address, task=task, training=training) for address in addresses]
    with progress_bar("Evaluating", len(examples) * len(routers)) as shown:
        scores = run(routers, examples, on_query=lambda _: shown.step())
    if as_json:
        click.echo(json.dumps([item.to_dict() for item in scores], indent=2, ensure_ascii=False))
    else:
        _show(scores, task, f"{evaluation_set}: {len(examples):,} queries")


def _show(scores: "list[Scores]", task: "Task", title: str) -> None:
    from rich.table import Table

    from filmstill.cli.screen import out

    console = out()
    console.print(title, style="bold")
    quality = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    quality.add_column("router")
    for heading in ("rubric", "95 % interval", "5", "4", "3", "2", "1", "leading", "valid"):
        quality.add_column(heading, justify="right")
    errors = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    errors.add_column("router")
    for heading in ("error", *task.channel_names, "<=0.05", "<=0.10"):
        errors.add_column(heading, justify="right")
    speed = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    speed.add_column("router")
    for heading in ("ms p50", "p95", "p99", "mean"):
        speed.add_column(heading, justify="right")
    for item in scores:
        quality.add_row(
            item.router,
            f"{item.rubric:.2f}",
            f"{item.rubric_low:.2f} to {item.rubric_high:.2f}",
            *(str(count) for count in item.distribution.values()),
            f"{item.leading:.1%}",
            f"{item.valid:.1%}",
        )
        errors.add_row(
            item.router,
            f"{item.mean_absolute_error:.3f}",
            *(f"{item.channel_errors[name]:.3f}" for name in task.channel_names),
            f"{item.within_005:.1%}",
            f"{item.within_010:.1%}",
        )
        latency = item.latency
        speed.add_row(
            item.router,
            *(f"{value:.2f}" for value in (latency.p50, latency.p95, latency.p99, latency.mean)),
        )
    for table in (quality, errors, speed):
        console.print()
        console.print(table)
