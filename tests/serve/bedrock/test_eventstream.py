"""What is encoded here, botocore decodes."""

import json
from typing import Any

import pytest
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from filmstill.serve.bedrock.eventstream import encode_event, encode_exception

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip
EVENTS = st.lists(
    st.tuples(st.text("abcXYZ", min_size=1, max_size=60), st.dictionaries(st.text(), JSON)),
    min_size=1,
    max_size=3,
)


@given(EVENTS, st.data())
def test_any_events_cut_anywhere(events: list[tuple[str, dict[str, Any]]], data: Any) -> None:
    stream = b"".join(encode_event(name, payload) for name, payload in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    buffer, decoded = EventStreamBuffer(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer.add_data(stream[start:end])
        decoded += list(buffer)
    assert [(one.headers[":event-type"], json.loads(one.payload)) for one in decoded] == events
    for one in decoded:
        assert one.headers[":message-type"] == "event"
        assert one.headers[":content-type"] == "application/json"


@given(st.text())
def test_exceptions(message: str) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(encode_exception("throttlingException", message))
    (decoded,) = list(buffer)
    assert decoded.headers == {
        ":message-type": "exception",
        ":exception-type": "throttlingException",
        ":content-type": "application/json",
    }
    assert json.loads(decoded.payload) == {"message": message}


def test_an_event_by_hand() -> None:
    # 16 bytes of lengths and checksums; 1 + 13 + 1 + 2 + 5, 1 + 11 + 1 + 2 + 1 and
    # 1 + 13 + 1 + 2 + 16 of headers; 2 of payload
    encoded = encode_event("e", {})
    assert encoded[:8] == bytes([0, 0, 0, 89, 0, 0, 0, 71])
    assert encoded[12:34] == b"\x0d:message-type\x07\x00\x05event"
    assert encoded[-6:-4] == b"{}"


@pytest.mark.parametrize("place", [9, 20, -5])
def test_a_changed_byte_shows(place: int) -> None:
    encoded = bytearray(encode_event("chunk", {"bytes": "AAEC"}))
    encoded[place] ^= 1
    buffer = EventStreamBuffer()
    buffer.add_data(bytes(encoded))
    with pytest.raises(ChecksumMismatch):
        list(buffer)
