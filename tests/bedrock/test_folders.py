"""The folder of a run, as commands meet it."""

import shutil
from pathlib import Path

from filmstill.bedrock.run import open_run
from tests.cli.test_cli import Run as Cli

from .runs import sentence


def test_a_run_that_is_worked_on(run: Cli, distilled: Path) -> None:
    with open_run(distilled).alone():
        assert "another process is at work here" in sentence(run("cleanup", distilled))
        assert "another process is at work here" in sentence(run("deploy", distilled))


def test_a_folder_without_a_run_or_with_a_damaged_one(run: Cli, tmp_path: Path) -> None:
    assert "there is no run here (no run.json)" in sentence(run("cleanup", tmp_path))
    (tmp_path / "run.json").write_text("{")
    assert "not the record of a run, or damaged" in sentence(run("cleanup", tmp_path))
    assert "not the record of a run, or damaged" in sentence(run("status", tmp_path))


def test_a_run_of_other_settings_or_data(
    run: Cli, distilled: Path, prepared: Path, tmp_path: Path
) -> None:
    words = ("distill", "--on", "bedrock", "--out", distilled, "--region", "us-east-1")
    teacher = ("--teacher", "us.amazon.nova-pro-v1:0")
    assert "begun with another teacher;" in sentence(run(*words, prepared, *teacher))
    other = tmp_path / "other.jsonl"
    shutil.copy(prepared, other)
    assert run(*words, other).code == 0  # the same data by another name
    first, *_ = prepared.read_text().splitlines(keepends=True)
    other.write_text(prepared.read_text() + first)
    assert "begun with another data;" in sentence(run(*words, other))
