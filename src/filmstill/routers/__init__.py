"""Routers by address: a student's folder, the shipped student, or a baseline by name."""

from pathlib import Path

from filmstill.data.corpus import corpus_path, student_path
from filmstill.data.reading import load_labelled
from filmstill.router import Router
from filmstill.routers.mean import MeanRouter
from filmstill.routers.tfidf import TfidfRouter
from filmstill.task import Task

SHIPPED = "filmstill"
"""Address of the student that ships with the package, and its name in tables."""

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
    baseline = BASELINES.get(str(address))
    if baseline is not None:
        task = task or Task.builtin()
        examples = load_labelled(training or corpus_path(task), task).examples
        return baseline.fit(examples, task)
    # The baselines must not pay for loading onnxruntime.
    from filmstill.student.artefact import open_artefact
    from filmstill.student.router import StudentRouter

    if address is None or str(address) == SHIPPED:
        own = student_path(task or Task.builtin())
        return StudentRouter(open_artefact(own, task=task), threads=threads, name=SHIPPED)
    return StudentRouter(open_artefact(address, task=task), threads=threads)
