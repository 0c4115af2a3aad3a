"""The student that ships with the package."""

from importlib import resources
from pathlib import Path

from filmstill.errors import ArtefactError
from filmstill.student.artefact import open_artefact
from filmstill.student.router import StudentRouter
from filmstill.task import BUILTIN, Task


def default_folder() -> Path:
    """Folder of the shipped student, which weighs the built-in task.

    Raises:
        ArtefactError: this copy of the package holds none.
    """
    folder = Path(str(resources.files("filmstill") / "tasks" / BUILTIN / "student"))
    if not folder.is_dir():
        raise ArtefactError(
            "this copy of Filmstill ships no student: name one, or make one: `filmstill distill`"
        )
    return folder


def default_student(task: Task | None = None, *, threads: int = 1) -> StudentRouter:
    """Load the shipped student.

    Raises:
        ArtefactError: there is none, it is damaged, or `task` has other channels.
    """
    return StudentRouter(
        open_artefact(default_folder(), task=task), threads=threads, name="shipped"
    )
