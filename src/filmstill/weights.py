"""Weights as arrays: rounding to a grid that keeps the sum, and the way to and from records."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from filmstill.records import Routing
from filmstill.task import Task

FloatArray = npt.NDArray[np.float64]

RAW_STEPS = 10_000
"""Steps of the grid of unsnapped weights: four decimals, so that they too sum to 1 as printed."""


def snap(weights: npt.ArrayLike, steps: int) -> FloatArray:
    """Round weights to multiples of 1/steps so that every row still sums to 1.

    Largest remainder method (Hamilton's, of seats in a parliament): every weight is rounded down,
    and the steps left over go to the largest remainders, the earlier channel first on a tie.
    The order of the channels is kept: a weight that was not smaller does not end up smaller.

    Args:
        weights: `(n_queries, n_channels)`, not negative, each row with a sum above 0.
        steps: how many steps make up 1.0; 10 for tenths.

    Returns:
        `(n_queries, n_channels)` float64; the decimal numbers nearest to the multiples, so that
        they print as written (0.3, not 0.30000000000000004).
    """
    shares = np.asarray(weights, dtype=np.float64)
    shares = shares / shares.sum(axis=1, keepdims=True) * steps  # (n, c), in steps
    # A share that is a whole number of steps up to rounding noise is that whole number.
    floors = np.floor(shares + 1e-6)
    remainders = shares - floors  # (n, c)
    left = np.rint(steps - floors.sum(axis=1)).astype(np.int64)  # (n,)
    # rank[i, j]: how many channels of row i have a larger remainder than channel j
    order = np.argsort(-remainders, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(shares.shape[1])[None, :], axis=1)
    counts = floors + (rank < left[:, None])
    snapped: FloatArray = np.round(counts / steps, 6)
    return snapped


def weights_array(routings: Sequence[Routing], task: Task) -> FloatArray:
    """The weights of several routings, `(n_routings, n_channels)`, channels in the task's order."""
    rows = [[routing.weights[name] for name in task.channel_names] for routing in routings]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(task.channel_names))


def weights_mapping(row: npt.ArrayLike, task: Task) -> dict[str, float]:
    """One row of weights, `(n_channels,)`, by channel name."""
    return dict(zip(task.channel_names, map(float, np.asarray(row)), strict=True))
