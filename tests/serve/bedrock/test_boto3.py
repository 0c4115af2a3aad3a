"""The application behind a real server, spoken to with boto3 unchanged."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import boto3
import pytest
import uvicorn
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from filmstill.serve.bedrock import errors
from filmstill.serve.bedrock.errors import ApiError
from filmstill.serve.bedrock.http import Answer, BedrockApp, Handler

ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012:"
DEPLOYMENT = f"{ACCOUNT}custom-model-deployment/abcdefghijkl"
MODEL = f"{ACCOUNT}custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl"
NOW = datetime(2026, 11, 22, 10, 20, 30, 456000, tzinfo=UTC)
SAID = [{"role": "user", "content": [{"text": "red car \N{CLAPPER BOARD}"}]}]


@contextmanager
def serving(app: Any, lifespan: Literal["on", "off"] = "off") -> Iterator[str]:
    """The address of an application on a port of this machine."""
    config = uvicorn.Config(
        app,
        "127.0.0.1",
        0,
        log_level="error",
        lifespan=lifespan,
        ws="none",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


HANDLERS: dict[str, Handler] = {}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    app = BedrockApp({name: relay(name) for name in NAMES}, "us-east-1")
    with serving(app) as found:
        yield found


NAMES = (
    "CreateCustomModelDeployment GetCustomModelDeployment GetModelCustomizationJob "
    "ListCustomModels Converse ConverseStream InvokeModel InvokeModelWithResponseStream"
).split()


def relay(name: str) -> Handler:
    return lambda values: HANDLERS[name](values)


@pytest.fixture(autouse=True)
def no_handlers() -> None:
    HANDLERS.clear()


def client(address: str, service: str, region: str = "us-east-1") -> Any:
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=address,
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=10),
    )


@pytest.fixture
def bedrock(address: str) -> Iterator[Any]:
    made = client(address, "bedrock")
    yield made
    made.close()


@pytest.fixture
def runtime(address: str) -> Iterator[Any]:
    made = client(address, "bedrock-runtime")
    yield made
    made.close()


@pytest.mark.parametrize(
    "error",
    [
        errors.access_denied("no"),
        errors.conflict("no"),
        errors.not_found("no"),
        errors.throttled("no"),
        errors.validation("no"),
        ApiError("InternalServerException", "no"),
        ApiError("ServiceQuotaExceededException", "no"),
    ],
    ids=lambda error: error.code,
)
def test_errors_are_of_the_clients_classes(bedrock: Any, error: ApiError) -> None:
    def handler(values: dict[str, Any]) -> dict[str, Any]:
        raise error

    HANDLERS["GetModelCustomizationJob"] = handler
    with pytest.raises(getattr(bedrock.exceptions, error.code)) as caught:
        bedrock.get_model_customization_job(jobIdentifier="distil")
    response = caught.value.response
    assert response["Error"] == {"Code": error.code, "Message": "no"}
    assert response["ResponseMetadata"]["HTTPStatusCode"] == error.status
    assert len(response["ResponseMetadata"]["RequestId"]) == 36


def test_what_botocore_lets_through_is_refused_here(bedrock: Any) -> None:
    with pytest.raises(bedrock.exceptions.ValidationException) as caught:
        bedrock.create_custom_model_deployment(
            modelDeploymentName="a__b", modelArn="not the ARN of a model"
        )
    message = caught.value.response["Error"]["Message"]
    assert message.startswith("2 validation errors detected: Value 'a__b' at 'modelDeploymentName'")
    assert "Value 'not the ARN of a model' at 'modelArn' failed to satisfy constraint" in message


def test_a_signature_for_another_region_is_refused(address: str) -> None:
    other = client(address, "bedrock", "eu-west-1")
    with pytest.raises(ClientError, match="not 'eu-west-1'") as caught:
        other.list_custom_models()
    other.close()
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_deployment_is_made_and_got(bedrock: Any) -> None:
    seen: list[Any] = []

    def create(values: dict[str, Any]) -> dict[str, Any]:
        seen.append(values)
        return {"customModelDeploymentArn": DEPLOYMENT}

    def get(values: dict[str, Any]) -> dict[str, Any]:
        seen.append(values)
        return {
            "customModelDeploymentArn": DEPLOYMENT,
            "modelDeploymentName": "student",
            "modelArn": MODEL,
            "createdAt": NOW,
            "status": "Creating",
            "failureMessage": None,
        }

    HANDLERS.update(CreateCustomModelDeployment=create, GetCustomModelDeployment=get)
    made = bedrock.create_custom_model_deployment(
        modelDeploymentName="student", modelArn=MODEL, tags=[{"key": "team", "value": ""}]
    )
    assert made["customModelDeploymentArn"] == DEPLOYMENT
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    found = bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=DEPLOYMENT)
    assert len(seen[0].pop("clientRequestToken")) == 36
    assert seen == [
        {
            "modelDeploymentName": "student",
            "modelArn": MODEL,
            "tags": [{"key": "team", "value": ""}],
        },
        {"customModelDeploymentIdentifier": DEPLOYMENT},
    ]
    assert (found["createdAt"], found["status"]) == (NOW, "Creating")
    assert "failureMessage" not in found


def test_a_list_is_asked_for_with_a_query(bedrock: Any) -> None:
    seen: list[Any] = []

    def handler(values: dict[str, Any]) -> dict[str, Any]:
        seen.append(values)
        return {"modelSummaries": [], **({} if "nextToken" in values else {"nextToken": "a/b+c="})}

    HANDLERS["ListCustomModels"] = handler
    pages = bedrock.get_paginator("list_custom_models").paginate(
        creationTimeAfter=NOW, isOwned=True, maxResults=5, nameContains="a-b"
    )
    assert len(list(pages)) == 2
    asked = {
        "creationTimeAfter": NOW,
        "isOwned": True,
        "maxResults": 5,
        "nameContains": "a-b",
    }
    assert seen == [asked, {**asked, "nextToken": "a/b+c="}]


def test_converse(runtime: Any) -> None:
    seen: list[Any] = []

    def handler(values: dict[str, Any]) -> Answer:
        seen.append(values)
        output = {
            "output": {"message": {"role": "assistant", "content": [{"text": "ja \N{EYES}"}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
            "metrics": {"latencyMs": 4},
        }
        return Answer(output, {"X-Amzn-Bedrock-Input-Token-Count": "1"})

    HANDLERS["Converse"] = handler
    image = {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}
    messages = [{"role": "user", "content": [*SAID[0]["content"], image]}]
    answer = runtime.converse(
        modelId=DEPLOYMENT, messages=messages, inferenceConfig={"temperature": 0.5, "topP": 1}
    )
    assert seen == [
        {
            "modelId": DEPLOYMENT,
            "messages": messages,
            "inferenceConfig": {"temperature": 0.5, "topP": 1.0},
        }
    ]
    assert answer["output"]["message"]["content"] == [{"text": "ja \N{EYES}"}]
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-bedrock-input-token-count"] == "1"


@pytest.mark.parametrize("model", [DEPLOYMENT, "us.amazon.nova-pro-v1:0", "student"])
def test_invoke_model(runtime: Any, model: str) -> None:
    seen: list[Any] = []

    def handler(values: dict[str, Any]) -> dict[str, Any]:
        seen.append(values)
        return {"body": b'{"a":1}', "contentType": "application/json"}

    HANDLERS["InvokeModel"] = handler
    answer = runtime.invoke_model(modelId=model, body=b"\0\xff{}", accept="*/*", trace="ENABLED")
    assert seen == [{"modelId": model, "body": b"\0\xff{}", "accept": "*/*", "trace": "ENABLED"}]
    assert answer["body"].read() == b'{"a":1}'
    assert answer["contentType"] == "application/json"


def events() -> Iterator[Any]:
    yield "messageStart", {"role": "assistant"}
    for number in range(200):
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": f"{number} "}}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    yield "messageStop", {"stopReason": "end_turn"}
    usage = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}
    yield "metadata", {"usage": usage, "metrics": {"latencyMs": 4}}


def test_converse_stream(runtime: Any) -> None:
    HANDLERS["ConverseStream"] = lambda values: Answer({"stream": events()})
    found = list(runtime.converse_stream(modelId=DEPLOYMENT, messages=SAID)["stream"])
    assert found == [{name: members} for name, members in events()]


def test_an_error_in_a_stream(runtime: Any) -> None:
    def failing() -> Iterator[Any]:
        yield "messageStart", {"role": "assistant"}
        raise errors.throttled("slow down")

    HANDLERS["ConverseStream"] = lambda values: Answer({"stream": failing()})
    with closing(runtime.converse_stream(modelId="m", messages=SAID)["stream"]) as stream:
        found = iter(stream)
        assert next(found) == {"messageStart": {"role": "assistant"}}
        with pytest.raises(EventStreamError, match="slow down") as caught:
            next(found)
    assert caught.value.response["Error"]["Code"] == "throttlingException"


def test_events_come_while_the_stream_goes_on(runtime: Any) -> None:
    had_the_first = threading.Event()

    def slow() -> Iterator[Any]:
        yield "messageStart", {"role": "assistant"}
        yield "messageStop", {"stopReason": "end_turn" if had_the_first.wait(5) else "max_tokens"}

    HANDLERS["ConverseStream"] = lambda values: Answer({"stream": slow()})
    with closing(runtime.converse_stream(modelId="m", messages=SAID)["stream"]) as stream:
        found = iter(stream)
        assert next(found) == {"messageStart": {"role": "assistant"}}
        had_the_first.set()
        assert list(found) == [{"messageStop": {"stopReason": "end_turn"}}]


def test_invoke_model_with_response_stream(runtime: Any) -> None:
    body = [("chunk", {"bytes": b"\0\xff"}), ("chunk", {"bytes": b"end"})]
    output = {"contentType": "application/json", "body": body}
    HANDLERS["InvokeModelWithResponseStream"] = lambda values: Answer(output)
    answer = runtime.invoke_model_with_response_stream(modelId="m", body=b"{}")
    assert [event["chunk"]["bytes"] for event in answer["body"]] == [b"\0\xff", b"end"]
    assert answer["contentType"] == "application/json"
