"""`filmstill evaluate`: score routers against reference labels."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from filmstill.cli.options import ADDRESSES, PATH, json_option, read_task, task_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filmstill.evals.evaluate import Evaluation
    from filmstill.evals.judges import Judgement
    from filmstill.records import Example
    from filmstill.router import Router
    from filmstill.task import Task

JOURNAL = "journal.sqlite"
RESERVED = "reference"  # stands among the routers in answers.csv


@click.command()
@click.option(
    "--router",
    "addresses",
    multiple=True,
    required=True,
    metavar="ADDRESS",
    help=f"{ADDRESSES} Repeatable; ratios and tests are against the first.",
)
@click.option(
    "--set",
    "evaluation_set",
    type=PATH,
    metavar="FILE",
    help="Labelled queries.  [default: the task's own evaluation set]",
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
@click.option(
    "--judge",
    "judges",
    multiple=True,
    metavar="ADDRESS",
    help="Also ask a judge: openai:MODEL, bedrock:MODEL_ID_OR_ARN, or bedrock-job[:MODEL_ID] for "
    "evaluation jobs on Amazon Bedrock; repeatable.",
)
@click.option(
    "--run",
    "run_folder",
    type=PATH,
    metavar="DIR",
    help="Run on Amazon Bedrock whose bucket and role the evaluation jobs use.",
)
@click.option("--profile", default="", metavar="NAME", help="AWS profile of the evaluation jobs.")
@click.option(
    "--report",
    "folder",
    type=PATH,
    metavar="DIR",
    help="Write report.html with figures, report.json and CSV files; a stopped run goes on there.",
)
@click.option(
    "--prices",
    "prices_file",
    type=PATH,
    metavar="FILE",
    help="TOML file with prices of your own.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show what models would be asked and what it will cost, and ask nothing.",
)
@json_option
@task_option
def evaluate(
    addresses: tuple[str, ...],
    evaluation_set: Path | None,
    training: Path | None,
    exclude: Path | None,
    judges: tuple[str, ...],
    run_folder: Path | None,
    profile: str,
    folder: Path | None,
    prices_file: Path | None,
    dry_run: bool,
    as_json: bool,
    task_file: Path | None,
) -> None:
    """Score routers on labelled queries, side by side.

    The rubric score (1 to 5) is the numeric part of the judge's rubric: 5 no weight off by more
    than 0.05, 4 by 0.10, 3 the leading channel matches and the mean error is below 0.15, 1 a weight
    off by more than 0.30, else 2. Latency is that of one query at a time on one thread.

    With --report, answers of models are kept in DIR as they come, with --run alone in that folder:
    run the same command again and only what is missing is asked.

    \b
    Examples:
      filmstill evaluate --router filmstill --router tfidf --router mean
      filmstill evaluate --router openai:gpt-4o-mini --router runs/mine/student --report report
    """
    from filmstill.cli.estimates import in_short
    from filmstill.cli.evaluate_job import check_run
    from filmstill.cli.evaluate_judges import estimates, judge_all_routers, open_judges, show_plan
    from filmstill.cli.evaluate_report import training_labels, write
    from filmstill.cli.evaluate_screen import show
    from filmstill.cli.screen import err
    from filmstill.data.corpus import evaluation_path
    from filmstill.errors import require
    from filmstill.files import make_folder
    from filmstill.models.journal import Journal, JournaledModel
    from filmstill.models.prices import load_prices
    from filmstill.router import Router
    from filmstill.routers.chat import ChatRouter
    from filmstill.task import Task

    check_run(judges, run_folder)
    task = read_task(task_file) or Task.builtin()
    prices = load_prices(prices_file)
    if folder is not None:  # before minutes are spent, not after
        require("matplotlib", "plot", "a report")
        require("jinja2", "plot", "a report")
    path = evaluation_set or evaluation_path(task)
    examples = _examples(path, exclude, task)
    # A run's folder will do too: answers that are asked again are another job, paid again.
    kept = folder or run_folder
    journal = Journal(kept / JOURNAL) if kept is not None and not dry_run else None
    if journal is not None:
        click.get_current_context().call_on_close(journal.close)
    asked = open_judges(judges, run_folder, profile, len(examples), journal)
    if folder is not None and not dry_run:
        make_folder(folder)
    labels = training_labels(training, task) if folder is not None else None
    with err().status("Loading routers"):
        routers = [Router.load(address, task=task, training=training) for address in addresses]
    _name_apart(routers, addresses)
    calls = estimates(routers, asked, examples, prices)
    if dry_run:
        show_plan(calls, asked, len(routers), prices)
        return
    if calls:
        err().print(f"{in_short(calls)}; --dry-run shows which")
    for router in routers:
        if journal is not None and isinstance(router, ChatRouter):
            router.model = JournaledModel(router.model, journal)
    evaluation = _evaluate(routers, examples, explain=folder is not None or bool(judges))
    judgements = judge_all_routers(asked, evaluation)
    if as_json:
        content = [
            {**item.to_dict(), "judges": [_plain(one) for one in judgements.get(item.router, ())]}
            for item in evaluation.scores
        ]
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        show(evaluation, judgements, prices, f"{path}: {len(examples):,} queries")
    if folder is not None:
        page = write(evaluation, judgements, prices, path, labels, folder, routers)
        click.echo(f"\nReport: {page}", err=as_json)


def _examples(path: Path, exclude: Path | None, task: "Task") -> "tuple[Example, ...]":
    """The queries to evaluate on, with their references."""
    from filmstill.data.reading import load_examples, load_labelled
    from filmstill.errors import DataError
    from filmstill.query import same_query

    file = load_labelled(path, task)
    for reject in file.rejects:
        click.echo(f"Left out {file.path}:{reject.line}: {reject.reason}", err=True)
    if exclude is None:
        return file.examples
    known = {same_query(example.query) for example in load_examples(exclude, task).examples}
    examples = tuple(item for item in file.examples if same_query(item.query) not in known)
    if not examples:
        raise DataError(f"{path}: all queries are in {exclude} too")
    return examples


def _evaluate(
    routers: "list[Router]", examples: "Sequence[Example]", *, explain: bool
) -> "Evaluation":
    """Run every router with a progress bar of its own."""
    from filmstill.cli.screen import progress_bars
    from filmstill.evals.evaluate import evaluate as run

    labelled = sum(example.routing is not None for example in examples)
    with progress_bars([router.name for router in routers], labelled) as bars:
        return run(
            routers, examples, explain=explain, on_query=lambda router: bars[router.name].step()
        )


def _name_apart(routers: "list[Router]", addresses: tuple[str, ...]) -> None:
    """Call routers of the same name by their address; tables and files go by names."""
    from filmstill.errors import InputError

    names = [router.name for router in routers]
    for router, address in zip(routers, addresses, strict=True):
        if addresses.count(address) > 1:
            raise InputError(f"--router {address} is given twice; once is enough")
        if names.count(router.name) > 1 or router.name == RESERVED:
            router.name = address


def _plain(judgement: "Judgement") -> dict[str, object]:
    return {
        "judge": judgement.judge,
        "mean": judgement.mean if judgement.scores else None,
        "scored": len(judgement.scores),
        "unscored": judgement.unscored,
    }
