"""Which student answers to which name, while deployments come, change and go."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filmstill.config import ServeConfig
from filmstill.data.corpus import student_path
from filmstill.errors import FilmstillError, UnknownNameError
from filmstill.records import Routing
from filmstill.registry import Registry
from filmstill.registry.deployments import served_students
from filmstill.routers import SHIPPED
from filmstill.serve.batching import Batcher, ClosedError
from filmstill.serve.observe import LOG, Metrics
from filmstill.serve.tokens import Tokens
from filmstill.student.artefact import open_artefact
from filmstill.student.router import StudentRouter
from filmstill.task import Task


@dataclass(frozen=True, slots=True)
class Served:
    """A student that is served under a name; names with the same student share all but the name.

    Attributes:
        name: of the deployment.
        task: what the student weighs.
        tokens: counts as the student does.
        batcher: routes with it.
    """

    name: str
    task: Task
    tokens: Tokens
    batcher: Batcher


class Students:
    """The students that are served; follows the registry, whoever changes it.

    The names are those of the deployments, by name and by id, and "filmstill" for the student that
    ships with the package unless a deployment is called so.
    """

    def __init__(self, registry: Registry, config: ServeConfig, metrics: Metrics) -> None:
        """Take what to serve and how; nothing is loaded before the first `refresh`."""
        self._registry = registry
        self._config = config
        self._metrics = metrics
        self._seen: tuple[int, int] | None = None
        self._names: dict[str, Served] = {}
        self._loaded: dict[Path, Served] = {}
        self._refreshing = threading.Lock()
        metrics.waiting.set_function(self._waiting)

    @property
    def loaded(self) -> bool:
        """Whether what was there at the start is loaded."""
        return self._seen is not None

    def names(self) -> list[str]:
        """The names of what is served, each once, in the order of the alphabet."""
        return sorted({served.name for served in self._names.values()})

    def refresh(self) -> None:
        """Serve what the registry says by now; costs microseconds where it says the same.

        New students are loaded and warmed up before any request meets them; those that are
        replaced finish what waits for them. Not for the event loop: loading takes a moment.

        Raises:
            DataError, StorageError: the registry cannot be read.
        """
        with self._refreshing:
            version = self._registry.version
            if version == self._seen:
                return
            wanted = self._wanted()
            folders = {folder for _, folder in wanted.values()}
            loaded = {folder: served for folder in folders if (served := self._open(folder))}
            before = self._names
            names = {}
            for key, (name, folder) in wanted.items():
                if folder in loaded:
                    names[key] = replace(loaded[folder], name=name)
                elif key in before:  # better than nothing
                    names[key] = before[key]
            self._names = names
            used = {served.batcher for served in names.values()}
            for batcher in {served.batcher for served in before.values()} - used:
                batcher.close()
            self._loaded = loaded
            self._seen = version

    def serves(self, name: str) -> bool:
        """Whether a student is loaded under a name or id, as far as is known."""
        return name in self._names

    async def find(self, name: str) -> Served:
        """What is served under a name or id.

        Raises:
            UnknownNameError: nothing is.
        """
        if name not in self._names:  # it may be deployed just now
            await asyncio.to_thread(self.refresh)
        try:
            return self._names[name]
        except KeyError:
            raise UnknownNameError(f"there is no deployment {name!r}") from None

    async def route(
        self, name: str, queries: Sequence[str], *, explain: bool = False, raw: bool = False
    ) -> list[Routing]:
        """Route queries with the student of a name or id; see `Batcher.route`.

        Raises:
            UnknownNameError: nothing is served under it.
            QueryError: a query cannot be routed.
            OverloadError: too many wait already.
        """
        while True:
            served = await self.find(name)
            try:
                routings = await served.batcher.route(queries, explain=explain, raw=raw)
            except ClosedError:  # replaced since it was found
                continue
            self._metrics.routed.labels(served.name).inc(len(queries))
            return routings

    def close(self) -> None:
        """Finish what waits and let all students go."""
        with self._refreshing:
            batchers = {served.batcher for served in self._names.values()}
            self._names, self._loaded = {}, {}
            for batcher in batchers:
                batcher.close()
            for batcher in batchers:
                batcher.join()

    def _wanted(self) -> dict[str, tuple[str, Path]]:
        """Name and folder by all that requests may call a student."""
        names = {SHIPPED: (SHIPPED, student_path(Task.builtin()))}
        ids = {}
        # Deployments come last, and so go first where both are called alike.
        for item, folder in served_students(self._registry):
            served = item.name, folder
            names[item.name] = ids[item.id] = ids[id_key(item.kind, item.id)] = served
        # Nobody takes over another one's id by being called so.
        return {**names, **ids}

    def _open(self, folder: Path) -> Served | None:
        if folder in self._loaded:
            return self._loaded[folder]
        try:
            artefact = open_artefact(folder)
            tokens = Tokens(artefact.layout.tokenizer)
            router = StudentRouter(artefact, threads=self._config.threads)
            router.route("warm up", explain=True)
        except FilmstillError as error:
            LOG.warning("a student cannot be served: %s", error)
            return None
        batcher = Batcher(router, limit=self._config.queue, on_batch=self._metrics.batch.observe)
        return Served("", artefact.task, tokens, batcher)

    def _waiting(self) -> float:
        batchers = {served.batcher for served in self._names.values()}
        return sum(batcher.waiting for batcher in batchers)


def id_key(kind: str, item_id: str) -> str:
    """What a deployment is found under by its kind and id; no name can be like it."""
    return f"{kind}/{item_id}"
