"""Routers by address: students, baselines, recordings and large language models."""

from pathlib import Path

from filmstill.data.corpus import corpus_path, student_path
from filmstill.data.reading import load_labelled
from filmstill.models.chat import is_model, open_model
from filmstill.router import Router
from filmstill.routers.base import BaseRouter
from filmstill.routers.chat import ChatRouter
from filmstill.routers.mean import MeanRouter
from filmstill.routers.recorded import RecordedRouter
from filmstill.routers.tfidf import TfidfRouter
from filmstill.task import Task

RECORDED = "recorded"
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
    if str(address) == BaseRouter.name:
        return BaseRouter(task or Task.builtin())
    kind, _, rest = str(address).partition(":")
    if kind == RECORDED and rest:
        return RecordedRouter.read(rest, task or Task.builtin())
    if is_model(str(address)):
        return ChatRouter(open_model(str(address)), task or Task.builtin())
    # The baselines must not pay for loading onnxruntime.
    from filmstill.student.artefact import open_artefact
    from filmstill.student.router import StudentRouter

    if address is None or str(address) == SHIPPED:
        own = student_path(task or Task.builtin())
        return StudentRouter(open_artefact(own, task=task), threads=threads, name=SHIPPED)
    return StudentRouter(open_artefact(address, task=task), threads=threads)
