"""Runs a student: onnxruntime, tokenizers and numpy, nothing of the training stack."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from filmstill.errors import ArtefactError
from filmstill.student.glossary import Glossary
from filmstill.student.ngrams import NgramModel
from filmstill.weights import FloatArray

BATCH = 32
"""Queries a call of the network; larger ones leave the cache and are slower per query."""


class Network:
    """The sentence encoder: text in, raw weights out."""

    def __init__(
        self, model: Path, tokenizer: Path, *, max_tokens: int, pad_id: int, threads: int = 1
    ) -> None:
        """Load the network and its tokenizer.

        Args:
            model: ONNX file with inputs `input_ids` and `attention_mask`, output `weights`.
            tokenizer: file of the `tokenizers` library.
            max_tokens: longer queries are cut to this many tokens.
            pad_id: token id that fills up short queries of a batch.
            threads: CPU threads for one call.

        Raises:
            ArtefactError: a file cannot be loaded.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Queries differ in length: an arena that grows to the largest shape seen, and threads
        # that spin between two queries, cost a service more than they give.
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(model), options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
        except Exception as error:  # both libraries raise bare Exception subclasses of their own
            raise ArtefactError(f"{model.parent}: cannot be loaded ({error})") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._pad_id = pad_id

    def weights(self, texts: Sequence[str]) -> FloatArray:
        """Raw weights `(n_texts, n_channels)`, each row summing to 1.

        Texts of like length share a batch, so that little is spent on padding.
        """
        # `encode_batch` would start threads on every core, whatever `threads` says.
        rows = [self._tokenizer.encode(text).ids for text in texts]
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        results: list[npt.NDArray[Any]] = [np.empty(0)] * len(rows)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            for index, row in zip(batch, self._run([rows[i] for i in batch]), strict=True):
                results[index] = row
        return np.asarray(results, dtype=np.float64)

    def _run(self, rows: list[list[int]]) -> npt.NDArray[np.float32]:
        longest = max(map(len, rows))
        ids = np.full((len(rows), longest), self._pad_id, dtype=np.int64)  # (n, longest)
        mask = np.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        feed = {"input_ids": ids, "attention_mask": mask}
        output: npt.NDArray[np.float32] = self._session.run(["weights"], feed)[0]
        return output


class StudentModel:
    """What a student is: a query is read, the network and the n-gram model weigh it together."""

    def __init__(
        self,
        network: Network,
        ngrams: NgramModel,
        share: float,
        glossary: Glossary | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            network: the sentence encoder.
            ngrams: the linear model of n-grams.
            share: how much of the weights is the network's, 0 to 1; the rest is the other's.
            glossary: what queries are read through before either sees them, or None.
        """
        self._network = network
        self._ngrams = ngrams
        self._share = share
        self._glossary = glossary

    def language(self, query: str) -> str | None:
        """The language a query is read in; None for a student without a glossary."""
        return self._glossary.language(query) if self._glossary else None

    def weights(self, queries: Sequence[str], language: str | None = None) -> FloatArray:
        """Raw weights `(n_queries, n_channels)`, each row summing to 1.

        Args:
            queries: clean queries, or parts of one.
            language: the language to read all of them in; found out for each where None.
        """
        glossary = self._glossary
        texts = [glossary.read(query, language) for query in queries] if glossary else queries
        weights = self._network.weights(texts)
        if self._share == 1:  # the other model's word would not count
            return weights
        return mixed(weights, self._ngrams.weights(texts), self._share)


def mixed(network: FloatArray, ngrams: FloatArray, share: float) -> FloatArray:
    """The weighted mean of two arrays of raw weights, `(n, n_channels)`."""
    return share * network + (1 - share) * ngrams
