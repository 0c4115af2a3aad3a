"""`filmstill evaluate --judge bedrock-job`: evaluation jobs on Amazon Bedrock as a judge."""

import re
from collections.abc import Container
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from filmstill.cli.screen import err
from filmstill.errors import DataError, InputError

if TYPE_CHECKING:
    from filmstill.bedrock.aws import Aws
    from filmstill.bedrock.run import Run
    from filmstill.evals.evaluate import Evaluation
    from filmstill.evals.judges import Judgement

ADDRESS = "bedrock-job"
_LONGEST = 24  # characters of a label; a job's name, of 63 at most, holds the run's and more


def is_job(address: str) -> bool:
    """Whether a judge's address names evaluation jobs."""
    return address == ADDRESS or address.startswith(f"{ADDRESS}:")


def check_run(judges: tuple[str, ...], folder: Path | None) -> None:
    """See that jobs have a run, and a run has jobs.

    Raises:
        click.UsageError: they have not.
        InputError: the folder holds no run.
    """
    if any(map(is_job, judges)) != (folder is not None):
        raise click.UsageError(
            f"--judge {ADDRESS} and --run go together: the run's bucket and role are used"
        )
    if folder is not None:
        from filmstill.bedrock.run import open_run

        open_run(folder)


class EvaluationJobs:
    """A judge that takes all answers of a router at once.

    Attributes:
        name: as the judge is called in tables.
        model: id of the model that judges.
        run: whose bucket and role are used.
        aws: the account.
    """

    def __init__(self, address: str, folder: Path, queries: int, profile: str) -> None:
        """See that jobs can be begun, before minutes are spent.

        Args:
            address: `bedrock-job`, or `bedrock-job:MODEL_ID`.
            folder: of the run.
            queries: how many each job will judge.
            profile: of the AWS configuration; empty for the default one.

        Raises:
            AwsError: there are no credentials, or those of another account.
            DataError: there are more queries than a job takes.
            InputError: the folder holds no run, or the model is retired.
        """
        from filmstill.bedrock.evaluation import JUDGE, MOST
        from filmstill.bedrock.models import check_judge
        from filmstill.bedrock.order import account_of
        from filmstill.bedrock.run import open_run

        if queries > MOST:
            raise DataError(
                f"an evaluation job takes {MOST:,} answers at most, and there are {queries:,} "
                f"queries: give --set with fewer"
            )
        self.model = address.partition(":")[2] or JUDGE
        self.name = f"{ADDRESS}:{self.model}"
        today = datetime.now(UTC).date()
        check_judge(self.model, today, f"--judge {address}", [f"{ADDRESS}:{JUDGE}"])
        self.run: Run = open_run(folder)
        self.aws: Aws = account_of(self.run, profile)

    def judge(self, evaluation: "Evaluation") -> "list[Judgement]":
        """The judgements of every router, in their order, by one job each.

        Raises:
            AwsError: a job cannot be begun, or failed.
        """
        from filmstill.bedrock.evaluation import judge_by_jobs
        from filmstill.bedrock.role import ensure_role
        from filmstill.bedrock.storage import ensure_bucket
        from filmstill.evals.judging import cases_of, judgement_of

        labels: dict[str, str] = {}  # of jobs, to names of routers
        for result in evaluation.results:
            labels[_label(result.scores.router, labels)] = result.scores.router
        talk, seen = err(), dict[str, str]()
        with self.run.alone(), talk.status("Evaluation jobs") as status:

            def look(label: str, word: str) -> None:
                line = f"Evaluation job of {labels[label]}: {word}"
                status.update(line)
                if seen.get(label) != word:
                    seen[label] = word
                    talk.print(line)

            ensure_bucket(self.aws, self.run)
            ensure_role(self.aws, self.run)
            cases = [cases_of(result, evaluation) for result in evaluation.results]
            try:
                verdicts = judge_by_jobs(
                    self.aws,
                    self.run,
                    dict(zip(labels, cases, strict=True)),
                    judge=self.model,
                    on_look=look,
                )
            except KeyboardInterrupt:
                talk.print(
                    f"Stopped looking. The jobs go on: run the same command again to wait, or "
                    f"`filmstill cleanup {self.run.folder} --only evaluation` to remove them"
                )
                raise
        return [
            judgement_of(self.name, found, result)
            for found, result in zip(verdicts.values(), evaluation.results, strict=True)
        ]


def _label(name: str, taken: Container[str]) -> str:
    """A router's name as jobs may hold it, unlike those before it."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[-_LONGEST:].strip("-")
    for number in range(1, 100):
        label = (words or "router") if number == 1 else f"{words or 'router'}-{number}"
        if label not in taken:
            return label
    raise InputError(f"too many routers are called like {name!r}")
