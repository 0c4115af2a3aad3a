"""What tests of jobs share: a registry, a runner, buckets in a folder, services that wait."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from filmstill.jobs.evaluation import Dataset, Evaluation
from filmstill.jobs.job import (
    EVALUATION,
    UNFINISHED,
    Job,
    all_jobs,
    find_job,
    job_folder,
    submit,
)
from filmstill.jobs.order import Places
from filmstill.jobs.rating import Metric
from filmstill.jobs.runner import Runner
from filmstill.registry import Registry
from tests.conftest import record
from tests.services import Service, point_at, service

fcntl = pytest.importorskip("fcntl")

LABEL = '{"visual": 0.1, "audio": 0.7, "transcription": 0.0, "metadata": 0.2, "reasoning": "heard"}'
LINE = '{"prompt": "a dog barks", "modelResponses": [{"response": "no", "modelIdentifier": "m"}]}'


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    opened = Registry(tmp_path / "home")
    yield opened
    end_all(opened)
    opened.close()


@pytest.fixture
def runner(registry: Registry) -> Iterator[Runner]:
    """A runner whose workers are gone when the test has ended."""
    made = Runner(registry)
    yield made
    end_all(registry)
    made.tick(start=False)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A folder that stands for S3, with one bucket."""
    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    return Places(root=str(tmp_path / "s3"))


def put(places: Places, key: str, content: str | bytes) -> str:
    """Write an object into the bucket; its address."""
    path = Path(places.root) / "bucket" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return f"s3://bucket/{key}"


def until(condition: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.01)


def to_the_end(
    runner: Runner,
    registry: Registry,
    *names: str,
    watch: Callable[[Job], None] = lambda job: None,
) -> list[Job]:
    """Tick until jobs have ended; how they stand then."""

    def ended() -> bool:
        runner.tick()
        jobs = [find_job(registry, name) for name in names]
        for job in jobs:
            watch(job)
        return all(job.status not in UNFINISHED for job in jobs)

    until(ended)
    return [find_job(registry, name) for name in names]


def is_worked_on(registry: Registry, job: Job) -> bool:
    """Whether a process works on a job."""
    path = job_folder(registry, job.id) / "lock"
    if not path.exists():
        return False
    with path.open("rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def end_all(registry: Registry) -> None:
    """End all workers, as hard as need be."""
    for job in all_jobs(registry):
        if job.status in UNFINISHED and job.pid and is_worked_on(registry, job):
            with contextlib.suppress(ProcessLookupError):
                os.kill(job.pid, signal.SIGKILL)
    until(lambda: not any(is_worked_on(registry, job) for job in all_jobs(registry)))
    time.sleep(0.02)  # from the end of its lock to the end of a process


def submit_evaluation(
    registry: Registry, places: Places, name: str, *, judge: str = "rubric", lines: str = LINE
) -> Job:
    """A small evaluation: its answers are in the data, and need only be rated."""
    order = Evaluation(
        name=name,
        datasets=(Dataset("set", put(places, f"{name}.jsonl", lines), "General", ("quality",)),),
        metrics=(Metric("quality", "How good is {{prediction}}?"),),
        judge=judge,
        responder="m",
        router="",
        output="s3://bucket/results",
        places=places,
    )
    return submit(registry, EVALUATION, name, asdict(order))


class Gate:
    """A service's answers, held back until `open` is set."""

    def __init__(self, answer: str = LABEL) -> None:
        self.open, self.asked, self._answer = threading.Event(), threading.Event(), answer

    def __call__(self, system: str, user: str) -> str:
        self.asked.set()
        self.open.wait(60)
        return self._answer


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """`openai:` models answer when the gate is opened."""
    made = Gate()
    with service(made) as running:
        point_at(running, monkeypatch)
        yield made
        made.open.set()


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """`openai:` models label every query alike."""
    with service(lambda _, user: LABEL) as running:
        point_at(running, monkeypatch)
        yield running


@pytest.fixture
def impostor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has workers run other code; in it, `work()` is what they would have done."""

    def replace_by(code: str) -> None:
        script, command = tmp_path / "impostor.py", tmp_path / "impostor.sh"
        script.write_text(
            "import os, signal, sys, time\n"
            "from filmstill.jobs import evaluation, worker\n"
            f"def work():\n    sys.exit(worker.main(*sys.argv[3:5]))\n{code}\n"
        )
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n')
        command.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(command))

    return replace_by


def lines_of(count: int, start: int = 0) -> str:
    """Labelled records."""
    return "".join(record(f"red car {number}") + "\n" for number in range(start, start + count))


def unlabelled(*queries: str) -> str:
    """Records without a label."""
    lines = ""
    for query in queries:
        text = '{"schemaVersion": "bedrock-conversation-2024", "messages": [{"role": "user", '
        lines += f'{text}"content": [{{"text": "{query}"}}]}}]}}\n'
    return lines
