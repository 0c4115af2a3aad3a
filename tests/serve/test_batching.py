"""The batcher alone, with routers that wait, remember and fail when they are told to."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

import pytest

from filmstill.errors import OverloadError, QueryError
from filmstill.records import Routing
from filmstill.router import Router
from filmstill.serve.batching import ALIKE, TOGETHER, Batcher, ClosedError


class Scripted(Router):
    """Answers with the query as reasoning, once the gate is open; fails where a query says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], bool, bool]] = []
        self.gate = threading.Event()
        self.gate.set()

    def route_many(
        self, queries: Sequence[str], *, explain: bool = False, raw: bool = False
    ) -> list[Routing]:
        self.calls.append((list(queries), explain, raw))
        assert self.gate.wait(20)
        time.sleep(0.001)  # as if it were work, in which others have their turn
        if any("fail" in query for query in queries):
            raise ZeroDivisionError("as told")
        return [Routing({"visual": 1.0}, reasoning=query) for query in queries]

    @property
    def routed(self) -> list[str]:
        return [query for queries, _, _ in self.calls for query in queries]


@pytest.fixture
def router() -> Scripted:
    return Scripted()


@pytest.fixture
def batcher(router: Scripted) -> Iterator[Batcher]:
    made = Batcher(router, limit=256)
    yield made
    router.gate.set()
    made.close()
    made.join()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


def said(routings: list[Routing]) -> list[str]:
    return [routing.reasoning for routing in routings]


async def begun(*works: Coroutine[Any, Any, Any]) -> list["asyncio.Task[Any]"]:
    """Start tasks, and let each get as far as it can alone."""
    tasks = [asyncio.create_task(work) for work in works]
    await asyncio.sleep(0)
    return tasks


async def busy(batcher: Batcher, router: Scripted) -> "asyncio.Task[Any]":
    """A request that the router works on until its gate is opened."""
    router.gate.clear()
    (task,) = await begun(batcher.route(["first"]))
    while not router.calls:
        await asyncio.sleep(0.001)
    return task


def test_answers_come_in_the_order_of_the_queries(batcher: Batcher, router: Scripted) -> None:
    queries = [f"{'word ' * (number * 7 % 40)}{number}" for number in range(100)]
    assert said(run(batcher.route(queries))) == queries
    assert sorted(router.routed) == sorted(queries)
    assert max(len(call[0]) for call in router.calls) == TOGETHER


def test_nothing_is_nothing(batcher: Batcher, router: Scripted) -> None:
    assert run(batcher.route([])) == []
    assert router.calls == []


def test_a_bad_query_never_waits(batcher: Batcher, router: Scripted) -> None:
    with pytest.raises(QueryError):
        run(batcher.route(["good", "\x00"]))
    assert router.calls == []
    assert batcher.waiting == 0


def test_only_like_queries_share_a_call(batcher: Batcher, router: Scripted) -> None:
    async def ask() -> None:
        first = await busy(batcher, router)
        short, long = [f"a{number}" for number in range(8)], ["b" * (ALIKE + 3)] * 3
        tasks = await begun(
            *(batcher.route([query]) for query in [*short, *long]),
            *(batcher.route([query], raw=True) for query in short),
            *(batcher.route([query], explain=True) for query in short),
        )
        router.gate.set()
        await asyncio.gather(first, *tasks)

    run(ask())
    for queries, explain, _ in router.calls:
        assert len(queries) <= (1 if explain else TOGETHER)
        assert max(map(len, queries)) - min(map(len, queries)) <= ALIKE
    sizes = {flag: sum(len(c[0]) for c in router.calls if c[1:] == flag) for flag in FLAGS}
    assert sizes == {(False, False): 12, (False, True): 8, (True, False): 8}
    assert len(router.calls) < 1 + 8 + 3 + 8 + 8  # there is something to share


FLAGS = [(False, False), (False, True), (True, False)]


def test_who_has_one_query_does_not_wait_for_who_has_many(
    batcher: Batcher, router: Scripted
) -> None:
    async def ask() -> list[str]:
        await busy(batcher, router)
        many, one = await begun(
            batcher.route([f"many {number}" for number in range(250)]), batcher.route(["one"])
        )
        router.gate.set()
        await one
        assert not many.done()
        return said(await many)

    assert len(run(ask())) == 250
    assert router.routed.index("one") < 4 * TOGETHER


def test_who_gave_up_is_not_worked_for(batcher: Batcher, router: Scripted) -> None:
    async def ask() -> None:
        first = await busy(batcher, router)
        gone, last = await begun(batcher.route(["gone"] * 20), batcher.route(["last"]))
        assert batcher.waiting == 21
        gone.cancel()
        router.gate.set()
        assert said(await first + await last) == ["first", "last"]
        assert said(await batcher.route(["after"])) == ["after"]

    run(ask())
    assert "gone" not in router.routed
    assert batcher.waiting == 0


def test_a_full_queue_refuses_and_recovers(router: Scripted) -> None:
    batcher = Batcher(router, limit=5)

    async def ask() -> None:
        first = await busy(batcher, router)
        waiting = await begun(batcher.route(["second"] * 3), batcher.route(["third"] * 2))
        assert batcher.waiting == 5
        with pytest.raises(OverloadError, match="5 queries wait already and the limit is 5"):
            await batcher.route(["too much"])
        router.gate.set()
        await asyncio.gather(first, *waiting)
        assert said(await batcher.route(["again"])) == ["again"]

    run(ask())
    assert "too much" not in router.routed
    batcher.close()
    batcher.join()


def test_closing_finishes_what_waits(batcher: Batcher, router: Scripted) -> None:
    async def ask() -> None:
        first = await busy(batcher, router)
        tasks = await begun(*(batcher.route([f"{number}"] * 9) for number in range(9)))
        batcher.close()
        with pytest.raises(ClosedError):
            await batcher.route(["late"])
        router.gate.set()
        answers = await asyncio.gather(*tasks)
        assert said(await first) == ["first"]
        assert [said(answer) for answer in answers] == [[f"{n}"] * 9 for n in range(9)]

    run(ask())
    batcher.join()
    assert "late" not in router.routed


def test_an_error_reaches_all_who_wait_for_it_and_nobody_else(
    batcher: Batcher, router: Scripted
) -> None:
    async def ask() -> list[Any]:
        first = await busy(batcher, router)
        tasks = await begun(
            batcher.route(["fail"]),
            batcher.route(["fail"]),
            batcher.route(["fail", *["b" * 60 for _ in range(200)]]),
            batcher.route(["b" * 40]),
        )
        router.gate.set()
        found = await asyncio.gather(first, *tasks, return_exceptions=True)
        assert said(await batcher.route(["after"])) == ["after"]
        return found

    first, *failed, other = run(ask())
    assert said(first + other) == ["first", "b" * 40]
    assert [type(error) for error in failed] == [ZeroDivisionError] * 3
    assert router.routed.count("b" * 60) < 100  # nobody would have seen the rest
    assert batcher.waiting == 0


def test_a_loop_that_is_gone_stops_nothing(batcher: Batcher, router: Scripted) -> None:
    async def leave() -> None:
        await busy(batcher, router)

    asyncio.run(leave())
    router.gate.set()
    assert said(run(batcher.route(["next"]))) == ["next"]


def test_sizes_are_told(router: Scripted) -> None:
    sizes: list[int] = []
    batcher = Batcher(router, limit=256, on_batch=sizes.append)
    run(batcher.route(["a"] * 10))
    batcher.close()
    batcher.join()
    assert sum(sizes) == 10
    assert sizes == [len(call[0]) for call in router.calls]
