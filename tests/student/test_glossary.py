"""The glossary: which language a query is in, and how it is read in English."""

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill.data.corpus import corpus_path
from filmstill.data.reading import load_labelled
from filmstill.errors import ArtefactError
from filmstill.student.glossary import PACKAGED, Glossary
from filmstill.task import Task

ENTRIES = [
    ("es", "el", "the"),
    ("es", "árbitro", "referee"),
    ("es", "pita", "whistles"),
    ("es", "un", "a"),
    ("es", "penalti", "penalty"),
    ("es", "banda sonora", "soundtrack"),
    ("es", "explica", "explains"),
    ("ja", "審判", "referee"),
    ("ja", "が", ""),
    ("ja", "笛", "whistle"),
    ("ja", "を", ""),
    ("ja", "吹く", "blows"),
    ("ko", "심판", "referee"),
    ("ar", "حكم", "referee"),
    ("ru", "судья", "referee"),
    ("ru", "судь", "judge"),
    ("hi", "गाना", "song"),
]


@pytest.fixture(scope="module")
def small() -> Glossary:
    return Glossary(ENTRIES)


@pytest.fixture(scope="module")
def packaged() -> Glossary:
    return Glossary.load(PACKAGED)


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("El árbitro pita un penalti", "the referee whistles a penalty"),
        ("el ARBITRO pita un penalti", "the referee whistles a penalty"),  # accents left out
        ("la banda sonora explica el penalti", "la soundtrack explains the penalty"),
        ("el árbitro explicando un penalti", "the referee explains a penalty"),  # by its beginning
        ("審判が笛を吹く", "referee whistle blows"),
        ("심판이", "referee"),  # a particle is glued on
        ("والحكم", "referee"),  # "and the" is glued on
        ("судья", "referee"),
        ("судьбой", "judge"),  # the longest entry it begins with
        ("гравер", "graver"),  # unknown: in Latin letters
        ("गाना", "song"),
    ],
)
def test_reads_words_in_english(small: Glossary, query: str, read: str) -> None:
    assert small.read(query) == read


@pytest.mark.parametrize(
    "query",
    ["the referee explains", "Freddie Mercury at Live Aid", "penalty", "🎬", "1999", "?!"],
)
def test_english_and_wordless_queries_stay_as_they_are(small: Glossary, query: str) -> None:
    assert small.read(query) == query


def test_a_language_without_entries_stays_as_it_is(small: Glossary) -> None:
    assert small.language("裁判员吹哨") == "zh"
    assert small.read("裁判员吹哨") == "裁判员吹哨"


LETTERS = "".join(word for _, word, _ in ENTRIES) + "AÉßi̇ 1'-·。🎬\u0301\u0640\u200d"


@given(st.text(max_size=80) | st.text(alphabet=LETTERS, max_size=80))
def test_anything_can_be_read(text: str) -> None:
    glossary = Glossary(ENTRIES)
    read = glossary.read(text)
    if glossary.language(text) in {language for language, _, _ in ENTRIES}:
        assert read == text or (read.isascii() and read == " ".join(read.split()))
    else:
        assert read == text


def test_a_query_is_read_in_the_language_asked_for(small: Glossary) -> None:
    assert small.language("el explica pita un") == "es"
    assert small.read("el explica pita un", "en") == "el explica pita un"
    assert small.language("a penalty by el") == "en"
    assert small.read("a penalty by el", "es") == "a penalty by the"


def test_what_stands_between_words_stays(small: Glossary) -> None:
    assert small.read('"el árbitro pita" 7.1, ¿un penalti?') == (
        '"the referee whistles" 7.1, ?a penalty?'
    )


def test_names_stay_names(small: Glossary) -> None:
    assert small.read("El árbitro Un Penalti pita") == "the referee un penalti whistles"
    assert small.read("EL ÁRBITRO PITA UN PENALTI") == "the referee whistles a penalty"


def test_forms_of_unicode_are_read_alike(small: Glossary) -> None:
    for query in ("심판이", "el árbitro pita", "審判が笛を吹く"):
        assert small.read(unicodedata.normalize("NFD", query)) == small.read(query)


def test_latin_words_in_unspaced_text_stay_whole() -> None:
    glossary = Glossary([("ja", "sf", "science fiction"), ("ja", "シーン", "scene")])
    assert glossary.read("Crossfade シーン") == "crossfade scene"
    assert glossary.read("SFシーン") == "science fiction scene"


@pytest.mark.parametrize(
    "query",
    [
        "Van Halen",
        "Moulin Rouge",
        "Moby Dick",
        "Pina Bausch",
        "Ed Sheeran",
        "Camila Cabello",
        "slot machine jackpot",
        "la la land ending",
        "los angeles",
        "im tsting",
    ],
)
def test_names_and_titles_are_not_translated(packaged: Glossary, query: str) -> None:
    assert packaged.read(query) == query


@pytest.mark.parametrize("line", ["es\tel", "es\tel\tthe\tmore", "plain"])
def test_a_damaged_file_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "glossary.tsv"
    path.write_text(f"es\tel\tthe\n{line}\n", encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"glossary\.tsv, line 2: not language, word and"):
        Glossary.load(path)


def test_the_packaged_glossary_tells_the_corpus_languages_apart(
    packaged: Glossary, task: Task
) -> None:
    right: dict[str, list[bool]] = {}
    for example in load_labelled(corpus_path(task), task).examples:
        language = example.tags["language"]
        right.setdefault(language, []).append(packaged.language(example.query) == language)
    share = {language: sum(found) / len(found) for language, found in right.items()}
    assert len(share) == 13
    assert share["en"] > 0.994
    assert min(share.values()) > 0.83, share


def test_the_packaged_glossary_is_folded() -> None:
    """Loading relies on it: folding 61,000 words takes as long as all the rest."""
    accents = re.compile(r"[\u0300-\u036f\u064b-\u0655\u0640]")
    for line in PACKAGED.read_text(encoding="utf-8").splitlines():
        foreign = line.split("\t")[1]
        assert foreign == foreign.casefold(), line
        assert unicodedata.is_normalized("NFKC", foreign), line
        assert not accents.search(unicodedata.normalize("NFKD", foreign)), line


def test_entries_in_a_file_are_taken_as_folded(tmp_path: Path, small: Glossary) -> None:
    path = tmp_path / "glossary.tsv"
    folded = [(language, word.replace("á", "a"), english) for language, word, english in ENTRIES]
    path.write_text("".join("\t".join(entry) + "\n" for entry in folded), encoding="utf-8")
    loaded = Glossary.load(path)
    for query in ("El árbitro pita un penalti", "el ARBITRO", "la Banda-Sonora", "судьбой"):
        assert loaded.read(query) == small.read(query)


def test_the_packaged_glossary_has_no_doubles_and_plain_english() -> None:
    seen = set()
    for line in PACKAGED.read_text(encoding="utf-8").splitlines():
        language, foreign, english = line.split("\t")
        assert (language, foreign) not in seen, line
        seen.add((language, foreign))
        if language == "en":
            continue
        assert english or language in ("ja", "zh", "ko", "hi", "ar", "ru") or len(foreign) < 12
        assert foreign == foreign.strip(), line
        assert foreign, line
        assert len(english.split()) <= 5, line
        assert all(ord(character) < 0x250 for character in english), line
