"""Valid values of a service model's shapes, as in a request's JSON."""

import base64
import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

import re2

from .patterns import sample

TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)
TIME_TEXT = "2026-01-31T12:00:00.000Z"


def minimal(shape: Any, *, python: bool = False) -> Any:
    """The smallest valid value, as in a request, or as a handler returns it."""
    kind = shape.type_name
    least = shape.metadata.get("min", 0)
    if is_document(shape):
        return {}
    if kind == "structure":
        names = [next(iter(shape.members))] if is_union(shape) else shape.required_members
        return {
            name: []
            if shape.members[name].serialization.get("eventstream")
            else minimal(shape.members[name], python=python)
            for name in names
        }
    if kind == "list":
        return [minimal(shape.member, python=python)] * least
    if kind == "map":
        return {key: minimal(shape.value, python=python) for key in keys(shape.key, least)}
    if kind == "string":
        return text(shape)
    if kind == "blob":
        value = b"\0" * max(least, 1)
        return value if python else base64.b64encode(value).decode()
    if kind == "timestamp":
        return TIME if python else TIME_TEXT
    if kind == "boolean":
        return True
    return max(least, 0) if kind in ("integer", "long") else float(max(least, 0))


def full(shape: Any, above: tuple[str, ...] = ()) -> Any:
    """A valid value with every member that is not one of those around it."""
    if is_document(shape):
        return {"free": [1, "text", None]}
    below = (*above, shape.name)
    if shape.type_name == "structure":
        members = {k: v for k, v in shape.members.items() if _holds(v).name not in below}
        if is_union(shape):
            members = dict(list(members.items())[-1:])
        return {name: full(member, below) for name, member in members.items()}
    if shape.type_name == "list":
        return [full(shape.member, below)] * max(shape.metadata.get("min", 0), 1)
    if shape.type_name == "map":
        count = max(shape.metadata.get("min", 0), 1)
        return {key: full(shape.value, below) for key in keys(shape.key, count)}
    return minimal(shape)


def is_union(shape: Any) -> bool:
    """Whether exactly one member must be set."""
    return bool(getattr(shape, "is_tagged_union", False))


def is_document(shape: Any) -> bool:
    """Whether any JSON will do."""
    return bool(getattr(shape, "is_document_type", False))


@cache
def _text(name: str, pattern: str | None, least: int, most: int) -> str:
    if pattern is None:
        return "a" * max(least, min(most, 1))
    for repeats in range(200):
        found = sample(pattern, repeats)
        if least <= len(found) <= most and re.fullmatch(pattern, found):
            return found
    raise ValueError(f"{name}: no text found for {pattern}")


def text(shape: Any) -> str:
    """A valid string, as short as it can easily be; not empty where that is allowed."""
    limits = shape.metadata
    if "enum" in limits:
        return str(limits["enum"][0])
    least, most = limits.get("min", 0), limits.get("max", 10**6)
    return _text(shape.name, limits.get("pattern"), max(least, min(most, 1)), most)


def keys(shape: Any, count: int) -> list[str]:
    """Distinct keys of a map."""
    first = text(shape)
    return [first if number == 0 else f"{first}{number}" for number in range(count)]


def _holds(shape: Any) -> Any:
    """What a list or a map holds in the end."""
    while shape.type_name in ("list", "map"):
        shape = shape.member if shape.type_name == "list" else shape.value
    return shape


def matches(pattern: str, value: str) -> bool:
    """Whether all of a text matches, in linear time."""
    options = re2.Options()
    options.log_errors = False
    try:
        return bool(re2.fullmatch(pattern, value, options))
    except re2.error:
        return bool(re.fullmatch(pattern, value))


def of_size(shape: Any, count: int) -> Any:
    """A list, a map or a blob with so many members."""
    if shape.type_name == "blob":
        return base64.b64encode(b"\0" * count).decode()
    if shape.type_name == "list":
        return [minimal(shape.member)] * count
    return {key: minimal(shape.value) for key in keys(shape.key, count)}
