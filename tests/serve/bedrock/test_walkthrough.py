"""The published walk-through, with nothing but boto3, from an empty account to an empty account."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from filmstill import Task
from filmstill.jobs.order import Places
from filmstill.jobs.recipes import Recipes
from filmstill.registry import Registry
from filmstill.serve.bedrock.backend import Backend
from tests.conftest import WORDS, make_examples, write_training

from .worlds import assembled

SCRIPT = Path(__file__).parents[3] / "examples" / "bedrock" / "walkthrough.py"


@dataclass
class Account:
    """An empty account: Filmstill for Bedrock, moto for the rest; by its environment."""

    environment: dict[str, str]

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.environment[f"AWS_ENDPOINT_URL_{service.upper()}"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def walk(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", SCRIPT, *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def all(self) -> dict[str, list[Any]]:
        """All that is in it, but for the jobs, which cannot be deleted."""
        bedrock, s3, iam = (self.client(name) for name in ("bedrock", "s3", "iam"))
        found = {
            "models": bedrock.list_custom_models()["modelSummaries"],
            "deployments": bedrock.list_custom_model_deployments()["modelDeploymentSummaries"],
            "evaluations": bedrock.list_evaluation_jobs()["jobSummaries"],
            "buckets": s3.list_buckets()["Buckets"],
            "roles": iam.list_roles()["Roles"],
        }
        for one in (bedrock, s3, iam):
            one.close()
        return found


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory, recipes: Recipes) -> Iterator[Account]:
    pytest.importorskip("fcntl")
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    service = f"http://{host}:{port}"
    registry = Registry(tmp_path_factory.mktemp("account") / "home")
    backend = Backend(registry, places=Places(endpoint=service), recipes=recipes)
    with assembled(backend) as (address, *_), pytest.MonkeyPatch.context() as patch:
        # For the workers, which read and write S3.
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_REGION", "us-east-1")
        patch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
        places = {"BEDROCK": address, "BEDROCK_RUNTIME": address}
        places |= dict.fromkeys(("S3", "IAM", "STS"), service)
        endpoints = {f"AWS_ENDPOINT_URL_{name}": place for name, place in places.items()}
        yield Account({**os.environ, "AWS_DEFAULT_REGION": "us-east-1", **endpoints})
    registry.close()
    moto.stop()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, task: Task) -> tuple[Path, Path]:
    """Training and evaluation."""
    folder = tmp_path_factory.mktemp("walk")
    examples = make_examples(task, WORDS, 130, seed=2)
    lines = [
        {"query": example.query, "reference": example.routing.to_label()}
        for example in examples[120:]
        if example.routing is not None
    ]
    held_out = folder / "held-out.jsonl"
    held_out.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return write_training(folder / "train.jsonl", examples[:120], task), held_out


def test_from_nothing_to_a_rating_to_nothing(account: Account, files: tuple[Path, Path]) -> None:
    empty = account.all()
    assert not any(empty.values())
    done = account.walk(*files, "--queries", 8, "--poll", 0.05)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    rating = re.fullmatch(r"Mean rating of 8: (\d\.\d\d)", lines[-1])
    assert rating is not None, done.stdout
    assert 1 <= float(rating[1]) <= 5
    assert "Deployment Active" in lines
    assert "Evaluation Completed" in lines
    assert any(line.startswith("Completed (validation: Completed") for line in lines)
    assert any(re.fullmatch(r"Training loss \d\.\d{3}", line) for line in lines)
    [answer] = [line for line in lines if " -> {" in line]
    label = json.loads(answer.partition(" -> ")[2])
    assert {"visual", "audio", "transcription", "metadata"} <= set(label)
    assert account.all() == empty


def test_what_was_made_is_removed_after_a_failure(
    account: Account, files: tuple[Path, Path], tmp_path: Path
) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text("".join(files[0].read_text().splitlines(keepends=True)[:99]))
    done = account.walk(few, files[1], "--poll", 0.05)
    assert done.returncode == 1
    assert "Failed: " in done.stderr
    assert "99 valid prompts; the minimum is 100" in done.stderr
    assert not any(account.all().values())


def test_it_needs_nothing_but_boto3() -> None:
    imported = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])
    assert imported - sys.stdlib_module_names == {"boto3"}
