"""The one protocol that students, teachers and baselines share: query in, routing out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from filmstill.records import Routing
from filmstill.task import Task


class Router(ABC):
    """Gives every query its routing.

    Attributes:
        name: how the router is called in tables.
        task: the task whose channels it weighs.
        timed: whether the time it takes says anything of what it stands for.
        billed: whether it is paid by the token.
        explains: whether it gives a reasoning that it does not give unasked.
        priced_as: the model whose price its tokens have, where its name does not say so.
    """

    name: str
    task: Task
    timed: bool = True
    billed: bool = False
    explains: bool = True
    priced_as: str = ""

    @abstractmethod
    def route_many(
        self, queries: Sequence[str], *, explain: bool = False, raw: bool = False
    ) -> list[Routing]:
        """Route several queries; one routing each, in order.

        Args:
            queries: what people typed; white space around and inside is folded.
            explain: also give the reasoning and, where the router has it, the evidence.
            raw: leave the weights as they are (four decimals) instead of on the task's grid.

        Raises:
            QueryError: a query is empty, too long or holds control characters.
        """

    def route(self, query: str, *, explain: bool = False, raw: bool = False) -> Routing:
        """Route one query; see `route_many`."""
        return self.route_many([query], explain=explain, raw=raw)[0]

    @staticmethod
    def load(
        address: str | Path | None = None,
        *,
        task: Task | None = None,
        training: str | Path | None = None,
        threads: int = 1,
    ) -> "Router":
        """Load a router by its address.

        Args:
            address: a student's folder; the name of a deployment, where there is no such folder;
                "filmstill" or None for the student that ships with the task; "mean" or "tfidf" for
                a baseline, "base" for the encoder before distillation; "recorded:FILE" for what a
                file says; "openai:MODEL" or "bedrock:MODEL_ID_OR_ARN" for a large language model.
                A `Path` is always a folder.
            task: what the router must weigh; a student made for other channels is refused. None
                takes the student's own task, and the built-in one for a baseline.
            training: labelled examples a baseline learns from; None takes the task's own corpus.
            threads: CPU threads for one call of a student.

        Raises:
            ArtefactError: the folder is missing, incomplete, damaged or for another task.
            BaseModelError: the base encoder of "base" is not found or cannot be loaded.
            DataError: a training file or recording cannot be used.
            InputError: the task has no student or no corpus of its own, and none was named.
            MissingExtraError: the library of a baseline or a service is not installed.
            ServiceError: key, region or credentials for a service are missing.
        """
        # The protocol must not import its implementations when it is imported itself.
        from filmstill.routers import open_router

        return open_router(address, task=task, training=training, threads=threads)


def route(query: str, *, explain: bool = False, raw: bool = False) -> Routing:
    """Route one query with the student that ships with Filmstill, loaded once; see `Router`.

    Raises:
        QueryError: the query is empty, too long or holds control characters.
    """
    return _shipped().route(query, explain=explain, raw=raw)


@cache
def _shipped() -> Router:
    return Router.load()
