"""Routers against references: every metric, for every router, on the same queries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from filmstill.errors import DataError
from filmstill.evals.breakdown import Bin, Slice, confusion, reliability, slices
from filmstill.evals.latency import Answer, timed_routes
from filmstill.evals.metrics import IntArray
from filmstill.evals.noise import TeacherNoise, teacher_noise
from filmstill.evals.reasoning import ReasoningCheck, check_reasoning
from filmstill.evals.scores import Comparison, Scores, compare, score
from filmstill.evals.significance import Difference, paired_difference
from filmstill.records import Example
from filmstill.router import Router
from filmstill.task import Task
from filmstill.weights import FloatArray

HARDEST = 20


@dataclass(frozen=True)
class Result:
    """One router's answers and what they are worth.

    Attributes:
        scores: the figures.
        answers: one per query, in order.
        rubric: rubric score per query, `(n,)`, 1 to 5; 0 where the router was not asked.
        slices: scores by tag.
        confusion: leading channels over valid routings, `(c, c)`: rows reference, columns router.
        bins: confidence against how often it was right; empty without confidences.
        calibration_error: expected calibration error, 0..1; None without confidences.
        reasoning: what the reasonings are like; None where there are none.
    """

    scores: Scores
    answers: tuple[Answer, ...]
    rubric: IntArray
    slices: tuple[Slice, ...]
    confusion: FloatArray
    bins: tuple[Bin, ...]
    calibration_error: float | None
    reasoning: ReasoningCheck | None


@dataclass(frozen=True)
class Evaluation:
    """Several routers on the same queries.

    Attributes:
        task: what was routed.
        examples: the queries with their references.
        results: one per router, in the order given.
        noise: how far the references disagree among themselves; None where no query is repeated.
    """

    task: Task
    examples: tuple[Example, ...]
    results: tuple[Result, ...]
    noise: TeacherNoise | None

    @property
    def scores(self) -> list[Scores]:
        """The figures of every router."""
        return [result.scores for result in self.results]

    @cached_property
    def differences(self) -> list[Difference]:
        """Every router but the first against the first, on the queries that both were asked."""
        first, found = self.results[0], []
        for other in self.results[1:]:
            both = (first.rubric > 0) & (other.rubric > 0)
            if both.any():
                found.append(
                    paired_difference(
                        other.scores.router,
                        other.rubric[both],
                        first.scores.router,
                        first.rubric[both],
                    )
                )
        return found

    @cached_property
    def hardest(self) -> list[int]:
        """Indices of the queries that the routers got wrong the most, worst first."""
        scores = np.array([np.where(item.rubric > 0, item.rubric, 5) for item in self.results])
        return [int(index) for index in np.argsort(scores.mean(axis=0), kind="stable")[:HARDEST]]


def evaluate(
    routers: Sequence[Router],
    examples: Sequence[Example],
    *,
    explain: bool = False,
    on_query: Callable[[Router], None] | None = None,
) -> Evaluation:
    """Score routers against references.

    Args:
        routers: all for the same channels; at least one.
        examples: unlabelled ones are left out.
        explain: also ask for reasonings and check them; in a pass of its own, so that it is in no
            latency.
        on_query: called with the router after each of its queries.

    Raises:
        DataError: no example has a reference.
    """
    labelled = [item for item in examples if item.routing is not None]
    if not labelled:
        raise DataError("none of the evaluation queries has a reference")
    results = []
    for router in routers:
        step = None if on_query is None else (lambda router=router: on_query(router))
        results.append(_result(router, labelled, explain=explain, on_query=step))
    task = routers[0].task
    return Evaluation(task, tuple(labelled), tuple(results), teacher_noise(labelled, task))


def _result(
    router: Router,
    examples: list[Example],
    *,
    explain: bool,
    on_query: Callable[[], None] | None,
) -> Result:
    task = router.task
    references = [item.routing for item in examples if item.routing is not None]
    answers, latency = timed_routes(router, [item.query for item in examples], on_query=on_query)
    if explain:
        answers = [explained(router, answer) for answer in answers]
    compared = compare(answers, references, task)
    bins, error = _calibration(compared)
    return Result(
        scores=score(router, answers, compared, latency),
        answers=tuple(answers),
        rubric=compared.rubric,
        slices=tuple(
            slices(examples, compared.rubric, compared.leading, compared.errors.mean(axis=1))
        ),
        confusion=confusion(compared.predicted, compared.reference),
        bins=bins,
        calibration_error=error,
        reasoning=check_reasoning(
            [
                (examples[index].query, routing)
                for index, routing in zip(compared.places, compared.routings, strict=True)
            ],
            task,
        ),
    )


def explained(router: Router, answer: Answer) -> Answer:
    """The same answer with a reasoning.

    It stays as it is where it has one or is none, where the router has no reasoning to give, and
    where asking again would be paid again.
    """
    if answer.routing is None or answer.routing.reasoning:
        return answer
    if router.billed or not router.explains:
        return answer
    return Answer(answer.query, router.route(answer.query, explain=True))


def _calibration(compared: Comparison) -> tuple[tuple[Bin, ...], float | None]:
    known = [
        (routing.confidence, compared.leading[index])
        for index, routing in zip(compared.places, compared.routings, strict=True)
        if routing.confidence is not None
    ]
    if not known:
        return (), None
    confidence, right = np.array(known, dtype=np.float64).T
    bins, error = reliability(confidence, right)
    return tuple(bins), error
