"""The student before distillation: the base encoder with a head that has learned nothing yet."""

from collections.abc import Sequence

import numpy as np

from filmstill.config import DistillConfig
from filmstill.errors import require
from filmstill.routers.baseline import Baseline
from filmstill.task import Task
from filmstill.weights import FloatArray


class BaseRouter(Baseline):
    """What distillation starts from, to show what it does."""

    name = "base"

    def __init__(self, task: Task, config: DistillConfig | None = None) -> None:
        """Load the encoder.

        Raises:
            BaseModelError: the base encoder is not found or cannot be loaded.
            MissingExtraError: torch is not installed.
        """
        require("torch", "train", "the router base")
        from filmstill.student.train.untrained import untrained

        self.task = task
        self._weigh = untrained(task, config or DistillConfig())

    def predict(self, queries: Sequence[str]) -> FloatArray:
        """The softmax of a head of random weights."""
        return np.asarray(self._weigh(queries), dtype=np.float64)
