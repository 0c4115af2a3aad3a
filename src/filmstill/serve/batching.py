"""Micro-batches: one thread routes for a student, for all requests together.

Batches pay only where they are small and their queries of like length. Measured with the shipped
student on one core, in milliseconds a query: one by one 2.20; 32 at a time, as they come, 3.43,
since short ones are filled up to the longest; up to four of like length out of 32 that wait 1.81,
out of four 1.96.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from filmstill.errors import OverloadError
from filmstill.query import clean_query
from filmstill.records import Routing
from filmstill.router import Router
from filmstill.student.runtime import BATCH

TOGETHER = 4
"""Queries a call of the router; with an explanation it is one, which takes as long as six."""
ALIKE = 30
"""Characters by which they differ at most: to fill up more costs more than another call."""


class ClosedError(Exception):
    """The batcher takes no more queries; another one serves the name by now, or none does."""


class _Request:
    """The queries that one caller waits for."""

    def __init__(self, queries: list[str], *, explain: bool, raw: bool) -> None:
        self.queries = queries
        self.explain = explain
        self.raw = raw
        self.routings: dict[int, Routing] = {}
        self.future: asyncio.Future[list[Routing]] = asyncio.get_running_loop().create_future()
        # By length, so that what is taken together fills up little.
        self.todo = deque(sorted(range(len(queries)), key=lambda index: len(queries[index])))


@dataclass(frozen=True, slots=True)
class _Item:
    request: _Request
    index: int

    @property
    def query(self) -> str:
        return self.request.queries[self.index]

    def order(self) -> tuple[bool, bool, int]:
        """Items with the same options stand together, by length."""
        return self.request.explain, self.request.raw, len(self.query)

    def fits(self, batch: list["_Item"]) -> bool:
        """Whether it is routed with others, of which the first is the shortest."""
        *options, length = self.order()
        *others, shortest = batch[0].order()
        size = 1 if self.request.explain else TOGETHER
        return options == others and len(batch) < size and length - shortest <= ALIKE


class Batcher:
    """Routes the queries of many requests with one router, in a thread of its own."""

    def __init__(
        self, router: Router, *, limit: int, on_batch: Callable[[int], object] = lambda _: None
    ) -> None:
        """Start the thread.

        Args:
            router: what routes; used by this thread alone.
            limit: queries that may wait.
            on_batch: is told the size of every batch, in the thread.
        """
        self._router = router
        self._limit = limit
        self._on_batch = on_batch
        self._requests: deque[_Request] = deque()
        self._queries = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Queries that nobody works on yet."""
        return self._queries

    async def route(
        self, queries: Sequence[str], *, explain: bool = False, raw: bool = False
    ) -> list[Routing]:
        """Route queries; see `Router.route_many`.

        Raises:
            QueryError: a query cannot be routed.
            OverloadError: too many wait already.
            ClosedError: the batcher was closed.
        """
        request = _Request([clean_query(text) for text in queries], explain=explain, raw=raw)
        if not request.queries:
            return []
        with self._changed:
            if self._closed:
                raise ClosedError
            if self._queries + len(request.queries) > self._limit:
                raise OverloadError(
                    f"{self._queries:,} queries wait already and the limit is {self._limit:,}: "
                    f"try again in a moment"
                )
            self._queries += len(request.queries)
            self._requests.append(request)
            self._changed.notify()
        return await request.future

    def close(self) -> None:
        """Take no more; the thread ends when what waits is routed."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _work(self) -> None:
        while turn := self._turn():
            for batch in _batches(turn):
                self._run(batch)

    def _turn(self) -> list[_Item]:
        """What to do next, a little of every request; empty when closed and done.

        Who has many queries goes to the back of the line after a few of them.
        """
        turn: list[_Item] = []
        with self._changed:
            while not turn:
                while not self._requests:
                    if self._closed:
                        return []
                    self._changed.wait()
                share = max(1, min(TOGETHER, 2 * TOGETHER // len(self._requests)))
                for _ in range(min(BATCH, len(self._requests))):
                    turn += self._part(self._requests.popleft(), share)
        return turn

    def _part(self, request: _Request, share: int) -> list[_Item]:
        if request.future.done():  # cancelled or failed: nobody waits for the rest
            self._queries -= len(request.todo)
            return []
        size = min(1 if request.explain else share, len(request.todo))
        part = [_Item(request, request.todo.popleft()) for _ in range(size)]
        self._queries -= size
        if request.todo:
            self._requests.append(request)
        return part

    def _run(self, batch: list[_Item]) -> None:
        first = batch[0].request
        self._on_batch(len(batch))
        try:
            queries = [item.query for item in batch]
            routings = self._router.route_many(queries, explain=first.explain, raw=first.raw)
        except Exception as error:  # whatever it is: those who wait must hear, and others go on
            for item in batch:
                _hand_back(item.request, error)
            return
        for item, routing in zip(batch, routings, strict=True):
            done = item.request.routings
            done[item.index] = routing
            if len(done) == len(item.request.queries):
                _hand_back(item.request, [done[index] for index in range(len(done))])


def _batches(turn: list[_Item]) -> Iterator[list[_Item]]:
    """Items with the same options and of like length; the quick ones come first."""
    batch: list[_Item] = []
    for item in sorted(turn, key=_Item.order):
        if batch and not item.fits(batch):
            yield batch
            batch = []
        batch.append(item)
    yield batch


def _hand_back(request: _Request, result: list[Routing] | Exception) -> None:
    def settle() -> None:
        if request.future.done():  # cancelled, or failed with an earlier batch
            return
        if isinstance(result, Exception):
            request.future.set_exception(result)
        else:
            request.future.set_result(result)

    with suppress(RuntimeError):  # the loop was closed: nobody waits any more
        request.future.get_loop().call_soon_threadsafe(settle)
