"""What an evaluation job wrote, as verdicts."""

import math
from collections.abc import Sequence
from typing import Any

from filmstill.evals.judges import Case, Verdict

METRIC = "OverallQuality"
"""The metric that the job is asked for."""


def verdicts_of(lines: Sequence[dict[str, Any]], cases: Sequence[Case]) -> list[Verdict]:
    """One verdict per case; lines come in any order, and a query may come twice."""
    by_answer: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        key = line["inputRecord"]["prompt"], line["modelResponses"][0]["response"]
        scores = line.get("automatedEvaluationResult", {}).get("scores", [])
        by_answer.setdefault(key, []).extend(
            score for score in scores if score["metricName"] == METRIC
        )
    numbers = [_number(score.get("result")) for scores in by_answer.values() for score in scores]
    normalised = _is_normalised([number for number in numbers if number is not None])
    found = []
    for case in cases:
        reply = case.predicted.to_label() if case.predicted else ""
        scores = by_answer.get((case.query, reply), [])
        found.append(_verdict(scores[0], normalised=normalised) if scores else _MISSING)
    return found


_MISSING = Verdict(None, "the evaluation job's output does not have this query")


def _verdict(score: dict[str, Any], *, normalised: bool) -> Verdict:
    details = score.get("evaluatorDetails") or [{}]
    explanation = str(details[0].get("explanation") or "")
    number = _number(score.get("result"))
    if number is None:
        return Verdict(None, explanation or "the judge gave no rating")
    rating = round(1 + 4 * number if normalised else number)
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


def _is_normalised(numbers: Sequence[float]) -> bool:
    """Whether ratings came on a scale of 0 to 1 instead of 1 to 5, which is not documented.

    No rating of 1 to 5 is below 1. Only where all are 1 can both be meant; then they are taken as
    they are.
    """
    return bool(numbers) and max(numbers) <= 1 and min(numbers) < 1
