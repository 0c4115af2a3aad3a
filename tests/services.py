"""Loopback services that speak the wire formats of real ones, and misbehave on demand."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Answer = Callable[[str, str], str]


@dataclass
class Service:
    """A running service.

    Attributes:
        url: its address.
        requests: (path, headers, body) of every request, in order.
        faults: status codes to answer the next requests with, before anything else; 0 hangs up.
        messages: what the next faults say, where it matters.
    """

    url: str
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


@contextmanager
def service(answer: Answer, *, key: str = "test-key") -> Iterator[Service]:
    """OpenAI's chat completions and Bedrock's Converse; `answer` gets prompt and question."""
    state = Service("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path = self.path
            state.requests.append((path, dict(self.headers), body))
            if state.faults:
                status = state.faults.pop(0)
                if status == 0:
                    self.close_connection = True
                    return
                message = state.messages.pop(0) if state.messages else f"error {status}"
                self._send(status, _error(path, status, message), {"Retry-After": "0"})
            elif path.startswith("/model/"):
                self._send(200, _converse(body, answer))
            elif self.headers.get("Authorization") != f"Bearer {key}":
                self._send(401, {"error": {"message": "Incorrect API key provided"}})
            elif body["model"] == "missing":
                self._send(404, {"error": {"message": "The model does not exist"}})
            else:
                self._send(200, _completion(body, answer))

        def _send(
            self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
        ) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if "__type" in body:
                self.send_header("x-amzn-ErrorType", body["__type"])
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _completion(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    first, last = body["messages"][0], body["messages"][-1]
    text = answer(first["content"] if first["role"] == "system" else "", last["content"])
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def _converse(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    system = body["system"][0]["text"] if "system" in body else ""
    text = answer(system, body["messages"][-1]["content"][0]["text"])
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 100, "outputTokens": 20, "totalTokens": 120},
        "metrics": {"latencyMs": 5},
    }


def _error(path: str, status: int, message: str) -> dict[str, Any]:
    if not path.startswith("/model/"):
        return {"error": {"message": message}}
    names = {403: "AccessDeniedException", 404: "ResourceNotFoundException"}
    names |= {429: "ThrottlingException", 500: "InternalServerException"}
    return {"__type": names.get(status, "ValidationException"), "message": message}


def point_at(running: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make OpenAI's and Bedrock's clients use a service, as users would, by the environment."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{running.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", running.url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def remote_fixture(answer: Answer) -> Any:
    """A fixture: a service that both clients use, and that is asked again without waiting."""

    @pytest.fixture
    def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
        monkeypatch.setattr("time.sleep", lambda _: None)
        with service(answer) as running:
            point_at(running, monkeypatch)
            yield running

    return remote
