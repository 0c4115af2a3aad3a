"""Whether one router is better than another, on the same queries."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from filmstill.evals.bootstrap import mean_interval

PERMUTATIONS = 10_000
_CHUNK = 1000  # at a time: bounds the memory for large evaluation sets


@dataclass(frozen=True, slots=True)
class Difference:
    """Router minus baseline, query by query.

    Attributes:
        router: the router's name.
        baseline: the baseline's name.
        mean: mean difference of the rubric scores; above 0 the router is better.
        low: lower bound of its bootstrap 95 % interval.
        high: upper bound.
        p_value: how often a difference this large comes about where there is none, 0..1.
    """

    router: str
    baseline: str
    mean: float
    low: float
    high: float
    p_value: float


def paired_difference(
    router: str, scores: npt.ArrayLike, baseline: str, others: npt.ArrayLike, *, seed: int = 0
) -> Difference:
    """Compare the scores of two routers, each `(n_queries,)`, query by query."""
    differences = np.asarray(scores, dtype=np.float64) - np.asarray(others, dtype=np.float64)
    low, high = mean_interval(differences, seed=seed)
    p_value = paired_permutation(differences, seed=seed)
    return Difference(router, baseline, float(differences.mean()), low, high, p_value)


def paired_permutation(differences: npt.ArrayLike, *, seed: int = 0) -> float:
    """Two-sided p-value of a paired permutation test (Fisher, 1935), by Monte Carlo.

    If neither router were better, each difference could as well have the other sign. The p-value
    is the share of random signs that give a mean at least as far from 0, the observed one counted
    among them (Phipson and Smyth, 2010), so that it is never 0.

    Args:
        differences: `(n_queries,)`.
        seed: of the signs, so that the same differences give the same value.
    """
    values = np.asarray(differences, dtype=np.float64)
    observed = abs(values.sum())
    generator = np.random.default_rng(seed)
    as_far = 0
    for _ in range(PERMUTATIONS // _CHUNK):
        signs = generator.choice((-1.0, 1.0), size=(_CHUNK, len(values)))
        as_far += int((np.abs(signs @ values) >= observed - 1e-9).sum())
    return (as_far + 1) / (PERMUTATIONS + 1)
