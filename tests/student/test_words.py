import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filmstill.student.words import WORDS_RUN, parts_of, word_effects

WEIGHT_OF = {"bell": 0.4, "rings": 0.2}


def weigh(texts: list[str]) -> np.ndarray:
    """Audio is the sum of what its words are worth; visual is the rest."""
    audio = np.array([sum(WEIGHT_OF.get(word, 0.0) for word in text.split()) for text in texts])
    return np.stack([1 - audio, audio], axis=1)


def test_the_effect_is_what_leaving_the_word_out_changes() -> None:
    query = "a bell rings"
    words = word_effects(query, weigh([query])[0], weigh)
    assert words.words == ("a", "bell", "rings")
    assert np.allclose(words.effects, [[0, 0], [-0.4, 0.4], [-0.2, 0.2]])


def test_punctuation_belongs_to_no_word() -> None:
    query = '"Nobody told us," she said - (twice!)'
    assert [query[a:b] for a, b in parts_of(query)] == [
        "Nobody", "told", "us", "she", "said", "-", "twice",
    ]  # fmt: skip


def test_scripts_without_spaces_are_cut_too() -> None:
    query = "雨の音 dog"
    assert [query[a:b] for a, b in parts_of(query)] == ["雨", "の", "音", "dog"]


def test_symbols_alone_have_no_words() -> None:
    assert word_effects("?! ...", np.array([0.5, 0.5]), weigh).words == ()


@given(st.text(max_size=120).map(lambda text: " ".join(text.split())))
def test_parts_are_ordered_apart_and_few(query: str) -> None:
    spans = parts_of(query)
    assert len(spans) * len(query.split()) <= max(WORDS_RUN, len(query))
    assert all(start < end for start, end in spans)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))


def test_long_queries_are_left_out_a_few_words_at_a_time() -> None:
    query = " ".join(f"word{number}" for number in range(40))
    spans = parts_of(query)
    assert len(spans) == 4
    assert query[slice(*spans[0])] == "word0 word1 word2 word3 word4 word5 word6 word7 word8 word9"
    assert query[slice(*spans[-1])].endswith("word38 word39")
    assert len(parts_of(" ".join(["word"] * 13))) == 13
