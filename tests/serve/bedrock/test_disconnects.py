"""Clients that go away, spoken to as a server would."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from filmstill.serve.bedrock.http import Answer, BedrockApp

from .requests_from_model import to_request
from .wire import Wire

TALK = to_request(
    "ConverseStream",
    {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hello"}]}]},
)
SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "method": "POST",
    "path": TALK.target,
    "raw_path": TALK.target.encode(),
    "query_string": b"",
    "headers": [],
    "state": {"request_id": "request-7"},
}


def talk(app: BedrockApp, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What is sent to a client that sends these messages, and then is gone."""
    sent: list[dict[str, Any]] = []
    left = list(messages)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(asyncio.wait_for(app(dict(SCOPE), receive, send), timeout=5))
    return sent


def test_a_client_that_goes_while_it_sends_is_not_answered() -> None:
    with Wire() as wire:
        part = {"type": "http.request", "body": TALK.body[:10], "more_body": True}
        assert talk(wire.app, part) == []
        assert talk(wire.app) == []
        assert wire.calls == []


def test_a_stream_ends_when_its_client_goes() -> None:
    ended = []

    async def for_ever() -> AsyncIterator[Any]:
        try:
            while True:
                yield "contentBlockStop", {"contentBlockIndex": 0}
                await asyncio.sleep(0.001)
        finally:
            ended.append(True)

    app = BedrockApp({"ConverseStream": lambda values: Answer({"stream": for_ever()})}, "us-east-1")
    sent = talk(app, {"type": "http.request", "body": TALK.body, "more_body": False})
    assert sent[0]["status"] == 200
    assert ended == [True]


def test_the_request_id_is_the_servers_where_it_has_one() -> None:
    with Wire() as wire:
        sent = talk(wire.app, {"type": "http.request", "body": b"[", "more_body": False})
    assert sent[0]["status"] == 400
    assert SCOPE["state"]["route"] == "/model/{modelId}/converse-stream"
    assert (b"x-amzn-requestid", b"request-7") in sent[0]["headers"]
