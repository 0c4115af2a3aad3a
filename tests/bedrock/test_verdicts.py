"""What evaluation jobs wrote, as verdicts."""

from typing import Any

import pytest

from filmstill import Routing
from filmstill.bedrock.verdicts import RAW, scale_of, verdicts_of
from filmstill.evals.judges import Case


def case(query: str = "q") -> Case:
    routing = Routing({"visual": 1.0}, reasoning="so")
    return Case(query, routing, routing)


def line(result: object, query: str = "q", **more: object) -> dict[str, Any]:
    score = {"metricName": "OverallQuality", "result": result, **more}
    return {
        "automatedEvaluationResult": {"scores": [{"metricName": "Other", "result": 3}, score]},
        "inputRecord": {"prompt": query},
        "modelResponses": [{"response": Routing({"visual": 1.0}, reasoning="so").to_label()}],
    }


@pytest.mark.parametrize(
    ("result", "score"),
    [
        (5, 5),
        (4.0, 4),
        ("3", 3),
        ("3.0", 3),
        (1, 1),
        (9, 5),  # no rating is off the scale
        (None, None),
        ("excellent", None),
        (True, None),
        ("nan", None),
        ([], None),
    ],
)
def test_a_rating(result: object, score: int | None) -> None:
    (verdict,) = verdicts_of([line(result)], [case()], RAW)
    assert verdict.score == score


@pytest.mark.parametrize(
    ("results", "scores"),
    [
        ([1.0, 0.75, 0.5, 0.25, 0.0], [5, 4, 3, 2, 1]),  # 1 + 4 times
        (["1.0", "0.5"], [5, 3]),
        ([1, 1, None], [None, None, None]),  # both could be meant
        ([1, 2, 5], [1, 2, 5]),
        ([None, 0.5], [None, 3]),
    ],
)
def test_ratings_raw_or_normalised(results: list[object], scores: list[int | None]) -> None:
    lines = [line(result, str(number)) for number, result in enumerate(results)]
    cases = [case(str(number)) for number in range(len(results))]
    found = verdicts_of(lines[::-1], cases, scale_of(lines))
    assert [verdict.score for verdict in found] == scores


def test_explanations_and_missing_queries() -> None:
    detail = [{"modelIdentifier": "judge", "explanation": "well weighed"}]
    lines = [line(4, evaluatorDetails=detail), line(None, "r", evaluatorDetails=None)]
    lines.append({**line(2, "s"), "automatedEvaluationResult": {}})
    found = verdicts_of(lines, [case(), case("r"), case("s"), case("t")], RAW)
    assert [(item.score, item.explanation) for item in found] == [
        (4, "well weighed"),
        (None, "the judge gave no rating"),
        (None, "the evaluation job's output does not have this query"),
        (None, "the evaluation job's output does not have this query"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"modelResponses": None},
        {"modelResponses": []},
        {"modelResponses": ["text"]},
        {"inputRecord": "text"},
        {"inputRecord": {}},
        {"automatedEvaluationResult": None},
        {"automatedEvaluationResult": {"scores": None}},
        {"automatedEvaluationResult": {"scores": ["text"]}},
    ],
)
def test_a_line_of_another_form_is_no_verdict(changes: dict[str, Any]) -> None:
    lines = [{**line(3), **changes}, line(4, "r"), {}]
    odd, good = verdicts_of(lines, [case(), case("r")], scale_of(lines))
    assert (odd.score, good.score) == (None, 4)
    assert odd.explanation == "the evaluation job's output does not have this query"


@pytest.mark.parametrize("details", [None, [], ["text"], [{"explanation": None}]])
def test_a_rating_without_an_explanation(details: object) -> None:
    (verdict,) = verdicts_of([line(4, evaluatorDetails=details)], [case()], RAW)
    assert (verdict.score, verdict.explanation) == (4, "")


def test_ratings_that_are_all_1_are_not_taken_for_the_worst_nor_the_best() -> None:
    lines = [line(1.0), line("1", "r")]
    found = verdicts_of(lines, [case(), case("r")], scale_of(lines))
    assert [verdict.score for verdict in found] == [None, None]
    assert "the worst of 1 to 5, or the best of 0 to 1" in found[0].explanation
