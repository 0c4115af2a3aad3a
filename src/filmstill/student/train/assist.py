"""What other students add to labels: their mean, mixed in half and half.

A label is one reading of a query, with that reading's noise; the mean of several students that were
distilled with other seeds is smoother, and errs less than any one of them. A student that learns
from both comes close to their ensemble and costs what one student costs (Buciluă, Caruana and
Niculescu-Mizil 2006, "Model compression"; Furlanello et al. 2018, "Born-again neural networks").
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from filmstill.files import sha256_of
from filmstill.router import Router
from filmstill.student.artefact import Layout
from filmstill.task import Task
from filmstill.weights import FloatArray, weights_array

SHARE = 0.5
"""Of the assistants in what is learned."""


def with_assistants(
    labels: FloatArray,
    queries: Sequence[str],
    assistants: Sequence[Path],
    task: Task,
    *,
    threads: int,
    say: Callable[[str], None],
) -> FloatArray:
    """Labels with the mean of the assistants' raw weights mixed in, `(n, c)`.

    Args:
        labels: `(n, c)`.
        queries: the n queries, as people typed them.
        assistants: folders of students of the same channels; without any, the labels come back.
        task: the task.
        threads: CPU threads.
        say: called with a line of text before each assistant is asked.

    Raises:
        ArtefactError: a folder holds no student of these channels.
    """
    if not assistants:
        return labels
    sums = np.zeros_like(labels)
    for number, folder in enumerate(assistants, start=1):
        router = Router.load(folder, task=task, threads=threads)
        say(f"Asking assistant {number} of {len(assistants)} about {len(queries):,} queries")
        sums += weights_array(router.route_many(queries, raw=True), task)
    mixed: FloatArray = (1 - SHARE) * labels + SHARE * sums / len(assistants)
    return mixed


def assistant_facts(assistants: Sequence[Path]) -> list[str]:
    """What tells the assistants from others: the hashes of their manifests.

    Raises:
        StorageError: a folder holds no student.
    """
    return [sha256_of(Layout(folder).manifest) for folder in assistants]
