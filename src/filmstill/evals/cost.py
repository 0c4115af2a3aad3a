"""What a million queries cost: tokens at a listed price, or seconds of a core at its price."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filmstill.errors import InputError
from filmstill.evals.scores import Scores
from filmstill.files import read_text

SHIPPED = Path(__file__).with_name("prices.toml")
_MILLION = 1_000_000
_MS_PER_HOUR = 3_600_000
_PRICED = 1000  # tokens


@dataclass(frozen=True, slots=True)
class Prices:
    """A price table.

    Attributes:
        as_of: the day the prices are of.
        source: where they are from.
        core_hour: US dollars for one core for one hour.
        models: part of a model's address to US dollars per 1,000 tokens in and out.
    """

    as_of: str
    source: str
    core_hour: float
    models: Mapping[str, tuple[float, float]]

    def of(self, address: str) -> tuple[float, float] | None:
        """Price of 1,000 tokens in and out of a model; None where it is not listed."""
        names = [name for name in self.models if name in address]
        return self.models[max(names, key=len)] if names else None


def load_prices(own: Path | None = None) -> Prices:
    """The shipped price table, with a user's own on top.

    Raises:
        InputError: the file is not a price table; the message names the entry.
        StorageError: it cannot be read.
    """
    table = _parsed(SHIPPED)
    if own is not None:
        mine = _parsed(own)
        table = {**table, **mine, "models": {**table["models"], **mine.get("models", {})}}
    return Prices(
        str(table["as_of"]),
        str(table["source"]),
        float(table["core_hour"]),
        {
            name: (float(entry["input"]), float(entry["output"]))
            for name, entry in table["models"].items()
        },
    )


def cost_per_million(scores: Scores, prices: Prices) -> float | None:
    """US dollars for a million queries like those evaluated.

    A language model's queries cost its tokens; None where its price is not listed or its service
    does not count tokens. Any other router costs the time of the core that it keeps busy; None for
    a recording.
    """
    if not scores.timed:
        return None
    if not scores.billed:
        return scores.latency.cpu * _MILLION / _MS_PER_HOUR * prices.core_hour
    price = prices.of(scores.router)
    if price is None or not scores.tokens_in:
        return None
    per_query = (scores.tokens_in * price[0] + scores.tokens_out * price[1]) / _PRICED
    return per_query * _MILLION


def _parsed(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML ({error})") from error
    known = {"as_of": str, "source": str, "core_hour": int | float, "models": dict}
    for name, value in table.items():
        if name not in known or not isinstance(value, known[name]):
            raise InputError(f"{path}: {name} is not an entry of a price table, or not of its kind")
    for name, entry in table.get("models", {}).items():
        numbers = isinstance(entry, dict) and {"input", "output"} == set(entry)
        if not numbers or not all(
            isinstance(value, int | float) and 0 <= value < math.inf for value in entry.values()
        ):
            raise InputError(f"{path}: [models.{name!r}] needs input and output, each 0 or more")
    if not 0 <= table.get("core_hour", 0) < math.inf:
        raise InputError(f"{path}: core_hour is no price")
    return table
