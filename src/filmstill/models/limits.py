"""How fast a model may be asked, how patiently, and how much it may cost."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.nap import sleep_using_event
from tenacity.wait import wait_base, wait_random_exponential

from filmstill.errors import BudgetError, RoutingError, ServiceError
from filmstill.models.chat import ChatModel, Completion, Prompt, Wrapper
from filmstill.models.prices import Prices

ATTEMPTS = 8
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
_CHARS_PER_TOKEN = 4  # of English prose; only paces calls before the service has counted
_TOKENS_PER_TURN = 16  # that a chat template adds at most


class Pace:
    """Lets so much pass a second: after a call of weight w, the next one waits w / rate seconds.

    The generic cell rate algorithm without bursts (ITU-T I.371, appendix I). A library was looked
    for; those that are well kept either cannot weigh a call by its tokens or keep an entry for
    every token.
    """

    def __init__(self, per_second: float) -> None:
        """Take the rate; above 0."""
        self._rate = per_second
        self._lock = threading.Lock()
        self._free = 0.0  # when the next call may go

    def delay(self, weight: float = 1.0) -> float:
        """Take a place in the queue; seconds until it is due."""
        with self._lock:
            now = time.monotonic()
            due = max(now, self._free)
            self._free = due + weight / self._rate
        return due - now


class PacedModel(Wrapper):
    """A model that is asked no faster than its service allows, several threads together."""

    def __init__(
        self,
        model: ChatModel,
        stop: threading.Event,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        """Take the limits, each None for no limit; waiting ends when `stop` is set."""
        super().__init__(model)
        self._stop = stop
        self._requests = Pace(requests_per_minute / 60) if requests_per_minute else None
        self._tokens = Pace(tokens_per_minute / 60) if tokens_per_minute else None

    def ask(self, prompt: Prompt) -> Completion:
        """See `ChatModel.ask`; a token limit counts the prompt and the longest answer."""
        delay = self._requests.delay() if self._requests else 0.0
        if self._tokens:
            delay = max(delay, self._tokens.delay(estimated_tokens(prompt) + prompt.max_tokens))
        if self._stop.wait(delay) if delay > 0 else self._stop.is_set():
            raise RoutingError("stopped before it was asked", of_service=True)
        return self.model.ask(prompt)


class PatientModel(Wrapper):
    """A model that is asked again when its service fails, with growing waits with full jitter.

    A service's Retry-After is honoured. Once a service has answered, it may also be unreachable
    for a while.
    """

    def __init__(
        self, model: ChatModel, stop: threading.Event, *, attempts: int = ATTEMPTS
    ) -> None:
        """Take the model, when to give up waiting, and the number of tries."""
        super().__init__(model)
        self._answered = False
        self._retrying = Retrying(
            retry=retry_if_exception(self._may_pass),
            wait=_Wait(),
            stop=lambda state: stop.is_set() or stop_after_attempt(attempts)(state),
            sleep=sleep_using_event(stop),
            reraise=True,
        )

    def ask(self, prompt: Prompt) -> Completion:
        """See `ChatModel.ask`."""
        answer: Completion = self._retrying.copy()(self.model.ask, prompt)
        self._answered = True
        return answer

    def _may_pass(self, error: BaseException) -> bool:
        if isinstance(error, ServiceError):
            return error.unreachable and self._answered
        return isinstance(error, RoutingError) and error.of_service


class _Wait(wait_base):
    """As long as the service asks for, else a random time below an exponential bound."""

    def __init__(self) -> None:
        self._random = wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S)

    def __call__(self, retry_state: RetryCallState) -> float:
        outcome = retry_state.outcome
        error = outcome.exception() if outcome else None
        asked = error.retry_after if isinstance(error, RoutingError) else None
        if asked is None:
            return self._random(retry_state)
        # Not all at the same moment, or the service is overrun again.
        return asked + self._random(retry_state) / 10


class Budget:
    """What may be spent, by several models and threads together.

    Before a call its highest possible price is set aside; when it is answered, its real price
    takes that place.

    Attributes:
        spent: US dollars so far.
    """

    def __init__(self, limit: float | None = None, spent: float = 0.0) -> None:
        """Take the most to spend in dollars, None for no limit, and what is spent already."""
        self.spent = spent
        self._limit = limit
        self._reserved: list[float] = []
        self._changed = threading.Condition()

    @contextmanager
    def reserved(self, most: float) -> Iterator[list[float]]:
        """Set `most` dollars aside for the block; it appends what was spent to the list it gets.

        Raises:
            BudgetError: so much is not left.
        """
        with self._changed:
            while self._limit is not None and self.spent + sum(self._reserved) + most > self._limit:
                if not self._reserved:  # nothing under way that could turn out cheaper
                    raise BudgetError(
                        f"{self.spent:.4f} USD are spent, and the next answer could exceed the "
                        f"limit of {self._limit:g} USD"
                    )
                self._changed.wait()
            self._reserved.append(most)
        paid: list[float] = []
        try:
            yield paid
        finally:
            with self._changed:
                self._reserved.remove(most)
                self.spent += sum(paid)
                self._changed.notify_all()


class BudgetedModel(Wrapper):
    """A model that is not asked where the answer could cost more than is left.

    Attributes:
        calls: answered calls so far.
        tokens_in, tokens_out: of these calls.
    """

    def __init__(self, model: ChatModel, budget: Budget, prices: Prices) -> None:
        """Take the model, what may be spent and the prices; a model without one costs nothing."""
        super().__init__(model)
        self.calls = self.tokens_in = self.tokens_out = 0
        self._budget = budget
        self._prices = prices
        self._lock = threading.Lock()

    def ask(self, prompt: Prompt) -> Completion:
        """See `ChatModel.ask`.

        Raises:
            BudgetError: the answer could cost more than is left.
        """
        most = self._cost(most_tokens(prompt), prompt.max_tokens)
        with self._budget.reserved(most) as paid:
            answer = self.model.ask(prompt)
            paid.append(self._cost(answer.tokens_in, answer.tokens_out))
        with self._lock:
            self.calls += 1
            self.tokens_in += answer.tokens_in
            self.tokens_out += answer.tokens_out
        return answer

    def _cost(self, tokens_in: int, tokens_out: int) -> float:
        return self._prices.cost(self.address, tokens_in, tokens_out) or 0.0


def estimated_tokens(prompt: Prompt) -> float:
    """How many tokens a prompt has, about."""
    texts = (prompt.system, *prompt.turns)
    return sum(len(text) / _CHARS_PER_TOKEN + _TOKENS_PER_TURN for text in texts)


def most_tokens(prompt: Prompt) -> int:
    """How many tokens a prompt can have at most: one per byte, and what its turns add."""
    texts = [prompt.system, *prompt.turns]
    if prompt.schema is not None:
        texts.append(str(prompt.schema))
    return sum(len(text.encode("utf-8", "replace")) + _TOKENS_PER_TURN for text in texts)
