"""Where a router is good and where not: by slice, by leading channel, by its own confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from filmstill.data.variety import tag_counts
from filmstill.evals.metrics import IntArray, leads
from filmstill.records import Example
from filmstill.weights import FloatArray

MOST_VALUES = 24
"""A tag with more values than this (a free text) makes no slices."""
BINS = 10


@dataclass(frozen=True, slots=True)
class Slice:
    """A router's scores on the queries that share the value of a tag.

    Attributes:
        tag: name of the tag, such as "style".
        value: its value, such as "question".
        queries: how many queries that were asked have it.
        rubric: mean rubric score, 1 to 5; an invalid routing scores 1.
        leading: share with the reference's leading channel, 0..1, over valid routings; None
            without any.
        mean_absolute_error: per weight, 0..1; the same.
    """

    tag: str
    value: str
    queries: int
    rubric: float
    leading: float | None
    mean_absolute_error: float | None


@dataclass(frozen=True, slots=True)
class Bin:
    """Queries of like confidence.

    Attributes:
        queries: how many.
        confidence: mean confidence, 0..1.
        leading: share that lead as the reference does.
    """

    queries: int
    confidence: float
    leading: float


def slices(
    examples: Sequence[Example],
    rubric: IntArray,
    leading: FloatArray,
    errors: FloatArray,
) -> list[Slice]:
    """Scores per value of every tag that groups the queries; largest slices first within a tag.

    Args:
        examples: the queries, for their tags.
        rubric: rubric score per query, `(n,)`; 0 for one that was not asked, which is left out.
        leading: whether the leading channel is right, `(n,)`; NaN without a valid routing.
        errors: mean error of the weights per query, `(n,)`; NaN without a valid routing.
    """
    found = []
    for tag, counted in tag_counts(examples).items():
        values = [example.tags.get(tag, "") for example in examples]
        counts = {value: count for value, count in counted.items() if value}
        if not 2 <= len(counts) <= MOST_VALUES:
            continue
        for value, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            here = np.array([own == value for own in values]) & (rubric > 0)
            if here.any():
                found.append(
                    Slice(
                        tag,
                        value,
                        int(here.sum()),
                        float(rubric[here].mean()),
                        _mean(leading[here]),
                        _mean(errors[here]),
                    )
                )
    return found


def _mean(values: FloatArray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def confusion(predicted: FloatArray, reference: FloatArray) -> FloatArray:
    """How often each channel leads where another should, `(c, c)`: rows reference, columns router.

    A query counts 1 in all; where channels tie for the lead, it is shared out evenly.
    """
    there, here = leads(reference).astype(np.float64), leads(predicted).astype(np.float64)
    there /= there.sum(axis=1, keepdims=True)
    here /= here.sum(axis=1, keepdims=True)
    table: FloatArray = there.T @ here
    return table


def reliability(confidence: FloatArray, right: FloatArray) -> tuple[list[Bin], float]:
    """Confidence against how often it was right, in ten bins of equal width.

    Args:
        confidence: `(n,)`, 0..1.
        right: `(n,)`, 1 where the leading channel was right.

    Returns:
        The bins that hold queries, and the expected calibration error (Naeini et al., 2015): the
        mean distance of confidence and share, weighted by the queries in a bin.
    """
    index = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    for number in range(BINS):
        here = index == number
        if here.any():
            bins.append(
                Bin(int(here.sum()), float(confidence[here].mean()), float(right[here].mean()))
            )
    total = sum(item.queries for item in bins)
    error = sum(item.queries * abs(item.confidence - item.leading) for item in bins) / total
    return bins, float(error)
