"""Training data that Bedrock would refuse is refused before anything is sent."""

from pathlib import Path

import pytest

from filmstill import Task
from filmstill.bedrock.data import check_data
from filmstill.errors import DataError
from tests.conftest import record

from .runs import training

SYSTEM = [{"text": "Weigh."}]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([record()] * 99, "has 99 prompts; a distillation job takes 100 to 15,000"),
        ([record()] * 15_001, "has 15,001 prompts"),
        ([record()] * 100 + ["{"], r"train.jsonl:101: not valid JSON.*1 such lines"),
        ([record()] * 100 + [""], "train.jsonl:101: Bedrock reads one JSON record a line"),
        (["\ufeff" + record()] + [record()] * 99, "train.jsonl:1: Bedrock reads one JSON"),
        ([record()] * 100 + [record(tags={"a": "b"})], "train.jsonl:101: Bedrock takes no tags"),
        (
            ['{"query": "red car"}'] * 100,
            "train.jsonl:1: not in the conversation format.*filmstill prepare",
        ),
        (
            [record()] * 100 + ['{"query": "red car"}'],
            "train.jsonl:101: not in the conversation format",
        ),
    ],
)
def test_data_that_bedrock_refuses(
    lines: list[str], message: str, tmp_path: Path, task: Task
) -> None:
    with pytest.raises(DataError, match=message):
        check_data(training(tmp_path, lines), task)


def turn(**changes: object) -> dict[str, object]:
    return {"role": "user", "content": [{"text": "red car"}], **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schemaVersion": "bedrock-conversation-2023"}, "the schemaVersion is .*1 such lines"),
        ({"system": "Weigh."}, r'wants system of the form \[{"text": ...}\]'),
        ({"system": [{"text": "Weigh."}, {"text": "Well."}]}, "wants system of the form"),
        ({"system": []}, "wants system of the form"),
        ({"system": [{"text": "Weigh.", "cachePoint": {}}]}, "wants system of the form"),
        ({"messages": [turn(name="Ann")]}, "wants messages of the form .* and nothing else"),
        ({"messages": [turn(content=[{"text": "red", "image": 1}])]}, "and nothing else"),
        ({"system": [{"text": "Guess."}]}, "another system prompt than in the lines before"),
    ],
)
def test_a_record_that_bedrock_refuses(
    changes: dict[str, object], message: str, tmp_path: Path, task: Task
) -> None:
    good = record(system=SYSTEM)
    lines = [good] * 100 + [record(**{"system": SYSTEM, **changes})] + [good]
    with pytest.raises(DataError, match=f"train.jsonl:101: .*{message}"):
        check_data(training(tmp_path, lines), task)


def test_a_file_of_plain_queries(tmp_path: Path, task: Task) -> None:
    with pytest.raises(DataError, match=r"train.jsonl:1: not in the conversation format.*prepare"):
        check_data(training(tmp_path, ["red car"] * 100), task)


def test_a_parquet_file(tmp_path: Path, task: Task) -> None:
    pyarrow, parquet = map(pytest.importorskip, ("pyarrow", "pyarrow.parquet"))
    path = tmp_path / "train.parquet"
    parquet.write_table(pyarrow.table({"query": ["red car"] * 100}), path)
    with pytest.raises(DataError, match=r"train.parquet:1: not in the conversation format"):
        check_data(path, task)


def test_a_teacher_that_is_not_told_what_to_do(tmp_path: Path, task: Task) -> None:
    lines = [record()] * 99 + [record(messages=[turn()])]
    with pytest.raises(DataError, match="no system prompt that tells the teacher what to do"):
        check_data(training(tmp_path, lines), task)


@pytest.mark.parametrize(("system", "prompt"), [({"system": SYSTEM}, "Weigh."), ({}, "")])
def test_the_prompt_of_all_records(
    system: dict[str, object], prompt: str, tmp_path: Path, task: Task
) -> None:
    found = check_data(training(tmp_path, [record(**system)] * 100), task)
    assert found.prompt == prompt


@pytest.mark.parametrize("count", [100, 15_000])
def test_data_that_bedrock_takes(count: int, tmp_path: Path, task: Task) -> None:
    plain = record(messages=[turn()], system=SYSTEM)
    lines = [plain] + [record(system=SYSTEM)] * (count - 1)
    assert len(check_data(training(tmp_path, lines), task).file.examples) == count


def test_data_that_is_too_large(
    tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filmstill.bedrock.data.MAX_BYTES", 1000)
    with pytest.raises(DataError, match="larger than 1 GiB"):
        check_data(training(tmp_path, [record()] * 100), task)
