import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filmstill import Task
from filmstill.records import TOLERANCE
from filmstill.student.reasoning import evidence_of, reasoning_of
from filmstill.student.words import WordEffects, parts_of

NAMES = ("visual", "audio", "transcription", "metadata")

vocabulary = st.sampled_from(
    ["Emma", "red", "coat", "whispers", "about", "poverty", "in", "the", "rain", "2019", "Netflix"]
)
tenths = (
    st.lists(st.integers(0, 10), min_size=3, max_size=3)
    .map(sorted)
    .map(lambda cuts: np.array([cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1], 10 - cuts[2]]) / 10)
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, np.ndarray, WordEffects]:
    words = draw(st.lists(vocabulary, min_size=1, max_size=8))
    query = " ".join(words)
    effects = draw(
        st.lists(
            st.lists(st.just(0.0) | st.floats(-0.5, 0.5), min_size=4, max_size=4),
            min_size=len(words),
            max_size=len(words),
        )
    )
    return query, draw(tenths), WordEffects(tuple(words), tuple(parts_of(query)), np.array(effects))


@given(cases())
def test_sentences_name_the_lead_and_the_querys_own_words(
    case: tuple[str, np.ndarray, WordEffects],
) -> None:
    query, weights, words = case
    task = Task.builtin()
    text = reasoning_of(query, weights, words, task)
    leaders = {NAMES[i] for i in range(4) if weights[i] >= weights.max() - TOLERANCE}
    lowered = text.lower()
    if len(leaders) < 4:
        for name in leaders:
            assert name in lowered
    quoted = re.findall(r'"(.+?)"', text)
    assert quoted
    assert all(phrase.removesuffix(" ...") in query for phrase in quoted)
    assert 1 <= len(re.findall(r"[.]( |$)", text)) <= 2
    assert text[0].isupper() or text[0] == '"'


@given(cases())
def test_sentences_never_contradict_the_weights(case: tuple[str, np.ndarray, WordEffects]) -> None:
    query, weights, words = case
    text = reasoning_of(query, weights, words, Task.builtin())
    # every number said of a channel is its weight, and what is said to play no part has none
    for name, number in re.findall(r"(\w+) leads? (?:narrowly )?with ([\d.]+\d|\d)", text.lower()):
        if name in NAMES:
            assert float(number) == weights[NAMES.index(name)] == weights.max()
    for name, number in re.findall(r"(?:brings in )(\w+) \(([\d.]+)\)", text.lower()):
        assert float(number) == weights[NAMES.index(name)] > 0
    for name, number in re.findall(r"(\w+) gets ([\d.]+) through", text.lower()):
        assert float(number) == weights[NAMES.index(name)] > 0
    for number in re.findall(
        r"(?:together with|the lead with|channel \(|narrowly with )([\d.]+\d)", text
    ):
        assert float(number) == weights.max()
    absent = re.search(r"Nothing in it calls for (.*)\.$", text)
    if absent:
        for name in re.findall(r"\w+", absent.group(1)):
            assert name == "or" or weights[NAMES.index(name)] == 0


def effects(query: str, rows: dict[str, list[float]]) -> WordEffects:
    words = query.split()
    table = np.array([rows.get(word, [0.0] * 4) for word in words])
    return WordEffects(tuple(words), tuple(parts_of(query)), table)


def test_a_clear_lead(task: Task) -> None:
    query = "Emma discussing poverty in the rain"
    words = effects(
        query, {"discussing": [-0.2, 0, 0.3, 0], "poverty": [0, 0, 0.2, 0], "Emma": [0, 0, 0, 0.1]}
    )
    text = reasoning_of(query, np.array([0.1, 0.1, 0.6, 0.2]), words, task)
    assert '"discussing poverty"' in text
    assert "transcription" in text.lower()
    assert "what is said" in text
    assert '"Emma"' in text
    assert [item.word for item in evidence_of(words, task)] == ["discussing", "poverty", "Emma"]
    assert evidence_of(words, task)[0].channel == "transcription"


def test_two_that_tie_are_both_named(task: Task) -> None:
    query = "bell near tower"
    words = effects(query, {"bell": [0, 0.3, 0, 0], "tower": [0.3, 0, 0, 0]})
    text = reasoning_of(query, np.array([0.4, 0.4, 0.0, 0.2]), words, task)
    assert '"bell" asks for what can be heard' in text
    assert '"tower" asks for what can be seen' in text


def test_small_words_take_their_neighbour_along(task: Task) -> None:
    query = "what is in the box"
    words = effects(query, {"in": [0.3, 0, 0, 0], "the": [0.01, 0, 0, 0], "is": [0, 0, 0.01, 0]})
    text = reasoning_of(query, np.array([0.8, 0.0, 0.0, 0.2]), words, task)
    assert '"in the"' in text


def test_an_even_split_claims_no_leader(task: Task) -> None:
    text = reasoning_of("hm", np.full(4, 0.25), effects("hm", {}), task)
    assert "evenly" in text
    assert not any(f"{name} leads" in text for name in NAMES)


def test_three_that_tie_although_no_word_speaks_for_any(task: Task) -> None:
    weights = np.array([0.3, 0.3, 0.1, 0.3])
    text = reasoning_of("this and that", weights, effects("this and that", {}), task)
    assert "visual, audio and metadata lead narrowly with 0.3" in text


def test_a_full_tie_with_words_for_each_names_them(task: Task) -> None:
    query = "bell tower"
    words = effects(query, {"bell": [0, 0.3, 0, 0], "tower": [0.3, 0, 0, 0]})
    text = reasoning_of(query, np.full(4, 0.25), words, task)
    assert "Nothing" not in text
    assert '"bell"' in text


def test_a_query_without_words_still_gets_a_sentence(task: Task) -> None:
    empty = WordEffects((), (), np.empty((0, 4)))
    text = reasoning_of("?!", np.array([0.4, 0.2, 0.1, 0.3]), empty, task)
    assert '"?!"' in text
    assert "visual leads with 0.4" in text


def test_texts_differ_from_query_to_query(task: Task) -> None:
    made = set()
    queries = [f"{a} {b}" for a in ("red", "blue", "old", "wet") for b in ("car", "dog", "hat")]
    for query in queries:
        words = effects(query, {key: [0.3, 0, 0, 0] for key in query.split()})
        made.add(reasoning_of(query, np.array([0.8, 0, 0, 0.2]), words, task))
    assert len(made) == len(queries)
