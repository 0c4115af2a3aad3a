"""The network as training finds it."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from tokenizers import Tokenizer

from filmstill.config import DistillConfig
from filmstill.errors import BaseModelError
from filmstill.records import Example, Routing
from filmstill.student.base import find_base
from filmstill.student.train.batches import encode
from filmstill.student.train.loop import predict
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
    try:
        tokenizer = Tokenizer.from_file(str(base.folder / "tokenizer.json"))
    except Exception as error:  # the library raises bare Exception
        raise BaseModelError(
            f"base model {base.folder}: tokenizer.json cannot be loaded ({error})"
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(config.max_tokens)
    pad_id = pad_id_of(base)
    even = Routing(dict.fromkeys(task.channel_names, 1 / len(task.channels)))  # asked for, unused

    def weigh(queries: Sequence[str]) -> FloatArray:
        data = encode([Example(query, even) for query in queries], task, tokenizer, pad_id)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as every other router that is timed
        try:
            return predict(net, data).numpy().astype(np.float64)
        finally:
            torch.set_num_threads(threads)

    return weigh
