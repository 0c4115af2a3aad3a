"""Pace, patience and budget, with clocks and services that are made up."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from filmstill.errors import BudgetError, RoutingError, ServiceError
from filmstill.models import ChatModel, Completion, Prompt
from filmstill.models.limits import (
    Budget,
    BudgetedModel,
    Pace,
    PacedModel,
    PatientModel,
    most_tokens,
)
from filmstill.models.openai import retry_after
from filmstill.models.prices import Prices

QUESTION = Prompt("system", ("question",), max_tokens=100)


class Scripted(ChatModel):
    """Raises or answers as told, in turn; then answers."""

    address = "openai:scripted"

    def __init__(self, *script: Exception) -> None:
        self.script = list(script)
        self.calls = 0

    def ask(self, prompt: Prompt) -> Completion:
        self.calls += 1
        if self.script:
            raise self.script.pop(0)
        return Completion("yes", 10, 100)


def failed(after: float | None = None) -> RoutingError:
    return RoutingError("busy", of_service=True, retry_after=after)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for, without waiting."""
    found: list[float] = []
    real, here = threading.Event.wait, threading.current_thread()

    def wait(self: threading.Event, timeout: float | None = None) -> bool:
        if threading.current_thread() is not here:  # servers of other tests
            return real(self, timeout)
        found.append(timeout or 0)
        return self.is_set()

    monkeypatch.setattr(threading.Event, "wait", wait)
    return found


def test_calls_are_spread_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pace = Pace(per_second=10)
    # one at once, then a tenth of a second apart; a weight of 5 keeps the next away for 0.5 s
    assert [round(pace.delay(), 6) for _ in range(3)] == [0, 0.1, 0.2]
    assert round(pace.delay(weight=5), 6) == 0.3
    assert round(pace.delay(), 6) == 0.8
    now = 200.0  # idle time is not saved up
    assert [round(pace.delay(), 6) for _ in range(2)] == [0, 0.1]


def test_both_limits_are_kept(waits: list[float]) -> None:
    stop = threading.Event()
    fast = PacedModel(Scripted(), stop, requests_per_minute=60_000, tokens_per_minute=6_000)
    for _ in range(3):
        fast.ask(QUESTION)
    # 100 tokens of answer and some 35 of prompt, at 100 a second
    assert waits == pytest.approx([1.35, 2.7], rel=0.05)


def test_what_may_pass_is_tried_with_growing_waits(waits: list[float]) -> None:
    model = Scripted(*[failed() for _ in range(6)])
    assert PatientModel(model, threading.Event()).ask(QUESTION).text == "yes"
    assert model.calls == 7
    assert len(waits) == 6
    for number, wait in enumerate(waits):
        assert 0 <= wait <= min(60, 0.5 * 2**number)


def test_a_service_says_how_long(waits: list[float]) -> None:
    PatientModel(Scripted(failed(7.0)), threading.Event()).ask(QUESTION)
    assert 7 <= waits[0] <= 7.1


def test_patience_ends(waits: list[float]) -> None:
    model = Scripted(*[failed() for _ in range(20)])
    with pytest.raises(RoutingError, match="busy"):
        PatientModel(model, threading.Event(), attempts=4).ask(QUESTION)
    assert model.calls == 4


@pytest.mark.parametrize("error", [RoutingError("filtered"), ServiceError("wrong key")])
def test_what_cannot_pass_is_not_tried_again(error: Exception, waits: list[float]) -> None:
    model = Scripted(error)
    with pytest.raises(type(error)):
        PatientModel(model, threading.Event()).ask(QUESTION)
    assert (model.calls, waits) == (1, [])


def test_a_service_may_be_away_for_a_while_but_not_from_the_start(waits: list[float]) -> None:
    away = ServiceError("nothing answers", unreachable=True)
    with pytest.raises(ServiceError):
        PatientModel(Scripted(away), threading.Event()).ask(QUESTION)
    model = Scripted()
    patient = PatientModel(model, threading.Event())
    patient.ask(QUESTION)
    model.script = [away, away]
    assert patient.ask(QUESTION).text == "yes"


def test_a_stopped_run_waits_for_nothing() -> None:
    stop = threading.Event()
    stop.set()
    start = time.monotonic()
    with pytest.raises(RoutingError, match="busy"):
        PatientModel(Scripted(failed(60.0), failed(60.0)), stop).ask(QUESTION)
    with pytest.raises(RoutingError, match="stopped"):
        PacedModel(Scripted(), stop, requests_per_minute=1).ask(QUESTION)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("soon", None), ("inf", None)],
)
def test_retry_after_headers(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_retry_after_as_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 784111777.0 - 30)  # RFC 9110's own example
    assert retry_after("Sun, 06 Nov 1994 08:49:37 GMT") == 30
    monkeypatch.setattr(time, "time", lambda: 784111777.0 + 30)
    assert retry_after("Sun, 06 Nov 1994 08:49:37 GMT") == 0


PRICES = Prices("today", "here", 0.0, {"scripted": (1.0, 10.0)})  # a call costs 0.01 + 1 dollars


def test_the_limit_is_never_exceeded() -> None:
    # "system" and "question" are 14 bytes, 16 more for each: with 100 tokens of answer a call
    # could cost 0.046 + 1 dollars, and costs 1.01
    assert most_tokens(QUESTION) == 46
    budget = Budget(limit=2 * 1.01 + 1.046)
    model = BudgetedModel(Scripted(), budget, PRICES)
    for _ in range(3):
        model.ask(QUESTION)
    with pytest.raises(BudgetError, match=r"3\.0300 USD are spent, .* the limit of 3\.066 USD"):
        model.ask(QUESTION)
    assert (model.calls, model.tokens_in, model.tokens_out) == (3, 30, 300)
    short = BudgetedModel(Scripted(), Budget(limit=2 * 1.01 + 1.045), PRICES)
    for _ in range(2):
        short.ask(QUESTION)
    with pytest.raises(BudgetError):
        short.ask(QUESTION)


def test_many_threads_together_stay_within_the_limit() -> None:
    class Cheap(Scripted):
        def ask(self, prompt: Prompt) -> Completion:
            time.sleep(0.001)
            return Completion("yes", 10, 10)  # 0.11 dollars; set aside is 1.046

    budget = Budget(limit=5.0)
    model = BudgetedModel(Cheap(), budget, PRICES)

    def ask(_: int) -> bool:
        try:
            model.ask(QUESTION)
        except BudgetError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        answered = sum(pool.map(ask, range(100)))
    # not one call too many, and none too few: 5 - 1.046 = 3.954 may be spent before the last call
    assert answered == 36
    assert budget.spent == pytest.approx(36 * 0.11)


def test_a_failed_call_costs_nothing() -> None:
    budget = Budget(limit=2.0)
    model = BudgetedModel(Scripted(failed(), failed(), failed()), budget, PRICES)
    for _ in range(3):
        with pytest.raises(RoutingError):
            model.ask(QUESTION)
    assert budget.spent == 0
    model.ask(QUESTION)


def test_a_model_without_a_price_costs_nothing() -> None:
    budget = Budget()
    BudgetedModel(Scripted(), budget, Prices("today", "here", 0.0, {})).ask(QUESTION)
    assert budget.spent == 0
