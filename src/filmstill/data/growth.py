"""Growing labelled examples: children that ask for the same thing in other words.

Every operation keeps what is asked for: like is exchanged for like, letters are mistyped, capitals
and accents get lost, parts of a list change places, a polite phrase is put around. The words that
may be exchanged are data (`growth.toml` of the task). A child keeps its parent's weights, has no
reasoning (the words it would quote may be gone), and points to its parent.
"""

import random
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from filmstill.errors import InputError
from filmstill.query import same_query
from filmstill.records import Example, Routing

TYPO_SHARE = 0.6
"""Share of children with typos: they are what hurts a small encoder most, since a word mistyped
falls apart into pieces that mean nothing."""
_ATTEMPTS = 20  # at a child that differs from everything there is
_MIN_TYPO = 4  # letters of a word in which one mistyped letter leaves the word readable
_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_YEAR = re.compile(r"\b(19[3-9]\d|20[0-2]\d)\b")
_COUNT = re.compile(r"\b(season|episode|chapter|part|take|lap|round)( )(\d{1,2})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Growth:
    """What may be exchanged.

    Attributes:
        group_of: word to the words of its group.
        wrappers: language code to phrases with {} for the query.
    """

    group_of: Mapping[str, tuple[str, ...]]
    wrappers: Mapping[str, tuple[str, ...]]

    @classmethod
    def parse(cls, text: str, source: str = "growth.toml") -> "Growth":
        """Read the text of a `growth.toml`.

        Args:
            text: TOML with the tables [swaps] and [wrappers].
            source: where it is from, for messages.

        Raises:
            InputError: not TOML, or not of the expected form; the message names the entry.
        """
        try:
            document = tomllib.loads(text)
            swaps, wrappers = document["swaps"].items(), document["wrappers"].items()
        except (tomllib.TOMLDecodeError, KeyError, AttributeError) as error:
            raise InputError(
                f"{source}: not of the form [swaps] and [wrappers] ({error})"
            ) from error
        for name, words in (*swaps, *wrappers):
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise InputError(f"{source}: {name} must be a list of texts")
        for name, words in swaps:
            if len(set(words)) < 2:
                raise InputError(f"{source}: {name} needs two different words to exchange")
        for name, phrases in wrappers:
            for phrase in phrases:
                if phrase.count("{}") != 1:
                    raise InputError(f"{source}: {name}: {phrase!r} needs one {{}} for the query")
        return cls(
            {word: tuple(words) for _, words in swaps for word in words},
            {language: tuple(phrases) for language, phrases in wrappers},
        )


Operation = Callable[[str, str, Growth, random.Random], str]


def grow(
    examples: Sequence[Example],
    growth: Growth,
    *,
    count: int,
    seed: int,
    forbidden: Iterable[str] = (),
) -> list[Example]:
    """Grow labelled examples until there are `count` in all.

    Args:
        examples: the parents. A parent's id is its "id" tag, else its query; a parent that is
            itself a child gives its own parent on.
        growth: what may be exchanged.
        count: how many examples there shall be, parents included.
        seed: same seed and parents, same children.
        forbidden: queries no child may equal, such as those of an evaluation set.

    Returns:
        The parents, then the children, spread evenly over the parents. Fewer than `count` where
        the parents do not yield more.
    """
    chooser = random.Random(seed)  # noqa: S311 - not for secrets
    known = {same_query(query) for query in forbidden}
    known |= {same_query(example.query) for example in examples}
    parents = [example for example in examples if example.routing is not None]
    children: list[Example] = []
    barren = 0
    while parents and len(examples) + len(children) < count and barren < 2:
        born = len(children)
        for parent in chooser.sample(parents, len(parents)):
            if len(examples) + len(children) >= count:
                break
            child = _child(parent, growth, chooser, known)
            if child is not None:
                known.add(same_query(child.query))
                children.append(child)
        barren = barren + 1 if len(children) == born else 0
    return [*examples, *children]


def _child(
    parent: Example, growth: Growth, chooser: random.Random, known: set[str]
) -> Example | None:
    language = parent.tags.get("language", "en")
    for _ in range(_ATTEMPTS):
        query, done = parent.query, []
        # Few queries hold a word that can be exchanged; those that do are always asked to.
        names = ["swap", "numbers", chooser.choice(sorted(OPERATIONS))]
        if chooser.random() < TYPO_SHARE:
            names.append("typo")
        for name in dict.fromkeys(names):
            changed = OPERATIONS[name](query, language, growth, chooser)
            if changed != query:
                query = changed
                done.append(name)
        if done and query.strip() and same_query(query) not in known and parent.routing:
            family = parent.tags.get("parent") or parent.tags.get("id") or parent.query
            query = " ".join(query.split())
            name = f"{family}-{crc32(query.encode()):08x}"  # unlike for unlike queries of a family
            tags = {**parent.tags, "id": name, "parent": family, "grown": "+".join(done)}
            return Example(query, Routing(parent.routing.weights), tags)
    return None


def _swap(query: str, language: str, growth: Growth, chooser: random.Random) -> str:
    """Exchange every word that has like ones, each by one of them."""
    words = query.split(" ")
    for index, word in enumerate(words):
        core = word.strip("\"'.,;:!?()")
        group = growth.group_of.get(core)
        if group is None or (core[:1].isupper() and _beside_capital(words, index)):
            continue
        words[index] = word.replace(core, chooser.choice([item for item in group if item != core]))
    return " ".join(words)


def _numbers(query: str, language: str, growth: Growth, chooser: random.Random) -> str:
    """Other years of about the same time, other season and episode numbers."""
    query = _YEAR.sub(lambda match: str(min(2026, int(match[0]) + chooser.randint(-4, 4))), query)
    return _COUNT.sub(lambda match: f"{match[1]}{match[2]}{chooser.randint(1, 12)}", query)


def _typo(query: str, language: str, growth: Growth, chooser: random.Random) -> str:
    """One mistyped letter in a longer word; in several, at times, of a longer query."""
    words = query.split(" ")
    longer = [i for i, word in enumerate(words) if len(word) >= _MIN_TYPO and word.isalpha()]
    for index in chooser.sample(longer, min(len(longer), chooser.randint(1, 1 + len(words) // 4))):
        words[index] = _mistyped(words[index], chooser)
    return " ".join(words)


def _mistyped(word: str, chooser: random.Random) -> str:
    place = chooser.randrange(1, len(word) - 1)
    kind = chooser.choice(("drop", "double", "exchange", "neighbour"))
    before, letter, after = word[:place], word[place], word[place + 1 :]
    if kind == "drop":
        return before + after
    if kind == "double":
        return before + letter * 2 + after
    if kind == "exchange":
        return before + after[0] + letter + after[1:]
    for row in _KEYBOARD:
        if letter in row:
            spot = row.index(letter)
            return (
                before
                + chooser.choice(row[max(0, spot - 1) : spot] + row[spot + 1 : spot + 2])
                + after
            )
    return before + after


def _case(query: str, language: str, growth: Growth, chooser: random.Random) -> str:
    """All lower case mostly, at times all capitals."""
    return query.lower() if chooser.random() < 0.7 else query.upper()


def _accents(query: str, language: str, growth: Growth, chooser: random.Random) -> str:
    """Letters of the Latin script without their accents, as typed on a foreign keyboard."""
    plain = "".join(
        character
        for character in unicodedata.normalize("NFD", query)
        if not unicodedata.combining(character)
    )
    return plain if plain.isascii() else query


def _punctuation(query: str, language: str, growth: Growth, chooser: random.Random) -> str:
    """Without the punctuation that hurried people leave out; quotation marks stay."""
    return re.sub(r"[,;:.!?]+(?=\s|$)", "", query)


def _order(query: str, language: str, growth: Growth, chooser: random.Random) -> str:
    """The two parts of a list, or of a "while" sentence, the other way round."""
    for separator in (", while ", " while ", ", "):
        parts = query.split(separator)
        if len(parts) == 2 and min(len(part.split()) for part in parts) >= 2 and "?" not in query:
            joint = ", " if separator == ", " else " while "
            return f"{parts[1].rstrip('.')}{joint}{parts[0]}"
    return query


def _wrap(query: str, language: str, growth: Growth, chooser: random.Random) -> str:
    """A polite phrase around the query; only behind it where it is a question already."""
    phrases = growth.wrappers.get(language, ())
    if query.rstrip().endswith("?"):
        phrases = tuple(phrase for phrase in phrases if phrase.startswith("{} "))
    if not phrases:
        return query
    return chooser.choice(phrases).replace("{}", query)


def _beside_capital(words: list[str], index: int) -> bool:
    around = words[max(0, index - 1) : index] + words[index + 1 : index + 2]
    return any(word[:1].isupper() for word in around if word)


OPERATIONS: Mapping[str, Operation] = {
    "accents": _accents,
    "case": _case,
    "numbers": _numbers,
    "order": _order,
    "punctuation": _punctuation,
    "swap": _swap,
    "typo": _typo,
    "wrap": _wrap,
}
