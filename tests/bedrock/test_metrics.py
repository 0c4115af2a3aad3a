"""What a run shows of its job: each phase, the tables that it wrote, and a picture of its loss."""

import re
from pathlib import Path
from typing import Any

import pytest

from filmstill.bedrock.figure import draw_loss
from filmstill.errors import DataError
from tests.cli.test_cli import Run as Cli

from .runs import job_look
from .wire import Wire


def test_every_phase_is_a_line(run: Cli, words: Any, wire: Wire) -> None:
    first = job_look(0, validation=("InProgress", 0), training=("NotStarted", 0))
    second = job_look(0, validation=("Completed", 0), training=("InProgress", 0))
    wire.fail("GetModelCustomizationJob", first, first, second, second, None)
    ran = run(*words)
    lines = [line for line in ran.err.splitlines() if " after 0:00:0" in line]
    told = [re.sub(r" after [0-9:]+:", ":", line) for line in lines]
    assert told[:2] == [
        "InProgress: validation InProgress, training NotStarted",
        "InProgress: validation Completed, training InProgress",
    ]
    assert told[-1] == (
        "Completed: validation Completed, dataProcessing Completed, training Completed"
    )
    assert len(set(told)) == len(told)


def test_a_picture_of_the_loss(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    table = tmp_path / "table.csv"
    table.write_text(
        "step_number,epoch_number,training_loss,perplexity\n1,1,1.5,4.5\n2.0,1,1.2,3\n"
    )
    draw_loss(table, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


HEAD = b"step_number,training_loss\n"


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n",
        HEAD + b"1\n",
        HEAD + b"first,2\n",
        HEAD + b"inf,2\n",
        HEAD + b"\xff,2\n",
    ],
    ids=["other columns", "no loss", "no number", "no step", "not UTF-8"],
)
def test_a_table_of_another_form(content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(DataError, match="not a table of training metrics"):
        draw_loss(tmp_path / "table.csv", tmp_path / "loss.png")


def test_a_table_that_cannot_be_drawn_is_no_failure(
    run: Cli, words: Any, folder: Path, wire: Wire
) -> None:
    pytest.importorskip("matplotlib")
    wire.fail("GetObject", (200, "", "a,b\n1,2\n"))
    ran = run(*words)
    assert ran.code == 0
    table = folder / "metrics" / "step_wise_training_metrics.csv"
    assert f"No picture of the loss: {table}: not a table of training metrics" in ran.err
    assert table.read_text() == "a,b\n1,2\n"
