"""A label as it is stored: a JSON object of one weight per channel and, perhaps, a reasoning."""

import json
import math
from collections.abc import Mapping
from typing import Any

from filmstill.query import has_half_surrogate
from filmstill.records import Routing
from filmstill.task import Task

SUM_TOLERANCE = 0.01
"""How far weights may be from a sum of 1: thirds written with two decimals must pass."""


def parse_label(label: object, task: Task) -> Routing:
    """A routing from a label: JSON text, or the object it stands for.

    Weights need not lie on the task's grid (soft labels are welcome), but are scaled to sum to 1.

    Raises:
        ValueError: the label is not valid; the message is one clause that says why.
    """
    fields = _fields(label)
    missing = [name for name in task.channel_names if name not in fields]
    if missing:
        raise ValueError(f"the label misses channel {_names(missing)}")
    unknown = [name for name in fields if name not in (*task.channel_names, "reasoning")]
    if unknown:
        raise ValueError(
            f"the label has unknown channel {_names(unknown)}; "
            f"the task {task.name!r} has {', '.join(task.channel_names)}"
        )
    reasoning = fields.get("reasoning", "")
    if not isinstance(reasoning, str):
        raise ValueError("the label's reasoning is not text")
    if has_half_surrogate(reasoning):
        raise ValueError("the label's reasoning holds half a surrogate pair")
    weights = {name: _weight(fields[name], name) for name in task.channel_names}
    total = math.fsum(weights.values())
    if abs(total - 1) > SUM_TOLERANCE + 1e-9:
        raise ValueError(f"the weights sum to {total:.4g}, not to 1")
    if abs(total - 1) > 1e-9:
        weights = {name: weight / total for name, weight in weights.items()}
    return Routing(weights, reasoning=reasoning.strip())


def _fields(label: object) -> Mapping[str, Any]:
    if isinstance(label, str):
        try:
            label = json.loads(label)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"the label is not valid JSON ({error})") from error
    if not isinstance(label, Mapping):
        raise ValueError("the label is not a JSON object")
    return label


def _weight(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"the weight of {name} is not a number ({json.dumps(value)})")
    if value < 0:
        raise ValueError(f"the weight of {name} is negative ({str(value)[:12]})")
    if value > 1:
        raise ValueError(f"the weight of {name} is above 1 ({str(value)[:12]})")
    if math.isnan(value):
        raise ValueError(f"the weight of {name} is not finite (nan)")
    return float(value)


def _names(names: list[str]) -> str:
    return ", ".join(map(repr, names))
