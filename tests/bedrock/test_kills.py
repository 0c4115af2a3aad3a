"""Killed anywhere and run again: the same end, nothing twice, nothing left behind.

A kill is an exception that nothing catches, at every moment that counts: after an answer of AWS
has come, before and after a note is written. Where that takes long, only the calls that change
something are taken, and all moments by `-m slow`.

With FILMSTILL_KILLS_TABLE=FILE and `-m ""`, the table of the documentation is written there.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from filmstill.bedrock.order import Settings, begin_run, check
from filmstill.bedrock.run import GONE, open_run
from filmstill.bedrock.storage import ensure_bucket

from .account import REGION, Account
from .runs import Steps
from .wire import Killed, Wire

Step = Callable[[Path], Any]
TABLE = os.environ.get("FILMSTILL_KILLS_TABLE", "")

every = pytest.mark.parametrize(
    "every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["changes", "all"]
)
again = pytest.mark.parametrize("going_on", [True, False], ids=["again", "cleanup"])


def row(*cells: str) -> None:
    if TABLE:
        with Path(TABLE).open("a") as file:
            file.write(f"| {' | '.join(cells)} |\n")


def moments(wire: Wire, step: Step, folder: Path) -> list[str]:
    """All that happens in a step."""
    wire.moments.clear()
    step(folder)
    return list(wire.moments)


def points(happened: list[str], *, every: bool = True) -> Iterator[tuple[int, str]]:
    """Where to kill: everywhere, or after the calls that change something.

    Between an answer and the note on it nothing changes: one of both will do.
    """
    before = ""
    for number, moment in enumerate(happened, start=1):
        if moment.startswith("before") and before and not before.startswith("before"):
            before = moment
            continue
        following = happened[number : number + 1]
        noted = not moment.startswith("before") and following and following[0].startswith("before")
        if every or not re.match(r"before|\w+ (Get|List|Head)", moment):
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


@every
def test_distill(every: bool, wire: Wire, account: Account, steps: Steps, tmp_path: Path) -> None:
    before, clean = account.listing(), tmp_path / "clean"
    happened = moments(wire, steps.distill, clean)
    expected = state(account, clean)
    steps.clean(clean)
    assert account.listing() == before
    assert len(happened) > 20
    for number, moment in points(happened, every=every):
        folder = tmp_path / str(number)
        wire.calls.clear()
        kill(wire, number, steps.distill, folder)
        steps.distill(folder)
        made_once(wire)
        assert state(account, folder) == expected, moment
        steps.clean(folder)
        assert account.listing() == before, moment
        if every:
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


def test_distill_with_places_of_the_user(
    bucket: str, role: str, logs: str,
    wire: Wire, account: Account, steps: Steps, tmp_path: Path,
) -> None:  # fmt: skip
    settings = Settings(region=REGION, bucket=bucket, role=role, logs=logs)
    steps = Steps(settings, check(settings, None, steps.task), steps.task)
    before, clean = account.listing(), tmp_path / "clean"
    happened = moments(wire, steps.distill, clean)
    expected = state(account, clean)
    steps.clean(clean)
    assert not [moment for moment in happened if re.search("Put|CreateBucket|CreateRole", moment)]
    for number, moment in points(happened):
        folder = tmp_path / str(number)
        wire.calls.clear()
        kill(wire, number, steps.distill, folder)
        steps.distill(folder)
        made_once(wire)
        assert state(account, folder) == expected, moment
        steps.clean(folder)
        assert account.listing() == before, moment
        row("distill, own places", moment, "the same model, nothing twice", "nothing")


@again
@pytest.mark.parametrize(
    ("way", "kind"),
    [("deploy", "deployment"), ("provision", "provisioned")],
    ids=["on demand", "provisioned"],
)
def test_deploy(
    way: str, kind: str, going_on: bool,
    wire: Wire, account: Account, steps: Steps, distilled: Path,
) -> None:  # fmt: skip
    step = getattr(steps, way)
    before = state(account, distilled)
    happened = moments(wire, step, distilled)
    expected = state(account, distilled)
    steps.clean(distilled, kind)
    for number, moment in points(happened):
        wire.calls.clear()
        kill(wire, number, step, distilled)
        if going_on:
            step(distilled)
            made_once(wire)
            assert state(account, distilled) == expected, moment
            row(way, moment, "the same deployment, nothing twice", "nothing")
        else:
            row(f"{way}, then cleanup", moment, "-", "nothing")
        steps.clean(distilled, kind)
        assert state(account, distilled) == before, moment


@every
@again
def test_evaluate(
    every: bool, going_on: bool, wire: Wire, account: Account, steps: Steps, tmp_path: Path
) -> None:
    """In a run that has a bucket; the role is made, too."""
    nothing, clean = account.listing(), tmp_path / "clean"
    before = state_of_a_bucket(account, steps, clean)
    happened = moments(wire, steps.evaluate, clean)
    expected = state(account, clean)
    assert expected != before
    steps.clean(clean)
    for number, moment in points(happened, every=every):
        folder = tmp_path / str(number)
        state_of_a_bucket(account, steps, folder)
        wire.calls.clear()
        kill(wire, number, steps.evaluate, folder)
        if going_on:
            verdicts = steps.evaluate(folder)
            assert [verdict.score for verdict in verdicts] == [5, 1, 1]
            made_once(wire)
            assert state(account, folder) == expected, moment
        steps.clean(folder)
        assert account.listing() == nothing, moment
        if every and going_on:
            row("evaluate", moment, "the same verdicts, nothing twice", "nothing")
        elif every:
            row("evaluate, then cleanup", moment, "-", "nothing")


def state_of_a_bucket(account: Account, steps: Steps, folder: Path) -> Any:
    """A run that has a bucket and nothing else."""
    run = begin_run(folder, steps.settings, steps.checked, steps.task)
    ensure_bucket(steps.aws, run)
    return state(account, folder)


@every
def test_cleanup(every: bool, wire: Wire, account: Account, steps: Steps, tmp_path: Path) -> None:
    before = account.listing()

    def full(name: str) -> Path:
        folder = tmp_path / name
        steps.distill(folder)
        steps.deploy(folder)
        steps.evaluate(folder)
        return folder

    happened = moments(wire, steps.clean, full("clean"))
    assert account.listing() == before
    for number, moment in points(happened, every=every):
        folder = full(str(number))
        kill(wire, number, steps.clean, folder)
        steps.clean(folder)
        assert account.listing() == before, moment
        assert {item.state for item in open_run(folder).things} == {GONE}
        if every:
            row("cleanup", moment, "all is gone", "nothing")
