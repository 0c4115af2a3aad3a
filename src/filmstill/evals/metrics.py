"""How far predicted weights are from reference weights, query by query.

Arrays are `(n_queries, n_channels)` float64, channels in the task's order, rows summing to 1.
Values are compared with a tolerance of 1e-9, since tenths are not exact in binary.
"""

import numpy as np
import numpy.typing as npt

from filmstill.records import TOLERANCE
from filmstill.weights import FloatArray

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

EXACT, CLOSE, FAR, OFF = 0.05, 0.10, 0.15, 0.30
"""Bounds of the judge's rubric: largest error of a 5 and of a 4, mean error of a 3, and the
error above which a routing scores 1."""


def absolute_errors(predicted: FloatArray, reference: FloatArray) -> FloatArray:
    """Absolute error of every weight, `(n, c)`, 0..1, lower is better."""
    errors: FloatArray = np.abs(predicted - reference)
    return errors


def leads(weights: FloatArray) -> BoolArray:
    """Which channels have a row's highest weight, `(n, c)`; several where they tie."""
    leading: BoolArray = weights >= weights.max(axis=1, keepdims=True) - TOLERANCE
    return leading


def leading_matches(predicted: FloatArray, reference: FloatArray) -> BoolArray:
    """Whether prediction and reference lead with the same channel, `(n,)`.

    Ties are allowed: one channel that leads in both is enough. (A router that ties all channels
    always matches; its rubric scores give it away.)
    """
    both = np.logical_and(leads(predicted), leads(reference))
    return np.asarray(both.any(axis=1))


def within(predicted: FloatArray, reference: FloatArray, bound: float) -> BoolArray:
    """Whether no weight of a row is off by more than `bound`, `(n,)`."""
    close: BoolArray = absolute_errors(predicted, reference).max(axis=1) <= bound + TOLERANCE
    return close


def rubric_scores(predicted: FloatArray, reference: FloatArray) -> IntArray:
    """Numeric part of the judge's OverallQuality rubric, `(n,)`, 1 to 5, higher is better.

    In this order: 1 a weight is off by more than 0.30; 5 none by more than 0.05; 4 none by more
    than 0.10; 3 the leading channel matches and the mean error is below 0.15; 2 otherwise.
    """
    errors = absolute_errors(predicted, reference)
    largest, mean = errors.max(axis=1), errors.mean(axis=1)
    acceptable = leading_matches(predicted, reference) & (mean < FAR - TOLERANCE)
    return np.select(
        [
            largest > OFF + TOLERANCE,
            largest <= EXACT + TOLERANCE,
            largest <= CLOSE + TOLERANCE,
            acceptable,
        ],
        [1, 5, 4, 3],
        default=2,
    ).astype(np.int64)
