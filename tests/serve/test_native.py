"""Routing and deployments over the native API."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from filmstill import Router, Routing
from filmstill.config import ServeConfig
from filmstill.registry import Registry
from filmstill.registry.students import keep_student
from filmstill.student.router import StudentRouter

from .conftest import LABEL, MakeStudent, Started, until

QUERY = "a dog barking in the rain"
JSON = {"content-type": "application/json"}
DEEP = 100_000


@pytest.fixture(scope="module")
def router() -> Router:
    return Router.load()


def post(client: TestClient, body: Any, path: str = "/v1/route") -> Any:
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post(path, content=content, headers=JSON)


def test_one_query(client: TestClient, router: Router) -> None:
    answer = post(client, {"query": f"  {QUERY}\n"})
    assert answer.status_code == 200
    expected = router.route(QUERY)
    assert answer.json() == {
        "deployment": "filmstill",
        "routings": [
            {
                "query": f"  {QUERY}\n",
                "weights": dict(expected.weights),
                "confidence": expected.confidence,
            }
        ],
    }


def test_explained_and_raw(client: TestClient, router: Router) -> None:
    (item,) = post(client, {"query": QUERY, "explain": True}).json()["routings"]
    expected = router.route(QUERY, explain=True)
    assert item == {"query": QUERY, **expected.to_dict()}
    assert {"reasoning", "evidence"} <= item.keys()
    (item,) = post(client, {"query": QUERY, "raw": True}).json()["routings"]
    assert item["weights"] == dict(router.route(QUERY, raw=True).weights)
    assert item["weights"] != dict(router.route(QUERY).weights)


def test_many_queries(client: TestClient, router: Router) -> None:
    queries = [f"{'dog ' * (number % 9)}{number} 犬 🐕" for number in range(256)]
    items = post(client, {"queries": queries, "raw": True}).json()["routings"]
    assert [item["query"] for item in items] == queries
    expected = router.route_many(queries, raw=True)
    for item, routing in zip(items, expected, strict=True):
        # What else is in a batch moves the quantised network's numbers a little.
        assert item["weights"] == pytest.approx(dict(routing.weights), abs=0.1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "give query or queries"),
        ({"query": None}, "give query or queries"),
        ({"query": "a", "queries": ["b"]}, "give query or queries"),
        ({"queries": []}, "body.queries: List should have at least 1 item"),
        ({"queries": ["a"] * 257}, "body.queries: List should have at most 256 items"),
        ({"queries": ["a", ""]}, "body.queries.1: String should have at least 1 character"),
        ({"queries": ["a", 5]}, "body.queries.1: Input should be a valid string"),
        ({"query": ""}, "body.query: String should have at least 1 character"),
        ({"query": " \u200b"}, "the query is empty"),
        ({"query": "a" * 2001}, "body.query: String should have at most 2000 characters"),
        ({"query": "a\x00b"}, "the query has a control character (U+0000) as character 2"),
        ({"query": "a", "explian": True}, "body.explian: Extra inputs are not permitted"),
        ({"query": "a", "deployment": ""}, "body.deployment: String should have at least 1"),
        ({"query": "a", "deployment": "d" * 201}, "body.deployment: String should have at most"),
        ({"query": {"a": "b"}}, "body.query: Input should be a valid string"),
        ([QUERY], "body: Input should be a valid dictionary"),
        ("null", "body: Input should be a valid dictionary"),
        ('"dog"', "body: Input should be a valid dictionary"),
        ("", "body: Field required"),
        ("{", "JSON decode error"),
        ('{"query": "a"} x', "JSON decode error"),
        (b'{"query": "\xff"}', "error parsing the body"),
        (b"\xff\xfe{", ""),
        ('{"query": NaN}', "body.query: Input should be a valid string"),
        ('{"query": Infinity}', "body.query: Input should be a valid string"),
        ('{"query": "a", "explain": NaN}', "body.explain: Input should be a valid boolean"),
        ('{"query": "\\ud800"}', "body.query: Input should be a valid string, unable to parse"),
        ('{"query": "a", "deployment": "\\udfff"}', "body.deployment: Input should be a valid"),
        ('{"query": "a", "\\ud800": 1}', "body: Input should be a valid string"),
        (f'{{"query": {"9" * 400}}}', "body.query: Input should be a valid string"),
        (f'{{"query": {"9" * 5000}}}', "error parsing the body"),
        ('{"query": 1e999}', "body.query: Input should be a valid string"),
        ("[" * DEEP, "error parsing the body"),
        ("[" * DEEP + "]" * DEEP, "error parsing the body"),
        ('{"query": ' * DEEP + "1" + "}" * DEEP, "error parsing the body"),
    ],
)
def test_bad_bodies(client: TestClient, body: Any, message: str) -> None:
    answer = post(client, body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request"
    assert message in error["message"]
    assert len(error["message"]) <= 1000
    assert error["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "/", "x;"])
def test_wrong_content_types(client: TestClient, kind: str) -> None:
    answer = client.post("/v1/route", content='{"query": "a"}', headers={"content-type": kind})
    assert answer.status_code == 400
    assert "content-type: application/json" in answer.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/Problem+JSON"])
def test_right_content_types(client: TestClient, kind: str) -> None:
    answer = client.post("/v1/route", content='{"query": "a"}', headers={"content-type": kind})
    assert answer.status_code == 200
    answer = client.post("/v1/route", content="[]", headers={"content-type": kind})
    assert "content-type" not in answer.json()["error"]["message"]


def test_unknown_names_and_places(client: TestClient) -> None:
    answer = post(client, {"query": "a", "deployment": "nobody"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found")
    assert answer.json()["error"]["message"] == "there is no deployment 'nobody'"
    answer = client.get("/v1/nowhere")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "nothing is at /v1/nowhere; see /docs"
    assert client.get("/v1/deployments/", follow_redirects=False).status_code == 404


def test_unknown_methods(client: TestClient) -> None:
    for method in ("GET", "PUT", "DELETE", "BREW"):
        answer = client.request(method, "/v1/route")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert answer.json()["error"]["type"] == "method_not_allowed"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Students answer when it is set."""
    made = threading.Event()

    def route_many(self: StudentRouter, queries: list[str], **_: bool) -> list[Routing]:
        if queries != ["warm up"]:
            made.wait(20)
        return [Routing({"visual": 1.0}) for _ in queries]

    monkeypatch.setattr(StudentRouter, "route_many", route_many)
    yield made
    made.set()


def test_a_full_queue_is_an_answer_that_clients_try_again(
    start: Started, gate: threading.Event
) -> None:
    client = start(ServeConfig(jobs=0, queue=256))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, client, {"queries": [QUERY] * 256})
        until(lambda: "filmstill_queries_waiting 25" in client.get("/metrics").text)
        answer = post(client, {"queries": [QUERY] * 256})
        gate.set()
        assert first.result().status_code == 200
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["error"]["type"] == "unavailable"
    assert "the limit is 256" in answer.json()["error"]["message"]
    assert post(client, {"query": QUERY}).status_code == 200


def test_what_takes_too_long_is_given_up(start: Started, gate: threading.Event) -> None:
    client = start(ServeConfig(jobs=0, request_seconds=0.1))
    for path, body, kind in (
        ("/v1/route", {"query": QUERY}, ["error", "type", "timeout"]),
        (
            "/v1/chat/completions",
            {"model": "filmstill", "messages": [{"role": "user", "content": QUERY}]},
            ["error", "type", "server_error"],
        ),
    ):
        answer = post(client, body, path)
        assert answer.status_code == 504
        assert answer.json()[kind[0]][kind[1]] == kind[2]
        assert "no answer within 0.1 seconds" in answer.text
    gate.set()
    assert post(client, {"query": QUERY}).status_code == 200


def test_a_bug_is_500_and_in_the_log(
    start: Started, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = start()

    def broken(*_: object, **__: object) -> list[Routing]:
        raise ZeroDivisionError("a secret path")

    monkeypatch.setattr(StudentRouter, "route_many", broken)
    answer = post(client, {"query": QUERY})
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "internal_error"
    assert "secret" not in answer.text
    assert "a secret path" in caplog.text
    assert client.get("/health").status_code == 200


def test_the_life_of_a_deployment(
    start: Started, registry: Registry, make_student: MakeStudent, quick_student: Any
) -> None:
    for name in ("july", "august"):
        with registry.transaction():
            key = keep_student(registry, make_student(name))
            registry.add("model", name, "Active", {"student": key})
    client = start()
    path = "/v1/deployments"
    assert client.get(path).json() == {"deployments": []}
    made = post(client, {"name": "search", "model": "july"}, path)
    assert made.status_code == 201
    item = made.json()
    assert (item["name"], item["status"], item["student"]) == ("search", "Active", "july")
    assert not item["updating"]
    for name in ("search", item["id"]):
        answer = post(client, {"query": QUERY, "deployment": name})
        assert answer.json()["routings"][0]["weights"].keys() == LABEL
        assert client.get(f"{path}/{name}").json() == item
    again = post(client, {"name": "search", "model": "july"}, path)
    assert (again.status_code, again.json()["error"]["type"]) == (409, "conflict")
    changed = client.put(f"{path}/search", json={"model": "filmstill"})
    assert (changed.status_code, changed.json()["student"]) == (200, "filmstill")
    answer = post(client, {"query": QUERY, "deployment": "search"}).json()
    expected = post(client, {"query": QUERY}).json()
    assert answer["routings"] == expected["routings"]
    assert [one["id"] for one in client.get(path).json()["deployments"]] == [item["id"]]
    gone = client.delete(f"{path}/search")
    assert (gone.status_code, gone.content) == (204, b"")
    assert post(client, {"query": QUERY, "deployment": "search"}).status_code == 404
    for method in ("GET", "DELETE"):
        assert client.request(method, f"{path}/search").status_code == 404
    assert client.put(f"{path}/search", json={"model": "filmstill"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "search", "model": "nobody"}, 404),
        ({"name": "search", "model": "/etc"}, 404),
        ({"name": "search", "model": "../students"}, 404),
        ({"name": "search", "model": "\x00"}, 404),
        ({"name": "-search", "model": "filmstill"}, 400),
        ({"name": "a" * 64, "model": "filmstill"}, 400),
        ({"name": "a/b", "model": "filmstill"}, 400),
        ({"name": "", "model": "filmstill"}, 400),
        ({"name": "search"}, 400),
        ({"name": "search", "model": "filmstill", "folder": "/etc"}, 400),
        ('{"name": "search", "model": "\\ud800"}', 400),
        ("[" * DEEP, 400),
    ],
)
def test_bad_deployments(client: TestClient, body: Any, status: int) -> None:
    assert post(client, body, "/v1/deployments").status_code == status
    assert client.get("/v1/deployments").json() == {"deployments": []}


def test_a_full_disk_is_no_fault_of_the_caller(
    start: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    answer = post(client, {"name": "search", "model": "filmstill"}, "/v1/deployments")
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "unavailable")
    assert client.get("/v1/deployments").json() == {"deployments": []}
