"""Jobs over the native API: asked for, waiting, stopped, failed, done."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from filmstill.config import ServeConfig
from filmstill.jobs.job import IN_PROGRESS, find_job, log_path
from filmstill.jobs.order import Places
from filmstill.registry import Registry
from filmstill.serve.native_jobs import LOG_BYTES
from tests.jobs.conftest import end_all, places

from .conftest import Started, until

__all__ = ["places"]

ORDER = {"name": "july", "training": "s3://bucket/train.jsonl"}
JOBS = "/v1/jobs"


@pytest.fixture
def client(start: Started, places: Places) -> TestClient:
    """A server that starts no job."""
    return start(places=places, teacher="openai:teacher")


def test_a_job_waits_for_its_turn(client: TestClient, registry: Registry, places: Places) -> None:
    assert client.get(JOBS).json() == {"jobs": []}
    settings = {"epochs": 2, "learning_rate": 1e-3, "glossary": False}
    answer = client.post(JOBS, json={**ORDER, "settings": settings})
    assert answer.status_code == 202
    item = answer.json()
    assert (item["name"], item["kind"], item["status"]) == ("july", "distillation", "InProgress")
    assert item["queued"]
    assert set(item["phases"].values()) == {"NotStarted"}
    assert item.keys() & {"ended", "model", "failure"} == set()
    for name in ("july", item["id"]):
        assert client.get(f"{JOBS}/{name}").json() == item
    assert client.get(JOBS).json() == {"jobs": [item]}
    assert client.get(f"{JOBS}/july/logs").text == ""
    order = find_job(registry, "july").order
    assert order["settings"] == settings
    assert type(order["settings"]["epochs"]) is int
    assert (order["teacher"], order["places"]["root"]) == ("openai:teacher", places.root)


def test_a_name_is_taken_once(client: TestClient) -> None:
    assert client.post(JOBS, json=ORDER).status_code == 202
    answer = client.post(JOBS, json=ORDER)
    assert (answer.status_code, answer.json()["error"]["type"]) == (409, "conflict")


def test_a_waiting_job_is_stopped(client: TestClient) -> None:
    client.post(JOBS, json=ORDER)
    answer = client.post(f"{JOBS}/july/stop")
    assert answer.status_code == 200
    assert answer.json()["status"] in ("Stopping", "Stopped")
    until(lambda: client.get(f"{JOBS}/july").json()["status"] == "Stopped")
    assert "ended" in client.get(f"{JOBS}/july").json()
    again = client.post(f"{JOBS}/july/stop")
    assert again.status_code == 400
    assert "is Stopped, so there is nothing to stop" in again.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": "/etc/passwd"}, "body.training: String should match"),
        ({"training": "file:///etc/passwd"}, "body.training: String should match"),
        ({"training": "s3://" + "a" * 1020}, "body.training: String should have at most 1024"),
        ({"name": "../july"}, "body.name: String should match"),
        ({"name": "a" * 64}, "body.name: String should match"),
        ({"name": "july\n"}, "body.name: String should match"),
        ({"teacher": "openai:x"}, "body.teacher: Extra inputs"),
        ({"settings": {"base": 1}}, "unknown setting base"),
        ({"settings": {"made_up": 1}}, "unknown setting made_up; known are ['batch_size'"),
        ({"settings": {"epochs": 1.5}}, "epochs cannot be 1.5"),
        ({"settings": {"epochs": 101}}, "epochs is 101; it must lie between 0 and 100"),
        ({"settings": {"dropout": "lots"}}, "body.settings.dropout"),
        ({"settings": {"epochs": None}}, "body.settings.epochs"),
        ({"settings": {"epochs": float("nan")}}, "epochs cannot be nan"),
        ({"settings": {"epochs": float("inf")}}, "epochs cannot be inf"),
        ({"settings": {"dropout": float("nan")}}, "dropout cannot be nan"),
        ({"settings": {"learning_rate": float("-inf")}}, "learning_rate cannot be -inf"),
        ({"settings": {"epochs": 10**400}}, "body.settings.epochs"),
        ({"settings": {"epochs": 1e300}}, "epochs is 1"),
        ({"settings": {"glossary": 7}}, "glossary cannot be 7"),
        ({"settings": [1]}, "body.settings: Input should be a valid dictionary"),
        ({"settings": {"\ud800": 1}}, "unknown setting \ud800"),
    ],
)
def test_bad_orders(client: TestClient, change: Any, message: str) -> None:
    body = json.dumps({**ORDER, **change})
    answer = client.post(JOBS, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]
    assert client.get(JOBS).json() == {"jobs": []}


def test_unknown_jobs(client: TestClient) -> None:
    for method, path in (("GET", "x"), ("POST", "x/stop"), ("GET", "x/logs"), ("GET", "%00")):
        answer = client.request(method, f"{JOBS}/{path}")
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found")


def test_the_end_of_a_log(client: TestClient, registry: Registry) -> None:
    client.post(JOBS, json=ORDER)
    path = log_path(registry, find_job(registry, "july").id)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"started \xff\n")
    answer = client.get(f"{JOBS}/july/logs")
    assert (answer.status_code, answer.text) == (200, "started \ufffd\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    path.write_bytes(b"x" * LOG_BYTES + b"the end")
    text = client.get(f"{JOBS}/july/logs").text
    assert len(text) == LOG_BYTES
    assert text.endswith("the end")
    path.unlink()
    assert client.get(f"{JOBS}/july/logs").text == ""


def test_jobs_run_and_fail_with_the_reason(
    start: Started, registry: Registry, places: Places
) -> None:
    client = start(ServeConfig(jobs=1), places=places)
    (Path(places.root).parent / "secret.jsonl").write_text("secret")
    training = {"gone": "s3://bucket/nothing", "out": "s3://bucket/../../secret.jsonl"}
    for name, address in training.items():
        assert client.post(JOBS, json={"name": name, "training": address}).status_code == 202
    try:
        for name in training:
            until(lambda name=name: client.get(f"{JOBS}/{name}").json()["status"] != IN_PROGRESS)
        gone, out = (client.get(f"{JOBS}/{name}").json() for name in training)
        assert gone["status"] == out["status"] == "Failed"
        assert "there is no such object" in gone["failure"]
        assert "leads out of its bucket" in out["failure"]
    finally:
        end_all(registry)
