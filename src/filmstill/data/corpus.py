"""What ships with a built-in task: labelled examples, and a student distilled from them."""

from importlib import resources
from pathlib import Path

from filmstill.errors import InputError, TaskError
from filmstill.task import Task

_ADVICE = {
    "corpus.jsonl": "name a file of labelled examples (--train FILE)",
    "evaluation.jsonl": "name a file of labelled queries (--set FILE)",
    "growth.toml": "name a file of words to exchange (--words FILE)",
    "plan.toml": "name a file with kinds of queries (--plan FILE)",
    "student": "name a student's folder (--router DIR), which `filmstill distill` makes",
}


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


def evaluation_of(task: Task) -> Path | None:
    """As `evaluation_path`; None where the task has no evaluation set of its own."""
    return _shipped_or_none(task, "evaluation.jsonl")


def plan_path(task: Task) -> Path | None:
    """File of a task's own tables of a plan for queries to write; None where it has none."""
    return _shipped_or_none(task, "plan.toml")


def student_path(task: Task) -> Path:
    """Folder of the student that ships with a task, distilled from the task's own corpus.

    Raises:
        InputError: the task has none, as is so for every task a user writes.
    """
    return _shipped(task, "student")


def _shipped_or_none(task: Task, name: str) -> Path | None:
    try:
        return _shipped(task, name)
    except InputError:
        return None


def _shipped(task: Task, name: str) -> Path:
    path = Path(str(resources.files("filmstill") / "tasks" / task.name / name))
    try:
        same = Task.builtin(task.name).fingerprint == task.fingerprint
    except TaskError:
        same = False
    if not same or not path.exists():
        raise InputError(f"the task {task.name!r} has no {name} of its own: {_ADVICE[name]}")
    return path
