"""Every constraint of every implemented operation's input, broken one at a time."""

from collections.abc import Iterator

import pytest

from .requests_from_model import (
    OPERATIONS,
    SERIALIZATION,
    Case,
    Request,
    cases,
    fields,
    limits,
    model,
    to_request,
)
from .valid_values import full, minimal
from .wire import Wire


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made


def accepted(wire: Wire, operation: str, request: Request) -> None:
    wire.calls.clear()
    response = wire.send(request)
    assert response.status_code == model(operation).http["responseCode"], response.text
    assert [name for name, _ in wire.calls] == [operation]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_valid_is_accepted(wire: Wire, operation: str) -> None:
    shape = model(operation).input_shape
    accepted(wire, operation, to_request(operation, minimal(shape)))
    accepted(wire, operation, to_request(operation, full(shape)))
    for field in fields(operation):  # what each case below breaks
        accepted(wire, operation, to_request(operation, field.put(minimal(field.shape))))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_at_a_limit_is_accepted(wire: Wire, operation: str) -> None:
    for _, request in limits(operation):
        accepted(wire, operation, request)


CASES = [case for operation in OPERATIONS for case in cases(operation)]


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{case.operation}-{case.path}-{case.kind}" for case in CASES]
)
def test_what_breaks_a_constraint_is_refused(wire: Wire, case: Case) -> None:
    wire.calls.clear()
    response = wire.send(case.request())
    body = response.json()
    assert (response.status_code, body["__type"]) == (400, case.code), body
    assert response.headers["x-amzn-errortype"] == case.code
    assert f"'{case.path}'" in body["message"]
    assert case.text in body["message"]
    if case.code != SERIALIZATION:
        assert body["message"].startswith(("1 validation error detected: Value ", "2 val", "3 val"))
    assert wire.calls == []
