"""The plan of a set of queries that a model shall write: how many of which kind."""

import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from filmstill.errors import InputError
from filmstill.files import read_text
from filmstill.task import Task
from filmstill.weights import snap

DEFAULT = Path(__file__).with_name("plan.toml")
TABLES = ("leads", "channels", "difficulty", "style", "domain")
_SHARING = {"one": 1, "two": 2, "three": 3}
NONE = "none"
"""Of the leading channels, where the query hints at none."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The kind of one query.

    Attributes:
        leads: the channels that share the lead; none where the query shall not hint at any.
        difficulty: such as "easy".
        style: such as "question".
        domain: what it is about; empty where that is left open.
        words: words of the user's own to write about, each "kind: word".
    """

    leads: tuple[str, ...]
    difficulty: str
    style: str
    domain: str = ""
    words: tuple[str, ...] = ()

    @property
    def intent(self) -> str:
        """The leading channels in one word, as the "intent" tag holds them."""
        return "+".join(self.leads) or NONE


@dataclass(frozen=True)
class Plan:
    """Shares per table, relative to each other; see `plan.toml`."""

    tables: Mapping[str, Mapping[str, float]]

    @classmethod
    def load(cls, task: Task, *files: Path) -> "Plan":
        """Read the plan that all tasks share, then files whose tables replace its tables.

        Raises:
            InputError: a file is not a plan, or names a channel the task has not.
            StorageError: it cannot be read.
        """
        tables: dict[str, Mapping[str, float]] = {}
        for path in (DEFAULT, *files):
            tables |= _tables(path, task)
        return cls(tables)

    def slots(self, task: Task, count: int, seed: int) -> list[Slot]:
        """`count` slots in the plan's shares, in random order; same seed, same slots."""
        chooser = random.Random(seed)  # noqa: S311 - not for secrets
        leads = [
            kind
            for name, number in apportion(self.tables["leads"], count)
            for kind in self._kinds(name, number, task)
        ]
        columns: list[list[Any]] = [leads]
        for table in ("difficulty", "style", "domain"):
            shares = self.tables[table] or {"": 1.0}
            columns.append(
                [name for name, number in apportion(shares, count) for _ in range(number)]
            )
        for column in columns:
            chooser.shuffle(column)
        return [Slot(*row) for row in zip(*columns, strict=True)]

    def _kinds(self, name: str, count: int, task: Task) -> list[tuple[str, ...]]:
        """The leading channels of `count` slots in which so many share the lead."""
        size = min(_SHARING.get(name, 0), len(task.channels))
        if not size:
            return [()] * count
        shares = self.tables["channels"] or dict.fromkeys(task.channel_names, 1.0)
        groups = list(combinations(task.channel_names, size))
        weights = {
            "+".join(group): float(np.prod([shares.get(channel, 0.0) for channel in group]))
            for group in groups
        }
        if not any(weights.values()):
            weights = dict.fromkeys(weights, 1.0)
        by_name = {"+".join(group): group for group in groups}
        return [by_name[key] for key, number in apportion(weights, count) for _ in range(number)]


def apportion(shares: Mapping[str, float], count: int) -> list[tuple[str, int]]:
    """Whole numbers in the given shares that sum to `count` (largest remainders)."""
    names = [name for name, share in shares.items() if share > 0]
    if not names or not count:
        return [(name, 0) for name in names]
    parts = snap([[shares[name] for name in names]], count)[0] * count
    return [(name, round(part)) for name, part in zip(names, parts, strict=True)]


def read_words(path: Path) -> dict[str, list[str]]:
    """A user's own words to write queries about: a TOML file of lists, one per kind of word.

    Raises:
        InputError: it is not such a file; the message names the entry.
        StorageError: it cannot be read.
    """
    table = _toml(path)
    for kind, words in table.items():
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise InputError(f"{path}: {kind} must be a list of texts, such as ['one', 'two']")
    found = {
        kind: [word.strip() for word in words if word.strip()] for kind, words in table.items()
    }
    if not any(found.values()):
        raise InputError(f"{path}: there is no word in it; write lists such as titles = ['...']")
    return {kind: words for kind, words in found.items() if words}


def with_words(slots: Sequence[Slot], words: Mapping[str, Sequence[str]], seed: int) -> list[Slot]:
    """The slots, each with one word of a user's own, and every third with one of another kind."""
    chooser = random.Random(seed)  # noqa: S311 - not for secrets
    kinds = sorted(words)
    filled = []
    for number, slot in enumerate(slots):
        chosen = chooser.sample(kinds, min(2 if number % 3 == 0 else 1, len(kinds)))
        mine = tuple(f"{kind}: {chooser.choice(words[kind])}" for kind in chosen)
        filled.append(Slot(slot.leads, slot.difficulty, slot.style, slot.domain, mine))
    return filled


def _tables(path: Path, task: Task) -> dict[str, Mapping[str, float]]:
    document = _toml(path)
    for name, table in document.items():
        if name not in TABLES or not isinstance(table, dict):
            raise InputError(f"{path}: {name} is no table of a plan; there are {', '.join(TABLES)}")
        for key, share in table.items():
            if isinstance(share, bool) or not isinstance(share, int | float) or not share >= 0:
                raise InputError(f"{path}: [{name}] {key} must be a number from 0 up")
        if table and not 0 < sum(table.values()) < float("inf"):
            raise InputError(f"{path}: [{name}] needs a share above 0")
        known = {"leads": (*_SHARING, NONE), "channels": task.channel_names}.get(name, ())
        for key in table:
            if known and key not in known:
                raise InputError(f"{path}: [{name}] has no {key!r}; there are {', '.join(known)}")
    for name in ("leads", "difficulty", "style"):
        if name in document and not document[name]:
            raise InputError(f"{path}: [{name}] is empty; leave it out to keep the default")
    return document


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML ({error})") from error
