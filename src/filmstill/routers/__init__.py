"""Routers by address: a student's folder, or a baseline by name."""

from functools import cache
from pathlib import Path

from filmstill.data.corpus import corpus_path
from filmstill.data.reading import load_labelled
from filmstill.router import Router
from filmstill.routers.mean import MeanRouter
from filmstill.routers.tfidf import TfidfRouter
from filmstill.task import Task

SHIPPED = "shipped"
BASELINES: dict[str, type[MeanRouter] | type[TfidfRouter]] = {
    "mean": MeanRouter,
    "tfidf": TfidfRouter,
}


def open_router(
    address: str | Path | None,
    *,
    task: Task | None = None,
    training: str | Path | None = None,
    threads: int = 1,
) -> Router:
    """Open a router; see `filmstill.Router.load`."""
    # The baselines must not pay for loading onnxruntime.
    if address is None or str(address) == SHIPPED:
        from filmstill.student.default import default_student

        return default_student(task, threads=threads)
    baseline = BASELINES.get(str(address))
    if baseline is not None:
        task = task or Task.builtin()
        examples = load_labelled(training or corpus_path(task), task).examples
        return baseline.fit(examples, task)
    from filmstill.student.artefact import open_artefact
    from filmstill.student.router import StudentRouter

    return StudentRouter(open_artefact(address, task=task), threads=threads)


@cache
def shipped_router() -> Router:
    """The shipped student, loaded once for the process."""
    return open_router(SHIPPED)
