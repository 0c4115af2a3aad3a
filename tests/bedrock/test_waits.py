"""Waiting for what AWS is at work on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from filmstill.bedrock.aws import ATTEMPTS
from filmstill.bedrock.waiting import pause
from filmstill.errors import AwsError
from tests.cli.test_cli import Run as Cli

from .runs import Steps, sentence
from .wire import THROTTLED, Answer, Wire

LOST = EndpointConnectionError(endpoint_url="https://bedrock.us-east-1.amazonaws.com")
DOWN = (503, "ServiceUnavailableException", "down")


@pytest.mark.parametrize(("own", "waited"), [("0.5", 0.5), ("", 30.0), ("soon", 30.0), ("2", 2.0)])
def test_pauses(own: str, waited: float, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    sleep: Callable[[float], None] = slept.append
    monkeypatch.setattr("filmstill.bedrock.waiting.time.sleep", sleep)
    monkeypatch.setenv("FILMSTILL_POLL_SECONDS", own)
    pause(30.0)
    assert slept == [waited]


@pytest.mark.parametrize(
    ("step", "operation"),
    [
        ("distill", "GetModelCustomizationJob"),
        ("deploy", "GetCustomModelDeployment"),
        ("provision", "GetProvisionedModelThroughput"),
        ("evaluate", "GetEvaluationJob"),
    ],
)
def test_a_wait_outlasts_what_passes(
    step: str, operation: str, folder: Path, steps: Steps, wire: Wire
) -> None:
    """Each of these lasts longer than boto3's own tries."""
    if step != "distill":
        steps.distill(folder)
    passing: list[Answer] = [LOST] * ATTEMPTS + [DOWN] * ATTEMPTS + [THROTTLED] * ATTEMPTS
    wire.fail(operation, *passing, None)
    getattr(steps, step)(folder)
    assert wire.count(operation) >= 4


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(LOST, id="lost"),
        pytest.param(THROTTLED, id="throttled"),
        pytest.param(DOWN, id="down"),
    ],
)
def test_what_does_not_pass_is_told_in_the_end(
    fault: Answer, run: Cli, words: Any, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filmstill.bedrock.aws.PATIENCE_S", 0.05)
    wire.fail("GetModelCustomizationJob", *[fault] * 2000, None)
    assert "run the same command later to go on" in sentence(run(*words))
    assert wire.count("GetModelCustomizationJob") > 1
    wire.faults.clear()
    assert run(*words).code == 0


def test_what_is_denied_is_told_at_once(
    folder: Path, steps: Steps, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filmstill.bedrock.aws.PATIENCE_S", 0.05)
    wire.fail("GetModelCustomizationJob", (403, "AccessDeniedException", "no"))
    with pytest.raises(AwsError, match="bedrock:GetModelCustomizationJob"):
        steps.distill(folder)
    assert wire.count("GetModelCustomizationJob") == 1
