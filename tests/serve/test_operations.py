"""What operators ask, and the thread that keeps house."""

import logging
import time
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from filmstill.serve.app import create_app
from filmstill.serve.guard import Guard
from filmstill.serve.housekeeping import PAUSE_S, Housekeeping
from filmstill.serve.service import Service

from .conftest import ADDRESS, client_of, until


def test_alive_is_not_ready(core: Guard, service: Service) -> None:
    client = TestClient(core, ADDRESS)  # its lifespan is not entered, so nobody changes the state
    assert client.get("/health").json() == {"status": "alive"}
    assert client.get("/ready").json() == {"status": "ready"}
    service.draining = True
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "draining"})
    assert client.get("/health").status_code == 200


def test_a_server_is_not_ready_before_its_students_are_loaded(service: Service) -> None:
    fresh = Service(service.registry)
    client = TestClient(create_app(fresh), ADDRESS)
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "loading"})
    answer = client.post("/v1/route", json={"query": "a"})  # waits for them, and is not refused
    assert answer.status_code == 200
    assert client.get("/ready").status_code == 200
    fresh.students.close()


def test_where_things_are(client: TestClient) -> None:
    about = client.get("/").json()
    assert about["name"] == "filmstill"
    for place in ("documentation", "openapi", "metrics"):
        assert client.get(about[place]).status_code == 200
    for place in ("route", "chat_completions"):
        assert client.get(about[place]).status_code == 405


def test_the_documentation_needs_no_other_machine(client: TestClient) -> None:
    for path in ("/docs", "/redoc"):
        page = client.get(path).text
        assert "https://" not in page.replace("https://www.w3.org", "")
        assert "/static-offline-docs/" in page


def test_metrics(client: TestClient) -> None:
    client.post("/v1/route", json={"queries": ["a", "b"]})
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    text = answer.text
    assert 'filmstill_requests_total{method="POST",route="/v1/route",status="200"}' in text
    assert 'filmstill_request_seconds_bucket{le="0.02",route="/v1/route"}' in text
    assert 'filmstill_queries_routed_total{deployment="filmstill"}' in text
    assert "filmstill_queries_waiting 0.0" in text
    assert "filmstill_batch_queries_count" in text
    assert "process_resident_memory_bytes" in text


def rounds(service: Service, tick: Callable[[], None], seconds: float) -> None:
    keeper = Housekeeping(service, tick)
    keeper.start()
    time.sleep(seconds)
    keeper.stop()


def test_housekeeping_goes_on_after_a_failure_and_does_not_repeat_itself(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def tick() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise OSError("the disk is full")
        if len(calls) == 4:
            raise OSError("the disk is full")

    with caplog.at_level(logging.ERROR, "filmstill.serve"):
        rounds(service, tick, 6 * PAUSE_S)
    assert len(calls) >= 5
    assert len(caplog.records) == 2  # it was well in between
    assert "the disk is full" in caplog.text


def test_housekeeping_loads_deployments_and_stops(service: Service) -> None:
    fresh = Service(service.registry)
    keeper = Housekeeping(fresh, lambda: None)
    keeper.start()
    until(lambda: fresh.ready)
    start = time.perf_counter()
    keeper.stop()
    assert time.perf_counter() - start < 0.2  # it does not sleep on
    fresh.students.close()


def test_the_end_of_a_server_finishes_its_students(core: Guard) -> None:
    with client_of(core) as client:
        assert client.post("/v1/route", json={"query": "a"}).status_code == 200
        batchers = [served.batcher for served in core.service.students._names.values()]
    assert all(not batcher._thread.is_alive() for batcher in batchers)
