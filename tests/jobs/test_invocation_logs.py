"""Training data from the logs of a model's invocations."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill import Task
from filmstill.data.formats import parse_record
from filmstill.errors import DataError, FilmstillError
from filmstill.jobs.invocation_logs import passes, read_logs
from filmstill.jobs.objects import FolderObjects, Objects
from filmstill.jobs.order import Distillation

NOVA = "amazon.nova-pro-v1:0"
LABEL = '{"visual": 1.0, "audio": 0.0, "transcription": 0.0, "metadata": 0.0}'


class OneObject(Objects):
    """A bucket with one log."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, address: str) -> bytes:
        return self._content

    def write(self, address: str, content: bytes) -> None:
        raise AssertionError

    def list(self, prefix: str) -> list[str]:
        return [f"{prefix}log.json"]


def entry(query: str, answer: str = LABEL, model: str = NOVA, **metadata: str) -> dict[str, Any]:
    """A Converse call as Bedrock logs it."""
    said = {"role": "assistant", "content": [{"text": answer}]}
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "operation": "Converse",
        "modelId": model,
        "requestMetadata": metadata,
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": {"messages": [{"role": "user", "content": [{"text": query}]}]},
        },
        "output": {"outputBodyJson": {"output": {"message": said}, "stopReason": "end_turn"}},
    }


def lines(*entries: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in entries)


def read(
    source: Objects, task: Task, said: list[str] | None = None, **changes: Any
) -> list[tuple[str, str | None]]:
    """Questions and answers of the records that are made of logs."""
    order = Distillation("s3://bucket/logs/", "m", logs=True, **changes)
    note = said.append if said is not None else lambda _: None
    records = list(read_logs(source, order, task, note))
    assert all(record["system"] == [{"text": task.student_prompt}] for record in records)
    found = []
    for record in records:
        turns = [turn["content"][0]["text"] for turn in record["messages"]]
        found.append((turns[0], turns[1] if len(turns) > 1 else None))
    return found


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    (tmp_path / "bucket" / "logs" / "2026" / "11").mkdir(parents=True)
    return tmp_path / "bucket" / "logs"


def test_files_of_every_kind_in_their_order(bucket: Path, task: Task, tmp_path: Path) -> None:
    day = bucket / "2026" / "11"
    (day / "b.json.gz").write_bytes(gzip.compress(lines(entry("three"), entry("four"))))
    (day / "a.jsonl").write_bytes(b"\n" + lines(entry("one"), ["no entry"], {"other": 1}))
    (bucket / "c.json").write_bytes(lines(entry("five")).strip())
    (day / "a.txt").write_bytes(b"no log")
    (day / "empty.gz").write_bytes(gzip.compress(b""))
    said: list[str] = []
    objects = FolderObjects(tmp_path)
    assert [query for query, _ in read(objects, task, said)] == ["one", "three", "four", "five"]
    assert said == ["4 of 5 log entries in 4 files used"]


def test_answers_become_labels_only_where_they_are_asked_for(task: Task) -> None:
    source = OneObject(lines(entry("one")))
    assert read(source, task) == [("one", None)]
    assert read(source, task, responses_of=NOVA) == [("one", LABEL)]


def test_records_are_examples(task: Task) -> None:
    order = Distillation("s3://bucket/logs/", "m", logs=True, responses_of=NOVA)
    source = OneObject(lines(entry("a  red car")))
    [record] = read_logs(source, order, task, lambda _: None)
    example = parse_record(record, task)
    assert example.query == "a red car"
    assert example.routing is not None
    assert example.routing.weights["visual"] == 1.0


@pytest.mark.parametrize(
    ("logged", "same"),
    [
        (NOVA, True),
        (f"us.{NOVA}", True),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}", True),
        (f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{NOVA}", True),
        ("amazon.nova-lite-v1:0", False),
        ("amazon.nova-pro-v1", False),
        (f"not{NOVA}", False),
        (None, False),
    ],
)
def test_only_the_teachers_answers(logged: Any, same: bool, task: Task) -> None:
    source = OneObject(lines(entry("one", model=logged)))
    assert read(source, task, responses_of=NOVA) == ([("one", LABEL)] if same else [])
    assert read(source, task) == [("one", None)]  # the question may be anybody's
    profile = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{NOVA}"
    assert read(source, task, responses_of=profile) == ([("one", LABEL)] if same else [])


def test_the_last_turns_count_and_texts_are_joined(task: Task) -> None:
    one = entry("first")
    one["input"]["inputBodyJson"]["messages"] += [
        {"role": "assistant", "content": [{"text": "said"}]},
        {"role": "user", "content": [{"text": "second "}, {"image": {}}, {"text": "part"}]},
    ]
    assert read(OneObject(lines(one)), task) == [("second part", None)]


def test_entries_without_a_question_or_an_answer(task: Task) -> None:
    no_text, streamed, failed = entry("x"), entry("streamed"), entry("failed")
    no_text["input"]["inputBodyJson"]["messages"][0]["content"] = [{"image": {}}]
    streamed["output"]["outputBodyJson"] = [{"chunk": 1}]  # as of a stream
    del failed["output"]
    elsewhere = {**entry("x"), "input": {"inputBodyS3Path": "s3://bucket/large"}}
    source = OneObject(lines(no_text, streamed, failed, elsewhere, entry("good")))
    assert [query for query, _ in read(source, task)] == ["streamed", "failed", "good"]
    assert read(source, task, responses_of=NOVA) == [("good", LABEL)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("input", "inputBodyJson", "messages", "role", "content", "text", "user"),
                    *("output", "outputBodyJson", "message", "modelId", "requestMetadata"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=3), st.sampled_from(["", NOVA]))
def test_no_entry_is_too_strange(entries: list[Any], teacher: str) -> None:
    filters = {"notEquals": {"a": "b"}}
    source = OneObject(lines(*entries))
    for query, answer in read(source, Task.builtin(), responses_of=teacher, filters=filters):
        assert query
        assert (answer is None) == (not teacher)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.gz", b"not compressed"),
        ("a.gz", gzip.compress(lines(entry("one")))[:-9]),
        ("a.gz", gzip.compress(lines(entry("one")))[:20] + b"xxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("a.json", b'{"modelId": '),
        ("a.json", b"\xff\xfe\x00"),
        ("a.json", b"[" * 100_000),
    ],
)
def test_a_damaged_log_is_named(
    name: str, content: bytes, bucket: Path, task: Task, tmp_path: Path
) -> None:
    (bucket / name).write_bytes(content)
    with pytest.raises(DataError, match=f"s3://bucket/logs/{name}: not a log of invocations"):
        read(FolderObjects(tmp_path), task)


def test_no_logs(bucket: Path, task: Task, tmp_path: Path) -> None:
    (bucket / "a.txt").write_bytes(b"")
    with pytest.raises(DataError, match=r"there are no logs \(\*.gz, \*.json\) below it"):
        read(FolderObjects(tmp_path), task)
    with pytest.raises(FilmstillError, match="no such bucket"):
        read(FolderObjects(tmp_path / "bucket"), task)


def test_entries_that_the_filters_leave_out(task: Task) -> None:
    source = OneObject(
        lines(
            entry("one", app="search", tier="gold"),
            entry("two", app="search"),
            entry("three", app="chat", tier="gold"),
            entry("four"),
        )
    )

    def kept(**filters: Any) -> list[str]:
        return [query for query, _ in read(source, task, filters=filters)]

    search, gold = {"equals": {"app": "search"}}, {"equals": {"tier": "gold"}}
    assert kept() == ["one", "two", "three", "four"]
    assert kept(**search) == ["one", "two"]
    assert kept(notEquals={"app": "search"}) == ["three", "four"]
    assert kept(andAll=[search, gold]) == ["one"]
    assert kept(orAll=[search, gold]) == ["one", "two", "three"]
    assert kept(andAll=[{"orAll": [search, gold]}, {"notEquals": {"app": "chat"}}]) == [
        *("one", "two"),
    ]


METADATA = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"))
ONE = st.tuples(st.sampled_from("abc"), st.sampled_from("xy")).map(lambda pair: dict([pair]))
SIMPLE = st.builds(lambda kind, one: {kind: one}, st.sampled_from(["equals", "notEquals"]), ONE)


@given(METADATA, st.lists(SIMPLE, min_size=1, max_size=4), ONE)
def test_filters_are_logic(
    metadata: dict[str, str], parts: list[dict[str, Any]], one: dict[str, str]
) -> None:
    each = [passes(metadata, part) for part in parts]
    assert passes(metadata, {"andAll": parts}) == (False not in each)
    assert passes(metadata, {"orAll": parts}) == (True in each)
    equal = passes(metadata, {"equals": one})
    assert equal == (metadata.items() >= one.items())
    assert passes(metadata, {"notEquals": one}) is not equal
    assert passes(metadata, {})
