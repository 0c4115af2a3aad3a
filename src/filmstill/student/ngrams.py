"""The student's second opinion: a linear model of word and character n-grams.

A network that reads meaning and a model that only counts words err on different queries, so their
mean is better than either. The linear model costs 50 microseconds a query: its n-grams are hashed
into a table (Weinberger et al., 2009, feature hashing), one row of weights per bucket.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self
from zlib import crc32

import numpy as np
import numpy.typing as npt

from filmstill.weights import FloatArray

BUCKETS = 1 << 17
"""Rows of the table. The n-grams of 20,000 queries share buckets, and lose little by it."""
CHARACTERS = (2, 3, 4, 5)
"""Lengths of character n-grams, which span the space around a word but no two words."""

_WORD = re.compile(r"\w+")
_WORDS_SALT, _CHARACTERS_SALT = 1, 2  # the same text as word and as characters is not the same


@dataclass(frozen=True, slots=True)
class NgramModel:
    """Weights of n-grams.

    Attributes:
        table: `(BUCKETS, n_channels)` int8.
        scale: what a step of the table is worth, in units of weight.
        bias: `(n_channels,)` float64, the weights of a text without any known n-gram.
    """

    table: npt.NDArray[np.int8]
    scale: float
    bias: FloatArray

    def weights(self, texts: Sequence[str]) -> FloatArray:
        """Raw weights `(n_texts, n_channels)`, each row summing to 1."""
        rows = np.tile(self.bias, (len(texts), 1))
        for row, text in zip(rows, texts, strict=True):
            for found in buckets(text):
                if found:
                    total = self.table[found].sum(axis=0, dtype=np.int64)
                    row += total * (self.scale / np.sqrt(len(found)))
        positive = np.clip(rows, 1e-9, None)
        shares: FloatArray = positive / positive.sum(axis=1, keepdims=True)
        return shares

    @classmethod
    def load(cls, path: Path, stored: dict[str, Any], n_channels: int) -> Self:
        """Read the table that `save` wrote, and what `to_json` gave.

        Raises:
            OSError: the file cannot be read.
            KeyError, TypeError, ValueError: the table or `stored` is not what was written.
        """
        table = np.load(path, allow_pickle=False)
        bias = np.array(stored["bias"], dtype=np.float64)
        if table.shape != (BUCKETS, n_channels) or table.dtype != np.int8:
            raise ValueError(f"{path.name} is {table.dtype} {table.shape}")
        if bias.shape != (n_channels,):
            raise ValueError(f"{len(bias)} weights of no n-gram for {n_channels} channels")
        return cls(table, float(stored["scale"]), bias)

    def save(self, path: Path) -> None:
        """Write the table; `to_json` has the rest."""
        np.save(path, self.table, allow_pickle=False)

    def to_json(self) -> dict[str, Any]:
        """Scale and bias as JSON values."""
        return {"scale": self.scale, "bias": self.bias.tolist()}


def buckets(text: str) -> tuple[list[int], list[int]]:
    """The distinct buckets of a text's word n-grams (one and two words) and character n-grams.

    Each of the two lists counts as a vector of length 1: every bucket in it weighs
    `1 / sqrt(len(list))`.
    """
    words = _WORD.findall(unicodedata.normalize("NFKC", text).lower())
    pairs = [f"{first} {second}" for first, second in pairwise(words)]
    pieces: set[bytes] = set()
    for word in set(words):
        padded = f" {word} "
        # Slices of bytes are what the hash wants, but in ASCII alone are they slices of the text.
        if padded.isascii():
            data = padded.encode()
            pieces.update(
                [data[at : at + size] for size in CHARACTERS for at in range(len(data) - size + 1)]
            )
        else:
            pieces.update(
                padded[at : at + size].encode()
                for size in CHARACTERS
                for at in range(len(padded) - size + 1)
            )
    whole = {part.encode() for part in (*words, *pairs)}
    return _hashed(whole, _WORDS_SALT), _hashed(pieces, _CHARACTERS_SALT)


def _hashed(ngrams: set[bytes], salt: int) -> list[int]:
    return list({crc32(ngram, salt) % BUCKETS for ngram in ngrams})
