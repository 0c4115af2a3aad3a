"""The record of a run, and the names that it gives."""

import json
from pathlib import Path

import pytest

from filmstill.bedrock.evaluation import job_name
from filmstill.bedrock.run import open_run
from filmstill.cli.evaluate_job import _label
from filmstill.errors import InputError

from .runs import make_run


def test_settings_of_a_run_are_plain_data(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["settings"] == run.settings


def test_other_settings_are_another_run(tmp_path: Path) -> None:
    make_run(tmp_path)
    with pytest.raises(InputError, match="begun with another bucket, teacher; give another --out"):
        make_run(tmp_path, bucket="mine", teacher="another")


def test_what_another_process_wrote_down_is_not_lost(tmp_path: Path) -> None:
    make_run(tmp_path)
    early, other = open_run(tmp_path), open_run(tmp_path)
    with other.alone():
        other.made("role", "made meanwhile")
    with early.alone():
        early.made("bucket", "made later")
    assert [item.kind for item in open_run(tmp_path).things] == ["role", "bucket"]


def test_a_token_is_another_once_the_thing_is_gone(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert run.attempt("deployment") == f"{run.name}-1"
    made = run.made("deployment", "x")
    assert run.attempt("deployment") == f"{run.name}-1"
    run.gone(made)
    assert run.attempt("deployment") == f"{run.name}-2"
    assert run.attempt("job") == f"{run.name}-1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not the record of a run, or damaged"),
        ("[]", "not the record of a run"),
        ('{"format": "filmstill-run"}', "not the record of a run"),
        ('{"format": "filmstill-run", "version": 9}', "that this version knows"),
        (
            '{"format": "filmstill-run", "version": 1, "things": [{"kind": "x"}]}',
            "damaged.*the tag filmstill-run",
        ),
    ],
)
def test_a_damaged_record(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=message):
        open_run(tmp_path)


def test_a_record_of_a_thing_of_no_known_kind(tmp_path: Path) -> None:
    make_run(tmp_path).made("queue", "x")
    with pytest.raises(InputError, match=r"damaged .*what the run made has its id in its name"):
        open_run(tmp_path)


@pytest.mark.parametrize("setting", ["region", "account", "student", "bucket", "role", "task"])
def test_a_record_without_a_setting(setting: str, tmp_path: Path) -> None:
    make_run(tmp_path)
    data = json.loads((tmp_path / "run.json").read_text())
    del data["settings"][setting]
    (tmp_path / "run.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="not the record of a run that this version knows"):
        open_run(tmp_path)


def test_labels_of_routers() -> None:
    assert _label("runs/July_2", ()) == "runs-july-2"
    assert _label("runs/july 2", {"runs-july-2"}) == "runs-july-2-2"
    assert _label("...", ()) == "router"
    assert len(_label("x" * 90, ())) == 24


def test_the_longest_name_of_an_evaluation_job(tmp_path: Path) -> None:
    labels: list[str] = []
    for _ in range(99):
        labels.append(_label("x" * 90, labels))
    assert labels[-1] == "x" * 24 + "-99"
    assert len(job_name(make_run(tmp_path), labels[-1], "12345678")) + len("-99") <= 63


def test_a_removed_evaluation_job_leaves_its_name(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    first = job_name(run, "a", "12345678")
    run.gone(run.made("evaluation", first))
    assert job_name(run, "a", "12345678") == f"{first}-2"
    assert job_name(run, "b", "12345678") == f"{run.name}-b-12345678"
