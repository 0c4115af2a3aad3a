"""Routers by address: a student's folder, or a baseline by name."""

from pathlib import Path

from filmstill.data.corpus import corpus_path
from filmstill.data.reading import load_labelled
from filmstill.router import Router
from filmstill.routers.mean import MeanRouter
from filmstill.routers.tfidf import TfidfRouter
from filmstill.task import Task

BASELINES: dict[str, type[MeanRouter] | type[TfidfRouter]] = {
    "mean": MeanRouter,
    "tfidf": TfidfRouter,
}


def open_router(
    address: str | Path,
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

    return StudentRouter(open_artefact(address, task=task), threads=threads)
