"""Where a router is good and where not: by slice, by leading channel, by its own confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from filmstill.evals.metrics import (
    absolute_errors,
    leading_matches,
    leads,
    rubric_scores,
)
from filmstill.records import Example
from filmstill.weights import FloatArray

MOST_VALUES = 24
"""A tag with more values than this (an id, a free text) makes no slices."""
BINS = 10


@dataclass(frozen=True, slots=True)
class Slice:
    """A router's scores on the queries that share the value of a tag.

    Attributes:
        tag: name of the tag, such as "style".
        value: its value, such as "question".
        queries: how many queries have it.
        rubric: mean rubric score, 1 to 5.
        leading: share with the reference's leading channel, 0..1.
        mean_absolute_error: per weight, 0..1.
    """

    tag: str
    value: str
    queries: int
    rubric: float
    leading: float
    mean_absolute_error: float


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
    examples: Sequence[Example], predicted: FloatArray, reference: FloatArray
) -> list[Slice]:
    """Scores per value of every tag that groups the queries; largest slices first within a tag.

    Args:
        examples: the queries, for their tags.
        predicted: `(n, c)`.
        reference: `(n, c)`.
    """
    rubric = rubric_scores(predicted, reference)
    leading = leading_matches(predicted, reference)
    errors = absolute_errors(predicted, reference).mean(axis=1)
    found = []
    for tag in dict.fromkeys(name for example in examples for name in example.tags):
        values = np.array([example.tags.get(tag, "") for example in examples])
        counted = sorted(set(values) - {""}, key=lambda value: (-(values == value).sum(), value))
        if not 2 <= len(counted) <= MOST_VALUES:
            continue
        for value in counted:
            here = values == value
            found.append(
                Slice(
                    tag,
                    str(value),
                    int(here.sum()),
                    float(rubric[here].mean()),
                    float(leading[here].mean()),
                    float(errors[here].mean()),
                )
            )
    return found


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
