"""One or two English sentences on a routing, written from its evidence.

The sentences are put together from what the student did: the weights as they are shown and the
effects of the query's own words. They can therefore not contradict the weights, and two queries get
the same text only where the same words decided and the weights are the same.
"""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from filmstill.records import TOLERANCE, Evidence
from filmstill.student.words import WordEffects
from filmstill.task import Task
from filmstill.weights import FloatArray

NOTICEABLE = 0.02
"""Smallest effect that is called evidence: below it, noise of the quantised network."""
_COMPANION = 0.4  # a neighbour joins a phrase at this share of the strongest effect
# English words that say nothing when quoted alone; a phrase of these takes a neighbour along.
_SMALL = frozenset(
    """
    a an and any are as at be but by do for from had has have his her how i if in into is it its
    me my no not of off on or our out over she he so some than that the their then there they
    this to up was we were what when where which while who with you your
    """.split()
)
_EVEN = 0.15  # spread of the weights up to which no channel stands out
_WORTH_SAYING = 0.2  # weight from which a channel that does not lead is worth a sentence
_MAX_EVIDENCE = 8


def evidence_of(words: WordEffects, task: Task) -> tuple[Evidence, ...]:
    """For each word, the channel it speaks for most; strongest first, the noticeable ones only."""
    found = []
    for word, effects in zip(words.words, words.effects, strict=True):
        best = int(effects.argmax())
        if effects[best] >= NOTICEABLE:
            found.append(Evidence(word, task.channel_names[best], round(float(effects[best]), 3)))
    return tuple(sorted(found, key=lambda item: -item.effect)[:_MAX_EVIDENCE])


def reasoning_of(query: str, weights: FloatArray, words: WordEffects, task: Task) -> str:
    """The sentences.

    Args:
        query: a clean query.
        weights: `(n_channels,)`, as they are shown to the user.
        words: parts of the query and their effects.
        task: gives channel names and descriptions.
    """
    top = float(weights.max())
    leaders = [i for i in range(len(weights)) if weights[i] >= top - TOLERANCE]
    used: set[int] = set()
    phrases = {i: _phrase(query, words, i, used) for i in leaders}
    if len(leaders) > 2 or (top - float(weights.min()) <= _EVEN + TOLERANCE and len(weights) > 2):
        first = _even(query, weights, leaders, phrases, task)
    elif len(leaders) == 2:
        first = _shared(query, top, leaders, phrases, task)
    else:
        first = _single(query, top, leaders[0], phrases[leaders[0]], task)
    second = _rest(query, weights, leaders, words, used, task)
    return f"{first} {second}".strip()


def _single(query: str, top: float, leader: int, phrase: str, task: Task) -> str:
    channel = task.channels[leader]
    if not phrase:
        return (
            f"No single word of {_whole(query)} decides, but as a whole it asks for "
            f"{channel.description}, so {channel.name} leads with {top:g}."
        )
    return _choose(
        query,
        f"{_capital(channel.name)} leads with {top:g}, because {phrase} asks for "
        f"{channel.description}.",
        f"With {phrase} the query asks for {channel.description}, so {channel.name} leads "
        f"with {top:g}.",
        f"It is {phrase} that points to {channel.description}, which makes {channel.name} the "
        f"leading channel ({top:g}).",
    )


def _shared(query: str, top: float, leaders: list[int], phrases: dict[int, str], task: Task) -> str:
    names = _listed([task.channels[i].name for i in leaders])
    reasons = [
        f"{phrases[i]} asks for {task.channels[i].description}" for i in leaders if phrases[i]
    ]
    if not reasons:
        return f"{_capital(names)} lead together with {top:g} each for {_whole(query)} as a whole."
    if len(reasons) == 1:
        return f"{_capital(names)} lead together with {top:g} each, although only {reasons[0]}."
    return _choose(
        query,
        f"{_capital(names)} lead together with {top:g} each: {reasons[0]}, and {reasons[1]}.",
        f"The query has two sides: {reasons[0]}, while {reasons[1]}, so {names} share the lead "
        f"with {top:g} each.",
    )


def _even(
    query: str, weights: FloatArray, leaders: list[int], phrases: dict[int, str], task: Task
) -> str:
    telling = [phrase for phrase in phrases.values() if phrase.strip('"') not in ("", query)]
    if len(leaders) == len(weights) and not telling:
        return f"Nothing in {_whole(query)} tells the channels apart, so all share the lead evenly."
    names = _listed([task.channels[i].name for i in leaders])
    quoted = [phrases[i] for i in leaders if phrases[i]]
    verb = "leads" if len(leaders) == 1 else "lead"
    because = f", helped by {_listed(quoted)}" if quoted else ""
    return (
        f"{_whole(query)} speaks to several channels at once; {names} {verb} narrowly with "
        f"{float(weights.max()):g}{because}."
    )


def _rest(
    query: str,
    weights: FloatArray,
    leaders: list[int],
    words: WordEffects,
    used: set[int],
    task: Task,
) -> str:
    """What brings in the strongest channel that does not lead, or which channels play no part."""
    others = [i for i in np.argsort(-weights, kind="stable") if i not in leaders]
    for i in others:
        if weights[i] < _WORTH_SAYING - TOLERANCE:
            break
        phrase = _phrase(query, words, int(i), used)
        if phrase:
            name = task.channels[i].name
            return _choose(
                query,
                f"{_capital(phrase)} brings in {name} ({weights[i]:g}).",
                f"{_capital(name)} gets {weights[i]:g} through {phrase}.",
            )
    absent = [task.channels[i].name for i in others if weights[i] <= TOLERANCE]
    if absent:
        return f"Nothing in it calls for {_listed(absent, 'or')}."
    return ""


def _phrase(query: str, words: WordEffects, channel: int, used: set[int]) -> str:
    """The quoted words that speak most for a channel, "" where none does; marks them as used.

    Starts from the strongest word and takes in neighbours that speak for the channel too; a phrase
    of small words alone ("on the") takes in a neighbour, since it says nothing by itself.
    """
    if len(words.words) == 1 and not used:  # leaving it out would leave no query
        used.add(0)
        return f'"{words.words[0]}"'
    if not words.words:
        return ""
    effects = words.effects[:, channel].copy()
    effects[list(used)] = -1
    best = int(effects.argmax())
    if effects[best] < NOTICEABLE:
        return ""
    first = last = best
    threshold = max(NOTICEABLE, _COMPANION * float(effects[best]))
    while first > 0 and effects[first - 1] >= threshold:
        first -= 1
    while last + 1 < len(effects) and effects[last + 1] >= threshold:
        last += 1
    if all(words.words[i].lower() in _SMALL for i in range(first, last + 1)):
        neighbours = [i for i in (first - 1, last + 1) if 0 <= i < len(effects) and i not in used]
        if neighbours:
            chosen = max(neighbours, key=lambda i: effects[i])
            first, last = min(first, chosen), max(last, chosen)
    used.update(range(first, last + 1))
    return f'"{query[words.spans[first][0] : words.spans[last][1]]}"'


def _whole(query: str, limit: int = 60) -> str:
    return f'"{query}"' if len(query) <= limit else f'"{query[:limit].rsplit(" ", 1)[0]} ..."'


def _choose(query: str, *variants: str) -> str:
    """A variant that depends on the query alone, so that the same query reads the same."""
    return variants[crc32(query.encode()) % len(variants)]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed(items: Sequence[str], word: str = "and") -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"
