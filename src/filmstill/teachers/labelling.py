"""The labelling run: many queries at once, then the labels in the order of the queries.

Two passes. `ask_all` fills the journal, as many calls at a time as may be; it can be stopped at any
moment. Then `label_of` reads the label of every query, in order, out of the journal, so that the
result is the same however the first pass went, and memory does not grow with the number of queries.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from filmstill.errors import BudgetError, RoutingError, ServiceError, StorageError
from filmstill.evals.latency import GIVE_UP_AFTER
from filmstill.models import ChatModel, Completion, Prompt
from filmstill.records import Routing
from filmstill.task import Task
from filmstill.teachers.teacher import Teacher
from filmstill.weights import RAW_STEPS, snap, weights_array, weights_mapping


@dataclass(frozen=True, slots=True)
class Label:
    """What a teacher made of one query.

    Attributes:
        query: the query.
        routing: the label, or None.
        samples: the labels it is the mean of; the label itself where there is one.
        reason: why there is no label; empty where there is one.
        reply: what the teacher said instead.
        pending: it was not asked yet, or its service failed: another run may label it.
    """

    query: str
    routing: Routing | None
    samples: tuple[Routing, ...] = ()
    reason: str = ""
    reply: str = ""
    pending: bool = False


@dataclass(slots=True)
class Asked:
    """How a first pass went.

    Attributes:
        done: labels that are there now, those included that cannot be used.
        rejected: labels that cannot be used.
        failed: labels the service failed to the end.
        stopped: why the pass ended early; None where it did not.
    """

    done: int = 0
    rejected: int = 0
    failed: int = 0
    stopped: Exception | None = None
    in_a_row: int = field(default=0, repr=False)


class Unasked(ChatModel):
    """A model that answers nothing: behind a journal, what the journal does not hold is pending."""

    def __init__(self, address: str, place: str = "") -> None:
        """Take the address and the place of the model that it stands for."""
        self.address = address
        self.place = place

    def ask(self, prompt: Prompt) -> Completion:
        """See `ChatModel.ask`."""
        raise RoutingError("it was not asked yet", of_service=True)


def ask_all(
    teacher: Teacher,
    queries: Iterable[str],
    *,
    samples: int,
    workers: int,
    stop: threading.Event,
    on_answer: Callable[[Asked], None] = lambda asked: None,
) -> Asked:
    """Have a teacher label queries, several at a time; what it says is in its journal afterwards.

    Args:
        teacher: a teacher with a journal behind it.
        queries: read as they are needed.
        samples: labels per query.
        workers: calls at a time.
        stop: set it to end the pass after the calls under way.
        on_answer: called after every label with how it goes, from this thread.

    Raises:
        StorageError: the journal cannot be written.
    """
    asked = Asked()
    running: set[Future[Routing]] = set()
    with ThreadPoolExecutor(workers, thread_name_prefix="teacher") as pool:
        try:
            for query, sample in _each(queries, samples):
                if stop.is_set() or asked.stopped:
                    break
                running.add(pool.submit(teacher.label, query, sample))
                if len(running) >= 2 * workers:
                    running = _settle(running, asked, on_answer)
                if asked.stopped:
                    stop.set()
            while running:
                running = _settle(running, asked, on_answer)
                if asked.stopped:
                    stop.set()
        except BaseException:  # Ctrl-C: those under way finish, the rest is not begun
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return asked


def label_of(teacher: Teacher, query: str, *, samples: int) -> Label:
    """A teacher's label of a query; several become their mean.

    Raises:
        ServiceError, StorageError: see `Teacher.label`.
    """
    found: list[Routing] = []
    error: RoutingError | None = None
    for sample in range(samples):
        try:
            found.append(teacher.label(query, sample))
        except RoutingError as failure:
            error = failure
            if failure.of_service:
                break
    if error is not None and (error.of_service or not found):
        reply = error.reply.text if error.reply else ""
        return Label(query, None, (), str(error), reply, pending=error.of_service)
    return Label(query, mean_routing(found, teacher.task), tuple(found))


def mean_routing(routings: list[Routing], task: Task) -> Routing:
    """The mean of several labels, with the reasoning of the one next to it; not on the grid."""
    if len(routings) == 1:
        return routings[0]
    weights = weights_array(routings, task)  # (k, c)
    mean = weights.mean(axis=0)
    nearest = int(np.argmin(((weights - mean) ** 2).sum(axis=1)))
    return replace(
        routings[nearest], weights=weights_mapping(snap([mean], RAW_STEPS)[0], task), reply=None
    )


def _each(queries: Iterable[str], samples: int) -> Iterator[tuple[str, int]]:
    for query in queries:
        yield from product([query], range(samples))


def _settle(
    running: set[Future[Routing]], asked: Asked, on_answer: Callable[[Asked], None]
) -> set[Future[Routing]]:
    """Wait for at least one call and take note of how it went; those still under way."""
    finished, running = wait(running, return_when=FIRST_COMPLETED)
    for future in finished:
        error = future.exception()
        if isinstance(error, RoutingError) and error.of_service:
            asked.failed += 1
            asked.in_a_row += 1
            if asked.in_a_row >= GIVE_UP_AFTER:
                asked.stopped = asked.stopped or error
        elif isinstance(error, ServiceError | BudgetError | StorageError):
            asked.stopped = asked.stopped or error
        elif error is not None and not isinstance(error, RoutingError):
            raise error
        else:
            asked.done += 1
            asked.rejected += error is not None
            asked.in_a_row = 0
        on_answer(asked)
    return running
