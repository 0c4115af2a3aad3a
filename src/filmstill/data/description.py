"""What a file of examples holds: counts, balance over the channels, spread of the weights."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from filmstill.data.reading import ExampleFile
from filmstill.query import same_query
from filmstill.records import TOLERANCE, Routing
from filmstill.task import Task
from filmstill.weights import FloatArray, snap, weights_array

MAX_BINS = 20
BALANCE = ("one channel leads", "two share the lead", "three share the lead", "no channel leads")
_NEAR = 0.1  # channels this close to the highest weight share the lead


@dataclass(frozen=True, slots=True)
class Description:
    """Facts on a file of examples.

    Attributes:
        examples: usable lines.
        labelled: those with a label.
        rejected: lines that could not be used.
        distinct: queries that differ by more than case and spacing.
        with_reasoning: labels that hold a reasoning.
        off_grid: labels with a weight that is not on the task's grid.
        median_words: median length of the queries, in words.
        longest_words: longest query, in words.
        mean_weights: mean weight per channel.
        leading: share of labels that each channel leads; a tie counts in parts.
        balance: labels per class of `BALANCE`; channels within 0.1 of the highest share the lead.
        bins: centres of the histogram's bins.
        histogram: per channel, how many labels have a weight in each bin.
    """

    examples: int
    labelled: int
    rejected: int
    distinct: int
    with_reasoning: int
    off_grid: int
    median_words: float
    longest_words: int
    mean_weights: dict[str, float]
    leading: dict[str, float]
    balance: dict[str, int]
    bins: list[float]
    histogram: dict[str, list[int]]

    def to_dict(self) -> dict[str, Any]:
        """All facts, ready for JSON."""
        return asdict(self)


def describe(file: ExampleFile, task: Task) -> Description:
    """Describe a file; without labels the facts on weights are empty."""
    labels = [item.routing for item in file.examples if item.routing is not None]
    lengths = [len(example.query.split()) for example in file.examples] or [0]
    weights = weights_array(labels, task)  # (n_labelled, c)
    bins, counts = histogram(weights, task)
    return Description(
        examples=len(file.examples),
        labelled=len(labels),
        rejected=len(file.rejects),
        distinct=len({same_query(example.query) for example in file.examples}),
        with_reasoning=sum(bool(routing.reasoning) for routing in labels),
        off_grid=_off_grid(weights, task) if labels else 0,
        median_words=float(np.median(lengths)),
        longest_words=max(lengths),
        mean_weights=_by_channel(weights.mean(axis=0), task) if labels else {},
        leading=_leading(labels, task) if labels else {},
        balance=_balance(weights),
        bins=bins,
        histogram=counts,
    )


def histogram(weights: FloatArray, task: Task) -> tuple[list[float], dict[str, list[int]]]:
    """How often each weight occurs.

    Args:
        weights: `(n, c)`.
        task: whose grid gives the bins; 20 steps where it is finer.

    Returns:
        Centres of the bins, and per channel how many rows have a weight in each.
    """
    steps = min(task.steps, MAX_BINS)
    nearest = np.rint(weights * steps).astype(int)  # (n, c)
    counts = {
        name: np.bincount(nearest[:, index], minlength=steps + 1).tolist()
        for index, name in enumerate(task.channel_names)
    }
    return np.round(np.linspace(0, 1, steps + 1), 6).tolist(), counts


def _off_grid(weights: FloatArray, task: Task) -> int:
    return int((np.abs(weights - snap(weights, task.steps)) > 1e-6).any(axis=1).sum())


def _leading(labels: Sequence[Routing], task: Task) -> dict[str, float]:
    share = dict.fromkeys(task.channel_names, 0.0)
    for routing in labels:
        for name in routing.leading:
            share[name] += 1 / len(routing.leading) / len(labels)
    return share


def _balance(weights: FloatArray) -> dict[str, int]:
    if not len(weights):
        return {}
    near = (weights >= weights.max(axis=1, keepdims=True) - _NEAR - TOLERANCE).sum(axis=1)
    counts = Counter(min(int(count), len(BALANCE)) for count in near)
    return {name: counts[number] for number, name in enumerate(BALANCE, start=1)}


def _by_channel(row: FloatArray, task: Task) -> dict[str, float]:
    return {
        name: round(float(weight), 4) for name, weight in zip(task.channel_names, row, strict=True)
    }
