"""Queries as tensors, in batches of like length."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from filmstill.errors import BaseModelError
from filmstill.student.base import BaseModel
from filmstill.weights import FloatArray

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


def open_tokenizer(base: BaseModel, max_tokens: int) -> Tokenizer:
    """The base's tokenizer, which cuts texts to so many tokens and fills none up.

    Raises:
        BaseModelError: it cannot be loaded.
    """
    try:
        tokenizer = Tokenizer.from_file(str(base.folder / "tokenizer.json"))
    except Exception as error:  # the library raises bare Exception
        raise BaseModelError(
            f"base model {base.folder}: tokenizer.json cannot be loaded ({error})"
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def encode(texts: Sequence[str], labels: FloatArray, tokenizer: Tokenizer, pad_id: int) -> Encoded:
    """Tokenise queries as the student reads them; `labels` is `(n, n_channels)`."""
    rows = [item.ids for item in tokenizer.encode_batch(list(texts))]
    return Encoded(rows, torch.tensor(labels, dtype=torch.float32), pad_id)


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
