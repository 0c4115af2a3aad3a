"""Values between JSON and Python, as the shapes of a service model say.

Types are checked here, both ways; constraints in `validation`.
"""

import base64
import binascii
import json
import math
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from filmstill.serve.bedrock.errors import serialization
from filmstill.serve.bedrock.model import Shape, Value

MAX_DEPTH = 100  # of nested lists and objects; what lies deeper is refused

_BITS = {"integer": 31, "long": 63}
_WANTED = {
    "blob": "a text in base64",
    "boolean": "true or false",
    "double": "a number",
    "float": "a number",
    "integer": "an integer of 32 bits",
    "list": "a list",
    "long": "an integer of 64 bits",
    "map": "an object",
    "string": "a string",
    "structure": "an object",
    "timestamp": "a time such as 2026-01-31T12:00:00Z",
}
_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
)  # `datetime.fromisoformat` alone takes weeks, dates and times without a zone
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)


class WrongTypeError(ValueError):
    """A value that is not of its shape's type."""


def parse_json(body: bytes) -> dict[str, Any]:
    """The members of a JSON body; none where it is empty.

    Raises:
        ApiError: SerializationException, it is not a JSON object.
    """
    if not body:
        return {}
    try:
        found = json.loads(body.decode(), parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise serialization("The request body is nested too deeply.") from error
    except ValueError as error:
        raise serialization(f"The request body is not valid JSON: {error}.") from error
    if not isinstance(found, dict):
        raise serialization("The request body must be a JSON object.")
    return found


def read_value(shape: Shape, value: Value, path: str) -> Value:
    """A value of a request, as Python: bytes for blobs, aware datetimes for timestamps.

    Members that the shape does not know are left out, as AWS does; in unions they stay, since
    there they are a violation.

    Raises:
        ApiError: SerializationException, something is not of its type.
    """
    try:
        return _convert(shape, value, path, _from_wire, lenient=True)
    except WrongTypeError as error:
        raise serialization(f"{error}.") from error


def read_text(shape: Shape, text: str, path: str) -> Value:
    """A value from a path, a query or a header.

    Raises:
        ApiError: SerializationException, it is not of its type.
    """
    value: Value = text
    if shape.type_name in _BITS and _INTEGER.fullmatch(text):
        value = int(text)
    elif shape.type_name == "boolean":
        value = {"true": True, "false": False}.get(text, text)
    return read_value(shape, value, path)


def render(shape: Shape, value: Value, path: str = "") -> Value:
    """A value of a response, as JSON can hold it; members that are None are left out.

    Raises:
        ValueError: something is not of its type, or not in the shape.
    """
    return _convert(shape, value, path, _to_wire, lenient=False)


def join(path: str, *names: str) -> str:
    """A path in AWS's form, such as `jobTags.1.member.key`."""
    return ".".join(filter(None, (path, *names)))


def _convert(
    shape: Shape,
    value: Value,
    path: str,
    scalar: Callable[[Shape, Value, str], Value],
    *,
    lenient: bool,
    depth: int = 0,
) -> Value:
    """Copy a value, with each scalar replaced."""
    if depth > MAX_DEPTH:
        raise WrongTypeError(f"'{path}' is nested too deeply")
    if getattr(shape, "is_document_type", False):
        _check_document(value, path, depth)
        return value

    def inner(shape: Shape, value: Value, *names: str) -> Value:
        at = join(path, *names)
        return _convert(shape, value, at, scalar, lenient=lenient, depth=depth + 1)

    kind = shape.type_name
    if kind == "list" and isinstance(value, list | tuple):
        # A null stays, for the validation to find.
        return [
            None if member is None else inner(shape.member, member, str(number), "member")
            for number, member in enumerate(value, 1)
        ]
    if kind == "map" and isinstance(value, dict):
        return {
            inner(shape.key, key, "key"): None
            if member is None
            else inner(shape.value, member, shorten(str(key)), "member")
            for key, member in value.items()
        }
    if kind == "structure" and isinstance(value, dict):
        made = {}
        for name, member in value.items():
            if member is None:
                continue
            if name in shape.members:
                made[name] = inner(shape.members[name], member, name)
            elif not lenient:
                raise ValueError(f"'{path}' of {shape.name} has no member {name!r}")
            elif getattr(shape, "is_tagged_union", False) and name != "__type":
                made[name] = member
        return made
    return scalar(shape, value, path)


def shorten(text: str, most: int = 60) -> str:
    """The start of a text that is too long for a message."""
    return text if len(text) <= most else f"{text[:most]}..."


def _from_wire(shape: Shape, value: Value, path: str) -> Value:
    kind = shape.type_name
    if kind == "blob" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise _wrong(shape, value, path) from None
    if kind == "timestamp" and isinstance(value, str) and _TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):  # the 31st of February, or the year 0
            raise _wrong(shape, value, path) from None
    return _plain(shape, value, path)


def _to_wire(shape: Shape, value: Value, path: str) -> Value:
    kind = shape.type_name
    if kind == "blob" and isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if kind == "timestamp" and isinstance(value, datetime) and value.tzinfo is not None:
        # Both models say iso8601 for every timestamp.
        text = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")
    return _plain(shape, value, path)


def _plain(shape: Shape, value: Value, path: str) -> Value:
    """A scalar that is the same in JSON and in Python."""
    kind = shape.type_name
    if kind == "string" and isinstance(value, str):
        return _text(value, path)
    if kind == "boolean" and isinstance(value, bool):
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and kind in _BITS and isinstance(value, int):
        if -(2 ** _BITS[kind]) <= value < 2 ** _BITS[kind]:
            return value
    elif number and kind in ("float", "double") and abs(value) <= sys.float_info.max:
        return float(value)
    raise _wrong(shape, value, path)


def _wrong(shape: Shape, value: Value, path: str) -> WrongTypeError:
    names = {str: "a string", bool: "a boolean", list: "a list", dict: "an object"}
    if isinstance(value, int | float) and not isinstance(value, bool):
        huge = isinstance(value, int) and value.bit_length() > 200  # may not be printable at all
        shown = "a huge number" if huge else f"the number {value!r}"
    else:
        shown = names.get(type(value), type(value).__name__)
    return WrongTypeError(f"'{path}' must be {_WANTED[shape.type_name]}, not {shown}")


def _text(text: str, path: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise WrongTypeError(f"'{path}' holds half a surrogate pair") from None
    return text


def _check_document(value: Value, path: str, depth: int) -> None:
    """Make sure that a free value is JSON, and not too deep."""
    if depth > MAX_DEPTH:
        raise WrongTypeError(f"'{path}' is nested too deeply")
    if isinstance(value, str):
        _text(value, path)
    elif isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):
                raise WrongTypeError(f"'{path}' has a key that is not a string")
            _text(key, path)
            _check_document(member, path, depth + 1)
    elif isinstance(value, list | tuple):
        for member in value:
            _check_document(member, path, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise WrongTypeError(f"'{path}' holds a number that is not finite")
    elif not isinstance(value, int | float | None):
        raise WrongTypeError(f"'{path}' holds {type(value).__name__}, which JSON has not")


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {shorten(text)} is too large")
    return number
