"""Fixtures: the account, its environment, and runs in it."""

import json
import logging
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from moto.server import ThreadedMotoServer

from filmstill import Task
from filmstill.bedrock.aws import Aws
from filmstill.bedrock.order import Settings, check
from filmstill.bedrock.run import Made, Run
from filmstill.config import ServeConfig
from filmstill.jobs.order import Places
from filmstill.jobs.recipes import Recipes
from filmstill.jobs.runner import Runner
from filmstill.models import Completion, Prompt
from filmstill.models.bedrock import BedrockModel
from filmstill.registry import Registry
from filmstill.serve import housekeeping
from filmstill.serve.app import create_app
from filmstill.serve.bedrock.backend import Backend
from filmstill.serve.bedrock.handlers import bedrock_app
from filmstill.serve.service import Service
from tests.cli.test_cli import Run as Cli
from tests.cli.test_cli import run as command_line
from tests.conftest import WORDS, make_examples, record, write_training
from tests.serve.bedrock.conftest import recipes
from tests.serve.bedrock.test_boto3 import serving
from tests.serve.bedrock.worlds import until

from .account import REGION, Account, Worker
from .runs import Steps
from .wire import Wire

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
    load = cache(JSONFileLoader().load_file)  # every client would read all of its service's model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: load(path))
        patch.setattr(housekeeping, "PAUSE_S", 0.01)
        with serving(app, lifespan="on") as address:
            until(lambda: service.ready)
            made = Account(address, url, backend, worker)
            yield made
            for client in made.clients.values():
                client.close()
    moto.stop()
    registry.close()


@pytest.fixture
def wire(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Points boto3 at the account, and watches what the code under test sends there.

    Tries that fail follow each other at once.
    """
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
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


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, task: Task) -> Path:
    """110 labelled records, as Bedrock takes them."""
    path = tmp_path_factory.mktemp("prepared") / "train.jsonl"
    return write_training(path, make_examples(task, WORDS, 110, seed=1), task)


@pytest.fixture
def run(command_line: Cli, wire: Wire) -> Cli:
    """The command line, with the account behind it."""
    return command_line


@pytest.fixture
def steps(wire: Wire, prepared: Path, task: Task) -> Steps:
    settings = Settings(region=REGION)
    return Steps(settings, check(settings, prepared, task), task)


@pytest.fixture
def folder(steps: Steps, wire: Wire, tmp_path: Path) -> Iterator[Path]:
    """Where a run goes; what it made is removed after the test."""
    place = tmp_path / "run"
    yield place
    wire.faults.clear()
    if (place / "run.json").exists():
        steps.clean(place)


@pytest.fixture
def words(prepared: Path, folder: Path) -> tuple[object, ...]:
    """A command that distils."""
    return ("distill", prepared, "--on", "bedrock", "--out", folder)


@pytest.fixture
def distilled(folder: Path, steps: Steps) -> Path:
    """A run whose model is made."""
    steps.distill(folder)
    return folder


@pytest.fixture
def bucket(account: Account) -> Iterator[str]:
    """A bucket of the user's own."""
    s3, name = account.client("s3"), "mine"
    s3.create_bucket(Bucket=name)
    yield name
    found = s3.list_object_versions(Bucket=name)
    for item in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
        s3.delete_object(Bucket=name, Key=item["Key"], VersionId=item["VersionId"])
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def role(account: Account) -> Iterator[str]:
    """The ARN of a role of the user's own."""
    iam = account.client("iam")
    made = iam.create_role(RoleName="mine", AssumeRolePolicyDocument='{"Statement": []}')
    yield made["Role"]["Arn"]
    iam.delete_role(RoleName="mine")


@pytest.fixture
def logs(account: Account) -> Iterator[str]:
    """The address of 101 logged answers of a teacher."""
    s3, place = account.client("s3"), {"Bucket": "logs", "Key": "bedrock/log.json"}
    answer = {"role": "assistant", "content": json.loads(record())["messages"][1]["content"]}
    lines = [
        {
            "modelId": "amazon.nova-pro-v1:0",
            "operation": "Converse",
            "input": {
                "inputBodyJson": {
                    "messages": [{"role": "user", "content": [{"text": f"car {number}"}]}]
                }
            },
            "output": {"outputBodyJson": {"output": {"message": answer}}},
        }
        for number in range(101)
    ]
    s3.create_bucket(Bucket=place["Bucket"])
    s3.put_object(**place, Body="\n".join(map(json.dumps, lines)).encode())
    yield "s3://logs/bedrock/"
    s3.delete_object(**place)
    s3.delete_bucket(Bucket=place["Bucket"])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Prompt]:
    """What models on Bedrock are asked."""
    prompts, ask = list[Prompt](), BedrockModel.ask

    def watched(self: BedrockModel, prompt: Prompt) -> Completion:
        prompts.append(prompt)
        return ask(self, prompt)

    monkeypatch.setattr(BedrockModel, "ask", watched)
    return prompts
