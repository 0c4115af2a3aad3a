"""The outermost layer, around applications that do what a test needs."""

import asyncio
import json
import logging
import socket
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from filmstill.config import ServeConfig
from filmstill.registry import Registry
from filmstill.serve.guard import Guard
from filmstill.serve.keys import Keys
from filmstill.serve.observe import JsonLines
from filmstill.serve.service import Service

from .conftest import ADDRESS, Running, Started, ask

KIB = 1024
FAMILIES = {"native": "/v1/route", "openai": "/v1/chat/completions", "bedrock": "/custom-models"}


class Echo:
    """Answers with how much was sent, after as long as the request says."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        assert not message["more_body"]
        query = scope["query_string"].decode()
        if query.startswith("sleep="):
            await asyncio.sleep(float(query.removeprefix("sleep=")))
        if query == "break":
            raise KeyError("a secret path")
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        if query == "break-late":
            raise KeyError("a secret path")
        body = json.dumps({"bytes": len(message["body"])}).encode()
        await send({"type": "http.response.body", "body": body})


class Bedrock:
    """Claims the paths of Bedrock."""

    def handles(self, scope: Scope) -> bool:
        return bool(scope["path"] == FAMILIES["bedrock"])


def guarded(registry: Registry, keys: tuple[str, ...] = (), **limits: Any) -> TestClient:
    service = Service(registry, ServeConfig(**limits), Keys(keys))
    guard = Guard(Echo(), service, Bedrock())
    return TestClient(guard, ADDRESS, raise_server_exceptions=False)


@pytest.mark.parametrize("given", ["a", "Root=1-67891233-abcdef012345678912345678", "a" * 128])
def test_a_callers_request_id_is_kept(registry: Registry, given: str) -> None:
    answer = guarded(registry).get("/", headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", " ", "a b", "-a", "a" * 129, "a\tb", "<script>", '"', "é"])
def test_a_strange_request_id_is_replaced(registry: Registry, given: str) -> None:
    client = guarded(registry)
    headers = {"x-request-id": given.encode()}
    first, second = (client.get("/", headers=headers).headers["x-request-id"] for _ in "ab")
    assert len(first) == len(second) == 32
    assert first != second


def parts(size: int) -> Any:
    """A body whose length is not told beforehand."""
    while size > 0:
        yield b"x" * min(size, 300)
        size -= 300


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_largest_request(registry: Registry, family: str, told: bool) -> None:
    client = guarded(registry, request_kib=1)

    def send(size: int) -> Any:
        return client.post(FAMILIES[family], content=b"x" * size if told else parts(size))

    assert send(KIB).json() == {"bytes": KIB}
    for size in (KIB + 1, 5 * KIB, 100 * KIB):
        answer = send(size)
        assert answer.status_code == 413
        assert answer.headers["connection"] == "close"
        assert "larger than 1 KiB" in answer.text
        assert_family(answer, family, "too_large", "RequestEntityTooLargeException")


def assert_family(answer: Any, family: str, native: str, bedrock: str) -> None:
    """The error is written in the words of the API that was called."""
    body, request_id = answer.json(), answer.headers["x-request-id"]
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    if family == "native":
        assert body["error"].keys() == {"type", "message", "request_id"}
        assert (body["error"]["type"], body["error"]["request_id"]) == (native, request_id)
    elif family == "openai":
        assert body["error"].keys() == {"message", "type", "param", "code"}
        server = answer.status_code >= 500
        assert body["error"]["type"] == ("server_error" if server else "invalid_request_error")
    else:
        assert body == {"message": body["message"], "__type": bedrock}
        assert answer.headers["x-amzn-errortype"] == bedrock
        assert answer.headers["x-amzn-requestid"] == request_id


@pytest.mark.parametrize("family", FAMILIES)
def test_the_longest_request(registry: Registry, family: str) -> None:
    client = guarded(registry, request_seconds=0.2)
    path = FAMILIES[family]
    assert client.post(f"{path}?sleep=0").status_code == 200
    answer = client.post(f"{path}?sleep=9")
    assert answer.status_code == (408 if family == "bedrock" else 504)
    assert_family(answer, family, "timeout", "ModelTimeoutException")


@pytest.mark.parametrize("family", FAMILIES)
def test_bugs(registry: Registry, family: str, caplog: pytest.LogCaptureFixture) -> None:
    answer = guarded(registry).post(f"{FAMILIES[family]}?break")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert_family(answer, family, "internal_error", "InternalServerException")
    assert "a secret path" in caplog.text


def test_a_bug_in_the_middle_of_an_answer_adds_nothing_to_it(registry: Registry) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    guard = Guard(Echo(), Service(registry))
    asyncio.run(guard({**scope, "query_string": b"break-late"}, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start"]


@pytest.mark.parametrize("family", FAMILIES)
def test_keys(registry: Registry, family: str) -> None:
    client = guarded(registry, ("right",))
    path = FAMILIES[family]
    for headers, statuses in (
        ({}, (401, 403)),
        ({"x-api-key": "wrong"}, (401, 403)),
        ({"x-api-key": "right"}, (200, 200)),
        ({"authorization": "Bearer right"}, (200, 200)),
    ):
        answer = client.post(path, headers=headers)
        assert answer.status_code == statuses[family == "bedrock"]
        if answer.status_code == 200:
            continue
        code = "UnrecognizedClientException" if headers else "MissingAuthenticationTokenException"
        assert_family(answer, family, "unauthorized", code)
        assert ("www-authenticate" in answer.headers) == (family != "bedrock")
        if family == "openai":
            assert answer.json()["error"]["code"] == "invalid_api_key"


def test_what_needs_no_key(registry: Registry) -> None:
    client = guarded(registry, ("right",))
    for path in ("/", "/health", "/ready", "/docs", "/openapi.json"):
        assert client.get(path).status_code == 200
    for path in ("/metrics", "/v1/models", "/health/", "/healthy", "/v1/jobs", "/x"):
        assert client.get(path).status_code == 401


def test_a_wrong_key_is_refused_before_the_body_is_read(registry: Registry) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/route", "headers": []}
    asyncio.run(Guard(Echo(), Service(registry, keys=Keys(["right"])))(scope, receive, send))
    assert sent[0]["status"] == 401


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost:8080"}, 200),
        ({"host": "a.localhost"}, 200),
        ({"host": "10.1.2.3:8080"}, 200),
        ({"host": "[::1]:8080"}, 200),
        ({"host": "localhost:8080", "origin": "http://localhost:8080"}, 200),
        ({"host": "localhost", "sec-fetch-site": "same-origin"}, 200),
        ({"host": "example.org"}, 421),
        ({"host": "localhost.example.org"}, 421),
        ({"host": "127.0.0.1.example.org:80"}, 421),
        ({"host": "["}, 421),
        ({"host": "a" * 5000}, 421),
        ({"host": "localhost", "origin": "http://example.org"}, 403),
        ({"host": "localhost:8080", "origin": "http://localhost:9090"}, 403),
        ({"host": "localhost", "origin": "null"}, 403),
        ({"host": "localhost", "sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_pages_of_other_sites_are_kept_out(
    registry: Registry, family: str, headers: dict[str, str], status: int
) -> None:
    answer = guarded(registry).post(FAMILIES[family], headers=headers)
    assert answer.status_code == status
    if status != 200:
        kinds = {403: ("forbidden", "AccessDeniedException")}
        assert_family(answer, family, *kinds.get(status, ("misdirected", "ValidationException")))
    keyed = guarded(registry, ("right",)).post(
        FAMILIES[family], headers={**headers, "x-api-key": "right"}
    )
    assert keyed.status_code == 200  # no page has the key


def test_every_answer_of_a_server_that_stops_closes_its_connection(registry: Registry) -> None:
    client = guarded(registry)
    assert "connection" not in client.get("/").headers
    client.app.service.draining = True  # type: ignore[attr-defined]
    assert client.get("/").headers["connection"] == "close"


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The log's lines of requests, as they are written."""
    lines = [JsonLines().format(record) for record in caplog.records]
    assert all("\n" not in line for line in lines)
    return [line for line in map(json.loads, lines) if line["message"] == "request"]


def test_a_line_of_the_log(start: Started, caplog: pytest.LogCaptureFixture) -> None:
    client = start(keys=("a-secret-key",))
    headers = {"x-api-key": "a-secret-key", "x-request-id": "mine"}
    secret = "nobody may know this query"
    with caplog.at_level(logging.INFO, "filmstill.serve"):
        client.post("/v1/route?q=secret", json={"query": secret}, headers=headers)
        client.post("/v1/route", json={"query": secret, "x": secret}, headers=headers)
        client.post("/v1/route", json={"query": secret}, headers={"x-api-key": "a-wrong-key"})
        chat = {"model": "filmstill", "messages": [{"role": "user", "content": secret}]}
        client.post("/v1/chat/completions", json=chat, headers=headers)
        client.post("/v1/chat/completions", json={**chat, "n": 2}, headers=headers)
        client.get(f"/{'x' * 999}", headers=headers)
        talk = {"messages": [{"role": "user", "content": [{"text": secret}]}]}
        signed = {"authorization": "AWS4-HMAC-SHA256 Credential=a-secret-key/20261122/us-east-1/"}
        assert client.post("/model/filmstill/converse", json=talk, headers=signed).is_error
    first, second, third, *others = logged(caplog)
    assert first.pop("time").endswith("+00:00")
    assert 0 < first.pop("ms") < 20_000
    assert first == {
        "level": "info",
        "message": "request",
        "request_id": "mine",
        "method": "POST",
        "path": "/v1/route",
        "status": 200,
        "bytes": first["bytes"],
        "client": "testclient",
        "deployment": "filmstill",
    }
    assert first["bytes"] > 100
    assert (second["status"], third["status"]) == (400, 401)
    assert [line["status"] for line in others[:3]] == [200, 400, 404]
    assert len(others[2]["path"]) == 200
    assert others[3]["path"] == "/model/{modelId}/converse"
    for word in (secret, "nobody", "a-secret-key", "a-wrong-key"):
        assert word not in caplog.text
        assert not any(word in str(line) for line in [first, second, third, *others])


def test_labels_of_metrics_are_few(start: Started) -> None:
    client = start()
    for number in range(30):
        client.get(f"/nowhere/{number}")
        client.request(f"BREW{number}", "/v1/route")
        client.get(f"/v1/deployments/{number}")
        client.get(f"/v1/jobs/{number}")
        client.get(f"/v1/models/{number}")
        client.get(f"/custom-models/{number}")
        client.get(f"/static-offline-docs/{number}")
        client.post("/v1/route", json={"query": "a", "deployment": f"d{number}"})
    text = client.get("/metrics").text
    counted = [line for line in text.splitlines() if line.startswith("filmstill_requests_total")]
    assert len(counted) <= 10
    routes = {line.partition('route="')[2].partition('"')[0] for line in counted}
    assert {"unknown", "/v1/deployments/{name}", "/v1/jobs/{name}", "/v1/models/{name}"} <= routes
    assert "/v1/route" in routes
    assert 'method="other"' in text
    assert 'deployment="d' not in text
    assert any("/custom-models/{" in route for route in routes)


def test_a_large_request_without_its_length_is_refused_on_the_wire(server: Running) -> None:
    connection = server.connect()
    connection.putrequest("POST", "/v1/route")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    for _ in range(4096 // 64 + 1):
        connection.send(chunk)
    connection.send(b"0\r\n\r\n")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert json.loads(answer.read())["error"]["type"] == "too_large"
    connection.close()


def test_a_large_request_with_its_length_is_refused_on_the_wire(server: Running) -> None:
    body = b'{"query": "a"}' + b" " * (4096 * KIB - 14)
    assert ask(server, "POST", "/v1/route", body)[0] == 200
    status, headers, error = ask(server, "POST", "/v1/route", body + b" ")
    assert (status, headers["connection"]) == (413, "close")
    assert error["error"]["type"] == "too_large"
    host, port = server.connect().host, server.connect().port
    with socket.create_connection((host, port), timeout=10) as raw:
        raw.sendall(
            b"POST /v1/route HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n\r\n"
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")


def test_nonsense_on_the_wire_is_400(server: Running) -> None:
    host, port = server.connect().host, server.connect().port
    for nonsense in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"hello\r\n\r\n",
        b"POST /v1/route HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/route HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        with socket.create_connection((host, port), timeout=10) as raw:
            raw.sendall(nonsense)
            assert raw.recv(100).startswith(b"HTTP/1.1 400 ")
    assert ask(server, "GET", "/health")[0] == 200
