"""How much a teacher disagrees with itself, measured on queries that it labelled more than once.

No student can be expected to score better against a teacher than the teacher against itself.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from filmstill.evals.metrics import absolute_errors, leading_matches, rubric_scores
from filmstill.query import same_query
from filmstill.records import Example
from filmstill.task import Task
from filmstill.weights import weights_array


@dataclass(frozen=True, slots=True)
class TeacherNoise:
    """Agreement between two labels of the same query, averaged over all pairs of such labels.

    Attributes:
        queries: how many queries have more than one label.
        pairs: how many pairs of labels that makes.
        mean_absolute_error: per weight, 0..1.
        rubric: mean rubric score (1 to 5) of one label against the other: the ceiling.
        leading: share of pairs that lead with the same channel, ties allowed.
    """

    queries: int
    pairs: int
    mean_absolute_error: float
    rubric: float
    leading: float


def teacher_noise(examples: Sequence[Example], task: Task) -> TeacherNoise | None:
    """Compare the labels of repeated queries; None where no labelled query is repeated."""
    labels = defaultdict(list)
    for example in examples:
        if example.routing is not None:
            labels[same_query(example.query)].append(example.routing)
    repeated = [routings for routings in labels.values() if len(routings) > 1]
    pairs = [pair for routings in repeated for pair in combinations(routings, 2)]
    if not pairs:
        return None
    first = weights_array([one for one, _ in pairs], task)  # (n_pairs, c)
    second = weights_array([other for _, other in pairs], task)
    return TeacherNoise(
        queries=len(repeated),
        pairs=len(pairs),
        mean_absolute_error=float(absolute_errors(first, second).mean()),
        rubric=float(np.mean(rubric_scores(first, second))),
        leading=float(np.mean(leading_matches(first, second))),
    )
