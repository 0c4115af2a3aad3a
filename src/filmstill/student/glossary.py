"""Reads queries in other languages to an encoder that knows English only.

The default base encoder has an English vocabulary: a Spanish word falls into pieces without
meaning, and a few hundred training queries per language do not mend that. A gloss word by word is
no translation, but it carries over what counts here: which things are shown, heard, said or known.
So a student may hold a glossary and reads "el árbitro pita un penalti" as "the referee whistles a
penalty". Queries in English pass as they are.
"""

import gzip
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from anyascii import anyascii

from filmstill.errors import ArtefactError

PACKAGED = Path(__file__).with_name("glossary.tsv")
"""The glossary that ships with the package: language, word, English; tab-separated."""

_WORD = re.compile(r"(?:[^\W_]|[\u0900-\u0963\u200c\u200d])+")  # Indic vowel signs are no \w
_ACCENTS = re.compile(r"[\u0300-\u036f\u064b-\u0655\u0640]")  # Latin, Cyrillic and Arabic ones
_ENGLISH = "en"
# The first script that a query has a letter of; Chinese and Japanese share theirs with kana first.
_SCRIPTS = (
    ("ko", re.compile(r"[\uac00-\ud7a3]")),
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("zh", re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
)
_UNSPACED = ("ja", "zh")
_GLUED = {"ar": ("و", "ف", "ب", "ل", "ك", "ال")}  # and, so, with, for, like, the
_STEM = {"ko": 2, "hi": 3, "ar": 3}
_USUAL_STEM = 4  # fewest letters of an entry that may stand for a longer word it begins
_LONGEST = 4  # words of an expression


class Glossary:
    """Words of several languages with their English."""

    def __init__(self, entries: Iterable[tuple[str, str, str]]) -> None:
        """Take `(language, word or expression, English)`; later entries of a word do not count."""
        self._english: dict[str, dict[str, str]] = {}
        for language, foreign, english in entries:
            self._english.setdefault(language, {}).setdefault(_fold(foreign), english)
        self._known = {
            word
            for words in self._english.values()
            for english in words.values()
            for word in english.split()
        }
        latin = re.compile(r"[a-z]")
        self._latin = {
            language: {word for word in words if latin.match(word)}
            for language, words in self._english.items()
        }

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a glossary file, or the compressed one of a student.

        Raises:
            ArtefactError: the file cannot be read, or a line has not three parts.
        """
        try:
            stored = path.read_bytes()
            text = gzip.decompress(stored) if path.suffix == ".gz" else stored
            lines = text.decode("utf-8").splitlines()
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise ArtefactError(f"{path}: cannot be read ({error})") from error
        return cls(_entries(lines, path))

    def language(self, query: str) -> str:
        """ISO code of the language a query is read as; `en` where nothing speaks against it."""
        for language, script in _SCRIPTS:
            if script.search(query):
                return language
        words = set(_WORD.findall(_fold(query)))
        best, most = _ENGLISH, 0
        english = words & self._known
        for language, vocabulary in self._latin.items():
            found = words & vocabulary
            lead = len(found - english) - len(english - found)
            if lead > most and (lead > 1 or 2 * len(found) >= len(words)):
                best, most = language, lead
        return best

    def read(self, query: str) -> str:
        """The query with the known words of its language in English, the rest in Latin letters."""
        language = self.language(query)
        entries = self._english.get(language)
        if entries is None:
            return query
        text = _fold(query)
        if language in _UNSPACED:
            glossed = _cut(text, entries)
        else:
            glossed = " ".join(_gloss(_WORD.findall(text), entries, language))
        return " ".join(anyascii(glossed).split()) or query


def _gloss(words: list[str], entries: dict[str, str], language: str) -> Iterator[str]:
    position = 0
    while position < len(words):
        for length in range(min(_LONGEST, len(words) - position), 1, -1):
            english = entries.get(" ".join(words[position : position + length]))
            if english is not None:
                yield english
                position += length
                break
        else:
            yield _word(words[position], entries, language)
            position += 1


def _word(word: str, entries: dict[str, str], language: str) -> str:
    """English of one word: its own, that of what remains of it unglued, or of its beginning."""
    forms = [word]
    for glued in _GLUED.get(language, ()):
        if forms[-1].startswith(glued) and len(forms[-1]) > len(glued) + 1:
            forms.append(forms[-1][len(glued) :])
    for form in forms:
        if form in entries:
            return entries[form]
    shortest = _STEM.get(language, _USUAL_STEM)
    for form in forms:
        for end in range(len(form) - 1, max(shortest, (len(form) + 1) // 2) - 1, -1):
            if form[:end] in entries:
                return entries[form[:end]]
    return word


def _cut(text: str, entries: dict[str, str]) -> str:
    """Text without spaces, cut greedily into the longest entries; the rest stays."""
    longest = max(map(len, entries), default=1)
    parts: list[str] = []
    position = 0
    while position < len(text):
        for end in range(min(len(text), position + longest), position, -1):
            english = entries.get(text[position:end])
            if english is not None:
                parts.append(f" {english} ")
                position = end
                break
        else:
            parts.append(text[position])
            position += 1
    return "".join(parts)


def _fold(text: str) -> str:
    """Lower case, without accents; other signs as Unicode composes them."""
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFKC", bare)


def _entries(lines: list[str], path: Path) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(lines, start=1):
        parts = line.split("\t")
        if len(parts) != 3:
            raise ArtefactError(f"{path}, line {number}: not language, word and English by tabs")
        yield parts[0], parts[1], parts[2]
