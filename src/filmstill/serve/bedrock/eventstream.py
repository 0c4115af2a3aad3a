"""Messages of AWS's event stream encoding, in which models answer bit by bit."""

import json
import struct
from typing import Any
from zlib import crc32

_STRING = 7  # the type of a header's value


def encode_event(event_type: str, payload: dict[str, Any]) -> bytes:
    """An event, such as `contentBlockDelta`, with its members as JSON."""
    return _encode(
        {
            ":message-type": "event",
            ":event-type": event_type,
            ":content-type": "application/json",
        },
        payload,
    )


def encode_exception(exception_type: str, message: str) -> bytes:
    """An error that ends a stream; its type begins with a small letter."""
    return _encode(
        {
            ":message-type": "exception",
            ":exception-type": exception_type,
            ":content-type": "application/json",
        },
        {"message": message},
    )


def _encode(headers: dict[str, str], payload: dict[str, Any]) -> bytes:
    head = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    # Two lengths and their checksum, the headers, the payload, the checksum of all before it.
    lengths = struct.pack("!II", 16 + len(head) + len(body), len(head))
    message = lengths + struct.pack("!I", crc32(lengths)) + head + body
    return message + struct.pack("!I", crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", _STRING, len(value)) + value
