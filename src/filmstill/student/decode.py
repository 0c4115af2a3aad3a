"""From the network's raw weights to weights on the grid: the label the teacher most likely gave.

A teacher uses few of the grid's points: of the 286 ways to share ten tenths among four channels,
99 occur in 1,190 labels of a large model, and twenty of them make up most. Rounding each query by
itself ignores that and often lands on a point that no label has. Given the raw weights w, the
decoder takes the point v with the highest posterior

    log count(v) - |w - v|^2 / (2 sigma^2)

over the labels seen in training and the plain rounding of w, which counts as `UNSEEN` of a label so
that a combination never seen can still win. Sigma is the student's own error on the validation
queries: the surer it is, the less the counts matter. It is capped, since a few gross errors swell
it, and since the counts of one set of queries are of little worth for queries of another kind.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from filmstill.weights import FloatArray, snap

UNSEEN = 0.5
MIN_SIGMA, MAX_SIGMA = 0.01, 0.06


@dataclass(frozen=True)
class Decoder:
    """Label points with their counts.

    Attributes:
        steps: grid steps that make up 1.0.
        points: `(n_points, n_channels)` float64, on the grid.
        counts: `(n_points,)` float64, above 0.
        sigma: expected error of a raw weight, in units of weight.
    """

    steps: int
    points: FloatArray
    counts: FloatArray
    sigma: float

    @classmethod
    def fit(cls, labels: FloatArray, steps: int, sigma: float) -> "Decoder":
        """Count the labels.

        Args:
            labels: `(n, n_channels)`; weights off the grid are rounded to it.
            steps: grid steps that make up 1.0.
            sigma: root mean square error of the raw weights; kept within sensible bounds.
        """
        points, counts = np.unique(snap(labels, steps), axis=0, return_counts=True)
        return cls(steps, points, counts.astype(np.float64), MAX_SIGMA).with_sigma(sigma)

    def with_sigma(self, sigma: float) -> "Decoder":
        """The same labels and another error; see `fit`."""
        return replace(self, sigma=float(np.clip(sigma, MIN_SIGMA, MAX_SIGMA)))

    def __call__(self, raw: FloatArray) -> FloatArray:
        """Most likely labels `(n, n_channels)` float64 for raw weights of the same shape."""
        rounded = snap(raw, self.steps)
        scale = 2 * self.sigma**2
        squares = (raw**2).sum(1)[:, None] - 2 * raw @ self.points.T + (self.points**2).sum(1)
        scores = np.log(self.counts) - squares / scale  # (n, n_points)
        best = scores.argmax(axis=1)
        own = np.log(UNSEEN) - ((raw - rounded) ** 2).sum(1) / scale  # (n,)
        decoded: FloatArray = np.where(
            (own > scores.max(axis=1))[:, None], rounded, self.points[best]
        )
        return decoded

    def to_json(self) -> dict[str, Any]:
        """The decoder as JSON values: points in whole steps, most frequent first."""
        order = np.argsort(-self.counts, kind="stable")
        return {
            "sigma": self.sigma,
            "points": np.rint(self.points[order] * self.steps).astype(int).tolist(),
            "counts": self.counts[order].astype(int).tolist(),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any], steps: int) -> "Decoder":
        """The decoder that `to_json` stored."""
        points = np.round(np.array(stored["points"], dtype=np.float64) / steps, 6)
        counts = np.array(stored["counts"], dtype=np.float64)
        return cls(steps, points, counts, float(stored["sigma"]))
