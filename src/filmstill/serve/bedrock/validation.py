"""The constraints of a service model, checked and reported as AWS does.

botocore checks only some of them before it sends a request, so that a server which checked no
more would take requests that AWS refuses.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any

import re2  # type: ignore[import-untyped]

from filmstill.serve.bedrock.errors import validation
from filmstill.serve.bedrock.model import Shape, Value
from filmstill.serve.bedrock.shapes import join, shorten

_UNLISTED = {"EvaluationTaskType": ("General",)}
"""Values that AWS takes, by its own samples, and that its model does not list."""

_ANY_LENGTH = ("EvaluationSummaries",)
"""Lists whose limits, here 1 to 5, are not kept: a page may be empty, and holds up to 1000."""

MOST_REPORTED = 10  # violations; a request may hold a million
MOST_SHOWN = 200  # characters of a value


def check_input(shape: Shape, values: dict[str, Any]) -> None:
    """Make sure that a request satisfies every constraint of its shape.

    Raises:
        ApiError: ValidationException, it does not; the message names what and where.
    """
    found = violations(shape, values)
    if found:
        errors = "error" if len(found) == 1 else "errors"
        raise validation(f"{len(found)} validation {errors} detected: {'; '.join(found)}")


def violations(shape: Shape, value: Value, path: str = "") -> list[str]:
    """The first few constraints that a value breaks, each a sentence in AWS's words.

    Args:
        shape: what the value should be.
        value: of the shape's types already, as `shapes.read_value` and handlers make them.
        path: of the value, in AWS's form.
    """
    return list(islice(_violations(shape, value, path), MOST_REPORTED))


def _violations(shape: Shape, value: Value, path: str) -> Iterator[str]:
    if getattr(shape, "is_document_type", False) or shape.serialization.get("eventstream"):
        return
    kind = shape.type_name
    broken = list(_constraints(shape, value))
    for constraint in broken:
        yield _sentence(shape, value, path, constraint)
    if kind == "list" and not broken:
        for number, member in enumerate(value, 1):
            yield from _member(shape.member, member, join(path, str(number), "member"))
    elif kind == "map" and not broken:
        for key, member in value.items():
            for constraint in _constraints(shape.key, key):
                text = f"Map keys must satisfy constraint: [{constraint}]"
                yield _sentence(shape.key, key, path, text)
            yield from _member(shape.value, member, join(path, shorten(key), "member"))
    elif kind == "structure":
        for name in shape.required_members:
            if value.get(name) is None:
                yield _null(join(path, name))
        for name, member in value.items():
            if member is not None and name in shape.members:
                yield from _violations(shape.members[name], member, join(path, name))


def _member(shape: Shape, value: Value, path: str) -> Iterator[str]:
    if value is None:
        yield _null(path)
    else:
        yield from _violations(shape, value, path)


def _constraints(shape: Shape, value: Value) -> Iterator[str]:
    """The constraints that a value itself breaks, not what it holds."""
    kind, limits = shape.type_name, shape.metadata
    if shape.name in _ANY_LENGTH:
        return
    if kind == "structure":
        if getattr(shape, "is_tagged_union", False):
            given = [name for name, member in value.items() if member is not None]
            if len(given) != 1 or given[0] not in shape.members:
                names = ", ".join(shape.members)
                yield f"Member must have exactly one of its members set, of: [{names}]"
        return
    if kind in ("string", "list", "map", "blob"):
        size, measure = len(value), "length"
    elif kind in ("integer", "long", "float", "double"):
        size, measure = value, "value"
    else:
        return
    if "max" in limits and size > limits["max"]:
        yield f"Member must have {measure} less than or equal to {limits['max']}"
        return  # so a pattern never meets a text that is too long
    if "min" in limits and size < limits["min"]:
        yield f"Member must have {measure} greater than or equal to {limits['min']}"
    if "pattern" in limits and not _matcher(limits["pattern"])(value):
        yield f"Member must satisfy regular expression pattern: {limits['pattern']}"
    if "enum" in limits and value not in (*limits["enum"], *_UNLISTED.get(shape.name, ())):
        yield f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"


def _sentence(shape: Shape, value: Value, path: str, constraint: str) -> str:
    subject = "Value"
    secret = shape.metadata.get("sensitive")
    if not secret and isinstance(value, str | int | float):
        subject = f"Value '{shorten(str(value), MOST_SHOWN)}'"
    elif value in ([], {}):
        subject = "Value '[]'" if value == [] else "Value '{}'"
    return f"{subject} at '{path}' failed to satisfy constraint: {constraint}"


def _null(path: str) -> str:
    return f"Value null at '{path}' failed to satisfy constraint: Member must not be null"


@cache
def _matcher(pattern: str) -> Callable[[str], object]:
    """A full match in linear time; several of AWS's patterns are exponential in `re`."""
    options = re2.Options()
    options.log_errors = False  # else it writes to stderr
    try:
        compiled: Any = re2.compile(pattern, options)
    except re2.error:
        # Two patterns count further than re2 can; neither has nested repeats.
        compiled = re.compile(pattern, re.ASCII)
    match: Callable[[str], object] = compiled.fullmatch
    return match
