"""Requests made from Bedrock's service models: valid ones, and ones that break one constraint.

Nothing here imports the server, so that its tests do not check it against itself.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from botocore.loaders import Loader
from botocore.model import ServiceModel

from .valid_values import is_document, is_union, matches, minimal, of_size, text

OPERATIONS = """
    BatchDeleteEvaluationJob CreateCustomModelDeployment CreateEvaluationJob
    CreateModelCustomizationJob CreateProvisionedModelThroughput DeleteCustomModel
    DeleteCustomModelDeployment DeleteProvisionedModelThroughput GetCustomModel
    GetCustomModelDeployment GetEvaluationJob GetModelCustomizationJob
    GetProvisionedModelThroughput ListCustomModelDeployments ListCustomModels ListEvaluationJobs
    ListModelCustomizationJobs ListProvisionedModelThroughputs ListTagsForResource
    StopEvaluationJob StopModelCustomizationJob TagResource UntagResource
    UpdateCustomModelDeployment UpdateProvisionedModelThroughput
    Converse ConverseStream InvokeModel InvokeModelWithResponseStream
""".split()

VALIDATION, SERIALIZATION = "ValidationException", "SerializationException"


class Request(NamedTuple):
    """An HTTP request; the target is the raw path with the query."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Field(NamedTuple):
    """A place in an operation's input: its shape, its path, and how to put a value there."""

    shape: Any
    path: str
    place: str | None  # uri, querystring, header, payload; None in a JSON body
    put: Callable[[Any], dict[str, Any]]


class Case(NamedTuple):
    """A request that must be refused, and what the refusal must say."""

    operation: str
    path: str
    kind: str
    request: Callable[[], Request]  # made late, as some are large
    code: str
    text: str


@cache
def model(operation: str) -> Any:
    """The operation's model."""
    for name in ("bedrock", "bedrock-runtime"):
        service = ServiceModel(Loader().load_service_model(name, "service-2"), name)
        if operation in service.operation_names:
            return service.operation_model(operation)
    raise KeyError(operation)


@cache
def fields(operation: str) -> list[Field]:
    """Every place in an operation's input, each once on the way down."""
    shape = model(operation).input_shape
    payload = shape.serialization.get("payload")
    found = [Field(shape, "", None, lambda value: value)]
    for name, member in shape.members.items():
        place = "payload" if name == payload else member.serialization.get("location")

        def put(value: Any, name: str = name) -> dict[str, Any]:
            return minimal(shape) | {name: value}

        found += _below(member, name, place, put, ())
    return found


def _below(
    shape: Any,
    path: str,
    place: str | None,
    put: Callable[[Any], dict[str, Any]],
    above: tuple[str, ...],
) -> Iterator[Field]:
    yield Field(shape, path, place, put)
    if is_document(shape) or shape.name in above:
        return
    below = (*above, shape.name)
    if shape.type_name == "structure":
        for name, member in shape.members.items():

            def put_member(value: Any, name: str = name) -> dict[str, Any]:
                return put(({} if is_union(shape) else minimal(shape)) | {name: value})

            yield from _below(member, f"{path}.{name}", place, put_member, below)
    elif shape.type_name == "list":
        rest = minimal(shape)[1:]
        yield from _below(
            shape.member, f"{path}.1.member", place, lambda value: put([value, *rest]), below
        )
    elif shape.type_name == "map":
        key = text(shape.key)
        yield from _below(
            shape.value, f"{path}.{key}.member", place, lambda value: put({key: value}), below
        )


def cases(operation: str) -> Iterator[Case]:
    """Every request that breaks exactly one constraint of an operation's input."""
    for field in fields(operation):
        for name, kind, value, code, words in _broken(field):

            def request(field: Field = field, value: Any = value) -> Request:
                return to_request(operation, field.put(value))

            yield Case(operation, f"{field.path}{name}", kind, request, code, words)


def limits(operation: str) -> Iterator[tuple[str, Request]]:
    """Requests with a value that just satisfies a constraint, by a name."""
    for field in fields(operation):
        for kind, value in _at_limits(field.shape):
            if field.place != "uri" or value:
                yield f"{field.path} {kind}", to_request(operation, field.put(value))


def to_request(operation: str, values: dict[str, Any]) -> Request:
    """The HTTP request with these members."""
    shape, http = model(operation).input_shape, model(operation).http
    path, query, headers, content = http["requestUri"], {}, {}, {}
    body: bytes | None = None
    for name, value in values.items():
        serialization = getattr(shape.members.get(name), "serialization", {})
        place, wire_name = serialization.get("location"), serialization.get("name", name)
        plain = json.dumps(value) if isinstance(value, bool) else str(value)
        if place == "uri":
            path = path.replace(f"{{{wire_name}}}", quote(plain, safe=""))
        elif place == "querystring":
            query[wire_name] = plain
        elif place == "header":
            headers[wire_name] = plain
        elif name == shape.serialization.get("payload"):
            body = value if isinstance(value, bytes) else base64.b64decode(value)
        else:
            content[name] = value
    target = f"{path}?{urlencode(query, quote_via=quote)}" if query else path
    if body is None:
        body = json.dumps(content).encode() if content or http["method"] != "GET" else b""
    return Request(http["method"], target, headers, body)


def _broken(field: Field) -> Iterator[tuple[str, str, Any, str, str]]:
    """What breaks one constraint at a field: the path's end, a kind, a value, code, words."""
    shape, place = field.shape, field.place
    if is_document(shape):
        return
    for name, kind, value in _wrong_types(shape, place) if field.path else ():
        yield name, kind, value, SERIALIZATION, "must be"
    for name, kind, value, words in _violations(shape, place):
        # A segment of a path cannot be empty, and no header or query can be null.
        if not (place == "uri" and value == ""):
            end = name if field.path else name.removeprefix(".")
            yield end, kind, value, VALIDATION, words


def _wrong_types(shape: Any, place: str | None) -> Iterator[tuple[str, str, Any]]:
    kind = shape.type_name
    if place in ("uri", "header", "payload") or (place and kind == "string"):
        return
    wrong: dict[str, list[Any]] = {
        "blob": [7, "no base64!", "AAA"],
        "boolean": ["maybe", *([1] if place is None else [])],
        "double": ["1", True, [1]],
        "float": ["1", True, [1]],
        "integer": ["x", 1.5, 2**31] if place else ["1", 1.5, True, 2**31],
        "list": [{}, "a"],
        "long": ["1", 1.5, True, 2**63],
        "map": [[], "a"],
        "string": [7, True, ["a"], {"a": "b"}],
        "structure": [[], "a", 7],
        "timestamp": [
            "yesterday",
            "2026-02-30T00:00:00Z",
            "2026-01-31",
            "0001-01-01T00:00:00+23:00",
        ],
    }
    for value in wrong[kind]:
        yield "", f"wrong type {value!r}", value


def _violations(shape: Any, place: str | None) -> Iterator[tuple[str, str, Any, str]]:
    kind, limits = shape.type_name, shape.metadata
    if kind == "structure":
        yield from _broken_structures(shape)
    elif kind == "string":
        yield from _broken_texts(shape, place)
    elif kind in ("integer", "long", "float", "double"):
        step = 1 if kind in ("integer", "long") else 0.25
        if "min" in limits:
            words = f"Member must have value greater than or equal to {limits['min']}"
            yield "", "too small", limits["min"] - step, words
        if "max" in limits:
            words = f"Member must have value less than or equal to {limits['max']}"
            yield "", "too large", limits["max"] + step, words
    elif kind in ("list", "map", "blob"):
        if limits.get("min", 0) > 0:
            words = f"Member must have length greater than or equal to {limits['min']}"
            yield "", "too short", of_size(shape, limits["min"] - 1), words
        if "max" in limits:
            words = f"Member must have length less than or equal to {limits['max']}"
            yield "", "too long", of_size(shape, limits["max"] + 1), words
        if kind == "list":
            rest = minimal(shape)[1:]
            yield ".1.member", "null", [None, *rest], "Member must not be null"
        if kind == "map":
            key, value = text(shape.key), minimal(shape.value)
            yield f".{key}.member", "null", {key: None}, "Member must not be null"
            for _, key_kind, broken, words in _broken_texts(shape.key, place):
                words = f"Map keys must satisfy constraint: [{words}"
                yield "", f"key {key_kind}", {broken: value}, words


def _broken_structures(shape: Any) -> Iterator[tuple[str, str, Any, str]]:
    if is_union(shape):
        words = "exactly one of its members"
        each = {name: minimal(member) for name, member in shape.members.items()}
        first = dict(list(each.items())[:1])
        yield "", "no member", {}, words
        yield "", "unknown member", {"noSuchMember": {}}, words
        yield "", "one more, unknown", {**first, "noSuchMember": {}}, words
        if len(each) > 1:
            yield "", "two members", dict(list(each.items())[:2]), words
        return
    for name in shape.required_members:
        if shape.members[name].serialization.get("location") != "uri":
            rest = minimal(shape)
            del rest[name]
            yield f".{name}", "missing", rest, "Member must not be null"
            yield f".{name}", "null", {**rest, name: None}, "Member must not be null"


def _broken_texts(shape: Any, place: str | None) -> Iterator[tuple[str, str, Any, str]]:
    limits, valid = shape.metadata, text(shape)
    least, most = limits.get("min", 0), limits.get("max", 10**6)
    if "max" in limits:
        longer = valid + "a" * (most + 1 - len(valid))
        yield "", "too long", longer, f"Member must have length less than or equal to {most}"
    if least > 0:
        words = f"Member must have length greater than or equal to {least}"
        yield "", "too short", valid[: least - 1], words
    if "enum" in limits:
        words = f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"
        yield "", "other case", valid.swapcase(), words
        yield "", "unknown", f"{valid[: most - 1]}x", words
    if "pattern" in limits:
        for last in (" ", "%") if place == "header" else ("\n", " ", "é", "%", "\0"):
            broken = valid[: most - 1] + last
            if len(broken) >= least and not re.fullmatch(limits["pattern"], broken):
                words = f"Member must satisfy regular expression pattern: {limits['pattern']}"
                yield "", f"pattern {last!r}", broken, words


def _at_limits(shape: Any) -> Iterator[tuple[str, Any]]:
    kind, limits = shape.type_name, shape.metadata
    for end in ("min", "max"):
        if end not in limits or is_document(shape):
            continue
        limit = limits[end]
        if kind in ("list", "map", "blob"):
            yield end, of_size(shape, limit)
        elif kind == "string" and "enum" not in limits:
            valid = text(shape)
            for padded in (valid[:limit], valid + "a" * (limit - len(valid)), "a" * limit):
                if len(padded) == limit and matches(limits.get("pattern", "(?s).*"), padded):
                    yield end, padded
                    break
        elif kind != "string":
            yield end, limit
    if kind == "string":
        yield from (("enum " + value, value) for value in limits.get("enum", ())[1:])
