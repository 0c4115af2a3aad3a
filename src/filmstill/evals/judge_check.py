"""How far a judge can be trusted: its verdicts on cases whose verdict is known."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from filmstill.errors import DataError
from filmstill.evals.judges import Case, Judge, Judgement, judge_all
from filmstill.files import read_text
from filmstill.records import Routing
from filmstill.task import Task
from filmstill.weights import FloatArray

CASES = Path(__file__).with_name("judge_cases.jsonl")
"""Forty cases for the task video-search, eight per score."""
SCORES = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class KnownCase:
    """A case with its verdict.

    Attributes:
        case: what the judge is given.
        score: the right score, 1 to 5.
        why: which clause of the rubric decides.
    """

    case: Case
    score: int
    why: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a judge's verdicts compare with the known ones.

    Attributes:
        judge: its name.
        known: the right scores, one per case.
        judgement: the judge's verdicts.
        answered: how many cases it scored itself; one without a routing scores 1 by rule.
        kappa: Cohen's weighted kappa with quadratic weights over the scored cases: 1 full
            agreement, 0 what chance gives; NaN where it is not defined.
        exact: share of the scored cases with the very score, 0..1.
        near: share within one point.
    """

    judge: str
    known: tuple[int, ...]
    judgement: Judgement
    answered: int
    kappa: float
    exact: float
    near: float


def load_cases(path: Path, task: Task) -> list[KnownCase]:
    """Read cases, one JSON object a line: query, reference, prediction, score, why.

    Raises:
        DataError: a line is not of this form, as the first of an empty file; the message names it.
        StorageError: the file cannot be read.
    """
    cases = []
    for number, line in enumerate(read_text(path).rstrip("\n").split("\n"), start=1):
        try:
            record = json.loads(line)
            reference = _routing(record["reference"], task)
            score = record["score"]
            if reference is None or score not in SCORES:
                raise ValueError(
                    f"needs a reference for {', '.join(task.channel_names)} and a score from 1 to 5"
                )
            case = Case(record["query"], reference, _routing(record["prediction"], task))
            cases.append(KnownCase(case, score, record.get("why", "")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}:{number}: not a case for a judge ({error})") from error
    return cases


def check_judge(
    judge: Judge,
    cases: list[KnownCase],
    task: Task,
    *,
    on_verdict: Callable[[], None] = lambda: None,
) -> Agreement:
    """Have a judge score cases, and compare."""
    judgement = judge_all(judge, [item.case for item in cases], task, on_verdict=on_verdict)
    known = tuple(item.score for item in cases)
    pairs = np.array(
        [
            (score, verdict.score)
            for score, verdict in zip(known, judgement.verdicts, strict=True)
            if verdict.score is not None
        ],
        dtype=np.float64,
    ).reshape(-1, 2)
    apart = np.abs(pairs[:, 0] - pairs[:, 1])
    nothing = float("nan")
    return Agreement(
        judge.name,
        known,
        judgement,
        answered=sum(
            verdict.score is not None and item.case.predicted is not None
            for item, verdict in zip(cases, judgement.verdicts, strict=True)
        ),
        kappa=weighted_kappa(pairs),
        exact=float((apart == 0).mean()) if len(pairs) else nothing,
        near=float((apart <= 1).mean()) if len(pairs) else nothing,
    )


def weighted_kappa(pairs: FloatArray) -> float:
    """Cohen's kappa (1968) with quadratic weights of `(n, 2)` scores; NaN where it is undefined.

    One minus the mean squared distance of the pairs over that of all combinations of the two
    columns, which is what two raters who do not look would have.
    """
    if not len(pairs):
        return float("nan")
    seen = ((pairs[:, 0] - pairs[:, 1]) ** 2).mean()
    chance = ((pairs[:, :1] - pairs[:, 1]) ** 2).mean()
    return float(1 - seen / chance) if chance else float("nan")


def _routing(found: dict[str, Any], task: Task) -> Routing | None:
    """The routing of a record; None where a channel is missing, as a router's reply may be."""
    if not set(task.channel_names) <= set(found):
        return None
    weights = {name: float(found[name]) for name in task.channel_names}
    return Routing(weights, reasoning=str(found.get("reasoning", "")))
