"""Fits the n-gram model: ridge regression from hashed n-grams to weights."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge

from filmstill.student.ngrams import BUCKETS, NgramModel, buckets
from filmstill.weights import FloatArray

RIDGE = 1.0  # strength of the L2 penalty
_STEPS = 127  # of int8


def fit_ngrams(texts: Sequence[str], labels: FloatArray) -> NgramModel:
    """Fit the table.

    Args:
        texts: queries as the student reads them.
        labels: their weights, `(n_texts, n_channels)`.
    """
    ridge = Ridge(alpha=RIDGE).fit(_matrix(texts), labels)
    coefficients = ridge.coef_.T  # (BUCKETS, n_channels)
    scale = float(np.abs(coefficients).max()) / _STEPS or 1.0
    table = np.rint(coefficients / scale).astype(np.int8)
    return NgramModel(table, scale, np.asarray(ridge.intercept_, dtype=np.float64))


def _matrix(texts: Sequence[str]) -> csr_matrix:
    values: list[float] = []
    columns: list[int] = []
    ends = [0]
    for text in texts:
        for found in buckets(text):
            columns += found
            values += [max(1, len(found)) ** -0.5] * len(found)
        ends.append(len(columns))
    return csr_matrix((values, columns, ends), shape=(len(texts), BUCKETS))
