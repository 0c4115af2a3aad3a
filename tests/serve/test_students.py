"""Which student answers to which name, while deployments come, change and go."""

import asyncio
import gc
import logging
import resource
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from filmstill import Router, Routing
from filmstill.config import ServeConfig
from filmstill.errors import OverloadError, UnknownNameError
from filmstill.registry import Registry
from filmstill.registry.deployments import DEPLOYMENT, delete, deploy, update
from filmstill.registry.students import student_folder as kept
from filmstill.serve.observe import Metrics
from filmstill.serve.students import Served, Students
from filmstill.student.router import StudentRouter

from .conftest import MakeStudent

QUERY = "a dog barking in the rain"


@pytest.fixture
def students(registry: Registry) -> Iterator[Students]:
    made = Students(registry, ServeConfig(), Metrics())
    yield made
    made.close()


def ask(students: Students, name: str, query: str = QUERY) -> dict[str, float]:
    (routing,) = asyncio.run(students.route(name, [query], raw=True))
    return dict(routing.weights)


def weights_of(folder: Path) -> dict[str, float]:
    return dict(Router.load(folder).route(QUERY, raw=True).weights)


@pytest.fixture
def shipped() -> Path:
    router = Router.load()
    assert isinstance(router, StudentRouter)
    return router.artefact.layout.folder


def test_the_shipped_student_has_a_name(students: Students, shipped: Path) -> None:
    assert not students.loaded
    students.refresh()
    assert students.loaded
    assert students.names() == ["filmstill"]
    assert ask(students, "filmstill") == weights_of(shipped)
    with pytest.raises(UnknownNameError, match="there is no deployment 'search'"):
        ask(students, "search")


def test_a_deployment_may_take_the_name_of_the_shipped_student(
    students: Students, registry: Registry, quick_student: Path
) -> None:
    deploy(registry, "filmstill", quick_student)
    students.refresh()
    assert ask(students, "filmstill") == weights_of(quick_student)
    delete(registry, "filmstill")
    students.refresh()
    assert ask(students, "filmstill") != weights_of(quick_student)


def test_what_another_process_deploys_is_served_at_once(
    students: Students, registry: Registry, quick_student: Path
) -> None:
    students.refresh()
    with closing(Registry(registry.folder)) as other:
        made = deploy(other, "search", quick_student)
    assert ask(students, "search") == ask(students, made.id) == weights_of(quick_student)
    assert students.names() == ["filmstill", "search"]
    with closing(Registry(registry.folder)) as other:
        delete(other, "search")
    students.refresh()
    for name in ("search", made.id):
        with pytest.raises(UnknownNameError):
            ask(students, name)


def test_names_with_one_student_share_it(
    students: Students, registry: Registry, quick_student: Path
) -> None:
    deploy(registry, "first", quick_student)
    deploy(registry, "second", quick_student)
    students.refresh()
    before = routers()
    first, second = (asyncio.run(students.find(name)) for name in ("first", "second"))
    assert first.batcher is second.batcher
    assert (first.name, second.name) == ("first", "second")
    delete(registry, "first")
    students.refresh()
    assert routers() == before
    assert ask(students, "second") == weights_of(quick_student)


def test_nothing_is_loaded_twice(
    students: Students, registry: Registry, quick_student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(registry, "search", quick_student)
    students.refresh()
    monkeypatch.setattr(StudentRouter, "__init__", lambda *_, **__: pytest.fail("loaded again"))
    registry.add("job", "unrelated", "InProgress", {})
    students.refresh()
    assert ask(students, "search")


def test_a_damaged_student_leaves_the_old_one(
    students: Students,
    registry: Registry,
    make_student: MakeStudent,
    shipped: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    deploy(registry, "search", shipped)
    students.refresh()
    update(registry, "search", make_student("next"))
    key = registry.get(DEPLOYMENT, "search").body["student"]
    model = kept(registry, key) / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with caplog.at_level(logging.WARNING, "filmstill"):
        students.refresh()
    assert "model.onnx: the file is damaged" in caplog.text
    assert ask(students, "search") == weights_of(shipped)
    update(registry, "search", (good := make_student("good")))
    students.refresh()
    assert ask(students, "search") == weights_of(good) != weights_of(shipped)


def test_updates_under_load_lose_nothing(
    students: Students, registry: Registry, quick_student: Path, shipped: Path
) -> None:
    folders = [quick_student, shipped]
    known = [weights_of(folder) for folder in folders]
    deploy(registry, "search", shipped)
    students.refresh()
    over = threading.Event()
    seen: list[dict[str, float]] = []

    async def client(number: int) -> None:
        while not over.is_set():
            answers = await students.route("search", [QUERY] * (1 + number % 3), raw=True)
            assert len(answers) == 1 + number % 3
            assert len({str(answer) for answer in answers}) == 1  # of one student
            seen.append(dict(answers[0].weights))

    async def load() -> None:
        await asyncio.gather(*(client(number) for number in range(8)))

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(asyncio.run, load())
        try:
            for turn in range(10):
                update(registry, "search", folders[turn % 2])
                students.refresh()
                assert ask(students, "search") == known[turn % 2]
        finally:
            over.set()
        loading.result()
    assert {str(answer) for answer in seen} == {str(answer) for answer in known}


def test_who_found_a_student_just_before_it_went_gets_the_next(
    students: Students,
    registry: Registry,
    quick_student: Path,
    shipped: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deploy(registry, "search", shipped)
    students.refresh()
    found = [asyncio.run(students.find("search"))]
    update(registry, "search", quick_student)
    deploy(registry, "filmstill", quick_student)  # else it would go on under that name
    students.refresh()
    find = students.find

    async def late(name: str) -> Served:
        return found.pop() if found else await find(name)

    monkeypatch.setattr(students, "find", late)
    assert ask(students, "search") == weights_of(quick_student)
    assert not found


def test_updates_leave_nothing_behind(
    students: Students, registry: Registry, make_student: MakeStudent
) -> None:
    folders = [make_student(name) for name in ("one", "two", "three")]
    deploy(registry, "search", folders[2])

    def turn(number: int) -> None:
        update(registry, "search", folders[number % 3])
        students.refresh()
        ask(students, "search")

    for number in range(6):
        turn(number)
    threads = threading.active_count()
    before, memory = routers(), rss_mb()
    for number in range(50):
        turn(number)
    assert routers() == before
    assert rss_mb() - memory < 8  # fifty of them would take 150
    assert threading.active_count() <= threads
    assert len(list((registry.folder / "students").iterdir())) == 1


def test_too_many_queries_are_refused(
    students: Students, monkeypatch: pytest.MonkeyPatch, held: Callable[[], None]
) -> None:
    students.refresh()

    async def load() -> None:
        first = asyncio.create_task(students.route("filmstill", [QUERY] * 256))
        while not (await students.find("filmstill")).batcher.waiting:
            await asyncio.sleep(0.001)
        tasks = [asyncio.create_task(students.route("filmstill", [QUERY] * 256)) for _ in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(OverloadError, match="the limit is 1,024"):
            await students.route("filmstill", [QUERY] * 256)
        held()
        assert [len(found) for found in await asyncio.gather(first, *tasks)] == [256] * 4

    asyncio.run(load())


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Holds students back until it is called."""
    gate = threading.Event()

    def route_many(self: StudentRouter, queries: list[str], **_: bool) -> list[Routing]:
        if queries != ["warm up"]:
            gate.wait(20)
        return [Routing({"visual": 1.0}) for _ in queries]

    monkeypatch.setattr(StudentRouter, "route_many", route_many)
    yield gate.set
    gate.set()


def routers() -> int:
    """Students that are held in memory."""
    gc.collect()
    return sum(type(item) is StudentRouter for item in gc.get_objects())


def rss_mb() -> float:
    facts = Path("/proc/self/statm")  # not on macOS; the peak would hide what others used before
    pages = int(facts.read_text(encoding="ascii").split()[1]) if facts.exists() else 0
    return pages * resource.getpagesize() / 2**20
