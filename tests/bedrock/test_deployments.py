"""Deploying a run's model, and what can be in the way."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from filmstill import Task
from filmstill.bedrock.deployment import served_arn
from filmstill.bedrock.run import open_run
from filmstill.models import Prompt
from tests.cli.test_cli import Run as Cli
from tests.conftest import record

from .account import NUMBER, Account
from .runs import LITE, make_run, sentence, training
from .wire import Wire


def test_a_deployment_that_fails(run: Cli, distilled: Path, account: Account, wire: Wire) -> None:
    failed = {
        "customModelDeploymentArn": f"arn:aws:bedrock:us-east-1:{NUMBER}:"
        "custom-model-deployment/abcdefghijkl",
        "status": "Failed",
        "failureMessage": "no capacity",
    }
    wire.fail("GetCustomModelDeployment", (200, "", json.dumps(failed)))
    found = sentence(run("deploy", distilled))
    assert "failed: no capacity; `filmstill cleanup" in found
    assert "--only deployment` removes it, then deploy again" in found
    wire.faults.clear()
    assert run("cleanup", distilled, "--only", "deployment").code == 0
    assert account.listing()["deployments"] == []
    assert run("deploy", distilled).code == 0
    assert wire.count("CreateCustomModelDeployment") == 2


@pytest.mark.parametrize(
    ("more", "delete", "identifier"),
    [
        ((), "delete_custom_model_deployment", "customModelDeploymentIdentifier"),
        (("--provisioned", 1), "delete_provisioned_model_throughput", "provisionedModelId"),
    ],
)
def test_a_deployment_that_was_removed_in_the_console(
    more: tuple[object, ...], delete: str, identifier: str,
    run: Cli, distilled: Path, account: Account,
) -> None:  # fmt: skip
    assert run("deploy", distilled, *more).code == 0
    first, name = served_arn(open_run(distilled)), open_run(distilled).name
    getattr(account.client("bedrock"), delete)(**{identifier: first})
    assert sentence(run("deploy", distilled, *more)) == (
        f"the deployment {name} was removed by somebody else; run the same command again to deploy "
        f"anew"
    )
    assert run("deploy", distilled, *more).code == 0
    assert served_arn(open_run(distilled)) != first


def test_deploy_without_a_model(run: Cli, wire: Wire, words: Any, folder: Path) -> None:
    wire.fail("CreateModelCustomizationJob", (400, "ValidationException", "no"))
    assert run(*words).code == 1
    assert "its job has not made a model" in sentence(run("deploy", folder))
    assert "nothing is deployed" in sentence(run("route", "red", "--router", folder))


@pytest.mark.parametrize("more", [(), ("--provisioned", 2)], ids=["on demand", "provisioned"])
def test_a_dry_run_changes_nothing(
    more: tuple[object, ...], run: Cli, distilled: Path, wire: Wire
) -> None:
    before = (distilled / "run.json").read_text()
    wire.calls.clear()
    assert run("deploy", distilled, *more, "--dry-run").code == 0
    assert wire.changes() == []
    assert (distilled / "run.json").read_text() == before


def test_throughput_without_a_known_price(run: Cli, folder: Path, task: Task) -> None:
    make_run(folder, student=LITE, task=task.to_toml())
    planned = run("deploy", folder, "--provisioned", 2, "--dry-run")
    assert re.search(r"an hour of throughput +unknown", planned.out), planned


@pytest.mark.parametrize("prompt", ["Weigh the channels.", ""])
def test_the_student_is_asked_as_it_was_taught(
    prompt: str, run: Cli, words: Any, folder: Path, tmp_path: Path, asked: list[Prompt]
) -> None:
    """By the system prompt of its own file, where that has one."""
    system = {"system": [{"text": prompt}]} if prompt else {}
    data = training(tmp_path, [record(**system)] * 100)
    assert run("distill", data, *words[2:]).code == 0
    assert run("deploy", folder).code == 0
    assert run("route", "red car", "--router", folder).code == 0
    assert [(item.system, item.turns) for item in asked] == [(prompt, ("red car",))]
