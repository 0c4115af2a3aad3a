"""The labelled examples that ship with a built-in task."""

from importlib import resources
from pathlib import Path

from filmstill.errors import InputError, TaskError
from filmstill.task import Task


def corpus_path(task: Task) -> Path:
    """File of a task's own corpus, in the conversation format, to train on.

    Raises:
        InputError: the task has none, as is so for every task a user writes.
    """
    return _shipped(task, "corpus.jsonl")


def evaluation_path(task: Task) -> Path:
    """File of a task's own evaluation set: written apart from the corpus, never to train on.

    Raises:
        InputError: the task has none, as is so for every task a user writes.
    """
    return _shipped(task, "evaluation.jsonl")


def growth_path(task: Task) -> Path:
    """File that says what may be exchanged in the queries of a task; see `data.growth`.

    Raises:
        InputError: the task has none, as is so for every task a user writes.
    """
    return _shipped(task, "growth.toml")


def _shipped(task: Task, name: str) -> Path:
    path = Path(str(resources.files("filmstill") / "tasks" / task.name / name))
    try:
        same = Task.builtin(task.name).fingerprint == task.fingerprint
    except TaskError:
        same = False
    if not same or not path.is_file():
        raise InputError(f"the task {task.name!r} has no {name} of its own: name a file")
    return path
