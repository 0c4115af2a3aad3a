"""Values between JSON and Python."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from filmstill.serve.bedrock.errors import ApiError
from filmstill.serve.bedrock.operations import operations
from filmstill.serve.bedrock.shapes import parse_json, read_text, read_value, render

from .requests_from_model import model

LIST_JOBS = model("ListModelCustomizationJobs").input_shape
CONVERSE = model("Converse").input_shape
CONTENT = CONVERSE.members["messages"].member.members["content"].member
GET_JOB = model("GetModelCustomizationJob").output_shape
DOCUMENT = CONVERSE.members["additionalModelRequestFields"]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not valid JSON: Expecting property name"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"a": NaN}', "NaN is not allowed"),
        (b'{"a": -Infinity}', "-Infinity is not allowed"),
        (b'{"a": 1e999}', "1e999 is too large"),
        (b'{"a": ' + b"1" * 5000 + b"}", "4300 digits"),
        (b'{"a": "\xff"}', "can't decode byte 0xff"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'{"a": 1} {}', "Extra data"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_not_json_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(ApiError, match=words) as caught:
        parse_json(body)
    assert (caught.value.code, caught.value.status) == ("SerializationException", 400)
    assert caught.value.message.endswith(".")


def test_no_body_is_an_empty_object() -> None:
    assert parse_json(b"") == {}


def test_reading() -> None:
    image = {"image": {"format": "png", "source": {"bytes": "AAEC"}, "unknown": 1}}
    assert read_value(CONTENT, image, "content") == {
        "image": {"format": "png", "source": {"bytes": b"\0\1\2"}}
    }
    # What is null is not there, but for a list, where it is an error to report.
    assert read_value(CONTENT, {"text": "a", "image": None, "__type": "x"}, "") == {"text": "a"}
    assert read_value(CONTENT, {"text": "a", "new": 1}, "") == {"text": "a", "new": 1}
    assert read_value(CONVERSE.members["messages"], [None], "messages") == [None]
    assert read_value(DOCUMENT, {"a": [1, 2.5, None, True, "b"]}, "") == {
        "a": [1, 2.5, None, True, "b"]
    }
    temperature = CONVERSE.members["inferenceConfig"].members["temperature"]
    assert isinstance(read_value(temperature, 1, ""), float)


@pytest.mark.parametrize(
    ("shape", "value", "expected"),
    [
        (LIST_JOBS.members["nameContains"], 7, "'p' must be a string, not the number 7."),
        (LIST_JOBS.members["nameContains"], {}, "'p' must be a string, not an object."),
        (LIST_JOBS.members["nameContains"], "\ud800", "'p' holds half a surrogate pair."),
        (
            LIST_JOBS.members["maxResults"],
            True,
            "'p' must be an integer of 32 bits, not a boolean.",
        ),
        (LIST_JOBS.members["maxResults"], 2.0, "'p' must be an integer of 32 bits, not the number"),
        (
            LIST_JOBS.members["maxResults"],
            2**300,
            "'p' must be an integer of 32 bits, not a huge",
        ),
        (CONVERSE.members["messages"], {}, "'p' must be a list, not an object."),
        (CONVERSE.members["messages"], ["a"], "'p.1.member' must be an object, not a string."),
        (
            CONTENT,
            {"image": {"source": {"bytes": "A"}}},
            "'p.image.source.bytes' must be a text in",
        ),
        (CONVERSE.members["requestMetadata"], {"k": 1}, "'p.k.member' must be a string, not the"),
        (DOCUMENT, nested(101), "'p' is nested too deeply."),
        (DOCUMENT, {"\udfff": 1}, "'p' holds half a surrogate pair."),
    ],
)
def test_what_is_not_of_its_type_is_refused(shape: Any, value: Any, expected: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_value(shape, value, "p")
    assert caught.value.message.startswith(expected)
    assert caught.value.code == "SerializationException"


def test_a_shape_that_holds_itself_is_read_to_a_depth() -> None:
    shape = operations()["CreateEvaluationJob"]._input.members["inferenceConfig"]
    value: dict[str, Any] = {}
    for _ in range(60):
        value = {"andAll": [value]}
    for name in ("filter", "vectorSearchConfiguration", "knowledgeBaseRetrievalConfiguration"):
        value = {name: value}
    value = {"ragConfigs": [{"knowledgeBaseConfig": {"retrieveConfig": value}}]}
    with pytest.raises(ApiError, match="nested too deeply"):
        read_value(shape, value, "inferenceConfig")


def test_depth_that_is_allowed() -> None:
    assert read_value(DOCUMENT, nested(100), "p") == nested(100)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456789Z", datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_times_are_read(text: str, expected: datetime) -> None:
    found = read_text(LIST_JOBS.members["creationTimeAfter"], text, "t")
    assert (found, found.tzinfo) == (expected, UTC)


@pytest.mark.parametrize(
    "text",
    ["", "1769860800", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T12:00:00Z", "20260131T12Z",
     "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:00", "２０26-01-31T12:00:00Z"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="'t' must be a time such as") as caught:
        read_text(LIST_JOBS.members["creationTimeAfter"], text, "t")
    assert caught.value.code == "SerializationException"


def test_texts_of_queries() -> None:
    owned = model("ListCustomModels").input_shape.members["isOwned"]
    assert read_text(owned, "true", "isOwned") is True
    assert read_text(owned, "false", "isOwned") is False
    assert read_text(LIST_JOBS.members["maxResults"], "12", "maxResults") == 12
    assert read_text(LIST_JOBS.members["nameContains"], "12", "nameContains") == "12"
    for shape, text in ((owned, "True"), (owned, "1"), (LIST_JOBS.members["maxResults"], "1_0")):
        with pytest.raises(ApiError, match="must be"):
            read_text(shape, text, "q")


def test_rendering() -> None:
    east = timezone(timedelta(hours=2))
    rendered = render(
        GET_JOB,
        {
            "jobName": "distil",
            "creationTime": datetime(2026, 1, 31, 14, 0, 0, 123999, tzinfo=east),
            "endTime": None,
            "statusDetails": {"trainingDetails": {"status": "InProgress", "creationTime": None}},
            "trainingMetrics": {"trainingLoss": 1},
        },
    )
    assert rendered == {
        "jobName": "distil",
        "creationTime": "2026-01-31T12:00:00.123Z",
        "statusDetails": {"trainingDetails": {"status": "InProgress"}},
        "trainingMetrics": {"trainingLoss": 1.0},
    }
    image = {"image": {"format": "png", "source": {"bytes": b"\0\1\2"}}}
    assert json.dumps(render(CONTENT, image)).count("AAEC") == 1


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({"jobNam": "distil"}, "has no member 'jobNam'"),
        ({"statusDetails": {"x": 1}}, "'statusDetails' of StatusDetails has no member 'x'"),
        ({"creationTime": datetime(2026, 1, 31)}, "'creationTime' must be a time"),
        ({"creationTime": "2026-01-31T12:00:00Z"}, "'creationTime' must be a time"),
        ({"jobName": b"distil"}, "'jobName' must be a string, not bytes"),
        ({"trainingMetrics": {"trainingLoss": math.nan}}, "must be a number"),
        ({"hyperParameters": {1: "a"}}, "'hyperParameters.key' must be a string"),
    ],
)
def test_an_output_that_is_not_in_the_model_is_a_bug(output: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        render(GET_JOB, output)


@pytest.mark.parametrize("value", [{1: 2}, {"a": object()}, [b"a"], math.inf])
def test_a_free_value_must_be_json(value: Any) -> None:
    with pytest.raises(ValueError, match="'free'"):
        render(DOCUMENT, value, "free")
