"""The baseline that only counts words: TF-IDF of word and character n-grams, ridge regression."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from filmstill.errors import require
from filmstill.records import Example
from filmstill.routers.baseline import Baseline
from filmstill.task import Task
from filmstill.weights import FloatArray, weights_array

WORD_NGRAMS = (1, 2)
CHARACTER_NGRAMS = (2, 5)
WORD = r"(?u)\b\w+\b"  # one-letter words count too: "a", "I"
RIDGE = 1.0  # strength of the L2 penalty


class TfidfRouter(Baseline):
    """Ridge regression from TF-IDF features to weights."""

    name = "tfidf"

    def __init__(self, model: Any, task: Task) -> None:  # noqa: ANN401 - a scikit-learn pipeline
        """Take a fitted scikit-learn pipeline from texts to weights."""
        self._model = model
        self.task = task

    @classmethod
    def fit(cls, examples: Sequence[Example], task: Task) -> Self:
        """Fit the regression to labelled examples.

        Raises:
            MissingExtraError: scikit-learn is not installed.
        """
        purpose = "the tfidf baseline"
        text = require("sklearn.feature_extraction.text", "train", purpose)
        pipeline = require("sklearn.pipeline", "train", purpose)
        linear = require("sklearn.linear_model", "train", purpose)
        features = pipeline.make_union(
            text.TfidfVectorizer(ngram_range=WORD_NGRAMS, token_pattern=WORD, sublinear_tf=True),
            text.TfidfVectorizer(
                analyzer="char_wb", ngram_range=CHARACTER_NGRAMS, sublinear_tf=True
            ),
        )
        model = pipeline.make_pipeline(features, linear.Ridge(alpha=RIDGE))
        labelled = [(item.query, item.routing) for item in examples if item.routing is not None]
        labels = weights_array([routing for _, routing in labelled], task)
        model.fit([query for query, _ in labelled], labels)
        return cls(model, task)

    def predict(self, queries: Sequence[str]) -> FloatArray:
        """The regression, negative weights set to 0."""
        predicted = np.asarray(self._model.predict(list(queries)), dtype=np.float64)
        return np.clip(predicted, 1e-9, None)
