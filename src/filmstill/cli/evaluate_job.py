"""`filmstill evaluate --judge bedrock-job`: evaluation jobs on Amazon Bedrock as a judge."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from filmstill.cli.screen import err
from filmstill.errors import InputError

if TYPE_CHECKING:
    from filmstill.evals.evaluate import Evaluation
    from filmstill.evals.judges import Judgement

ADDRESS = "bedrock-job"
_LONGEST = 24  # characters of a label; a job's name, of 63 at most, holds the run's and more


def is_job(address: str) -> bool:
    """Whether a judge's address names evaluation jobs."""
    return address == ADDRESS or address.startswith(f"{ADDRESS}:")


def check(judges: tuple[str, ...], folder: Path | None) -> None:
    """See that jobs have a run, and a run has jobs, before minutes are spent.

    Raises:
        click.UsageError: they have not.
    """
    if any(map(is_job, judges)) != (folder is not None):
        raise click.UsageError(
            f"--judge {ADDRESS} and --run go together: the run's bucket and role are used"
        )


def judge_by_jobs(address: str, folder: Path, evaluation: "Evaluation") -> "list[Judgement]":
    """The judgements of every router, in their order, by one job each.

    Raises:
        AwsError: a job cannot be begun, or failed.
        DataError: there are more answers than a job takes.
        InputError: the folder holds no run.
    """
    from filmstill.bedrock.evaluation import JUDGE, judge_by_job
    from filmstill.bedrock.models import check_alive
    from filmstill.bedrock.order import account_of
    from filmstill.bedrock.role import ensure_role
    from filmstill.bedrock.run import open_run
    from filmstill.bedrock.storage import ensure_bucket
    from filmstill.evals.judges import NOT_ASKED, Case, Judgement

    run = open_run(folder)
    judge = address.partition(":")[2] or JUDGE
    check_alive(judge, datetime.now(UTC).date(), f"--judge {address}", [f"{ADDRESS}:{JUDGE}"])
    aws = account_of(run)
    found, labels = [], set[str]()
    with run.alone(), err().status("Evaluation jobs") as status:
        ensure_bucket(aws, run)
        ensure_role(aws, run)
        for result in evaluation.results:
            name = result.scores.router
            cases = [
                Case(example.query, example.routing, answer.routing)
                for example, answer in zip(evaluation.examples, result.answers, strict=True)
                if answer.asked and example.routing is not None
            ]
            verdicts = iter(
                judge_by_job(
                    aws,
                    run,
                    _label(name, labels),
                    cases,
                    judge=judge,
                    on_look=lambda word, name=name: status.update(  # type: ignore[misc]
                        f"Evaluation job of {name}: {word}"
                    ),
                )
            )
            asked = [answer.asked for answer in result.answers]
            found.append(
                Judgement(
                    f"{ADDRESS}:{judge}",
                    tuple(next(verdicts) if one else NOT_ASKED for one in asked),
                )
            )
    return found


def _label(name: str, taken: set[str]) -> str:
    """A router's name as jobs may hold it, unlike those before it."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[-_LONGEST:].strip("-")
    for number in range(1, 100):
        label = (words or "router") if number == 1 else f"{words or 'router'}-{number}"
        if label not in taken:
            taken.add(label)
            return label
    raise InputError(f"too many routers are called like {name!r}")
