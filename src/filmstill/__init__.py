"""Distil a large model's judgement of video search queries into a millisecond router.

The names below are loaded on first use, so that `import filmstill` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from filmstill.config import DistillConfig
    from filmstill.data.reading import load_examples
    from filmstill.errors import FilmstillError
    from filmstill.evals.evaluate import evaluate
    from filmstill.records import Evidence, Example, Routing
    from filmstill.router import Router, route
    from filmstill.student.train import distill
    from filmstill.task import Channel, Task

__version__ = "0.1.0"

_HOME_OF = {
    "Channel": "filmstill.task",
    "DistillConfig": "filmstill.config",
    "Evidence": "filmstill.records",
    "Example": "filmstill.records",
    "FilmstillError": "filmstill.errors",
    "Router": "filmstill.router",
    "Routing": "filmstill.records",
    "Task": "filmstill.task",
    "distill": "filmstill.student.train",
    "evaluate": "filmstill.evals.evaluate",
    "load_examples": "filmstill.data.reading",
    "route": "filmstill.router",
}

__all__ = [
    "Channel",
    "DistillConfig",
    "Evidence",
    "Example",
    "FilmstillError",
    "Router",
    "Routing",
    "Task",
    "distill",
    "evaluate",
    "load_examples",
    "route",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the public name is
    if name not in _HOME_OF:
        raise AttributeError(f"module 'filmstill' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
