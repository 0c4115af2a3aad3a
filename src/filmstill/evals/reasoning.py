"""Checks reasonings without a large language model: are they about this query and these weights?"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from filmstill.records import Routing
from filmstill.task import Task

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class ReasoningCheck:
    """Shares (0..1) of the reasonings that hold up.

    Attributes:
        reasonings: how many there are.
        specific: names a word of the query (of three letters or more, where it has one).
        names_lead: names a channel that leads.
        agrees: the channel it names first is not outweighed by one it does not name.
        own: no other query has the same reasoning.
    """

    reasonings: int
    specific: float
    names_lead: float
    agrees: float
    own: float


def check_reasoning(answers: Sequence[tuple[str, Routing]], task: Task) -> ReasoningCheck | None:
    """Check the reasonings of `(query, routing)` pairs; None where there are none."""
    given = [(query, routing) for query, routing in answers if routing.reasoning]
    if not given:
        return None
    repeats = Counter(routing.reasoning for _, routing in given)
    checks = [
        (
            _specific(query, routing.reasoning),
            bool(set(_named(routing.reasoning, task)) & set(routing.leading)),
            _agrees(routing, task),
            repeats[routing.reasoning] == 1,
        )
        for query, routing in given
    ]
    shares = [sum(column) / len(checks) for column in zip(*checks, strict=True)]
    return ReasoningCheck(len(given), *shares)


def _specific(query: str, reasoning: str) -> bool:
    words = set(_WORD.findall(query.casefold()))
    telling = {word for word in words if len(word) > 2 or not word.isascii()} or words
    said = set(_WORD.findall(reasoning.casefold()))
    if not telling or telling & said:
        return True
    # Scripts without spaces: a word of the reasoning may stand inside a "word" of the query.
    return any(not word.isascii() and word in query.casefold() for word in said)


def _named(reasoning: str, task: Task) -> list[str]:
    """Channels a reasoning names, by name or description, in the order of their naming."""
    text = reasoning.casefold()
    places = {}
    for channel in task.channels:
        found = [
            match.start()
            for phrase in (channel.name, channel.description)
            if (match := re.search(rf"\b{re.escape(phrase.casefold())}\b", text))
        ]
        if found:
            places[channel.name] = min(found)
    return sorted(places, key=places.__getitem__)


def _agrees(routing: Routing, task: Task) -> bool:
    named = _named(routing.reasoning, task)
    if not named:
        return False
    unnamed = [weight for name, weight in routing.weights.items() if name not in named]
    return routing.weights[named[0]] >= max(unnamed, default=0)
