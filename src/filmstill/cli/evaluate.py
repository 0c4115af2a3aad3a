"""`filmstill evaluate`: score routers against reference labels."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from filmstill.cli.options import ADDRESSES, PATH, json_option, read_task, task_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filmstill.data.reading import ExampleFile
    from filmstill.evals.evaluate import Evaluation, Result
    from filmstill.evals.judges import Judge, Judgement
    from filmstill.models.prices import Prices
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
@json_option
@task_option
def evaluate(
    addresses: tuple[str, ...],
    evaluation_set: Path | None,
    training: Path | None,
    exclude: Path | None,
    judges: tuple[str, ...],
    run_folder: Path | None,
    folder: Path | None,
    prices_file: Path | None,
    as_json: bool,
    task_file: Path | None,
) -> None:
    """Score routers on labelled queries, side by side.

    The rubric score (1 to 5) is the numeric part of the judge's rubric: 5 no weight off by more
    than 0.05, 4 by 0.10, 3 the leading channel matches and the mean error is below 0.15, 1 a weight
    off by more than 0.30, else 2. Latency is that of one query at a time on one thread.

    With --report, answers of models are kept in DIR as they come: run the same command again and
    only what is missing is asked.

    \b
    Examples:
      filmstill evaluate --router filmstill --router tfidf --router mean
      filmstill evaluate --router openai:gpt-4o-mini --router runs/mine/student --report report
    """
    from filmstill.cli.evaluate_job import check, is_job, judge_by_jobs
    from filmstill.cli.evaluate_screen import show
    from filmstill.cli.screen import err
    from filmstill.data.corpus import evaluation_path
    from filmstill.data.reading import load_examples, load_labelled
    from filmstill.errors import DataError, require
    from filmstill.evals.judges import open_judge
    from filmstill.files import make_folder
    from filmstill.models.journal import Journal, JournaledModel
    from filmstill.models.prices import load_prices
    from filmstill.query import same_query
    from filmstill.router import Router
    from filmstill.routers.chat import ChatRouter
    from filmstill.task import Task

    check(judges, run_folder)
    task = read_task(task_file) or Task.builtin()
    prices = load_prices(prices_file)
    if folder is not None:  # before minutes are spent, not after
        require("matplotlib", "plot", "a report")
        require("jinja2", "plot", "a report")
    journal = Journal(folder / JOURNAL) if folder is not None else None
    if journal is not None:
        click.get_current_context().call_on_close(journal.close)
    path = evaluation_set or evaluation_path(task)
    file = load_labelled(path, task)
    for reject in file.rejects:
        click.echo(f"Left out {file.path}:{reject.line}: {reject.reason}", err=True)
    examples = file.examples
    if exclude is not None:
        known = {same_query(example.query) for example in load_examples(exclude, task).examples}
        examples = tuple(item for item in examples if same_query(item.query) not in known)
        if not examples:
            raise DataError(f"{path}: all queries are in {exclude} too")
    asked = [
        open_judge(
            address, lambda model: model if journal is None else JournaledModel(model, journal)
        )
        for address in judges
        if not is_job(address)
    ]
    if folder is not None:
        make_folder(folder)
    labels = _training_labels(training, task) if folder is not None else None
    with err().status("Loading routers"):
        routers = [Router.load(address, task=task, training=training) for address in addresses]
    _name_apart(routers, addresses)
    for router in routers:
        if journal is not None and isinstance(router, ChatRouter):
            router.model = JournaledModel(router.model, journal)
    evaluation = _evaluate(routers, examples, explain=folder is not None or bool(judges))
    judgements = {
        result.scores.router: [_judge(judge, result, evaluation) for judge in asked]
        for result in evaluation.results
        if asked
    }
    for address in filter(is_job, judges):
        if run_folder is not None:
            for result, one in zip(
                evaluation.results, judge_by_jobs(address, run_folder, evaluation), strict=True
            ):
                judgements.setdefault(result.scores.router, []).append(one)
    if as_json:
        content = [
            {**item.to_dict(), "judges": [_plain(one) for one in judgements.get(item.router, ())]}
            for item in evaluation.scores
        ]
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        show(evaluation, judgements, prices, f"{path}: {len(examples):,} queries")
    if folder is not None:
        page = _report(evaluation, judgements, prices, path, labels, folder, routers)
        click.echo(f"\nReport: {page}", err=as_json)


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


def _judge(judge: "Judge", result: "Result", evaluation: "Evaluation") -> "Judgement":
    """Judge one router's answers; queries that it was not asked have none."""
    from filmstill.cli.screen import progress_bar
    from filmstill.evals.judges import NOT_ASKED, Case, Judgement, judge_all

    asked = [answer.asked for answer in result.answers]
    cases = [
        Case(example.query, example.routing, answer.routing)
        for example, answer in zip(evaluation.examples, result.answers, strict=True)
        if answer.asked and example.routing is not None
    ]
    title = f"{judge.name} judges {result.scores.router}"
    with progress_bar(title, len(cases)) as shown:
        found = iter(judge_all(judge, cases, evaluation.task, on_verdict=shown.step).verdicts)
    return Judgement(judge.name, tuple(next(found) if one else NOT_ASKED for one in asked))


def _report(
    evaluation: "Evaluation",
    judgements: "dict[str, list[Judgement]]",
    prices: "Prices",
    path: Path,
    training: "ExampleFile | None",
    folder: Path,
    routers: "list[Router]",
) -> Path:
    from filmstill.cli.screen import err
    from filmstill.evals.noise import teacher_noise
    from filmstill.evals.report import ReportFacts, write_report
    from filmstill.routers.base import BaseRouter
    from filmstill.routers.chat import ChatRouter
    from filmstill.student.router import StudentRouter
    from filmstill.weights import weights_array

    task = evaluation.task
    examples = training.examples if training else ()
    labels = [example.routing for example in examples if example.routing is not None]
    before = [router.name for router in routers if isinstance(router, BaseRouter)]
    before += [router.name for router in routers if isinstance(router, ChatRouter)]
    after = [router.name for router in routers if isinstance(router, StudentRouter)]
    facts = ReportFacts(
        evaluation,
        source=path.name,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        prices=prices,
        labels=weights_array(labels, task) if labels else None,
        labels_source=training.path.name if training else "",
        training_noise=teacher_noise(examples, task),
        judgements=judgements,
        before=before[0] if before else None,
        after=after[0] if after else None,
    )
    with err().status("Drawing the report"):
        return write_report(facts, folder)


def _training_labels(training: Path | None, task: "Task") -> "ExampleFile | None":
    """The training data to show; None for a user's task where none is named."""
    from filmstill.data.corpus import corpus_path
    from filmstill.data.reading import load_labelled
    from filmstill.errors import InputError

    try:
        path = training or corpus_path(task)
    except InputError:
        return None
    return load_labelled(path, task)


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
