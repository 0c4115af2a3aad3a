"""How long a router takes for one query."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from filmstill.errors import RoutingError
from filmstill.records import Routing
from filmstill.router import Router

WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds per query, one query at a time.

    Attributes:
        mean: mean.
        p50: median.
        p95: 95th percentile.
        p99: 99th percentile.
    """

    mean: float
    p50: float
    p95: float
    p99: float


def timed_routes(
    router: Router, queries: Sequence[str], *, on_query: Callable[[], None] | None = None
) -> tuple[list[Routing | None], Latency]:
    """Route queries one by one, as a service would, with the time that each took.

    A few queries are routed first without being timed, so that caches are warm. Where the router
    has no valid routing for a query, None stands for it, and its time counts.

    Args:
        router: any router.
        queries: at least one.
        on_query: called after every timed query.
    """
    for query in queries[:WARM_UP]:
        _try(router, query)
    routings, times = [], []
    for query in queries:
        start = time.perf_counter()
        routings.append(_try(router, query))
        times.append((time.perf_counter() - start) * 1000)
        if on_query:
            on_query()
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return routings, Latency(float(np.mean(times)), float(p50), float(p95), float(p99))


def _try(router: Router, query: str) -> Routing | None:
    try:
        return router.route(query)
    except RoutingError:
        return None
