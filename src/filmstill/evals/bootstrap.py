"""Confidence interval of a mean by the percentile bootstrap (Efron, 1979)."""

import numpy as np
import numpy.typing as npt

RESAMPLES = 5000
LEVEL = 0.95
_CHUNK = 500  # resamples at a time: bounds the memory for large evaluation sets


def mean_interval(values: npt.ArrayLike, *, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of the mean of `values`, `(n,)`.

    Args:
        values: one number per query; at least one.
        seed: of the resampling, so that the same values give the same interval.

    Returns:
        Lower and upper bound; both the mean itself for a single value.
    """
    sample = np.asarray(values, dtype=np.float64)
    generator = np.random.default_rng(seed)
    means = np.concatenate(
        [
            sample[generator.integers(0, len(sample), (_CHUNK, len(sample)))].mean(axis=1)
            for _ in range(RESAMPLES // _CHUNK)
        ]
    )  # (RESAMPLES,)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
