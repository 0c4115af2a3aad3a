"""The network as training finds it."""

from collections.abc import Callable, Sequence

import numpy as np

from filmstill.config import DistillConfig
from filmstill.student.base import find_base
from filmstill.student.train.batches import encode, open_tokenizer
from filmstill.student.train.loop import predict, torch_threads
from filmstill.student.train.net import build_net, pad_id_of
from filmstill.task import Task
from filmstill.weights import FloatArray


def untrained(task: Task, config: DistillConfig) -> Callable[[Sequence[str]], FloatArray]:
    """A function from queries to the raw weights `(n, c)` of the network before its first step.

    Raises:
        BaseModelError: the base encoder is not found or cannot be loaded.
    """
    base = find_base(config.base)
    net = build_net(base, len(task.channels), config.dropout, config.seed)
    tokenizer = open_tokenizer(base, config.max_tokens)
    pad_id = pad_id_of(base)

    def weigh(queries: Sequence[str]) -> FloatArray:
        no_labels = np.zeros((len(queries), len(task.channels)))
        data = encode(queries, no_labels, tokenizer, pad_id)
        with torch_threads(1):  # as every other router that is timed
            return predict(net, data).numpy().astype(np.float64)

    return weigh
