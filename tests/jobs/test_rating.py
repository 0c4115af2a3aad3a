"""Ratings: by the rubric, with scores worked out by hand, and by a model that follows a metric."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill import Task
from filmstill.errors import DataError, RoutingError, ServiceError
from filmstill.jobs.rating import ChatRater, Metric, Rating, Response, RubricRater
from filmstill.models import ChatModel, Completion, Prompt

WORDS = (("Good", "to the point"), ("Bad", "beside it"))
NUMBERS = tuple((float(number), f"grade {number}") for number in range(1, 6))


@dataclass
class Judge(ChatModel):
    """Says what it was given to say, and keeps what it was asked."""

    says: str | Exception = "{}"
    asked: list[Prompt] = field(default_factory=list)
    address: str = "openai:judge"

    def ask(self, prompt: Prompt) -> Completion:
        self.asked.append(prompt)
        if isinstance(self.says, Exception):
            raise self.says
        return Completion(self.says)


def weights(*numbers: float) -> str:
    names = ("visual", "audio", "transcription", "metadata")
    return json.dumps(dict(zip(names, numbers, strict=True)))


REFERENCE = weights(0.6, 0.3, 0.1, 0.0)


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        (weights(0.6, 0.3, 0.1, 0.0), 5),
        (weights(0.56, 0.34, 0.1, 0.0), 5),  # 0.04 off
        (weights(0.52, 0.38, 0.1, 0.0), 4),  # 0.08 off
        (weights(0.45, 0.3, 0.1, 0.15), 3),  # 0.15 off, but the same leads, mean error 0.075
        (weights(0.35, 0.55, 0.1, 0.0), 2),  # another leads
        (weights(0.0, 0.3, 0.1, 0.6), 1),  # 0.6 off
        ("no idea", 1),
        ('{"visual": 1.0}', 1),
        ("", 1),
        ("So: " + weights(60, 30, 10, 0), 5),  # in prose, and as percentages
    ],
)
def test_the_rubric(answer: str, score: int, task: Task) -> None:
    rating = RubricRater(task).rate(Metric("q"), Response("x", answer, REFERENCE))
    assert rating.result == score
    assert isinstance(rating.result, float)  # as Bedrock writes ratings
    assert rating.explanation.startswith("numeric part of the rubric: ")


@pytest.mark.parametrize("reference", ["", "no label", '{"visual": 1.0}', weights(1, 1, 1, 1)])
def test_without_a_reference_there_is_no_score(reference: str, task: Task) -> None:
    rating = RubricRater(task).rate(Metric("q"), Response("x", REFERENCE, reference))
    assert rating.result is None
    assert rating.explanation.startswith("no reference to compare with: ")


def test_metrics_that_cannot_be_rated(task: Task) -> None:
    rubric, chat = RubricRater(task), ChatRater(Judge())
    with pytest.raises(DataError, match=r"Builtin.Correctness needs a language model as judge"):
        rubric.check(Metric("Builtin.Correctness"))
    with pytest.raises(DataError, match=r"Builtin.Correctness is Bedrock's own"):
        chat.check(Metric("Builtin.Correctness"))
    for scale in (WORDS, NUMBERS[:4], (*NUMBERS, (6.0, "more"))):
        with pytest.raises(DataError, match="q has another scale than 1 to 5"):
            rubric.check(Metric("q", "", scale))
        chat.check(Metric("q", "", scale))
    rubric.check(Metric("q", "", NUMBERS))
    rubric.check(Metric("q"))


@pytest.mark.parametrize(
    ("scale", "says", "result"),
    [
        (WORDS, '{"explanation": "because", "rating": "Good"}', "Good"),
        (WORDS, 'Sure!\n```json\n{"explanation": "because", "rating": "Bad"}\n```', "Bad"),
        (WORDS, '{"explanation": "because", "rating": "Excellent"}', None),
        (NUMBERS, '{"explanation": "because", "rating": 4}', 4.0),
        (NUMBERS, '{"explanation": "because", "rating": 4.0}', 4.0),
        (NUMBERS, '{"explanation": "because", "rating": "4"}', 4.0),
        (NUMBERS, '{"Explanation": "because", "Score": 1}', 1.0),
        (NUMBERS, '{"explanation": "because", "rating": 4.5}', None),
        (NUMBERS, '{"explanation": "because", "rating": 6}', None),
        (NUMBERS, '{"explanation": "because", "rating": null}', None),
        (NUMBERS, '{"explanation": "because", "rating": [4]}', None),
        (NUMBERS, "four out of five", None),
        (NUMBERS, "", None),
        ((), '{"explanation": "because", "rating": 4.5}', 4.5),
        ((), '{"explanation": "because", "rating": "fine"}', "fine"),
        ((), '{"explanation": "because", "rating": NaN}', None),
        ((), '{"explanation": "because", "rating": true}', None),
    ],
)
def test_what_a_judge_says(scale: tuple[tuple[Any, str], ...], says: str, result: object) -> None:
    rating = ChatRater(Judge(says)).rate(Metric("q", "Rate.", scale), Response("x", "y"))
    assert rating.result == result
    assert type(rating.result) is type(result)
    if result is None:
        assert rating.explanation.startswith("no rating in the judge's reply: ")
    else:
        assert rating.explanation == "because"


def test_a_call_that_fails_leaves_a_response_unrated() -> None:
    rater = ChatRater(Judge(RoutingError("no answer in time", of_service=True)))
    assert rater.rate(Metric("q"), Response("x", "y")) == Rating(None, "no answer in time")
    rater = ChatRater(Judge(ServiceError("the key is refused")))
    with pytest.raises(ServiceError, match="the key is refused"):
        rater.rate(Metric("q"), Response("x", "y"))


def asked(instructions: str, response: Response, scale: Any = ()) -> str:
    judge = Judge()
    ChatRater(judge).rate(Metric("q", instructions, scale), response)
    [prompt] = judge.asked
    [turn] = prompt.turns
    assert prompt.system == ""
    return turn


def test_the_form_that_a_scale_adds() -> None:
    text = asked("Rate {{ prediction }}.", Response("x", "y"), NUMBERS)
    assert text == (
        "Rate y.\n\nRate by this scale:\n1: grade 1\n2: grade 2\n3: grade 3\n4: grade 4\n"
        "5: grade 5\n\nAnswer with one JSON object and nothing else: "
        '{"explanation": "one or two sentences", "rating": 1}'
    )
    assert asked("Rate.", Response("x", "y"), WORDS).endswith('"rating": "Good"}')
    assert asked("Rate.", Response("x", "y")) == "Rate."


@pytest.mark.parametrize(
    ("instructions", "text"),
    [
        ("{{prompt}}/{{prediction}}/{{ground_truth}}", "P/R/G"),
        ("{{ prompt }}{{prompt}}", "PP"),
        ("{{other}} {{prompt", "{{other}} {{prompt"),
        ('{"q": {{prompt}}}', '{"q": P}'),
        ("{{{prompt}}}", "{P}"),
        ("{{ {{prompt}}", "{{ P"),
        ("", ""),
    ],
)
def test_places_to_fill(instructions: str, text: str) -> None:
    assert asked(instructions, Response("P", "R", "G")) == text


PARTS = st.sampled_from(["{{prompt}}", "{{prediction}}", "{{ground_truth}}", "{", "}", "x", r"\1"])
TEXTS = st.lists(PARTS, max_size=6).map("".join)


@given(TEXTS, TEXTS, TEXTS)
def test_what_was_filled_in_is_never_filled_again(prompt: str, prediction: str, truth: str) -> None:
    template = "a {{prompt}} b {{prediction}} c {{ground_truth}} d"
    text = asked(template, Response(prompt, prediction, truth))
    assert text == f"a {prompt} b {prediction} c {truth} d"


@given(st.text())
def test_any_reply_is_a_rating_that_json_can_hold(says: str) -> None:
    for scale in ((), WORDS, NUMBERS):
        rating = ChatRater(Judge(says)).rate(Metric("q", "", scale), Response("x", "y"))
        json.dumps(rating.result, allow_nan=False)
