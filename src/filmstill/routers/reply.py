"""Reads what a language model answered: strict about what counts, fair about how it is wrapped.

Accepted: the JSON object inside prose or code fences, or one level down in another object; keys in
any case; numbers as strings, also as percentages; weights that do not sum to 1, which are divided
by their sum. Not accepted: a missing channel, a negative or endless weight, weights that are all 0.
How well the reply kept to the form is kept beside the routing, so that fairness hides nothing.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from filmstill.errors import RoutingError
from filmstill.models import Completion
from filmstill.models.chat import printable
from filmstill.records import TOLERANCE, Reply, Routing
from filmstill.task import Task
from filmstill.weights import RAW_STEPS, snap, weights_mapping

SUM_TOLERANCE = 1e-3
"""How far from 1 the sum of given weights may be: models write 0.33 three times."""
_SHOWN = 80  # characters of a reply that an error quotes
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(%?)\s*")


def read_reply(answer: Completion, task: Task) -> Routing:
    """The routing in a reply; its `reply` tells how well the form was kept.

    Raises:
        RoutingError: there is no routing in it; the error holds the reply.
    """
    text = printable(answer.text)
    whole = _parsed(text.strip())
    reply = Reply(
        text,
        answer.tokens_in,
        answer.tokens_out,
        answer.milliseconds,
        is_json=isinstance(whole, dict),
    )
    for found in json_objects(text):
        weights = _weights(found, task)
        if weights is None:
            continue
        total = sum(weights)
        sums = abs(total - 1) <= SUM_TOLERANCE
        reply = replace(reply, has_keys=True, sums=sums)
        if not 0 < total < math.inf:
            raise RoutingError(f"the weights sum to {total:g}: {_shown(text)}", reply)
        reasoning = found.get("reasoning")
        return Routing(
            weights_mapping(_shares(weights), task),
            reasoning=printable(reasoning.strip()) if isinstance(reasoning, str) else "",
            reply=reply,
        )
    names = ", ".join(task.channel_names)
    raise RoutingError(
        f"no JSON object with a number for each of {names}: {_shown(text)}",
        reply,
    )


def _shares(weights: list[float]) -> list[float]:
    """The weights as given where they sum to 1 exactly, else divided by their sum."""
    if abs(sum(weights) - 1) <= TOLERANCE:
        return weights
    return [float(share) for share in snap([weights], RAW_STEPS)[0]]


def json_objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object of a text, and those one level down in it, outermost first."""
    whole = _parsed(text.strip())
    if isinstance(whole, dict):
        yield from _with_inner(whole)
        return
    decoder, position = json.JSONDecoder(), text.find("{")
    while position >= 0:
        try:
            found, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            yield from _with_inner(found)
        position = text.find("{", end)


def _with_inner(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield found
    yield from (value for value in found.values() if isinstance(value, dict))


def _weights(found: dict[str, Any], task: Task) -> list[float] | None:
    by_key = {key.strip().lower(): value for key, value in found.items()}
    numbers = [_number(by_key.get(name.lower())) for name in task.channel_names]
    if any(number is None or number < 0 for number in numbers):
        return None
    return [number for number in numbers if number is not None]


def _number(value: Any) -> float | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value)
        if match is None:
            return None
        value = float(match[1]) / (100 if match[2] else 1)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number of hundreds of digits
        return None


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _shown(text: str) -> str:
    short = " ".join(text.split())
    return repr(short if len(short) <= _SHOWN else short[: _SHOWN - 1] + "…")
