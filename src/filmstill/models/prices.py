"""What a model's tokens cost: a dated table, with a user's own prices on top."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filmstill.errors import InputError
from filmstill.files import read_text

SHIPPED = Path(__file__).with_name("prices.toml")
_PRICED = 1000  # tokens that a listed price is for


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

    def cost(self, address: str, tokens_in: float, tokens_out: float) -> float | None:
        """US dollars for so many tokens of a model; None where its price is not listed."""
        price = self.of(address)
        return None if price is None else (tokens_in * price[0] + tokens_out * price[1]) / _PRICED


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
