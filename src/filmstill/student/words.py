"""Which words of a query speak for which channel, found by leaving them out one by one.

The effect of a word on a channel is the channel's weight for the whole query minus its weight for
the query without that word: occlusion (Zeiler and Fergus, 2014), done on words. It is faithful by
construction, since it is what the student itself does when the word is gone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from filmstill.weights import FloatArray

WORDS_RUN = 170
"""About how many words one explanation may run through the network: the time it takes is bounded,
since the words of long queries (over 13) are left out a few at a time."""

# Scripts written without spaces are cut into single characters (Han) or runs (kana, Thai).
_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff]"
_KANA = r"[\u3040-\u30ff\u31f0-\u31ff]"
_WORD = re.compile(rf"{_HAN}|{_KANA}+|[^\s\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff]+")
_EDGES = "\"'“”‘’«».,;:!?¿¡()[]{}…、。！？「」『』・#"


@dataclass(frozen=True, slots=True)
class WordEffects:
    """The parts of a query and what each does.

    Attributes:
        words: parts of the query in its order, without punctuation around them.
        spans: `(start, end)` of each in the query.
        effects: `(n_words, n_channels)`, -1..1: weight with the word minus weight without it.
    """

    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    effects: FloatArray


def parts_of(query: str) -> list[tuple[int, int]]:
    """Spans of the query's words, or of runs of neighbouring words where there are many.

    White space and punctuation around a part belong to none.
    """
    words = []
    for match in _WORD.finditer(query):
        core = match.group().strip(_EDGES)
        if core:
            start = match.start() + match.group().index(core)
            words.append((start, start + len(core)))
    if not words:
        return []
    parts = min(len(words), max(1, WORDS_RUN // len(words)))
    size = -(-len(words) // parts)
    return [
        (words[first][0], words[min(first + size, len(words)) - 1][1])
        for first in range(0, len(words), size)
    ]


def word_effects(
    query: str, whole: FloatArray, weigh: Callable[[list[str]], FloatArray]
) -> WordEffects:
    """Run the query once more per part, that part left out, all in one batch.

    Args:
        query: a clean query.
        whole: its raw weights, `(n_channels,)`.
        weigh: gives texts their raw weights, `(n_texts, n_channels)`; has to accept "".
    """
    spans = parts_of(query)
    if not spans:  # punctuation or symbols alone
        return WordEffects((), (), np.empty((0, len(whole))))
    without = [" ".join((query[:start] + " " + query[end:]).split()) for start, end in spans]
    effects = whole[None, :] - weigh(without)
    return WordEffects(tuple(query[start:end] for start, end in spans), tuple(spans), effects)
