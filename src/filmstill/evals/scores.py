"""The figures of one router on a set of queries."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

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
from filmstill.weights import weights_array

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
    tokens_in: float
    tokens_out: float

    def to_dict(self) -> dict[str, Any]:
        """All values, ready for JSON; NaN becomes null."""
        plain: dict[str, Any] = without_nan(asdict(self))
        return plain


def score(
    router: Router, answers: Sequence[Answer], references: Sequence[Routing], latency: Latency
) -> tuple[Scores, IntArray]:
    """Compare answers with references, pair by pair.

    Returns:
        The figures, and the rubric score of every query, `(n,)`; 0 for one that was not asked.
    """
    task = router.task
    rubric = np.full(len(references), INVALID_SCORE)
    rubric[[index for index, answer in enumerate(answers) if not answer.asked]] = 0
    places = [
        index
        for index, answer in enumerate(answers)
        if answer.routing is not None and is_valid(answer.routing, task)
    ]
    predicted = weights_array([answers[index].routing for index in places], task)  # type: ignore[misc]
    reference = weights_array([references[index] for index in places], task)  # (n_valid, c)
    none = np.full((1, len(task.channels)), np.nan)
    rubric[places] = rubric_scores(predicted, reference) if places else []
    errors = absolute_errors(predicted, reference) if places else none
    asked = rubric[rubric > 0]
    low, high = mean_interval(asked) if len(asked) else (float("nan"), float("nan"))
    replies = [answer.reply for answer in answers if answer.reply is not None]
    scores = Scores(
        router=router.name,
        queries=len(references),
        unasked=int((rubric == 0).sum()),
        valid=len(places) / max(1, len(asked)),
        rubric=float(asked.mean()) if len(asked) else float("nan"),
        rubric_low=low,
        rubric_high=high,
        distribution={str(value): int((rubric == value).sum()) for value in (5, 4, 3, 2, 1)},
        leading=float(leading_matches(predicted, reference).mean()) if places else float("nan"),
        mean_absolute_error=float(errors.mean()),
        channel_errors=dict(zip(task.channel_names, map(float, errors.mean(axis=0)), strict=True)),
        within_005=float(within(predicted, reference, EXACT).mean()) if places else float("nan"),
        within_010=float(within(predicted, reference, CLOSE).mean()) if places else float("nan"),
        latency=latency,
        format=_format(answers),
        timed=router.timed,
        billed=router.billed,
        tokens_in=float(np.mean([reply.tokens_in for reply in replies])) if replies else 0.0,
        tokens_out=float(np.mean([reply.tokens_out for reply in replies])) if replies else 0.0,
    )
    return scores, rubric


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
