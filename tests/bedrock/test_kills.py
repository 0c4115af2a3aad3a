"""Killed anywhere and run again: the same end, nothing twice, nothing left behind.

A kill is an exception that nothing catches, at every moment that counts: after an answer of AWS
has come, before and after a note is written. Some kills are real ones, of processes.

With FILMSTILL_KILLS_TABLE=FILE and `-m ""`, the table of the documentation is written there.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from filmstill.bedrock.run import GONE, open_run
from filmstill.bedrock.storage import ensure_bucket

from .account import Account, Killed, Wire
from .conftest import Steps

Step = Callable[[Path], Any]
TABLE = os.environ.get("FILMSTILL_KILLS_TABLE", "")


def row(*cells: str) -> None:
    if TABLE:
        with Path(TABLE).open("a") as file:
            file.write(f"| {' | '.join(cells)} |\n")


def moments(wire: Wire, step: Step, folder: Path) -> list[str]:
    """All that happens in a step."""
    wire.moments.clear()
    step(folder)
    return list(wire.moments)


def points(happened: list[str]) -> Iterator[tuple[int, str]]:
    """Where to kill; between an answer and the note on it nothing changes: one of both will do."""
    before = ""
    for number, moment in enumerate(happened, start=1):
        if moment.startswith("before") and before and not before.startswith("before"):
            before = moment
            continue
        following = happened[number : number + 1]
        noted = not moment.startswith("before") and following and following[0].startswith("before")
        yield number, f"{moment}, {following[0]}" if noted else moment
        before = moment


def kill(wire: Wire, number: int, step: Step, folder: Path) -> None:
    """Do a step and die in it."""
    wire.moments.clear()
    wire.kill_after = number
    try:
        with pytest.raises(Killed):
            step(folder)
    finally:
        wire.kill_after = 0


def state(account: Account, folder: Path) -> tuple[Any, Any]:
    """What there is in the account, and what the record says."""
    run = open_run(folder)
    things = [(item.kind, item.name.replace(run.id, "ID"), item.state) for item in run.things]
    return account.listing(run.id), sorted(thing for thing in things if thing[2] != GONE)


def made_once(wire: Wire) -> None:
    """Every call that makes something came through once only."""
    names = [name for _, name in wire.calls if name.startswith("Create")]
    assert len(names) == len(set(names)), names


def test_distill(wire: Wire, account: Account, steps: Steps, tmp_path: Path) -> None:
    before, clean = account.listing(), tmp_path / "clean"
    happened = moments(wire, steps.distill, clean)
    expected = state(account, clean)
    steps.clean(clean)
    assert account.listing() == before
    assert len(happened) > 20
    for number, moment in points(happened):
        folder = tmp_path / str(number)
        wire.calls.clear()
        kill(wire, number, steps.distill, folder)
        steps.distill(folder)
        made_once(wire)
        assert state(account, folder) == expected, moment
        steps.clean(folder)
        assert account.listing() == before, moment
        row("distill", moment, "the same model, nothing twice", "nothing")


def test_cleanup_instead_of_going_on_with_distill(
    wire: Wire, account: Account, steps: Steps, tmp_path: Path
) -> None:
    before = account.listing()
    happened = moments(wire, steps.distill, tmp_path / "clean")
    steps.clean(tmp_path / "clean")
    for number, moment in points(happened):
        folder = tmp_path / str(number)
        kill(wire, number, steps.distill, folder)
        if (folder / "run.json").exists():
            steps.clean(folder)
        else:
            assert number == 1
        assert account.listing() == before, moment
        row("distill, then cleanup", moment, "-", "nothing")


@pytest.mark.parametrize("going_on", [True, False], ids=["again", "cleanup"])
def test_deploy(
    wire: Wire, account: Account, steps: Steps, distilled: Path, going_on: bool
) -> None:
    before = state(account, distilled)
    happened = moments(wire, steps.deploy, distilled)
    expected = state(account, distilled)
    steps.clean(distilled, "deployment")
    for number, moment in points(happened):
        wire.calls.clear()
        kill(wire, number, steps.deploy, distilled)
        if going_on:
            steps.deploy(distilled)
            made_once(wire)
            assert state(account, distilled) == expected, moment
            row("deploy", moment, "the same deployment, nothing twice", "nothing")
        else:
            row("deploy, then cleanup", moment, "-", "nothing")
        steps.clean(distilled, "deployment")
        assert state(account, distilled) == before, moment


@pytest.mark.parametrize("going_on", [True, False], ids=["again", "cleanup"])
def test_evaluate(
    wire: Wire, account: Account, steps: Steps, going_on: bool, tmp_path: Path
) -> None:
    """In a run that has a bucket; the role is made, too."""
    before = state_of_a_bucket(account, steps, tmp_path / "before")
    steps.clean(tmp_path / "before")
    nothing = account.listing()
    state_of_a_bucket(account, steps, tmp_path / "clean")
    happened = moments(wire, steps.evaluate, tmp_path / "clean")
    expected = state(account, tmp_path / "clean")
    assert expected != before
    steps.clean(tmp_path / "clean")
    for number, moment in points(happened):
        folder = tmp_path / str(number)
        state_of_a_bucket(account, steps, folder)
        wire.calls.clear()
        kill(wire, number, steps.evaluate, folder)
        if going_on:
            verdicts = steps.evaluate(folder)
            assert [verdict.score for verdict in verdicts] == [5, 1, 1]
            made_once(wire)
            assert state(account, folder) == expected, moment
            row("evaluate", moment, "the same verdicts, nothing twice", "nothing")
        else:
            row("evaluate, then cleanup", moment, "-", "nothing")
        steps.clean(folder)
        assert account.listing() == nothing, moment


def state_of_a_bucket(account: Account, steps: Steps, folder: Path) -> Any:
    """A run that has a bucket and nothing else."""
    from filmstill.bedrock.order import begin_run

    run = begin_run(folder, steps.settings, steps.checked, steps.task)
    ensure_bucket(steps.aws, run)
    return state(account, folder)


@pytest.mark.parametrize(
    "reads", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["changes", "all"]
)
def test_cleanup(wire: Wire, account: Account, steps: Steps, reads: bool, tmp_path: Path) -> None:
    """A kill after a call that only reads finds what the one before it found."""
    before = account.listing()

    def full(name: str) -> Path:
        folder = tmp_path / name
        steps.distill(folder)
        steps.deploy(folder)
        steps.evaluate(folder)
        return folder

    happened = moments(wire, steps.clean, full("clean"))
    assert account.listing() == before
    for number, moment in points(happened):
        if not reads and re.match(r"\w+ (Get|List|Head)", moment):
            continue
        folder = full(str(number))
        kill(wire, number, steps.clean, folder)
        steps.clean(folder)
        assert account.listing() == before, moment
        assert {item.state for item in open_run(folder).things} == {GONE}
        row("cleanup", moment, "all is gone", "nothing")


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
    steps: Steps,
    prepared: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    run = request.getfixturevalue("command_line")
    before, folder = account.listing(), tmp_path / "run"
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
