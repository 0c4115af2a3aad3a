import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from filmstill import Example, Router, Routing, Task, evaluate
from filmstill.errors import DataError, RoutingError

NAMES = ("visual", "audio", "transcription", "metadata")


def routing(*weights: float) -> Routing:
    return Routing(dict(zip(NAMES, weights, strict=True)))


class Scripted(Router):
    """Answers from a table; raises where the table says so."""

    name = "scripted"

    def __init__(self, task: Task, answers: dict[str, Routing | None]) -> None:
        self.task, self.answers = task, answers

    def route_many(
        self, queries: Sequence[str], *, explain: bool = False, raw: bool = False
    ) -> list[Routing]:
        found = [self.answers[query] for query in queries]
        if None in found:
            raise RoutingError("the model answered nonsense")
        return [item for item in found if item is not None]


EXAMPLES = [
    Example("exact", routing(0.7, 0.1, 0.0, 0.2)),
    Example("close", routing(0.7, 0.1, 0.0, 0.2)),
    Example("wrong", routing(0.7, 0.1, 0.0, 0.2)),
    Example("fails", routing(0.7, 0.1, 0.0, 0.2)),
    Example("sum", routing(0.7, 0.1, 0.0, 0.2)),
    Example("no reference"),
]
ANSWERS = {
    "exact": routing(0.7, 0.1, 0.0, 0.2),
    "close": routing(0.6, 0.2, 0.0, 0.2),
    "wrong": routing(0.0, 0.1, 0.7, 0.2),
    "fails": None,
    "sum": routing(0.7, 0.1, 0.0, 0.1),
}


def test_every_figure_by_hand(task: Task) -> None:
    seen = []
    [scores] = evaluate(
        [Scripted(task, ANSWERS)], EXAMPLES, on_query=lambda r: seen.append(r.name)
    ).scores
    assert scores.queries == len(seen) == 5
    assert scores.valid == pytest.approx(3 / 5)
    # 5, 4, 1 for the valid ones, 1 each for the failed reply and the wrong sum
    assert scores.distribution == {"5": 1, "4": 1, "3": 0, "2": 0, "1": 3}
    assert scores.rubric == pytest.approx((5 + 4 + 1 + 1 + 1) / 5)
    assert scores.rubric_low <= scores.rubric <= scores.rubric_high
    assert scores.leading == pytest.approx(2 / 3)
    assert (scores.within_005, scores.within_010) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert scores.channel_errors == {
        "visual": pytest.approx((0 + 0.1 + 0.7) / 3),
        "audio": pytest.approx((0 + 0.1 + 0) / 3),
        "transcription": pytest.approx(0.7 / 3),
        "metadata": pytest.approx(0),
    }
    assert scores.mean_absolute_error == pytest.approx((0.2 + 1.4) / 12)
    assert scores.latency.p50 <= scores.latency.p95 <= scores.latency.p99


def test_a_router_that_never_answers(task: Task) -> None:
    [scores] = evaluate([Scripted(task, {"exact": None})], EXAMPLES[:1]).scores
    assert (scores.valid, scores.rubric) == (0, 1)
    assert math.isnan(scores.leading)
    plain = json.loads(json.dumps(scores.to_dict(), allow_nan=False))
    assert plain["leading"] is None
    assert plain["channel_errors"]["visual"] is None


@pytest.mark.parametrize(
    "bad",
    [
        Routing({"visual": 1.0}),
        Routing({**ANSWERS["exact"].weights, "smell": 0.0}),  # type: ignore[union-attr]
        routing(1.1, -0.1, 0.0, 0.0),
        routing(float("nan"), 0.5, 0.3, 0.2),
    ],
)
def test_what_is_no_valid_routing(task: Task, bad: Routing) -> None:
    [scores] = evaluate([Scripted(task, {"exact": bad})], EXAMPLES[:1]).scores
    assert scores.valid == 0


class Counted(Scripted):
    """Refuses its first query, and counts what it is asked."""

    def __init__(self, task: Task, *, billed: bool = False, explains: bool = True) -> None:
        super().__init__(task, {**ANSWERS, "exact": None})
        self.billed, self.explains = billed, explains
        self.asked: list[tuple[str, bool]] = []

    def route_many(
        self, queries: Sequence[str], *, explain: bool = False, raw: bool = False
    ) -> list[Routing]:
        self.asked += [(query, explain) for query in queries]
        return super().route_many(queries)


def test_what_is_paid_for_is_asked_once(task: Task) -> None:
    asked = [(example.query, False) for example in EXAMPLES[:5]]
    paid = Counted(task, billed=True)
    evaluate([paid], EXAMPLES, explain=True)
    assert paid.asked == asked


@pytest.mark.parametrize("explains", [True, False])
def test_only_what_explains_is_asked_to(task: Task, explains: bool) -> None:
    asked = [(example.query, False) for example in EXAMPLES[:5]]
    router = Counted(task, explains=explains)
    evaluate([router], EXAMPLES, explain=True)
    with_reasoning = [(query, True) for query in ("close", "wrong", "sum")]
    warm_up = asked[:1] + asked[1:]
    assert router.asked == warm_up + asked + (with_reasoning if explains else [])


@pytest.mark.parametrize("address", ["mean", "tfidf"])
def test_baselines_have_nothing_to_explain(
    address: str, training_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = Router.load(address, training=training_file)
    route, asked = router.route, []

    def counted(query: str, *, explain: bool = False) -> Routing:
        asked.append(explain)
        return route(query, explain=explain)

    monkeypatch.setattr(router, "route", counted)
    evaluate([router], EXAMPLES, explain=True)
    assert asked
    assert not any(asked)


def test_nothing_to_evaluate(task: Task) -> None:
    with pytest.raises(DataError, match="none of the evaluation queries has a reference"):
        evaluate([Scripted(task, ANSWERS)], EXAMPLES[-1:])
