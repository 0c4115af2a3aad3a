"""The labelled examples that ship with a built-in task."""

from importlib import resources
from pathlib import Path

from filmstill.errors import InputError
from filmstill.task import Task


def corpus_path(task: Task) -> Path:
    """The file of a task's own corpus.

    Raises:
        InputError: the task has none, as is so for every task a user writes.
    """
    path = Path(str(resources.files("filmstill") / "tasks" / task.name / "corpus.jsonl"))
    if not path.is_file() or Task.builtin(task.name).fingerprint != task.fingerprint:
        raise InputError(
            f"the task {task.name!r} has no examples of its own: name a file of labelled examples"
        )
    return path
