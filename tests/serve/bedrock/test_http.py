"""The application: what handlers get and raise, and what clients see of it."""

import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer

from filmstill.errors import FilmstillError, InputError, QueryError, StorageError
from filmstill.serve.bedrock import errors
from filmstill.serve.bedrock.errors import ApiError
from filmstill.serve.bedrock.http import Answer, BedrockApp, Handler

from .requests_from_model import Request, to_request
from .wire import Wire

GET = Request("GET", "/model-customization-jobs", {}, b"")
JOBS: dict[str, Any] = {"modelCustomizationJobSummaries": []}
TALK = to_request(
    "ConverseStream",
    {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hello"}]}]},
)
HELLO = [("messageStart", {"role": "assistant"}), ("messageStop", {"stopReason": "end_turn"})]


def ask(handler: Handler, request: Request = GET, name: str = "ListModelCustomizationJobs") -> Any:
    with Wire({name: handler}) as wire:
        return wire.send(request)


def failing(error: Exception) -> Handler:
    def handler(values: dict[str, Any]) -> dict[str, Any]:
        raise error

    return handler


def decode(body: bytes) -> list[tuple[str, Any]]:
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    return [
        (one.headers.get(":event-type") or one.headers[":exception-type"], json.loads(one.payload))
        for one in buffer
    ]


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (errors.validation("no"), 400, "ValidationException", "no"),
        (errors.not_found("no"), 404, "ResourceNotFoundException", "no"),
        (errors.conflict("no"), 400, "ConflictException", "no"),
        (errors.access_denied("no"), 403, "AccessDeniedException", "no"),
        (errors.throttled("no"), 429, "ThrottlingException", "no"),
        (errors.unavailable("no"), 503, "ServiceUnavailableException", "no"),
        (ApiError("ModelTimeoutException", "no"), 408, "ModelTimeoutException", "no"),
        (ApiError("ModelErrorException", "no"), 424, "ModelErrorException", "no"),
        (ApiError("ExpiredTokenException", "no"), 403, "ExpiredTokenException", "no"),
        (
            ApiError("RequestEntityTooLargeException", "no"),
            413,
            "RequestEntityTooLargeException",
            "no",
        ),
        (ApiError("ValidationException", "no", status=418), 418, "ValidationException", "no"),
        (QueryError("the query is empty"), 400, "ValidationException", "the query is empty"),
        (InputError("no such task"), 400, "ValidationException", "no such task"),
        (StorageError("disk full"), 503, "ServiceUnavailableException", "disk full"),
        (FilmstillError("out of luck"), 500, "InternalServerException", "out of luck"),
    ],
)
def test_errors_raised_on_purpose(error: Exception, status: int, code: str, message: str) -> None:
    response = ask(failing(error))
    assert response.status_code == status
    assert response.json() == {"message": message, "__type": code}
    assert response.headers["x-amzn-errortype"] == code
    assert response.headers["content-type"] == "application/json"
    assert len(response.headers["x-amzn-requestid"]) == 36


def test_an_error_may_have_more_members() -> None:
    response = ask(failing(ApiError("TooManyTagsException", "no", resourceName="arn")))
    assert response.json() == {
        "message": "no",
        "__type": "TooManyTagsException",
        "resourceName": "arn",
    }


def test_a_bug_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    response = ask(failing(KeyError("a secret path")))
    assert response.status_code == 500
    body = response.json()
    assert body["__type"] == "InternalServerException"
    assert response.headers["x-amzn-requestid"] in body["message"]
    assert "secret" not in response.text
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert response.headers["x-amzn-requestid"] in record.getMessage()
    assert "a secret path" in caplog.text  # the traceback


def test_an_answer_that_the_model_forbids_is_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    response = ask(lambda values: {"modelCustomizationJobSummaries": [{}]})
    assert response.status_code == 500
    assert "Value null at 'modelCustomizationJobSummaries.1.member.jobArn'" in caplog.text


def test_sync_handlers_run_in_threads_and_others_in_the_loop() -> None:
    threads = []

    def sync(values: dict[str, Any]) -> dict[str, Any]:
        threads.append(threading.current_thread())
        return JOBS

    async def coroutine(values: dict[str, Any]) -> dict[str, Any]:
        threads.append(threading.current_thread())
        return JOBS

    assert [ask(sync).json(), ask(coroutine).json(), ask(lambda _: coroutine({})).json()] == [
        {"modelCustomizationJobSummaries": []}
    ] * 3
    here = threading.current_thread()
    assert [thread is here for thread in threads] == [False, True, True]


def test_answers_may_add_headers() -> None:
    response = ask(lambda values: Answer(JOBS, {"X-Amzn-Bedrock-Input-Token-Count": "7"}))
    assert response.headers["x-amzn-bedrock-input-token-count"] == "7"
    assert response.headers["content-type"] == "application/json"


def test_the_first_of_a_query_that_comes_twice_counts() -> None:
    seen = []
    target = "/model-customization-jobs?nameContains=a%2Bb&nameContains=c&maxResults=5"
    ask(lambda values: seen.append(values) or JOBS, Request("GET", target, {}, b""))
    assert seen == [{"nameContains": "a+b", "maxResults": 5}]


def test_a_query_must_be_utf_8() -> None:
    request = GET._replace(target="/model-customization-jobs?nameContains=%ff")
    response = ask(lambda values: JOBS, request)
    assert (response.status_code, response.json()["__type"]) == (400, "SerializationException")


def test_a_large_body_arrives_whole() -> None:
    seen: list[Any] = []
    request = to_request("InvokeModel", {"modelId": "m", "body": bytes(range(256)) * 1024})

    def handler(values: dict[str, Any]) -> dict[str, Any]:
        seen.append(values["body"])
        return {"body": values["body"], "contentType": "application/octet-stream"}

    response = ask(handler, request, "InvokeModel")
    assert response.content == bytes(range(256)) * 1024 == seen[0]
    assert response.headers["content-type"] == "application/octet-stream"


def test_what_is_not_implemented_says_so() -> None:
    with Wire({}) as wire:
        response = wire.send(Request("POST", "/guardrails", {}, b"{}"))
        assert response.status_code == 501
        assert response.json()["__type"] == "UnknownOperationException"
        assert "CreateGuardrail" in response.json()["message"]
        response = wire.send(Request("POST", "/nothing", {}, b"{}"))
        assert response.status_code == 404
        assert response.json()["__type"] == "UnknownOperationException"


def test_a_handler_needs_an_operation() -> None:
    with pytest.raises(ValueError, match="no operation ConverseLoudly"):
        BedrockApp({"ConverseLoudly": lambda values: {}}, "us-east-1")


def test_which_requests_it_handles() -> None:
    app = BedrockApp({}, "us-east-1")
    scope = {"type": "http", "method": "GET", "path": "/custom-models/a/b"}
    assert app.handles({**scope, "raw_path": b"/custom-models/a%2Fb"})
    assert not app.handles(scope)
    assert app.handles({**scope, "path": "/custom-models/a b"})
    assert app.handles({**scope, "method": "POST", "path": "/guardrails"})
    assert not app.handles({**scope, "path": "/health"})
    assert not app.handles({"type": "lifespan"})


SIGNED = "AWS4-HMAC-SHA256 Credential=AK/ID/20261122/{}/bedrock/aws4_request, SignedHeaders=host"


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 200),
        (SIGNED.format("us-east-1"), 200),
        (SIGNED.format("us-east-1").replace(" Credential", " SignedHeaders=a,Credential"), 200),
        (SIGNED.format("eu-west-1"), 403),
        (SIGNED.format("eu-west-1").replace(" Credential", " SignedHeaders=a,Credential"), 403),
        (SIGNED.format(""), 403),
        ("Bearer AWS4-HMAC-SHA256 Credential=A/20261122/eu-west-1/bedrock/aws4_request", 200),
        ("AWS4-HMAC-SHA256", 200),
        ("AWS4-HMAC-SHA256 Credential=A/eu-west-1", 200),
        (SIGNED.format("eu-west-1").replace("aws4_request", "aws5_request"), 200),
        ("AWS4-ECDSA-P256-SHA256 Credential=A/20261122/bedrock/aws4_request", 200),
        ("", 200),
    ],
)
def test_regions(authorization: str | None, status: int) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    response = ask(lambda values: JOBS, GET._replace(headers=headers))
    assert response.status_code == status
    if status == 403 and "eu-west-1" in str(authorization):
        assert response.json() == {
            "__type": "InvalidSignatureException",
            "message": "Credential should be scoped to a valid region, not 'eu-west-1'. This "
            "server stands for us-east-1: start it with `filmstill serve --region eu-west-1`, or "
            "set the client's region to us-east-1.",
        }


async def spoken() -> AsyncIterator[Any]:
    for event in HELLO:
        yield event


@pytest.mark.parametrize(
    "events", [HELLO, iter(HELLO), spoken()], ids=["list", "iterator", "async"]
)
def test_streams(events: Any) -> None:
    response = ask(lambda values: Answer({"stream": events}), TALK, "ConverseStream")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert len(response.headers["x-amzn-requestid"]) == 36
    assert decode(response.content) == HELLO


@pytest.mark.parametrize(
    ("error", "event", "message"),
    [
        (errors.throttled("slow down"), "throttlingException", "slow down"),
        (errors.validation("too long"), "validationException", "too long"),
        (StorageError("disk full"), "serviceUnavailableException", "disk full"),
        (KeyError("a secret path"), "internalServerException", "request"),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_error_ends_a_stream(
    error: Exception, event: str, message: str, asynchronous: bool
) -> None:
    def events() -> Iterator[Any]:
        yield HELLO[0]
        raise error

    async def later() -> AsyncIterator[Any]:
        for one in events():
            yield one

    stream = later() if asynchronous else events()
    response = ask(lambda values: Answer({"stream": stream}), TALK, "ConverseStream")
    first, last = decode(response.content)
    assert first == HELLO[0]
    assert last[0] == event
    assert message in last[1]["message"]
    assert "secret" not in last[1]["message"]


def test_an_event_that_the_model_forbids_ends_a_stream(caplog: pytest.LogCaptureFixture) -> None:
    stream = [HELLO[0], ("messageStop", {"stopReason": "done"}), HELLO[1]]
    response = ask(lambda values: Answer({"stream": stream}), TALK, "ConverseStream")
    assert [name for name, _ in decode(response.content)] == [
        "messageStart",
        "internalServerException",
    ]
    assert "enum value set" in caplog.text


def test_an_error_before_a_stream_is_a_response() -> None:
    response = ask(failing(errors.throttled("no")), TALK, "ConverseStream")
    assert (response.status_code, response.json()["__type"]) == (429, "ThrottlingException")


def test_chunks_are_in_base64() -> None:
    output = {"contentType": "application/json", "body": [("chunk", {"bytes": b"\0\1\2"})]}
    request = to_request("InvokeModelWithResponseStream", {"modelId": "m", "body": b"{}"})
    response = ask(lambda values: Answer(output), request, "InvokeModelWithResponseStream")
    assert response.headers["x-amzn-bedrock-content-type"] == "application/json"
    assert response.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert decode(response.content) == [("chunk", {"bytes": "AAEC"})]
