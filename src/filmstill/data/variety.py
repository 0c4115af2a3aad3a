"""How varied queries are: n-grams that differ, and wordings that many queries share.

A set made from a template gives itself away: few distinct n-grams, long runs of words in common.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from filmstill.query import same_query
from filmstill.records import Example

ORDERS = (1, 2, 3)
SHARED_BY = 5  # queries from which a common run of words counts as shared
_LONGEST = 12


@dataclass(frozen=True, slots=True)
class Variety:
    """Figures on the wording of a set; children grown from a parent are left out.

    Attributes:
        queries: how many distinct queries were looked at.
        distinct: for n of 1, 2 and 3: distinct word n-grams divided by all of them, 0..1.
        template: the longest run of words that at least `SHARED_BY` queries share; "" for none.
        template_queries: how many share it.
    """

    queries: int
    distinct: dict[int, float]
    template: str
    template_queries: int


def variety(examples: Sequence[Example]) -> Variety:
    """Measure the wording of the examples that were not grown from another."""
    words = [
        query.split()
        for query in {same_query(item.query) for item in examples if "parent" not in item.tags}
    ]
    distinct = {}
    for order in ORDERS:
        grams = [gram for query in words for gram in _ngrams(query, order)]
        distinct[order] = len(set(grams)) / len(grams) if grams else 0.0
    template, count = _longest_shared(words)
    return Variety(len(words), distinct, " ".join(template), count)


def tag_counts(examples: Sequence[Example]) -> dict[str, dict[str, int]]:
    """Per tag, how many examples have each value, the most frequent first.

    The tags id and parent name rows, and are left out.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        for name, value in example.tags.items():
            counts[name][value] += 1
    return {
        name: dict(counter.most_common())
        for name, counter in counts.items()
        if name not in ("id", "parent")
    }


def _longest_shared(words: list[list[str]]) -> tuple[tuple[str, ...], int]:
    best: tuple[tuple[str, ...], int] = ((), 0)
    for order in range(1, _LONGEST + 1):
        # Each query counts once for a run, however often it repeats it.
        counts = Counter(gram for query in words for gram in set(_ngrams(query, order)))
        frequent = counts.most_common(1)
        if not frequent or frequent[0][1] < SHARED_BY:
            break
        best = frequent[0]
    return best


def _ngrams(words: list[str], order: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + order]) for start in range(len(words) - order + 1)]
