"""Fixtures: the account, its environment, and runs in it."""

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from filmstill import Routing, Task
from filmstill.bedrock.aws import Aws
from filmstill.bedrock.cleanup import clean_up
from filmstill.bedrock.deployment import ensure_deployment, wait_until_served
from filmstill.bedrock.evaluation import judge_by_jobs
from filmstill.bedrock.order import Checked, Settings, check
from filmstill.bedrock.pipeline import distill_on_bedrock
from filmstill.bedrock.role import ensure_role
from filmstill.bedrock.run import Made, Run, open_run
from filmstill.bedrock.storage import ensure_bucket
from filmstill.config import ServeConfig
from filmstill.evals.judges import Case, Verdict
from filmstill.jobs.order import Places
from filmstill.jobs.recipes import Recipes
from filmstill.jobs.runner import Runner
from filmstill.registry import Registry
from filmstill.serve import housekeeping
from filmstill.serve.app import create_app
from filmstill.serve.bedrock.backend import Backend
from filmstill.serve.bedrock.handlers import bedrock_app
from filmstill.serve.service import Service
from tests.cli.test_cli import run as command_line
from tests.conftest import WORDS, make_examples, write_training
from tests.serve.bedrock.conftest import recipes
from tests.serve.bedrock.test_boto3 import serving
from tests.serve.bedrock.worlds import until

from .account import REGION, Account, Wire, Worker

__all__ = ["command_line", "recipes"]


@pytest.fixture(scope="session")
def account(
    tmp_path_factory: pytest.TempPathFactory, recipes: Recipes, quick_student: Path
) -> Iterator[Account]:
    """The services, which all tests share."""
    pytest.importorskip("fcntl")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    url = f"http://{host}:{port}"
    registry = Registry(tmp_path_factory.mktemp("account"))
    backend = Backend(registry, places=Places(endpoint=url), recipes=recipes)
    service = Service(registry, ServeConfig())
    worker = Worker(registry, quick_student, Runner(registry, 2))
    app = create_app(service, bedrock=bedrock_app(backend, service.students), tick=worker.tick)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(housekeeping, "PAUSE_S", 0.02)
        with serving(app, lifespan="on") as address:
            until(lambda: service.ready)
            made = Account(address, url, backend, worker)
            yield made
            for client in made.clients.values():
                client.close()
    moto.stop()
    registry.close()


@pytest.fixture(autouse=True)
def wire(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Points boto3 at the account, and watches what the code under test sends there."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in account.environment.items():
        monkeypatch.setenv(name, value)
    watched, client, known = Wire(), Aws._client, []
    save, kept, noting = Run._save, Run._keep, list[str]()

    def watch(self: Aws, service: str) -> Any:
        new = service not in self._clients
        found = client(self, service)
        if new:
            known.append(found)
            watched.watch(found)
        return found

    def keep(self: Run, item: Made) -> None:
        noting.append(f"{item.kind} {item.state}")
        kept(self, item)

    def write(self: Run) -> None:
        watched.moment(f"before it is noted: {noting.pop() if noting else 'the run'}")
        save(self)

    monkeypatch.setattr(Run, "_keep", keep)
    monkeypatch.setattr(Aws, "_client", watch)
    monkeypatch.setattr(Run, "_save", write)
    yield watched
    for found in known:
        found.close()
    account.worker.real = False
    account.worker.waits.clear()
    account.worker.fails.clear()
    assert watched.broken == []


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, task: Task) -> Path:
    """110 labelled records, as Bedrock takes them."""
    path = tmp_path_factory.mktemp("prepared") / "train.jsonl"
    return write_training(path, make_examples(task, WORDS, 110, seed=1), task)


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

    def evaluate(self, folder: Path, label: str = "student") -> list[Verdict]:
        with self._alone(folder) as run:
            ensure_bucket(self.aws, run)
            ensure_role(self.aws, run)
            return judge_by_jobs(self.aws, run, {label: self.cases()})[label]

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


@pytest.fixture
def steps(wire: Wire, prepared: Path, task: Task) -> Steps:
    settings = Settings(region=REGION)
    return Steps(settings, check(settings, prepared, task), task)


@pytest.fixture
def distilled(steps: Steps, tmp_path: Path) -> Iterator[Path]:
    """A run whose model is made; removed after the test, whatever is left of it."""
    folder = tmp_path / "distilled"
    steps.distill(folder)
    yield folder
    if (folder / "run.json").exists():
        steps.clean(folder)
    shutil.rmtree(folder)


Cli = Callable[..., Any]
