"""Runs: their steps by the library, records without an account, and what commands say of them."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filmstill import Routing, Task
from filmstill.bedrock.aws import Aws
from filmstill.bedrock.cleanup import clean_up
from filmstill.bedrock.deployment import ensure_deployment, ensure_provisioned, wait_until_served
from filmstill.bedrock.evaluation import judge_by_jobs
from filmstill.bedrock.order import Checked, Settings
from filmstill.bedrock.pipeline import distill_on_bedrock
from filmstill.bedrock.role import ensure_role
from filmstill.bedrock.run import Run, begin, open_run
from filmstill.bedrock.storage import ensure_bucket
from filmstill.evals.judges import Case, Verdict

from .account import NUMBER, REGION
from .wire import Answer

MICRO, LITE = "amazon.nova-micro-v1:0:128k", "amazon.nova-lite-v1:0:300k"
PRO, PREMIER = "amazon.nova-pro-v1:0", "amazon.nova-premier-v1:0"


def make_run(folder: Path, **changes: Any) -> Run:
    """A run that has only begun."""
    settings = {"account": NUMBER, "region": REGION, "bucket": "", "role": ""}
    settings |= {"teacher": PRO, "student": MICRO, "logs": "", "task": ""}
    return begin(folder, settings | changes)


def training(folder: Path, lines: list[str]) -> Path:
    """A file of training data."""
    path = folder / "train.jsonl"
    path.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8")
    return path


def job_look(age_h: float, **phases: tuple[str, float]) -> Answer:
    """What Bedrock says of a job so many hours old; of each phase, and since when that is so."""
    now = datetime.now(UTC)

    def before(hours: float) -> str:
        return (now - timedelta(hours=hours)).isoformat()

    details = {
        f"{name}Details": {"status": status, "lastModifiedTime": before(hours)}
        for name, (status, hours) in phases.items()
    }
    job = {"status": "InProgress", "creationTime": before(age_h), "statusDetails": details}
    return 200, "", json.dumps(job)


def sentence(ran: Any) -> str:
    """The one line of an error; nothing was printed and no traceback shown."""
    assert ran.code == 1, (ran.out, ran.err)
    (line,) = (text for text in ran.err.splitlines() if text.startswith("Error: "))
    assert "bug in Filmstill" not in line
    return str(line.removeprefix("Error: "))


@dataclass
class Steps:
    """The steps of a run, by the library and one client for all.

    Attributes:
        settings: of the runs.
        checked: as `check` found it.
        task: what is routed.
    """

    settings: Settings
    checked: Checked
    task: Task

    @property
    def aws(self) -> Aws:
        return self.checked.aws

    def distill(self, folder: Path) -> Run:
        return distill_on_bedrock(folder, self.settings, self.checked, self.task)

    def deploy(self, folder: Path) -> str:
        with self._alone(folder) as run:
            ensure_deployment(self.aws, run)
            return wait_until_served(self.aws, run)

    def provision(self, folder: Path) -> str:
        with self._alone(folder) as run:
            ensure_provisioned(self.aws, run, 1)
            return wait_until_served(self.aws, run)

    def evaluate(self, folder: Path) -> list[Verdict]:
        return self.judge(folder, {"student": self.cases()})["student"]

    def judge(self, folder: Path, routers: dict[str, list[Case]]) -> dict[str, list[Verdict]]:
        with self._alone(folder) as run:
            ensure_bucket(self.aws, run)
            ensure_role(self.aws, run)
            return judge_by_jobs(self.aws, run, routers)

    def cases(self) -> list[Case]:
        """Three that score 5, 2 and, without an answer, 1."""
        first, second = ({"visual": 0.7}, {"audio": 0.7})
        rest = dict.fromkeys(self.task.channel_names, 0.1)
        right, wrong = (Routing({**rest, **lead}, reasoning="so") for lead in (first, second))
        return [
            Case("red car", right, right),
            Case("blue car", right, None),
            Case("car", right, wrong),
        ]

    def clean(self, folder: Path, *kinds: str) -> None:
        with self._alone(folder) as run:
            chosen = {"kinds": kinds} if kinds else {}
            failures = [item.failure for item in clean_up(self.aws, run, **chosen)]
        assert not any(failures), failures

    @contextlib.contextmanager
    def _alone(self, folder: Path) -> Iterator[Run]:
        run = open_run(folder)
        with run.alone():
            yield run
