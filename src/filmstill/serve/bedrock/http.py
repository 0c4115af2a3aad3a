"""Bedrock's API as an ASGI application."""

import inspect
import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl, quote
from uuid import uuid4

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from filmstill.serve.bedrock.errors import (
    ApiError,
    as_api_error,
    serialization,
    unknown_operation,
)
from filmstill.serve.bedrock.eventstream import encode_exception
from filmstill.serve.bedrock.operations import Match, Operation, match, operations

_LARGE = 64 * 1024  # bytes of a body that are read in a thread, to let others through

Event = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What a handler answers, where it is more than the output alone.

    Attributes:
        output: the members of the operation's output. Under the member that holds a stream, an
            iterable or an asynchronous iterable of (event's name, event's members).
        headers: more headers of the response.
    """

    output: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


Result = Mapping[str, Any] | Answer
Handler = Callable[[dict[str, Any]], Result | Awaitable[Result]]


class BedrockApp:
    """Reads requests, calls the operation's handler, writes what it returns."""

    def __init__(self, handlers: Mapping[str, Handler], region: str) -> None:
        """Take what the operations do, and the region that the server stands for.

        Args:
            handlers: by the operation's name; each gets the members of a valid request. Coroutine
                functions are awaited, others run in a thread. An operation without a handler is
                answered with UnknownOperationException.
            region: a request that is signed for another one is refused.

        Raises:
            ValueError: there is no such operation.
        """
        unknown = sorted(set(handlers) - set(operations()))
        if unknown:
            raise ValueError(f"Bedrock has no operation {', '.join(unknown)}")
        self._handlers = dict(handlers)
        self._region = region

    def handles(self, scope: Scope) -> bool:
        """Whether a request is for Bedrock, be it for an operation that has a handler or not."""
        return scope["type"] == "http" and _match(scope) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request_id = str(scope.get("state", {}).get("request_id") or uuid4())
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return  # nobody is left to answer
        try:
            response = await self._respond(scope, body, request_id)
        except Exception as error:
            response = _refusal(as_api_error(error, request_id))
        response.headers["x-amzn-RequestId"] = request_id
        try:
            await response(scope, receive, send)
        except ClientDisconnect:
            return

    async def _respond(self, scope: Scope, body: bytes, request_id: str) -> Response:
        found = _match(scope)
        if found is None:
            raise unknown_operation("Amazon Bedrock has no operation at this path.")
        operation = found.operation
        # What the log and the metrics call the request by.
        scope.setdefault("state", {})["route"] = "/".join(("", *operation.segments))
        handler = self._handlers.get(operation.name)
        if handler is None:
            raise unknown_operation(
                f"{operation.name} is an operation of Amazon Bedrock that this server does not "
                "implement.",
                status=501,
            )
        self._check_region(Request(scope).headers.get("authorization", ""))
        if len(body) > _LARGE:
            values = await run_in_threadpool(_read, scope, found, body)
        else:
            values = _read(scope, found, body)
        result = await _call(handler, values)
        answer = result if isinstance(result, Answer) else Answer(result)
        status, headers, content = operation.write(answer.output)
        headers |= answer.headers
        if operation.stream is None:
            return Response(content, status, headers)
        events = answer.output[operation.stream]
        return StreamingResponse(_stream(operation, events, request_id), status, headers)

    def _check_region(self, authorization: str) -> None:
        region = _signed_region(authorization)
        if region is not None and region != self._region:
            region = region[:40]
            raise ApiError(
                "InvalidSignatureException",
                f"Credential should be scoped to a valid region, not '{region}'. This server "
                f"stands for {self._region}: start it with `filmstill serve --region {region}`, "
                f"or set the client's region to {self._region}.",
            )


def _match(scope: Scope) -> Match | None:
    raw_path = scope.get("raw_path") or quote(scope["path"]).encode()
    return match(scope["method"], raw_path)


def _read(scope: Scope, found: Match, body: bytes) -> dict[str, Any]:
    try:
        text = scope.get("query_string", b"").decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise serialization("The query is not percent-encoded UTF-8.") from error
    query = dict(reversed(pairs))  # the first of a name that comes twice
    return found.operation.read(found.labels, query, Request(scope).headers, body)


async def _call(handler: Handler, values: dict[str, Any]) -> Result:
    made: Result | Awaitable[Result]
    if inspect.iscoroutinefunction(handler):
        made = handler(values)
    else:
        made = await run_in_threadpool(cast(Callable[..., Any], handler), values)
    return await made if isinstance(made, Awaitable) else made


async def _stream(
    operation: Operation, events: Iterable[Event] | AsyncIterable[Event], request_id: str
) -> AsyncIterator[bytes]:
    """The bytes of each event as it comes; an error becomes the last event."""
    try:
        many = events if isinstance(events, AsyncIterable) else iterate_in_threadpool(events)
        async for name, payload in many:
            yield operation.encode(name, payload)
    except Exception as error:
        refused = as_api_error(error, request_id)
        yield encode_exception(refused.code[0].lower() + refused.code[1:], refused.message)


def _refusal(error: ApiError) -> Response:
    return Response(
        json.dumps(error.body),
        error.status,
        {"content-type": "application/json", "x-amzn-ErrorType": error.code},
    )


def _signed_region(authorization: str) -> str | None:
    """The region in the scope of a signature, version 4; None where there is none."""
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != "AWS4-HMAC-SHA256":
        return None
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        scope = value.split("/")  # key, date, region, service, aws4_request
        if name == "Credential" and len(scope) >= 5 and scope[-1] == "aws4_request":
            return scope[-3]
    return None
