"""Whatever is sent is answered, and never with an internal error."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .requests_from_model import OPERATIONS, Request, model, to_request
from .valid_values import full
from .wire import Wire

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
WITH_JSON = [
    name
    for name in OPERATIONS
    if any(not shape.serialization for shape in model(name).input_shape.members.values())
    and not name.startswith("InvokeModel")
]
QUICK = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made


def answered(wire: Wire, request: Request) -> None:
    """Send a request; it is either handled or refused."""
    wire.calls.clear()
    response = wire.send(request)
    if response.status_code < 300:
        assert len(wire.calls) == 1
        return
    assert response.status_code in (400, 404, 501), response.text
    assert response.json()["__type"] in (
        "ValidationException",
        "SerializationException",
        "UnknownOperationException",
    )
    assert response.json()["message"]
    assert wire.calls == []


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(member, (*path, key))
    return found


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at a place."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("operation", OPERATIONS)
@QUICK
@given(data=st.data())
def test_any_body(wire: Wire, operation: str, data: Any) -> None:
    request = to_request(operation, full(model(operation).input_shape))
    body = data.draw(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
    answered(wire, request._replace(body=body))


@pytest.mark.parametrize("operation", WITH_JSON)
@QUICK
@given(data=st.data())
def test_any_value_at_any_place(wire: Wire, operation: str, data: Any) -> None:
    request = to_request(operation, full(model(operation).input_shape))
    content = json.loads(request.body)
    path = data.draw(st.sampled_from(places(content)))
    changed = replaced(content, path, data.draw(JSON))
    answered(wire, request._replace(body=json.dumps(changed).encode()))


@QUICK
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    path=st.sampled_from([model(name).http["requestUri"] for name in OPERATIONS]),
    label=st.binary(min_size=1, max_size=80),
    query=st.binary(max_size=80),
    data=st.data(),
)
def test_any_path(
    wire: Wire, method: str, path: str, label: bytes, query: bytes, data: Any
) -> None:
    parts = [quote(label, safe="") if "{" in part else part for part in path.split("/")]
    if data.draw(st.booleans()):
        parts.insert(data.draw(st.integers(1, len(parts))), quote(label, safe=""))
    target = "/".join(parts) + "?" + quote(query, safe="=&+")
    answered(wire, Request(method, target, {}, b"{}"))


@pytest.mark.parametrize(
    "operation", [name for name in OPERATIONS if model(name).http["method"] == "GET"]
)
@QUICK
@given(text=st.text(max_size=80))
def test_any_text_in_a_query(wire: Wire, operation: str, text: str) -> None:
    shape = model(operation).input_shape
    names = [name for name, one in shape.members.items() if one.serialization["location"] != "uri"]
    for name in names:
        answered(wire, to_request(operation, full(shape) | {name: text}))
