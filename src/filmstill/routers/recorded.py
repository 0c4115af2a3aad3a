"""A router that repeats what a file says: another system's answers, or the labels themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from filmstill.data.reading import load_labelled
from filmstill.errors import DataError, RoutingError
from filmstill.query import clean_query, same_query
from filmstill.records import Routing
from filmstill.router import Router
from filmstill.task import Task


class RecordedRouter(Router):
    """Answers from labelled examples; of several labels of a query, the first."""

    timed = False  # looking up takes no time that the recorded system took
    explains = False

    def __init__(self, routings: dict[str, Routing], task: Task, name: str) -> None:
        """Take routings by `same_query`, and how to call the router in tables."""
        self._routings = routings
        self.task = task
        self.name = name

    @classmethod
    def read(cls, path: str | Path, task: Task) -> Self:
        """Read a file of labelled examples, in any format that Filmstill reads.

        Raises:
            DataError: the file or a line of it cannot be used.
        """
        routings: dict[str, Routing] = {}
        file = load_labelled(path, task)
        if file.rejects:
            first = file.rejects[0]
            raise DataError(
                f"{path}: {len(file.rejects)} lines hold no routing of this task, the first is "
                f"line {first.line}: {first.reason}; mend or remove them"
            )
        for example in file.examples:
            if example.routing is not None:
                routings.setdefault(same_query(example.query), example.routing)
        return cls(routings, task, Path(path).stem)

    def route_many(
        self, queries: Sequence[str], *, explain: bool = False, raw: bool = False
    ) -> list[Routing]:
        """Look the queries up; `explain` and `raw` change nothing. See `Router.route_many`.

        Raises:
            RoutingError: a query is not in the file.
        """
        return [self._recorded(clean_query(query)) for query in queries]

    def _recorded(self, query: str) -> Routing:
        try:
            return self._routings[same_query(query)]
        except KeyError:
            raise RoutingError(f"{self.name}: no routing is recorded for {query!r}") from None
