"""What a run finds out besides the network: decoder, confidence, scores, data, versions."""

import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from filmstill import __version__
from filmstill.data.reading import ExampleFile
from filmstill.evals.metrics import absolute_errors, leading_matches, rubric_scores
from filmstill.query import same_query
from filmstill.records import Example
from filmstill.student.decode import MAX_SIGMA, Decoder
from filmstill.student.runtime import mixed
from filmstill.student.train.calibration import fit_confidence
from filmstill.task import Task
from filmstill.weights import FloatArray

_LIBRARIES = (
    "numpy",
    "onnx",
    "onnxruntime",
    "scikit-learn",
    "tokenizers",
    "torch",
    "transformers",
)


SHARES = tuple(step / 20 for step in range(20, -1, -1))


def data_facts(
    file: ExampleFile, training: list[Example], validation: list[Example]
) -> dict[str, Any]:
    """What a student was made from."""
    return {
        "file": file.path.name,
        "sha256": file.sha256,
        "examples": len(file.examples),
        "distinct_queries": len({same_query(example.query) for example in file.examples}),
        "rejected_lines": len(file.rejects),
        "training": len(training),
        "validation": len(validation),
    }


def what_validation_tells(
    task: Task, labels: FloatArray, raw: FloatArray, reference: FloatArray
) -> dict[str, Any]:
    """The decoder, the confidence curve and the scores.

    `labels` are those of training, `(n, c)`; `raw` and `reference` those of validation.
    """
    decoder = Decoder.fit(labels, task.steps, _error(raw, reference))
    decoded = decoder(raw)
    scores = {
        "queries": len(reference),
        "rubric": round(float(rubric_scores(decoded, reference).mean()), 3),
        "leading": round(float(leading_matches(decoded, reference).mean()), 4),
        "mean_absolute_error": round(float(absolute_errors(decoded, reference).mean()), 4),
    }
    return {
        "decoder": decoder.to_json(),
        "confidence": asdict(fit_confidence(raw, decoded, reference)),
        "training_mean": [round(float(weight), 6) for weight in labels.mean(axis=0)],
        "validation_scores": scores,
    }


def share_of_network(
    network: FloatArray,
    ngrams: FloatArray,
    labels: FloatArray,
    reference: FloatArray,
    task: Task,
) -> float:
    """The share of the network, 0 to 1 in twentieths, whose weights are least off the references.

    Args:
        network: raw weights of the validation queries, `(n, c)`.
        ngrams: the n-gram model's.
        labels: those of training, `(n_training, c)`, for the decoder.
        reference: those of validation, `(n, c)`.
        task: for its grid.
    """
    errors = []
    decoder = Decoder.fit(labels, task.steps, MAX_SIGMA)
    for share in SHARES:
        raw = mixed(network, ngrams, share)
        decoded = decoder.with_sigma(_error(raw, reference))(raw)
        errors.append(float(absolute_errors(decoded, reference).mean()))
    return SHARES[int(np.argmin(errors))]


def _error(raw: FloatArray, reference: FloatArray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean((raw - reference) ** 2)))


def libraries() -> dict[str, str]:
    """Versions of what trains and exports."""
    found = {"filmstill": __version__, "python": platform.python_version()}
    return found | {name: version(name) for name in _LIBRARIES}
