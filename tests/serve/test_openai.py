"""OpenAI's API, spoken to by OpenAI's client and as a router of our own."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import openai
import pytest
from starlette.testclient import TestClient

from filmstill import Router, Task
from filmstill.data.labels import parse_label
from filmstill.errors import RoutingError, ServiceError
from filmstill.registry import Registry
from filmstill.registry.deployments import deploy
from filmstill.student.router import StudentRouter

from .conftest import Running, running

QUERY = "a dog barking in the rain"
USER: Any = [{"role": "user", "content": QUERY}]
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def shipped() -> StudentRouter:
    router = Router.load()
    assert isinstance(router, StudentRouter)
    return router


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, shipped: StudentRouter) -> Iterator[Running]:
    """A server with the deployment "search", and a key."""
    home = tmp_path_factory.mktemp("locked") / "home"
    with closing(Registry(home)) as registry:
        deploy(registry, "search", shipped.artefact.layout.folder)
    with running(home, "--jobs", "0", FILMSTILL_API_KEYS="right") as made:
        yield made


@pytest.fixture(scope="module")
def api(locked: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{locked.url}/v1", api_key="right", max_retries=0) as made:
        yield made


def test_a_completion(api: openai.OpenAI, shipped: StudentRouter, task: Task) -> None:
    before: Any = [
        {"role": "system", "content": "Weigh the channels."},
        {"role": "user", "content": "another query"},
        {"role": "assistant", "content": "{}"},
        {"role": "user", "content": [{"type": "text", "text": QUERY}]},
    ]
    answer = api.chat.completions.create(
        model="search", messages=before, temperature=0, user="me", response_format=None
    )
    (choice,) = answer.choices
    expected = shipped.route(QUERY, explain=True)
    assert choice.message.content == expected.to_label()
    assert parse_label(choice.message.content, task).weights == expected.weights
    assert (choice.finish_reason, choice.message.role) == ("stop", "assistant")
    assert answer.id.startswith("chatcmpl-")
    assert abs(answer.created - time.time()) < 60
    assert (answer.model, answer.object) == ("search", "chat.completion")
    usage = answer.usage
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert 10 < usage.prompt_tokens < 25
    plain = api.chat.completions.create(model="search", messages=USER)
    assert plain.usage is not None
    assert plain.usage.prompt_tokens == 6


def test_a_stream(api: openai.OpenAI, shipped: StudentRouter) -> None:
    chunks = list(api.chat.completions.create(model="search", messages=USER, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == shipped.route(QUERY, explain=True).to_label()
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + [
        "stop"
    ]
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.object == "chat.completion.chunk" for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_with_its_usage(api: openai.OpenAI) -> None:
    *chunks, last = api.chat.completions.create(
        model="search", messages=USER, stream=True, stream_options={"include_usage": True}
    )
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.prompt_tokens == 6
    plain = api.chat.completions.create(model="search", messages=USER)
    assert last.usage == plain.usage


def test_a_stream_as_it_is_sent(client: TestClient) -> None:
    body = {"model": "filmstill", "messages": USER, "stream": True}
    answer = client.post(CHAT, json=body)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text.endswith("data: [DONE]\n\n")
    events = answer.text.split("\n\n")[:-2]
    assert all(json.loads(event.removeprefix("data: ")) for event in events)
    assert "usage" not in answer.text


def test_what_ends_an_answer(api: openai.OpenAI) -> None:
    def ask(**options: Any) -> tuple[str, str, int]:
        answer = api.chat.completions.create(model="search", messages=USER, **options)
        assert answer.usage is not None
        (choice,) = answer.choices
        return choice.message.content or "", choice.finish_reason, answer.usage.completion_tokens

    whole, _, tokens = ask()
    text, reason, count = ask(max_tokens=5)
    assert (reason, count) == ("length", 5)
    assert whole.startswith(text) and text
    assert ask(max_completion_tokens=5, max_tokens=99) == (text, reason, count)
    assert ask(max_tokens=tokens) == ask(max_tokens=10**30) == (whole, "stop", tokens)
    text, reason, _ = ask(stop=["nowhere", '"metadata"', '"audio"'])
    assert (text, reason) == (whole.partition('"audio"')[0], "stop")
    assert ask(stop="{")[:2] == ("", "stop")
    assert ask(stop=[""])[:2] == (whole, "stop")
    assert ask(stop='"audio"', max_tokens=2)[1] == "length"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": 10**400}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"modalities": 5}, "modalities"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stop": {}}, "stop"),
        ({"stream": "maybe"}, "stream"),
        ({"stream_options": 5}, "stream_options"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"content": "hello"}]}, "messages"),
        ({"messages": [{"role": "system", "content": "hello"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages"),
        ({"messages": [{"role": "user", "content": {"text": "hello"}}]}, "messages"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages"),
        ({"messages": [{"role": "system", "content": "\ud800"}, *USER]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "\udfff"}]}]}, "messages"),
        ({"messages": [{"role": "user", "content": ""}]}, None),
        ({"messages": [{"role": "user", "content": "a" * 2001}]}, None),
        ({"\ud800": 1}, None),
    ],
)
def test_what_is_refused(client: TestClient, change: Any, param: str | None) -> None:
    body = {"model": "filmstill", "messages": USER, **change}
    headers = {"content-type": "application/json"}
    answer = client.post(CHAT, content=json.dumps(body), headers=headers)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


@pytest.mark.parametrize("body", ["[" * 100_000, "{", "", "[]", '{"model": NaN}', b"\xff"])
def test_bodies_that_are_no_request(client: TestClient, body: Any) -> None:
    answer = client.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "change",
    [{"modalities": ["text"]}, {"tools": []}, {"n": None}, {"seed": 1, "made_up": {"a": [1]}}],
)
def test_what_changes_nothing_is_taken(client: TestClient, change: Any) -> None:
    answer = client.post(CHAT, json={"model": "filmstill", "messages": USER, **change})
    assert answer.status_code == 200


def test_a_long_prompt_does_not_hold_up_others(client: TestClient) -> None:
    prompt = {"role": "system", "content": "a dog " * 300_000}
    start = time.perf_counter()
    answer = client.post(CHAT, json={"model": "filmstill", "messages": [prompt, *USER]})
    assert time.perf_counter() - start < 0.7  # to count them all takes a second and a half
    assert answer.json()["usage"]["prompt_tokens"] == pytest.approx(600_000, rel=0.01)


def test_models(api: openai.OpenAI) -> None:
    models = list(api.models.list())
    assert [model.id for model in models] == ["filmstill", "search"]
    assert {(model.object, model.owned_by) for model in models} == {("model", "filmstill")}
    assert api.models.retrieve("search").id == "search"


def test_an_unknown_model(api: openai.OpenAI) -> None:
    for ask in (
        lambda: api.models.retrieve("nobody"),
        lambda: api.chat.completions.create(model="nobody", messages=USER),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            ask()
        error = caught.value
        assert (error.code, error.param) == ("model_not_found", "model")
        assert error.message.endswith("there is no deployment 'nobody'")


def test_a_wrong_key(locked: Running) -> None:
    with (
        openai.OpenAI(base_url=f"{locked.url}/v1", api_key="wrong") as api,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        api.models.list()
    assert caught.value.code == "invalid_api_key"


def test_a_router_of_our_own(
    locked: Running, shipped: StudentRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{locked.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    router = Router.load("openai:search")
    routing, expected = router.route(QUERY, explain=True), shipped.route(QUERY, explain=True)
    assert (routing.weights, routing.reasoning) == (expected.weights, expected.reasoning)
    with pytest.raises((RoutingError, ServiceError), match="there is no deployment 'nobody'"):
        Router.load("openai:nobody").route(QUERY)
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(ServiceError, match="the key is refused"):
        Router.load("openai:search").route(QUERY)
