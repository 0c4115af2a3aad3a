"""The baseline that does not look at the query: always the mean of the training labels."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from filmstill.records import Example
from filmstill.routers.baseline import Baseline
from filmstill.task import Task
from filmstill.weights import FloatArray, weights_array


class MeanRouter(Baseline):
    """Gives every query the mean weights of its training examples."""

    name = "mean"

    def __init__(self, mean: FloatArray, task: Task) -> None:
        """Take the mean weights, `(n_channels,)`."""
        self.mean = mean
        self.task = task

    @classmethod
    def fit(cls, examples: Sequence[Example], task: Task) -> Self:
        """Average the labels of labelled examples."""
        labels = [example.routing for example in examples if example.routing is not None]
        return cls(weights_array(labels, task).mean(axis=0), task)

    def predict(self, queries: Sequence[str]) -> FloatArray:
        """The mean, once per query."""
        return np.tile(self.mean, (len(queries), 1))
