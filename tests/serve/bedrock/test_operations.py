"""Which operation is at a path, and what it reads and writes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from filmstill.serve.bedrock import operations as module
from filmstill.serve.bedrock.errors import ApiError
from filmstill.serve.bedrock.operations import Operation, match, operations

from .requests_from_model import model, to_request
from .valid_values import TIME, TIME_TEXT, minimal

ARN = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"
QUOTED = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Acustom-model-deployment%2Fabcdefghijkl"


@pytest.mark.parametrize(
    ("method", "path", "name", "labels"),
    [
        ("GET", "/custom-models", "ListCustomModels", {}),
        ("GET", "/custom-models/", "ListCustomModels", {}),
        ("GET", "/custom-models/m", "GetCustomModel", {"modelIdentifier": "m"}),
        ("GET", "/custom-models/m/", "GetCustomModel", {"modelIdentifier": "m"}),
        ("DELETE", "/custom-models/a%20b", "DeleteCustomModel", {"modelIdentifier": "a b"}),
        ("POST", "/custom-models/create-custom-model", "CreateCustomModel", {}),
        (
            "GET",
            "/custom-models/create-custom-model",
            "GetCustomModel",
            {"modelIdentifier": "create-custom-model"},
        ),
        ("POST", "/evaluation-jobs/batch-delete", "BatchDeleteEvaluationJob", {}),
        ("POST", f"/model/{QUOTED}/converse", "Converse", {"modelId": ARN}),
        ("POST", "/model/a%252Fb/invoke", "InvokeModel", {"modelId": "a%2Fb"}),
        ("POST", "/model/%ff/invoke", "InvokeModel", {"modelId": "\ufffd"}),
        ("POST", "/guardrails", "CreateGuardrail", {}),  # not implemented, but Bedrock's
        ("POST", "/evaluation-job/j/stop", "StopEvaluationJob", {"jobIdentifier": "j"}),
    ],
)
def test_paths(method: str, path: str, name: str, labels: dict[str, str]) -> None:
    found = match(method, path.encode())
    assert found is not None
    assert (found.operation.name, found.labels) == (name, labels)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/health"),
        ("PUT", "/custom-models"),
        ("POST", "/model//converse"),
        ("POST", f"/model/{ARN}/converse"),  # its slash makes one segment more
        ("POST", "/model/a%2Fconverse"),
        ("GET", "//custom-models"),
        ("GET", "/custom-models//"),
        ("get", "/custom-models"),
    ],
)
def test_paths_that_are_not_of_bedrock(method: str, path: str) -> None:
    assert match(method, path.encode()) is None


def test_literals_win_where_both_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {name: Operation(model(name)) for name in ("GetCustomModel", "ListCustomModels")}
    made["GetCustomModel"].segments = ("custom-models", "{modelIdentifier}")
    made["ListCustomModels"].segments = ("custom-models", "all")
    table = module._table.__wrapped__  # without its cache
    for order in (1, -1):  # whichever the model names first
        monkeypatch.setattr(
            module, "operations", lambda order=order: dict([*made.items()][::order])
        )
        monkeypatch.setattr(module, "_table", table)
        found = match("GET", b"/custom-models/all")
        assert found is not None
        assert found.operation is made["ListCustomModels"]
        found = match("GET", b"/custom-models/one")
        assert found is not None
        assert found.operation is made["GetCustomModel"]


def test_reading_from_everywhere() -> None:
    read = operations()["ListModelCustomizationJobs"].read
    query = {"creationTimeAfter": TIME_TEXT, "maxResults": "7", "unknown": "x"}
    assert read({}, query, {}, b"not JSON, and not read") == {
        "creationTimeAfter": TIME,
        "maxResults": 7,
    }
    read = operations()["InvokeModel"].read
    headers = {"content-type": "application/json", "x-amzn-bedrock-trace": "ENABLED"}
    assert read({"modelId": ARN}, {}, headers, b"\0 any bytes") == {
        "modelId": ARN,
        "contentType": "application/json",
        "trace": "ENABLED",
        "body": b"\0 any bytes",
    }
    read = operations()["UpdateCustomModelDeployment"].read
    with pytest.raises(ApiError, match="Value null at 'modelArn'"):
        read({"customModelDeploymentIdentifier": "d"}, {}, {}, b"{}")
    # A body cannot stand in for the path.
    with pytest.raises(ApiError, match="Value null at 'customModelDeploymentIdentifier'"):
        read({}, {}, {}, b'{"customModelDeploymentIdentifier": "d"}')


def test_writing() -> None:
    status, headers, body = operations()["CreateModelCustomizationJob"].write(
        {"jobArn": minimal(model("CreateModelCustomizationJob").output_shape)["jobArn"]}
    )
    assert (status, headers) == (201, {"content-type": "application/json"})
    assert json.loads(body)["jobArn"].startswith("arn:aws")
    assert operations()["StopModelCustomizationJob"].write({}) == (
        200,
        {"content-type": "application/json"},
        b"{}",
    )
    assert operations()["InvokeModel"].write(
        {"body": b"\xff", "contentType": "image/png", "performanceConfigLatency": None}
    ) == (200, {"content-type": "image/png"}, b"\xff")


@pytest.mark.parametrize(
    ("name", "output", "words"),
    [
        ("CreateModelCustomizationJob", {}, "Value null at 'jobArn'"),
        ("CreateModelCustomizationJob", {"jobArn": "arn"}, "regular expression"),
        ("CreateModelCustomizationJob", {"jobArn": None}, "Value null at 'jobArn'"),
        ("CreateModelCustomizationJob", {"jobARN": "arn"}, "no member 'jobARN'"),
        ("StopModelCustomizationJob", {"status": "Stopping"}, "no member 'status'"),
        ("InvokeModel", {"body": b""}, "Value null at 'contentType'"),
        ("InvokeModel", {"body": 3, "contentType": "text/plain"}, "body must be bytes"),
        ("ListTagsForResource", {"tags": [{"key": "k"}]}, "'tags.1.member.value'"),
    ],
)
def test_an_output_that_the_model_forbids_is_a_bug(
    name: str, output: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        operations()[name].write(output)


@pytest.mark.parametrize(
    ("event", "payload", "words"),
    [
        ("messageBegin", {}, "no event 'messageBegin'"),
        ("throttlingException", {"message": "m"}, "no event"),
        ("messageStop", {}, "Value null at 'messageStop.stopReason'"),
        ("messageStop", {"stopReason": "done"}, "enum value set"),
        ("contentBlockDelta", {"delta": {}, "contentBlockIndex": 0}, "exactly one of its members"),
    ],
)
def test_an_event_that_the_model_forbids_is_a_bug(
    event: str, payload: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        operations()["ConverseStream"].encode(event, payload)


def test_times_go_there_and_back() -> None:
    after = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    request = to_request("ListCustomModels", {"creationTimeAfter": "2026-05-04T03:02:01Z"})
    assert request.target == "/custom-models?creationTimeAfter=2026-05-04T03%3A02%3A01Z"
    read = operations()["ListCustomModels"].read
    assert read({}, {"creationTimeAfter": "2026-05-04T03:02:01Z"}, {}, b"") == {
        "creationTimeAfter": after
    }
