"""What counts as a routing in a language model's reply."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill import Task
from filmstill.errors import RoutingError
from filmstill.models import Completion
from filmstill.records import Routing
from filmstill.routers.reply import read_reply

GOOD = '{"visual": 0.1, "audio": 0.2, "transcription": 0.3, "metadata": 0.4, "reasoning": "why"}'
PLAIN = {"visual": 0.1, "audio": 0.2, "transcription": 0.3, "metadata": 0.4}


def read(text: str, task: Task) -> Routing:
    return read_reply(Completion(text, 10, 20, 30.0), task)


def form(routing: Routing) -> tuple[bool, bool, bool]:
    assert routing.reply is not None
    return routing.reply.is_json, routing.reply.has_keys, routing.reply.sums


def test_a_reply_in_the_form_asked_for(task: Task) -> None:
    routing = read(f"\n{GOOD}\n", task)
    assert (dict(routing.weights), routing.reasoning) == (PLAIN, "why")
    assert form(routing) == (True, True, True)
    assert routing.reply is not None
    assert routing.reply.consistent
    assert (routing.reply.tokens_in, routing.reply.tokens_out) == (10, 20)
    assert routing.reply.milliseconds == 30


@pytest.mark.parametrize(
    "text",
    [
        f"Sure! Here you are:\n```json\n{GOOD}\n```\nHope it helps.",
        f"Let me think {{about}} it. {GOOD}",
        f"The answer: {GOOD} (sums to 1)",
    ],
)
def test_json_inside_prose_is_found_and_noted(task: Task, text: str) -> None:
    routing = read(text, task)
    assert dict(routing.weights) == PLAIN
    assert form(routing) == (False, True, True)


@pytest.mark.parametrize(
    "found",
    [
        {"weights": PLAIN, "reasoning": "why"},
        {key.upper(): value for key, value in PLAIN.items()},
        {key: str(value) for key, value in PLAIN.items()},
        {key: f"{value:.0%}" for key, value in PLAIN.items()},
        {**PLAIN, "smell": 0.0},
    ],
)
def test_fair_about_how_it_is_written(task: Task, found: dict[str, object]) -> None:
    assert dict(read(json.dumps(found), task).weights) == pytest.approx(PLAIN)


@pytest.mark.parametrize("scale", [0.5, 2, 10, 100])
def test_wrong_sums_are_made_right_and_noted(task: Task, scale: float) -> None:
    routing = read(json.dumps({key: value * scale for key, value in PLAIN.items()}), task)
    assert dict(routing.weights) == pytest.approx(PLAIN)
    assert form(routing) == (True, True, False)


def test_thirds_are_taken_as_meant(task: Task) -> None:
    weights = {"visual": 0.333, "audio": 0.333, "transcription": 0.333, "metadata": 0}
    routing = read(json.dumps(weights), task)
    assert form(routing) == (True, True, True)
    assert sum(routing.weights.values()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "is_json"),
    [
        ("", False),
        ("I cannot help with that.", False),
        ('{"visual": 1.0}', True),
        (GOOD[:-20].replace("0.4", ""), False),
        (GOOD.replace("0.1", "-0.1"), True),
        (GOOD.replace("0.1", "NaN"), True),
        (GOOD.replace("0.1", "true"), True),
        (GOOD.replace("0.1", '"high"'), True),
        (json.dumps(dict.fromkeys(PLAIN, 0)), True),
        (GOOD.replace("0.1", "1" + "0" * 400), True),
        ("[1, 2]", False),
        ("{" * 5000, False),
    ],
)
def test_what_holds_no_routing(task: Task, text: str, is_json: bool) -> None:
    with pytest.raises(RoutingError) as caught:
        read(text, task)
    assert caught.value.reply is not None
    assert caught.value.reply.text == text
    assert caught.value.reply.is_json == is_json
    assert not caught.value.reply.consistent


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    try:
        routing = read(text, Task.builtin())
    except RoutingError:
        return
    assert sum(routing.weights.values()) == pytest.approx(1)


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any), st.text())
def test_any_weights_come_back_as_shares(numbers: list[int], around: str) -> None:
    text = json.dumps(dict(zip(PLAIN, numbers, strict=True)))
    routing = read(f"{around.replace('{', '')}{text}", Task.builtin())
    expected = [number / sum(numbers) for number in numbers]
    assert list(routing.weights.values()) == pytest.approx(expected, abs=1e-3)
