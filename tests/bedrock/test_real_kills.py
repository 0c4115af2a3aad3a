"""Processes that are killed by the system after a call, and the same command again."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from filmstill.bedrock.run import open_run
from tests.cli.test_cli import Run as Cli

from .account import Account

KILLER = """
import os, signal, sys
from filmstill.bedrock.aws import Aws
client = Aws._client
def die(**_):
    os.kill(os.getpid(), signal.SIGKILL)
def watched(self, service):
    found = client(self, service)
    found.meta.events.register("after-call.*." + sys.argv[1], die)
    return found
Aws._client = watched
from filmstill.cli.main import main
main(sys.argv[2:])
"""


@pytest.mark.parametrize(
    "operation",
    [
        "CreateModelCustomizationJob",
        "CreateCustomModelDeployment",
        "CreateEvaluationJob",
        "DeleteRole",
    ],
)
def test_a_real_kill(
    operation: str,
    account: Account,
    prepared: Path,
    folder: Path,
    tmp_path: Path,
    run: Cli,
) -> None:
    before = account.listing()
    test = tmp_path / "test.jsonl"
    test.write_text("".join(prepared.read_text().splitlines(keepends=True)[:5]))
    words: dict[str, tuple[Any, ...]] = {
        "CreateModelCustomizationJob": ("distill", prepared, "--on", "bedrock", "--out", folder),
        "CreateCustomModelDeployment": ("deploy", folder),
        "CreateEvaluationJob": (
            "evaluate", "--router", "mean", "--train", prepared, "--set", test,
            "--judge", "bedrock-job", "--run", folder,
        ),
        "DeleteRole": ("cleanup", folder),
    }  # fmt: skip
    if operation != "CreateModelCustomizationJob":
        assert run(*words["CreateModelCustomizationJob"]).code == 0
    command = [sys.executable, "-c", KILLER, operation, *map(str, words[operation])]
    died = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    done = run(*words[operation])
    assert done.code == 0, done.err
    kinds = [item.kind for item in open_run(folder).things]
    kinds = [kind for kind in kinds if kind != "object"]
    assert len(kinds) == len(set(kinds))
    assert run("cleanup", folder).code == 0
    assert account.listing() == before
