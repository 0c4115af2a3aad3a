"""All operations with the real handlers: what is broken is refused, what is valid is answered."""

import base64
import json
import string
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .patterns import sample
from .requests_from_model import OPERATIONS, cases, model, to_request
from .valid_values import is_document, is_union, matches, minimal
from .wire import Wire
from .worlds import BASE, TEACHER, Still, evaluation, metric, scale, taught_by

Values = st.SearchStrategy[Any]
# Errors of every AWS service, which no operation lists.
COMMON = ("SerializationException", "UnknownOperationException")
QUICK = settings(
    max_examples=20,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # no example can be repeated: things are made by each
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def wire(still: Still) -> Iterator[Wire]:
    """A world with one thing of every kind, in which all that is served is loaded."""
    arn = still.model("m")
    still.deploy("d", arn)
    still.provision("p", arn)
    still.distil("j")
    still.evaluate("e")
    still.settle()
    with Wire(app=still.app) as made:
        yield made


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_breaks_a_constraint_changes_nothing(still: Still, wire: Wire, operation: str) -> None:
    before = still.snapshot()
    for case in cases(operation):
        response = wire.send(case.request())
        where = f"{case.path} {case.kind}"
        assert (response.status_code, response.json()["__type"]) == (400, case.code), where
    assert still.snapshot() == before


@pytest.fixture
def known(still: Still, wire: Wire) -> dict[str, list[Any]]:
    """Values that mean something in this world, by the member."""
    backend = still.backend
    arns = {
        kind: [backend.arn(item) for item in backend.all(kind)]
        for kind in ("job", "model", "deployment", "provisioned", "evaluation")
    }
    every = [arn for kind in arns.values() for arn in kind]
    models = [*arns["model"], *arns["deployment"], *arns["provisioned"], TEACHER, BASE]
    return {
        "jobIdentifier": [*arns["job"], *arns["evaluation"], "j", "job-of-m"],
        "jobIdentifiers": arns["evaluation"],
        "modelIdentifier": [*arns["model"], "m"],
        "customModelDeploymentIdentifier": [*arns["deployment"], "d"],
        "provisionedModelId": [*arns["provisioned"], "p"],
        "desiredModelId": [*arns["model"], "m"],
        "modelArn": arns["model"],
        "modelArnEquals": arns["model"],
        "modelId": [*models, "m"],
        "resourceARN": every,
        "clientRequestToken": ["a", "b"],
        "jobName": ["j", "k", "l"],
        "customModelName": ["m", "n", "o"],
        "modelDeploymentName": ["d", "e"],
        "provisionedModelName": ["p", "q"],
        "desiredProvisionedModelName": ["p", "q"],
        "nameContains": ["", "j"],
        "role": ["user"],
        "teacherModelIdentifier": [TEACHER],
        "key": ["a", "b"],
        "hyperParameters": [{"epochCount": "3"}],
        "body": [base64.b64encode(b'{"messages":[{"role":"user","content":[{"text":"a"}]}]}')],
    }


GOOD: dict[str, dict[str, Any]] = {
    "CreateModelCustomizationJob": {
        "jobName": "k",
        "customModelName": "n",
        "baseModelIdentifier": BASE,
        "customizationType": "DISTILLATION",
        "customizationConfig": taught_by(TEACHER),
        "trainingDataConfig": {"s3Uri": "s3://bucket/a"},
    },
    "CreateEvaluationJob": {
        key: value
        for key, value in evaluation("k", custom=[metric("OverallQuality", scale())]).items()
        if key != "roleArn"
    },
    "Converse": {"messages": [{"role": "user", "content": [{"text": "red car"}]}]},
}
GOOD["ConverseStream"] = GOOD["Converse"]


def texts(shape: Any) -> Values:
    limits = shape.metadata
    if "enum" in limits:
        return st.sampled_from(limits["enum"])
    least, most = limits.get("min", 0), limits.get("max", 40)
    pattern = limits.get("pattern")
    if shape.serialization.get("location") == "header":
        return st.text(string.ascii_letters + string.punctuation, max_size=most)
    if pattern is None:
        return st.text(st.characters(codec="utf-8"), min_size=least, max_size=min(most, 40))
    found = {sample(pattern, repeats) for repeats in (*range(12), 20, 36)}
    return st.sampled_from(
        sorted(one for one in found if least <= len(one) <= most and matches(pattern, one))
        or [minimal(shape)]
    )


def values(shape: Any, known: dict[str, list[Any]], name: str = "", depth: int = 0) -> Values:
    """Valid values, as in a request's JSON."""
    anything = _any(shape, known, name, depth)
    if known.get(name):
        return st.sampled_from(known[name]) | anything
    return anything


def _any(shape: Any, known: dict[str, list[Any]], name: str, depth: int) -> Values:
    kind, limits = shape.type_name, shape.metadata
    if is_document(shape):
        return st.sampled_from([{}, {"a": [1, None, "b"]}, "text", 7, []])
    if depth > 6:
        return st.just(minimal(shape))
    if kind == "structure":
        return structures(shape, known, depth)
    least = limits.get("min", 0)
    most = min(limits.get("max", least + 2), least + 2)
    if kind == "list":
        member = values(shape.member, known, name, depth + 1)
        return st.lists(member, min_size=least, max_size=most)
    if kind == "map":
        value = values(shape.value, known, "", depth + 1)
        return st.dictionaries(texts(shape.key), value, min_size=least, max_size=most)
    if kind == "string":
        return texts(shape)
    if kind == "blob":
        return st.binary(min_size=least, max_size=30).map(base64.b64encode)
    if kind == "timestamp":
        return st.datetimes().map(lambda when: f"{when.isoformat(timespec='milliseconds')}Z")
    if kind == "boolean":
        return st.booleans()
    if kind in ("integer", "long"):
        return st.integers(least, min(limits.get("max", 2**31 - 1), 2**31 - 1))
    return st.floats(limits.get("min", -1e6), limits.get("max", 1e6))


@st.composite
def structures(draw: Any, shape: Any, known: dict[str, list[Any]], depth: int) -> dict[str, Any]:
    if is_union(shape):
        names = [draw(st.sampled_from(list(shape.members)))]
    else:
        more = [name for name in shape.members if name not in shape.required_members]
        names = [*shape.required_members]
        names += [name for name in more if draw(st.integers(0, 3)) == 0]
    return {name: draw(values(shape.members[name], known, name, depth + 1)) for name in names}


def plain(value: Any) -> Any:
    """Base64 as text, as JSON has it."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return [plain(member) for member in value] if isinstance(value, list) else value


READERS = {
    "jobArn": ("GetModelCustomizationJob", "jobIdentifier"),
    "customModelDeploymentArn": (
        "GetCustomModelDeployment",
        "customModelDeploymentIdentifier",
    ),
    "provisionedModelArn": ("GetProvisionedModelThroughput", "provisionedModelId"),
}
LISTS = [name for name in OPERATIONS if name.startswith("List") and name != "ListTagsForResource"]


@pytest.mark.parametrize("operation", OPERATIONS)
@QUICK
@given(data=st.data())
def test_what_is_valid_is_answered(
    wire: Wire, known: dict[str, list[Any]], operation: str, data: Any
) -> None:
    asked = data.draw(structures(model(operation).input_shape, known, 0))
    good = GOOD.get(operation, {})
    asked |= {name: good[name] for name in good if data.draw(st.integers(0, 9))}
    response = wire.send(to_request(operation, plain(asked)))
    if response.status_code >= 300:
        kind = response.json()["__type"]
        declared = {one.name: one.metadata for one in model(operation).error_shapes}
        assert kind in (*declared, *COMMON)
        assert response.json()["message"]
        if kind in declared:
            assert response.status_code == declared[kind]["error"]["httpStatusCode"]
        assert response.status_code < 500 or kind == "ServiceUnavailableException"
        return
    assert response.status_code == model(operation).http["responseCode"]
    if operation.startswith(("Create", "Update")):
        read_back(wire, operation, response.json())


def read_back(wire: Wire, operation: str, made: dict[str, Any]) -> None:
    """What was taken can be shown, too."""
    for name, arn in made.items():
        reader, member = READERS[name]
        if operation == "CreateEvaluationJob":
            reader = "GetEvaluationJob"
        response = wire.send(to_request(reader, {member: arn}))
        assert response.status_code == 200, response.text
        tags = wire.send(to_request("ListTagsForResource", {"resourceARN": arn}))
        assert tags.status_code == 200, tags.text
    for name in LISTS:
        response = wire.send(to_request(name, {"maxResults": 1000}))
        assert response.status_code == 200, response.text
        json.loads(response.text)
