"""Converse and InvokeModel, with and without streams, by students and by a base model."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filmstill.registry.deployments import DEPLOYMENT
from filmstill.registry.students import student_folder
from filmstill.serve.bedrock.errors import ApiError
from filmstill.serve.bedrock.nova import converse_request
from filmstill.serve.tokens import Tokens
from filmstill.student.artefact import open_artefact

from .worlds import Cloud, refused, text_of

QUERY = "red car"
CHANNELS = ("visual", "audio", "transcription", "metadata")


@pytest.fixture(scope="module")
def tokens(cloud: Cloud, arn: str) -> Tokens:
    """What the student counts with."""
    key = cloud.registry.get(DEPLOYMENT, "runtime").body["student"]
    return Tokens(open_artefact(student_folder(cloud.registry, key)).layout.tokenizer)


def user(*texts: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"text": text} for text in texts]}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"text": text}]}


def streamed(events: Any) -> tuple[str, list[str], dict[str, Any]]:
    """The joined text, the names of the events without repeats, and the last event."""
    names, text, last = [], "", {}
    for event in events:
        ((name, last),) = event.items()
        if name == "contentBlockDelta":
            assert last["contentBlockIndex"] == 0
            text += last["delta"]["text"]
        if name not in names[-1:]:
            names.append(name)
    return text, names, last


EVENTS = [
    "messageStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
]


def test_converse(cloud: Cloud, arn: str, tokens: Tokens) -> None:
    answer = cloud.say(arn, QUERY)
    text = text_of(answer)
    label = json.loads(text)
    assert list(label) == [*CHANNELS, "reasoning"]
    assert math.isclose(sum(label[name] for name in CHANNELS), 1)
    assert answer["output"]["message"]["role"] == "assistant"
    assert answer["stopReason"] == "end_turn"
    count = tokens.count(text)
    assert answer["usage"] == {
        "inputTokens": 2,
        "outputTokens": count,
        "totalTokens": 2 + count,
    }
    latency = answer["metrics"]["latencyMs"]
    assert 0 <= latency < 10_000
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-bedrock-input-token-count"] == "2"
    assert headers["x-amzn-bedrock-output-token-count"] == str(count)
    assert headers["x-amzn-bedrock-invocation-latency"] == str(latency)


def test_converse_stream(cloud: Cloud, arn: str) -> None:
    whole = cloud.say(arn, QUERY)
    stream = cloud.runtime.converse_stream(modelId=arn, messages=[user(QUERY)])["stream"]
    events = list(stream)
    text, names, last = streamed(events)
    assert names == EVENTS
    assert text == text_of(whole)
    assert events[0] == {"messageStart": {"role": "assistant"}}
    assert events[-2] == {"messageStop": {"stopReason": "end_turn"}}
    assert last["usage"] == whole["usage"]
    assert last["metrics"]["latencyMs"] >= 0
    assert sum("contentBlockDelta" in event for event in events) > 3  # bit by bit


def nova(text: str, **fields: Any) -> bytes:
    """A body in the form of Amazon's Nova models."""
    return json.dumps({"schemaVersion": "messages-v1", "messages": [user(text)], **fields}).encode()


def test_invoke_model(cloud: Cloud, arn: str) -> None:
    whole = cloud.say(arn, QUERY)
    answer = cloud.runtime.invoke_model(
        modelId=arn, body=nova(QUERY), contentType="application/json", accept="application/json"
    )
    assert answer["contentType"] == "application/json"
    assert json.loads(answer["body"].read()) == {
        "output": whole["output"],
        "stopReason": "end_turn",
        "usage": whole["usage"],
    }
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-bedrock-input-token-count"] == "2"


def test_invoke_model_with_a_stream(cloud: Cloud, arn: str) -> None:
    whole = cloud.say(arn, QUERY)
    answer = cloud.runtime.invoke_model_with_response_stream(modelId=arn, body=nova(QUERY))
    chunks = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    invocation = chunks[-1].pop("amazon-bedrock-invocationMetrics")
    text, names, last = streamed(chunks)
    assert names == EVENTS
    assert text == text_of(whole)
    assert last["usage"] == whole["usage"]
    assert invocation["inputTokenCount"] == whole["usage"]["inputTokens"]
    assert invocation["outputTokenCount"] == whole["usage"]["outputTokens"]
    assert {"invocationLatency", "firstByteLatency"} < set(invocation)


def test_the_last_user_turn_counts(cloud: Cloud, arn: str, tokens: Tokens) -> None:
    alone = cloud.say(arn, QUERY)
    system = [{"text": "You route."}, {"cachePoint": {"type": "default"}}, {"text": "Be brief."}]
    answer = cloud.runtime.converse(
        modelId=arn,
        system=system,
        messages=[user("loud bell"), assistant("{}"), user("red ", "car")],
        inferenceConfig={"temperature": 1.0, "topP": 0.1},
        additionalModelRequestFields={"inferenceConfig": {"topK": 20}},
        requestMetadata={"team": "search"},
    )
    assert text_of(answer) == text_of(alone)
    texts = ("You route.\nBe brief.", "loud bell", "{}", QUERY)
    assert answer["usage"]["inputTokens"] == sum(map(tokens.count, texts))
    assert answer["usage"]["inputTokens"] > alone["usage"]["inputTokens"]
    assert text_of(cloud.say(arn, "loud bell")) != text_of(alone)


PIXEL = {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}
DOCUMENT = {"document": {"name": "d", "format": "txt", "source": {"bytes": b"text"}}}
TOOL = {"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}
USE = {"toolUse": {"toolUseId": "1", "name": "t", "input": {}}}
RESULT = {"toolResult": {"toolUseId": "1", "content": [{"text": "5"}]}}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"messages": []}, "at least one message"),
        ({"messages": None}, "at least one message"),
        ({"messages": [assistant("hello")]}, "messages.0 has the role assistant: .* alternate"),
        ({"messages": [user("a"), user("b")]}, "messages.1 has the role user: .* alternate"),
        ({"messages": [user("a"), assistant("b")]}, "last message must be the user's"),
        ({"messages": [{"role": "system", "content": [{"text": "a"}]}]}, "role system"),
        ({"messages": [{"role": "bot", "content": [{"text": "a"}]}]}, "enum value set"),
        ({"messages": [user()]}, "text of the last message is empty"),
        ({"messages": [user("")]}, "text of the last message is empty"),
        ({"messages": [user(" \n\t ", " ")]}, "text of the last message is empty"),
        ({"messages": [user("\u200b")]}, "the query is empty"),
        ({"messages": [{"role": "user", "content": [PIXEL]}]}, "doesn't support image content"),
        (
            {"messages": [{"role": "user", "content": [{"text": "a"}, DOCUMENT]}]},
            "doesn't support document content in messages",
        ),
        (
            {"messages": [user("a"), {"role": "assistant", "content": [USE]}, user("b")]},
            "doesn't support toolUse content",
        ),
        ({"messages": [{"role": "user", "content": [RESULT]}]}, "support toolResult content"),
        ({"system": [{"guardContent": {"text": {"text": "a"}}}]}, "guardContent .* system prompts"),
        ({"toolConfig": {"tools": [TOOL]}}, "doesn't support tool use"),
        (
            {"guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "1"}},
            "no guardrails",
        ),
        ({"promptVariables": {"a": {"text": "b"}}}, "no managed prompts"),
        ({"inferenceConfig": {"temperature": 1.5}}, "less than or equal to 1"),
        ({"messages": [user("bell\x07")]}, r"control character \(U\+0007\)"),
        ({"messages": [user("a" * 2001)]}, "2,001 characters and the limit is 2,000"),
    ],
)
@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_what_is_refused(
    cloud: Cloud, arn: str, operation: str, changes: dict[str, Any], match: str
) -> None:
    given = {"modelId": arn, "messages": [user(QUERY)], **changes}
    if given["messages"] is None:
        del given["messages"]
    with refused("ValidationException", match):  # before a stream begins
        getattr(cloud.runtime, operation)(**given)


def test_what_botocore_refuses_itself(cloud: Cloud, arn: str) -> None:
    with pytest.raises(ParamValidationError, match="valid min value: 1"):
        cloud.say(arn, QUERY, inferenceConfig={"maxTokens": 0})


def test_two_thousand_characters_are_routed(cloud: Cloud, arn: str) -> None:
    answer = cloud.say(arn, "red car " * 249 + "1234567")
    assert answer["stopReason"] == "end_turn"


def test_any_script_comes_through(cloud: Cloud, arn: str) -> None:
    query = "Čaj 茶 شاي \N{CLAPPER BOARD} 👩‍👩‍👧"
    label = json.loads(text_of(cloud.say(arn, query)))
    assert math.isclose(sum(label[name] for name in CHANNELS), 1)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(limit=st.integers(1, 150), words=st.lists(st.sampled_from("red car bell why 2019".split())))
def test_an_answer_is_cut(
    cloud: Cloud, arn: str, tokens: Tokens, limit: int, words: list[str]
) -> None:
    query = " ".join(["loud", *words])
    whole = text_of(cloud.say(arn, query))
    answer = cloud.say(arn, query, inferenceConfig={"maxTokens": limit})
    text, usage = text_of(answer), answer["usage"]
    if tokens.count(whole) <= limit:
        assert (text, answer["stopReason"]) == (whole, "end_turn")
    else:
        assert answer["stopReason"] == "max_tokens"
        assert whole.startswith(text)
        assert usage["outputTokens"] == limit == tokens.count(text)
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]


def test_an_answer_ends_before_a_stop_sequence(cloud: Cloud, arn: str) -> None:
    whole = text_of(cloud.say(arn, QUERY))

    def stopped(*stops: str, **more: int) -> tuple[str, str]:
        config = {"stopSequences": list(stops), **more}
        answer = cloud.say(arn, QUERY, inferenceConfig=config)
        return text_of(answer), answer["stopReason"]

    start = whole.partition(', "audio"')[0]
    assert stopped(', "audio"') == (start, "stop_sequence")
    assert stopped("reasoning", "zebra", ', "audio"', '"metadata"') == (start, "stop_sequence")
    assert stopped("zebra") == (whole, "end_turn")
    assert stopped(whole) == ("", "stop_sequence")
    assert stopped(', "audio"', maxTokens=2)[1] == "max_tokens"
    assert stopped(', "audio"', maxTokens=200) == (start, "stop_sequence")


def test_an_empty_answer_is_streamed(cloud: Cloud, arn: str) -> None:
    stream = cloud.runtime.converse_stream(
        modelId=arn, messages=[user(QUERY)], inferenceConfig={"stopSequences": ["{"]}
    )["stream"]
    text, names, last = streamed(stream)
    assert text == ""
    assert names == [name for name in EVENTS if name != "contentBlockDelta"]
    assert last["usage"]["outputTokens"] == 0


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (b"", "messages is missing"),
        (b"{}", "messages is missing"),
        (b"[]", "must be a JSON object"),
        (b"not JSON", "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b'{"messages": NaN}', "not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"messages": ' + b"[" * 970 + b"]" * 970 + b"}", "nested too deeply|must be"),
        (nova("a", schemaVersion="messages-v2"), "schemaVersion must be messages-v1"),
        (nova("a", inferenceConfig=[1]), "inferenceConfig must be an object"),
        (nova("a", inferenceConfig={"maxTokens": "9"}), "maxTokens' must be an integer"),
        (nova("a", inferenceConfig={"max_new_tokens": 0}), "greater than or equal to 1"),
        (nova("a", inferenceConfig={"top_p": 7}), "less than or equal to 1"),
        (nova("a", messages="hello"), "'messages' must be a list"),
        (nova("a", messages=None), "at least one message"),
        (nova("a", messages=[{"role": "user", "content": "a"}]), "content' must be a list"),
        (nova("a", messages=[{"role": "user", "content": [{}]}]), "exactly one of its members"),
        (nova("a", messages=[assistant("a")]), "alternate"),
        (nova("a", system="be brief"), "'system' must be a list"),
        (nova("a", toolConfig={"tools": [TOOL]}), "doesn't support tool use"),
        (nova("a", toolConfig={"tools": []}), "greater than or equal to 1"),
        (nova("half \ud800 a pair"), "half a surrogate pair"),
        (nova("bell\x07"), "control character"),
        (nova("a" * 2001), "2,001 characters"),
    ],
)
@pytest.mark.parametrize("operation", ["invoke_model", "invoke_model_with_response_stream"])
def test_bodies_that_are_refused(
    cloud: Cloud, arn: str, operation: str, body: bytes, match: str
) -> None:
    with refused("ValidationException", match):
        getattr(cloud.runtime, operation)(modelId=arn, body=body)


def test_a_body_of_any_depth_is_answered_for() -> None:
    for depth in range(2, 1100):
        body = b'{"messages": ' + b"[" * depth + b"]" * depth + b"}"
        with pytest.raises(ApiError, match="Malformed input request"):
            converse_request(body)


def test_what_a_body_may_say(cloud: Cloud, arn: str) -> None:
    def invoke(**fields: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            cloud.runtime.invoke_model(modelId=arn, body=nova(QUERY, **fields))["body"].read()
        )
        return found

    whole = text_of(cloud.say(arn, QUERY))
    settings = {"maxTokens": 500, "temperature": 0.5, "topP": 0.9, "topK": 50, "stopSequences": []}
    answer = invoke(system=[{"text": "You route."}], inferenceConfig=settings)
    assert text_of(answer) == whole
    assert answer["usage"]["inputTokens"] > 2
    for config in ({"maxTokens": 5}, {"max_new_tokens": 5}):
        answer = invoke(inferenceConfig=config)
        assert (answer["stopReason"], answer["usage"]["outputTokens"]) == ("max_tokens", 5)
    assert text_of(invoke(system=None, inferenceConfig=None, toolConfig=None)) == whole
    bare = json.dumps({"messages": [user(QUERY)]}).encode()  # schemaVersion may be left out
    assert json.loads(cloud.runtime.invoke_model(modelId=arn, body=bare)["body"].read())


def test_many_at_once(cloud: Cloud, arn: str) -> None:
    queries = [f"{word} {number}" for number in range(5) for word in ("red car", "loud bell")]
    with ThreadPoolExecutor(10) as pool:
        together = list(pool.map(lambda query: text_of(cloud.say(arn, query)), queries))
    assert together == [text_of(cloud.say(arn, query)) for query in queries]
