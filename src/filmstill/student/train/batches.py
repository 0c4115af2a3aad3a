"""Queries as tensors, in batches of like length."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from filmstill.records import Example
from filmstill.task import Task
from filmstill.weights import weights_array

_POOL = 32  # batches' worth of shuffled examples that are sorted by length together


@dataclass(frozen=True, slots=True)
class Encoded:
    """Tokenised examples.

    Attributes:
        rows: token ids per query.
        labels: `(n, n_channels)` float32.
        pad_id: token id that fills up short queries.
    """

    rows: list[list[int]]
    labels: Tensor
    pad_id: int

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Token ids and mask `(len(indices), longest)` int64, labels `(len(indices), c)`."""
        rows = [self.rows[index] for index in indices]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [self.pad_id] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        return ids, mask, self.labels[list(indices)]


def encode(
    examples: Sequence[Example],
    task: Task,
    tokenizer: Tokenizer,
    pad_id: int,
    read: Callable[[str], str] = str,
) -> Encoded:
    """Tokenise labelled examples; `read` is what happens to a query first."""
    routings = [example.routing for example in examples if example.routing is not None]
    texts = [read(example.query) for example in examples]
    rows = [item.ids for item in tokenizer.encode_batch(texts)]
    labels = torch.tensor(weights_array(routings, task), dtype=torch.float32)
    return Encoded(rows, labels, pad_id)


def epoch_batches(rows: Sequence[Sequence[int]], size: int, seed: int) -> list[list[int]]:
    """Indices of one epoch's batches: shuffled, and of like length within a batch.

    Without this, every batch is as long as its longest query and most of the work is padding.
    """
    shuffler = random.Random(seed)  # noqa: S311 - not for secrets
    indices = list(range(len(rows)))
    shuffler.shuffle(indices)
    batches = []
    for start in range(0, len(indices), size * _POOL):
        pool = sorted(indices[start : start + size * _POOL], key=lambda index: len(rows[index]))
        batches += [pool[first : first + size] for first in range(0, len(pool), size)]
    shuffler.shuffle(batches)
    return batches


def in_order(n_rows: int, size: int) -> Iterator[range]:
    """Indices of consecutive batches."""
    for start in range(0, n_rows, size):
        yield range(start, min(start + size, n_rows))
