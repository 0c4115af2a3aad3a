"""What evaluation jobs wrote, as verdicts."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from filmstill.evals.judges import Case, Verdict

METRIC = "OverallQuality"
"""The metric that a job is asked for."""
RAW, NORMALISED, UNCLEAR = "1 to 5", "0 to 1", "unclear"
"""What the ratings of an evaluation may be on; AWS does not document it."""

_MISSING = Verdict(None, "the evaluation job's output does not have this query")


def scale_of(lines: Sequence[dict[str, Any]]) -> str:
    """The scale of all ratings of an evaluation: `RAW`, `NORMALISED` or `UNCLEAR`.

    No rating of 1 to 5 is below 1, and none of 0 to 1 above. Only where all are 1, the worst of the
    one and the best of the other, it cannot be told.
    """
    found = (_number(score.get("result")) for line in lines for score in _scores(line))
    numbers = [number for number in found if number is not None]
    if not numbers or max(numbers) > 1:
        return RAW
    return NORMALISED if min(numbers) < 1 else UNCLEAR


def verdicts_of(
    lines: Sequence[dict[str, Any]], cases: Sequence[Case], scale: str
) -> list[Verdict]:
    """One verdict per case; lines come in any order, and a query may come twice.

    Args:
        lines: of one job's output; what is not of the documented form is no verdict on anything.
        cases: what it was given, each with a routing.
        scale: see `scale_of`.
    """
    by_answer: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        by_answer.setdefault(_answer(line), []).extend(_scores(line))
    found = []
    for case in cases:
        reply = case.predicted.to_label() if case.predicted else ""
        scores = by_answer.get((case.query, reply), [])
        found.append(_verdict(scores[0], scale) if scores else _MISSING)
    return found


def _answer(line: dict[str, Any]) -> tuple[str, str]:
    """The query and the answer that a line is about."""
    record, responses = line.get("inputRecord"), line.get("modelResponses")
    first = responses[0] if isinstance(responses, list) and responses else None
    return (
        str(record.get("prompt")) if isinstance(record, dict) else "",
        str(first.get("response")) if isinstance(first, dict) else "",
    )


def _scores(line: dict[str, Any]) -> Iterator[dict[str, Any]]:
    result = line.get("automatedEvaluationResult")
    scores = result.get("scores") if isinstance(result, dict) else None
    for score in scores if isinstance(scores, list) else ():
        if isinstance(score, dict) and score.get("metricName") == METRIC:
            yield score


def _verdict(score: dict[str, Any], scale: str) -> Verdict:
    details = score.get("evaluatorDetails")
    first = details[0] if isinstance(details, list) and details else None
    explanation = str(first.get("explanation") or "") if isinstance(first, dict) else ""
    number = _number(score.get("result"))
    if number is None:
        return Verdict(None, explanation or "the judge gave no rating")
    if scale == UNCLEAR:
        return Verdict(
            None, f"all ratings are 1: the worst of 1 to 5, or the best of 0 to 1; {explanation}"
        )
    rating = round(1 + 4 * number if scale == NORMALISED else number)
    return Verdict(min(5, max(1, rating)), explanation)


def _number(result: object) -> float | None:
    """A rating as a number; the service writes numbers, texts and null."""
    if isinstance(result, bool) or not isinstance(result, int | float | str):
        return None
    try:
        number = float(result)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
