"""The figures of one router on a set of queries."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from filmstill.evals.bootstrap import mean_interval
from filmstill.evals.latency import Answer, Latency
from filmstill.evals.metrics import (
    CLOSE,
    EXACT,
    IntArray,
    absolute_errors,
    leading_matches,
    rubric_scores,
    within,
)
from filmstill.records import Routing
from filmstill.router import Router
from filmstill.task import Task
from filmstill.weights import FloatArray, weights_array

_SUM_TOLERANCE = 1e-6
INVALID_SCORE = 1  # what the rubric gives a routing with missing keys or none at all


@dataclass(frozen=True, slots=True)
class Format:
    """How well a language model kept to the form asked for; shares (0..1) of its replies.

    Attributes:
        replies: how many there were.
        is_json: one JSON object and nothing else.
        has_keys: every channel, a number each.
        sums: the weights sum to 1 as given.
        consistent: all of these.
    """

    replies: int
    is_json: float
    has_keys: float
    sums: float
    consistent: float


@dataclass(frozen=True, slots=True)
class Scores:
    """How one router did on a set of queries.

    Attributes:
        router: its name.
        queries: how many queries there were.
        unasked: how many were not asked, since the service was gone; they are in no other figure.
        valid: share (0..1) with a valid routing: every channel, 0..1 each, sum 1.
        rubric: mean rubric score, 1 to 5, higher is better; an invalid routing scores 1.
        rubric_low: lower bound of its bootstrap 95 % interval.
        rubric_high: upper bound.
        distribution: how many queries got each score, keys "5" to "1".
        leading: share of valid routings with the reference's leading channel, ties allowed.
        mean_absolute_error: per weight, over the valid routings, 0..1, lower is better; NaN, as
            all that follow down to `within_010`, where no routing is valid.
        channel_errors: the same per channel.
        within_005: share of valid routings with no weight off by more than 0.05.
        within_010: the same for 0.10.
        latency: milliseconds for one query at a time.
        format: how well a language model kept to the form; None for other routers.
        timed: whether the latency says anything of the router; not so for a recording.
        billed: whether the router is paid by the token.
        priced_as: whose price its tokens have: a model's address, or a part of one.
        tokens_in: mean tokens a prompt; 0 where the service did not say or none was asked.
        tokens_out: mean tokens a reply.
    """

    router: str
    queries: int
    unasked: int
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
    format: Format | None
    timed: bool
    billed: bool
    priced_as: str
    tokens_in: float
    tokens_out: float

    def to_dict(self) -> dict[str, Any]:
        """All values, ready for JSON; NaN becomes null."""
        plain: dict[str, Any] = without_nan(asdict(self))
        return plain


@dataclass(frozen=True, slots=True)
class Comparison:
    """One router's answers beside the references, query by query.

    Attributes:
        places: indices of the queries with a valid routing.
        routings: those routings.
        predicted: their weights, `(n_valid, c)`.
        reference: the references' weights for the same queries, `(n_valid, c)`.
        rubric: rubric score per query, `(n,)`, 1 to 5; 0 for one that was not asked.
        leading: 1 where the leading channel is right, else 0, `(n,)`; NaN without a valid routing.
        errors: absolute error of every weight, `(n, c)`; NaN without a valid routing.
    """

    places: list[int]
    routings: list[Routing]
    predicted: FloatArray
    reference: FloatArray
    rubric: IntArray
    leading: FloatArray
    errors: FloatArray


def compare(answers: Sequence[Answer], references: Sequence[Routing], task: Task) -> Comparison:
    """Compare answers with references, pair by pair."""
    valid = [
        (index, answer.routing)
        for index, answer in enumerate(answers)
        if answer.routing is not None and is_valid(answer.routing, task)
    ]
    places, routings = [index for index, _ in valid], [routing for _, routing in valid]
    predicted = weights_array(routings, task)
    reference = weights_array([references[index] for index in places], task)
    rubric = np.array([INVALID_SCORE if answer.asked else 0 for answer in answers])
    rubric[places] = rubric_scores(predicted, reference)
    leading = np.full(len(answers), np.nan)
    leading[places] = leading_matches(predicted, reference)
    errors = np.full((len(answers), len(task.channels)), np.nan)
    errors[places] = absolute_errors(predicted, reference)
    return Comparison(places, routings, predicted, reference, rubric, leading, errors)


def score(
    router: Router, answers: Sequence[Answer], compared: Comparison, latency: Latency
) -> Scores:
    """The figures; at least one query was asked."""
    places = compared.places
    rubric = compared.rubric
    asked = rubric[rubric > 0]
    low, high = mean_interval(asked)
    leading, errors = compared.leading[places], compared.errors[places]
    replies = [answer.reply for answer in answers if answer.reply is not None]
    return Scores(
        router=router.name,
        queries=len(answers),
        unasked=int((rubric == 0).sum()),
        valid=len(compared.places) / len(asked),
        rubric=float(asked.mean()),
        rubric_low=low,
        rubric_high=high,
        distribution={str(value): int((rubric == value).sum()) for value in (5, 4, 3, 2, 1)},
        leading=_mean(leading),
        mean_absolute_error=_mean(errors),
        channel_errors={
            name: _mean(column)
            for name, column in zip(router.task.channel_names, errors.T, strict=True)
        },
        within_005=_mean(within(compared.predicted, compared.reference, EXACT)),
        within_010=_mean(within(compared.predicted, compared.reference, CLOSE)),
        latency=latency,
        format=_format(answers),
        timed=router.timed,
        billed=router.billed,
        priced_as=router.priced_as or router.name,
        tokens_in=float(np.mean([reply.tokens_in for reply in replies])) if replies else 0.0,
        tokens_out=float(np.mean([reply.tokens_out for reply in replies])) if replies else 0.0,
    )


def _mean(values: npt.NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def is_valid(routing: Routing, task: Task) -> bool:
    """Whether a routing has exactly the task's channels, each 0..1, with sum 1."""
    weights = list(routing.weights.values())
    return (
        set(routing.weights) == set(task.channel_names)
        and all(0 <= weight <= 1 for weight in weights)  # false for NaN too
        and abs(sum(weights) - 1) <= _SUM_TOLERANCE
    )


def _format(answers: Sequence[Answer]) -> Format | None:
    replies = [answer.reply for answer in answers if answer.reply is not None]
    if not replies:
        return None
    return Format(
        len(replies),
        *(
            sum(getattr(reply, name) for reply in replies) / len(replies)
            for name in ("is_json", "has_keys", "sums", "consistent")
        ),
    )


def without_nan(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The same JSON value with null for every NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
