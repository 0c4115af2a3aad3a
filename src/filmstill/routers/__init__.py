"""Routers by address: students, baselines, recordings and large language models."""

from pathlib import Path

from filmstill.bedrock.deployment import DEPLOYMENT, served_arn
from filmstill.bedrock.models import student_called
from filmstill.bedrock.order import task_of
from filmstill.bedrock.run import open_run, record_path
from filmstill.data.corpus import corpus_path, student_path
from filmstill.data.reading import load_labelled
from filmstill.errors import InputError, StorageError
from filmstill.files import is_there
from filmstill.models.chat import BEDROCK, is_model, open_model
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
    """Open a router; see `filmstill.Router.load`.

    A `Path` is always a student's folder, whatever it is called.
    """
    if isinstance(address, Path):
        return _student(address, task, threads)
    if address is None or address == SHIPPED:
        own = student_path(task or Task.builtin())
        return _student(own, task, threads, name=SHIPPED)
    baseline = BASELINES.get(address)
    if baseline is not None:
        task = task or Task.builtin()
        examples = load_labelled(training or corpus_path(task), task).examples
        return baseline.fit(examples, task)
    if address == BaseRouter.name:
        return BaseRouter(task or Task.builtin())
    kind, colon, rest = address.partition(":")
    if kind == RECORDED and rest:
        return RecordedRouter.read(rest, task or Task.builtin())
    if is_model(address):
        return ChatRouter(open_model(address), task or Task.builtin())
    if _exists(record_path(Path(address))):
        return _of_run(Path(address), task)
    if not _exists(Path(address)):
        deployed = _deployed(address)
        if deployed is not None:
            return _student(deployed, task, threads, name=address)
    if colon and not Path(address).exists():
        raise InputError(
            f"{address!r} is no router: give a student's folder, the name of a deployment, "
            f"filmstill, mean, tfidf, base, recorded:FILE, openai:MODEL or bedrock:MODEL_ID_OR_ARN"
        )
    return _student(address, task, threads)


def _exists(path: Path) -> bool:
    """Whether something is there; a path that the system refuses is refused when it is opened."""
    try:
        return is_there(path)
    except StorageError:
        return False


def _deployed(name: str) -> Path | None:
    """The folder of the student that a deployment serves; None where there is no such one."""
    from filmstill.registry.deployments import find_deployment

    found = find_deployment(name)
    return None if found is None else found.folder


def _of_run(folder: Path, task: Task | None) -> Router:
    """The model that a run on Bedrock deployed, asked with the prompt that it was trained with."""
    run = open_run(folder)
    own = task or task_of(run)
    model = open_model(f"{BEDROCK}:{served_arn(run)}")
    router = ChatRouter(model, own, prompt=run.settings.get("prompt", own.student_prompt))
    router.name = str(folder)
    if run.find(DEPLOYMENT):  # throughput is not paid by the token
        router.priced_as = student_called(run.settings["student"]).inference
    return router


def _student(
    folder: str | Path, task: Task | None, threads: int, name: str | None = None
) -> Router:
    # The other routers must not pay for loading onnxruntime.
    from filmstill.student.artefact import open_artefact
    from filmstill.student.router import StudentRouter

    return StudentRouter(open_artefact(folder, task=task), threads=threads, name=name)
