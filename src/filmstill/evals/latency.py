"""How long a router takes for one query, and what it answers."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from filmstill.errors import RoutingError, ServiceError
from filmstill.records import Reply, Routing
from filmstill.router import Router

WARM_UP = 5  # queries
GIVE_UP_AFTER = 5
"""Calls in a row that a service failed before it counts as gone: the rest is not asked."""
_SLOW_MS = 100.0  # warming up a router whose first call takes longer is not worth the wait
_NOT_ASKED = "not asked: the service was gone"


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds per query, one query at a time.

    Attributes:
        mean: mean.
        p50: median.
        p95: 95th percentile.
        p99: 99th percentile.
        first: of the first query, which also warms the caches; it is in none of the others.
        cpu: mean time of this process's CPU; what a service spends elsewhere is not in it.
    """

    mean: float
    p50: float
    p95: float
    p99: float
    first: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a router made of one query.

    Attributes:
        query: the query.
        routing: the routing, or None where there is none.
        failure: why there is none; empty where there is one.
        reply: what a language model answered, where one did.
        asked: whether the router was asked at all.
        of_service: it failed since a service did.
    """

    query: str
    routing: Routing | None
    failure: str = ""
    reply: Reply | None = None
    asked: bool = True
    of_service: bool = False


def timed_routes(
    router: Router, queries: Sequence[str], *, on_query: Callable[[], None] | None = None
) -> tuple[list[Answer], Latency]:
    """Route queries one by one, as a service would, with the time that each took.

    A fast router that nobody pays for routes a few queries first without being timed, so that
    caches are warm.
    Time spent in `on_query` is in no figure. Where a language model answered, its time is that of
    the call, though the answer may come out of a journal now. A failed query's time counts.

    Args:
        router: any router.
        queries: at least one.
        on_query: called after every query.
    """
    first, first_ms, first_cpu = _timed(router, queries[0])
    fast = not router.billed and first_ms < _SLOW_MS
    for query in queries[1:WARM_UP] if fast else ():
        _timed(router, query)
    answers, times, spent = [], [], []
    failed = 0
    for number, query in enumerate(queries):
        if failed >= GIVE_UP_AFTER:
            answers.append(Answer(query, None, _NOT_ASKED, asked=False))
        elif number == 0 and not fast:
            answers.append(first)
        else:
            answer, milliseconds, cpu = _timed(router, query)
            answers.append(answer)
            times.append(milliseconds)
            spent.append(cpu)
        if answers[-1].asked:
            failed = failed + 1 if answers[-1].of_service else 0
        if on_query:
            on_query()
    if not times:
        times, spent = [first_ms], [first_cpu]
    p50, p95, p99 = (float(value) for value in np.percentile(times, [50, 95, 99]))
    return answers, Latency(float(np.mean(times)), p50, p95, p99, first_ms, float(np.mean(spent)))


def _timed(router: Router, query: str) -> tuple[Answer, float, float]:
    """Answer, milliseconds and milliseconds of CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    try:
        routing = router.route(query, explain=False)
        answer = Answer(query, routing, reply=routing.reply)
    except RoutingError as error:
        answer = Answer(query, None, str(error), error.reply, of_service=error.of_service)
    except ServiceError as error:
        answer = Answer(query, None, str(error), of_service=True)
    milliseconds = (time.perf_counter() - start) * 1000
    spent = (time.process_time() - cpu) * 1000
    if answer.reply is not None and answer.reply.milliseconds:
        milliseconds = answer.reply.milliseconds
    return answer, milliseconds, spent
