import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill import Example, Routing, Task, load_examples
from filmstill.data.formats import conversation_record, evaluation_record, parse_record
from filmstill.data.reading import load_labelled, write_records, write_rejects
from filmstill.errors import DataError, QueryError, StorageError
from filmstill.query import clean_query
from tests.conftest import record

GOOD = {"visual": 0.7, "audio": 0.1, "transcription": 0.0, "metadata": 0.2}


def usable(text: str) -> bool:
    try:
        clean_query(text)
    except QueryError:
        return False
    return True


tenths = (
    st.lists(st.integers(0, 10), min_size=3, max_size=3)
    .map(sorted)
    .map(lambda cuts: [cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1], 10 - cuts[2]])
)
examples = st.builds(
    lambda query, counts, reasoning, tags: Example(
        clean_query(query),
        Routing(
            {name: count / 10 for name, count in zip(GOOD, counts, strict=True)},
            reasoning=reasoning.strip(),
        ),
        tags,
    ),
    st.text(min_size=1, max_size=40).filter(usable),
    tenths,
    st.text(max_size=40),
    st.dictionaries(
        st.text(min_size=1, max_size=8).filter(
            lambda key: key not in ("query", "reference", "messages", "schemaVersion")
        ),
        st.text(max_size=8),
        max_size=3,
    ),
)


@given(examples)
def test_both_formats_give_back_what_was_written(example: Example) -> None:
    task = Task.builtin()
    line = json.dumps(conversation_record(example, task, with_tags=True))
    assert parse_record(json.loads(line), task) == example
    assert example.routing is not None
    line = json.dumps(evaluation_record(example.query, example.routing, example.tags))
    assert parse_record(json.loads(line), task) == example


def test_a_conversation_record_is_what_bedrock_reads(task: Task) -> None:
    example = Example("red car", Routing(GOOD, reasoning="Red."), {"style": "caption"})
    assert conversation_record(example, task) == {
        "schemaVersion": "bedrock-conversation-2024",
        "system": [{"text": task.student_prompt}],
        "messages": [
            {"role": "user", "content": [{"text": "red car"}]},
            {"role": "assistant", "content": [{"text": json.dumps({**GOOD, "reasoning": "Red."})}]},
        ],
    }
    assert len(conversation_record(Example("red car"), task)["messages"]) == 1


def test_files_of_other_tools(tmp_path: Path, task: Task) -> None:
    """A byte-order mark, Windows line ends, blank lines and both formats in one file."""
    path = tmp_path / "mixed.jsonl"
    reference = json.dumps({"query": "dog", "reference": json.dumps(GOOD), "style": "keywords"})
    text = "\r\n".join([record("red car"), "", reference, record("später 🎬")]) + "\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    file = load_examples(path, task)
    assert [example.query for example in file.examples] == ["red car", "dog", "später 🎬"]
    assert file.examples[1].tags == {"style": "keywords"}
    assert not file.rejects
    assert len(file.sha256) == 64


def test_plain_text_is_unlabelled_queries(tmp_path: Path, task: Task) -> None:
    path = tmp_path / "queries.txt"
    path.write_text("red car\n\n  two   words \nbell\x07\n", encoding="utf-8")
    file = load_examples(path, task)
    assert [example.query for example in file.examples] == ["red car", "two words"]
    assert file.labelled == ()
    assert [(item.line, "U+0007" in item.reason) for item in file.rejects] == [(4, True)]


def test_records_in_a_file_that_starts_as_text_are_no_queries(tmp_path: Path, task: Task) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_text(f"{record()[40:]}\n{record('red car')}\n", encoding="utf-8")
    [reject] = load_examples(path, task).rejects
    assert (reject.line, "starts as plain text" in reject.reason) == (2, True)


def test_a_bracket_makes_no_array(tmp_path: Path, task: Task) -> None:
    path = tmp_path / "queries.txt"
    path.write_text("[applause] then a speech\n{braces} too\n", encoding="utf-8")
    assert len(load_examples(path, task).examples) == 2


def test_a_reference_may_be_an_object(tmp_path: Path, task: Task) -> None:
    example = parse_record({"query": "dog", "reference": GOOD}, task)
    assert example.routing == Routing(GOOD)


def label(**changes: object) -> str:
    return record(label=json.dumps({**GOOD, **changes}))


BAD_LINES = [
    (record()[:60], "not valid JSON"),
    ("[1]", "not a JSON object"),
    ('{"text": "x"}', "neither a bedrock-conversation-2024 conversation nor"),
    (
        record(schemaVersion="bedrock-conversation-2023"),
        'schemaVersion is "bedrock-conversation-2023"',
    ),
    (record(schemaVersion=None), "schemaVersion is null"),
    (record(messages=[]), "a user turn and at most one assistant turn"),
    (record(messages="x"), "a user turn and at most one assistant turn"),
    (
        record(messages=[{"role": "assistant", "content": [{"text": "x"}]}]),
        "role 'user' is expected",
    ),
    (record(messages=["x"]), "role 'user' is expected"),
    (record(messages=[{"role": "user", "content": []}]), "must be one"),
    (record(messages=[{"role": "user", "content": [{"image": 1}]}]), "has no text"),
    (record(messages=[{"role": "user", "content": [{"text": "unlabelled"}]}]), "there is no label"),
    (record(tags=3), "tags must be a JSON object"),
    (record(" \t "), "the query is empty"),
    (record("x" * 20_000), "20,000 characters"),
    (record("a\x00b"), "control character (U+0000)"),
    ('{"query": 3, "reference": "{}"}', "the query is not text"),
    ('{"query": "dog"}', "there is no label"),
    (record(label='{"visual": 0.7'), "the label is not valid JSON"),
    (record(label="[]"), "the label is not a JSON object"),
    (record(label='{"visual": 0.7, "audio": 0.3}'), "misses channel 'transcription', 'metadata'"),
    (label(smell=0.0), "unknown channel 'smell'"),
    (label(visual=0.5), "the weights sum to 0.8, not to 1"),
    (label(visual=-0.7), "the weight of visual is negative (-0.7)"),
    (label(visual=1.7), "the weight of visual is above 1 (1.7)"),
    (label(visual=float("nan")), "the weight of visual is not finite (nan)"),
    (label(visual=float("inf")), "the weight of visual is above 1 (inf)"),
    (label(visual=-float("inf")), "the weight of visual is negative (-inf)"),
    (label(visual=10**400), "the weight of visual is above 1 (100000000000)"),
    (label(reasoning="\ud83d"), "half a surrogate pair"),
    (record(tags={"style": "\ud83d"}), "a tag holds half a surrogate pair"),
    (label(visual="0.7"), 'the weight of visual is not a number ("0.7")'),
    (label(visual=True), "the weight of visual is not a number (true)"),
    (label(visual=None), "the weight of visual is not a number (null)"),
    (label(reasoning=3), "the label's reasoning is not text"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_a_bad_line_is_rejected_with_its_reason(
    tmp_path: Path, task: Task, line: str, reason: str
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join([record("first"), line, record("last")]), encoding="utf-8")
    file = load_labelled(path, task)
    assert [example.query for example in file.examples] == ["first", "last"]
    assert [reject.line for reject in file.rejects] == [2]
    assert reason in file.rejects[0].reason
    assert file.rejects[0].raw == line[:4000]


def test_bytes_that_are_no_utf8_are_rejected_by_line(tmp_path: Path, task: Task) -> None:
    path = tmp_path / "latin.jsonl"
    path.write_bytes(record("good").encode() + b"\n" + b'{"query": "caf\xe9"}\n')
    file = load_examples(path, task)
    assert len(file.examples) == 1
    assert file.rejects[0].reason == "byte 15 of the line is not UTF-8: convert the file to UTF-8"


def test_rejects_are_kept(tmp_path: Path, task: Task) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(record() + "\n{broken\n", encoding="utf-8")
    write_rejects(load_examples(path, task), tmp_path / "rejects.jsonl")
    kept = json.loads((tmp_path / "rejects.jsonl").read_text(encoding="utf-8"))
    assert kept["file"] == str(path)
    assert (kept["line"], kept["raw"]) == (2, "{broken")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"\xff\xfe{\x00", "UTF-16"),
        (b'[{"query": "x"}]', "a JSON array; write one object per line"),
    ],
)
def test_files_that_are_something_else(
    tmp_path: Path, task: Task, content: bytes, reason: str
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason):
        load_examples(path, task)


def test_a_file_without_one_usable_line(tmp_path: Path, task: Task) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("{\n{\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.jsonl:1: not valid JSON.*none of the 2 lines"):
        load_labelled(path, task)


def test_missing_files_and_folders(tmp_path: Path, task: Task) -> None:
    with pytest.raises(StorageError, match=r"cannot read .*none\.jsonl: no such file"):
        load_examples(tmp_path / "none.jsonl", task)
    with pytest.raises(StorageError, match="this is a folder"):
        load_examples(tmp_path, task)


def test_thirds_pass_and_are_scaled(task: Task) -> None:
    thirds = {"visual": 0.33, "audio": 0.33, "transcription": 0.33, "metadata": 0.0}
    routing = parse_record(json.loads(record(label=thirds)), task).routing
    assert routing is not None
    assert routing.weights["visual"] == pytest.approx(1 / 3)


def test_writing_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    write_records(path, [{"a": "é"}])
    with pytest.raises(TypeError):
        write_records(path, [{"a": 1}, {"b": object()}])
    assert path.read_text(encoding="utf-8") == '{"a": "é"}\n'
    assert list(tmp_path.iterdir()) == [path]
