"""Distillation jobs that fail, stall, or end unseen."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from filmstill.bedrock.run import open_run
from filmstill.errors import AwsError
from tests.cli.test_cli import Run as Cli
from tests.conftest import record

from .account import Account
from .runs import Steps, job_look, sentence, training
from .wire import Answer, Wire

LOOK = "GetModelCustomizationJob"


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (
            "The provided role has no permission to read the data",
            "; look at the role's trust and rights",
        ),
        ("The role cannot be assumed by Bedrock", "; look at the role's trust and rights"),
        ("There is less data than the minimum", "; give more training data"),
        ("Messages must alternate between the roles user and assistant", ""),
    ],
)
def test_a_job_that_fails(
    failure: str, advice: str, run: Cli, words: Any, account: Account, wire: Wire, folder: Path
) -> None:
    before = account.listing()
    account.worker.fails["job"] = failure
    found = sentence(run(*words))
    assert found == (
        f"the job {open_run(folder).name} is Failed: {failure}{advice}; `filmstill cleanup "
        f"{folder}` removes what it left"
    )
    assert sentence(run(*words)) == found
    assert wire.count("CreateModelCustomizationJob") == 1
    assert run("cleanup", folder).code == 0
    assert account.listing() == before


def test_a_job_that_fails_later_on(run: Cli, words: Any, tmp_path: Path) -> None:
    """Records without a label, and nobody here to label them."""
    turn = {"role": "user", "content": [{"text": "red car"}]}
    system = [{"text": "Weigh the channels."}]
    data = training(tmp_path, [record(messages=[turn], system=system)] * 100)
    found = sentence(run("distill", data, *words[2:]))
    assert "is Failed in dataProcessing: 100 of 100 records have no label" in found


def test_a_job_that_never_trains(account: Account, steps: Steps, folder: Path, wire: Wire) -> None:
    account.worker.waits.add("job")
    before = account.listing()
    wire.fail(LOOK, job_look(25, validation=("Completed", 25), training=("NotStarted", 25)))
    with pytest.raises(
        AwsError, match=r"has not moved for 24 hours .*never start to train"
    ) as told:
        steps.distill(folder)
    assert "(validation Completed, training NotStarted)" in str(told.value)
    wire.faults.clear()
    steps.clean(folder)  # stops it
    assert account.jobs(open_run(folder).id) == ["Stopped"]
    assert account.listing() == before


@pytest.mark.parametrize(
    "look",
    [
        job_look(23, training=("NotStarted", 23)),
        job_look(72, dataProcessing=("InProgress", 23), training=("NotStarted", 72)),
        job_look(72, training=("InProgress", 71)),
        job_look(72, training=("Completed", 50)),
    ],
    ids=["young", "news of another phase", "training", "trained"],
)
def test_a_job_that_may_take_its_time(look: Answer, steps: Steps, folder: Path, wire: Wire) -> None:
    wire.fail(LOOK, look, None)
    assert steps.distill(folder).find("model")


def test_a_job_that_says_nothing_of_its_phases(steps: Steps, folder: Path, wire: Wire) -> None:
    wire.fail(LOOK, job_look(25), None)
    with pytest.raises(AwsError, match="has not moved"):
        steps.distill(folder)


def test_that_a_job_does_not_move_is_told_once_a_day(
    steps: Steps, folder: Path, wire: Wire
) -> None:
    stalled = job_look(72, training=("NotStarted", 72))
    wire.fail(LOOK, stalled, None)
    with pytest.raises(AwsError, match="has not moved"):
        steps.distill(folder)
    day_before = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    assert open_run(folder).notes["stalled"] > day_before
    open_run(folder).note(stalled=day_before)
    wire.fail(LOOK, stalled, None)
    with pytest.raises(AwsError, match="has not moved"):
        steps.distill(folder)
    wire.fail(LOOK, stalled, None)
    assert steps.distill(folder).find("model")


def test_a_job_that_ends_after_the_last_look(
    account: Account, steps: Steps, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its model is in no record, and goes all the same."""
    before = account.listing()

    def give_up(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("filmstill.bedrock.pipeline.wait_for_job", give_up)
        with pytest.raises(KeyboardInterrupt):
            steps.distill(folder)
    run = open_run(folder)
    while account.jobs(run.id) != ["Completed"]:
        pass
    assert run.find("model") is None
    steps.clean(folder)
    assert account.listing() == before
