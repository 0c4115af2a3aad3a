"""Routers against references: every metric, for every router, on the same queries."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from filmstill.errors import DataError
from filmstill.evals.bootstrap import mean_interval
from filmstill.evals.latency import Latency, timed_routes
from filmstill.evals.metrics import (
    CLOSE,
    EXACT,
    absolute_errors,
    leading_matches,
    rubric_scores,
    within,
)
from filmstill.records import Example, Routing
from filmstill.router import Router
from filmstill.task import Task
from filmstill.weights import weights_array

_SUM_TOLERANCE = 1e-6
INVALID_SCORE = 1  # what the rubric gives a routing with missing keys or none at all


@dataclass(frozen=True, slots=True)
class Scores:
    """How one router did on a set of queries.

    Attributes:
        router: its name.
        queries: how many queries there were.
        valid: share (0..1) with a valid routing: every channel, 0..1 each, sum 1.
        rubric: mean rubric score, 1 to 5, higher is better; an invalid routing scores 1.
        rubric_low: lower bound of its bootstrap 95 % interval.
        rubric_high: upper bound.
        distribution: how many queries got each score, keys "5" to "1".
        leading: share of valid routings with the reference's leading channel, ties allowed.
        mean_absolute_error: per weight, over the valid routings, 0..1, lower is better; NaN, as
            all that follow but the latency, where no routing is valid.
        channel_errors: the same per channel.
        within_005: share of valid routings with no weight off by more than 0.05.
        within_010: the same for 0.10.
        latency: milliseconds for one query at a time.
    """

    router: str
    queries: int
    valid: float
    rubric: float
    rubric_low: float
    rubric_high: float
    distribution: dict[str, int]
    leading: float
    mean_absolute_error: float
    channel_errors: dict[str, float]
    within_005: float
    within_010: float
    latency: Latency

    def to_dict(self) -> dict[str, Any]:
        """All values, ready for JSON; NaN becomes null."""
        return {key: _without_nan(value) for key, value in asdict(self).items()}


def evaluate(
    routers: Sequence[Router],
    examples: Sequence[Example],
    *,
    on_query: Callable[[Router], None] | None = None,
) -> list[Scores]:
    """Score routers against references.

    Args:
        routers: all for the same channels.
        examples: unlabelled ones are left out.
        on_query: called with the router after each of its queries.

    Returns:
        One record per router, in order.

    Raises:
        DataError: no example has a reference.
    """
    labelled = [(item.query, item.routing) for item in examples if item.routing is not None]
    if not labelled:
        raise DataError("none of the evaluation queries has a reference")
    queries = [query for query, _ in labelled]
    references = [routing for _, routing in labelled]
    results = []
    for router in routers:
        step = None if on_query is None else (lambda router=router: on_query(router))
        routings, latency = timed_routes(router, queries, on_query=step)
        results.append(score(router.name, routings, references, latency, router.task))
    return results


def score(
    name: str,
    routings: Sequence[Routing | None],
    references: Sequence[Routing],
    latency: Latency,
    task: Task,
) -> Scores:
    """Compare routings with references, pair by pair; None stands for a routing that failed."""
    pairs = [
        (routing, reference)
        for routing, reference in zip(routings, references, strict=True)
        if routing is not None and is_valid(routing, task)
    ]
    predicted = weights_array([routing for routing, _ in pairs], task)  # (n_valid, c)
    reference = weights_array([reference for _, reference in pairs], task)
    rubric = np.full(len(references), INVALID_SCORE)
    rubric[: len(pairs)] = rubric_scores(predicted, reference) if pairs else []
    errors = (
        absolute_errors(predicted, reference) if pairs else np.full((1, len(task.channels)), np.nan)
    )
    low, high = mean_interval(rubric)
    return Scores(
        router=name,
        queries=len(references),
        valid=len(pairs) / len(references),
        rubric=float(rubric.mean()),
        rubric_low=low,
        rubric_high=high,
        distribution={str(value): int((rubric == value).sum()) for value in (5, 4, 3, 2, 1)},
        leading=float(leading_matches(predicted, reference).mean()) if pairs else float("nan"),
        mean_absolute_error=float(errors.mean()),
        channel_errors=dict(zip(task.channel_names, map(float, errors.mean(axis=0)), strict=True)),
        within_005=float(within(predicted, reference, EXACT).mean()) if pairs else float("nan"),
        within_010=float(within(predicted, reference, CLOSE).mean()) if pairs else float("nan"),
        latency=latency,
    )


def is_valid(routing: Routing, task: Task) -> bool:
    """Whether a routing has exactly the task's channels, each 0..1, with sum 1."""
    weights = list(routing.weights.values())
    return (
        set(routing.weights) == set(task.channel_names)
        and all(0 <= weight <= 1 for weight in weights)  # false for NaN too
        and abs(sum(weights) - 1) <= _SUM_TOLERANCE
    )


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and np.isnan(value) else value
