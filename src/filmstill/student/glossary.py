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
"""The glossary that ships with the package: language, folded word, English; tab-separated."""

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
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_CAPITALS = ("es", "fr", "pt", "it", "nl", "ru")  # languages that give capitals to names alone
_JOINTS = {"'", "’", "-"}
_GLUED = {"ar": ("و", "ف", "ب", "ل", "ك", "ال")}  # and, so, with, for, like, the
_STEM = {"ko": 2, "hi": 3, "ar": 3}
_USUAL_STEM = 4  # fewest letters of an entry that may stand for a longer word it begins
_LONGEST = 4  # words of an expression


class Glossary:
    """Words of several languages with their English."""

    def __init__(self, entries: Iterable[tuple[str, str, str]], *, folded: bool = False) -> None:
        """Take `(language, word or expression, English)`; later entries of a word do not count.

        Entries in English are words that another language's would be mistaken for.

        Args:
            entries: in any order.
            folded: they are in lower case and without accents already, as in a file.
        """
        self._english: dict[str, dict[str, str]] = {}
        self._known: set[str] = set()
        texts = set()  # many entries share one: a verb's forms, a word of several languages
        for language, foreign, english in entries:
            key = foreign if folded else _fold(foreign)
            texts.add(english)
            if language == _ENGLISH:
                self._known.add(key)
                continue
            # Hyphens and apostrophes part words in queries too.
            if not key.isalnum() and language not in _UNSPACED:
                key = " ".join(_WORD.findall(key))
            self._english.setdefault(language, {}).setdefault(key, english)
        self._known.update(" ".join(texts).split())
        self._longest = {
            language: max(map(len, self._english[language]))
            for language in _UNSPACED
            if language in self._english
        }
        self._latin = {
            language: {word for word in words if "a" <= word[:1] <= "z"}
            for language, words in self._english.items()
            if language not in _UNSPACED
        }

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a glossary file, or the compressed one of a student; words in both are folded.

        Raises:
            ArtefactError: the file cannot be read, or a line has not three parts.
        """
        try:
            stored = path.read_bytes()
            text = gzip.decompress(stored) if path.suffix == ".gz" else stored
            lines = text.decode("utf-8").splitlines()
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise ArtefactError(
                f"{path}: cannot be read ({error}); distil or copy the student again"
            ) from error
        return cls(_entries(lines, path), folded=True)

    def language(self, query: str) -> str:
        """ISO code of the language a query is read as; `en` where nothing speaks against it."""
        text = _fold(query)
        for language, script in _SCRIPTS:
            if script.search(text):
                return self._han(text) if language == "zh" else language
        words = {word for word in _WORD.findall(text) if not word.isdigit()}
        best, most = _ENGLISH, 0
        english = words & self._known
        for language, vocabulary in self._latin.items():
            found = words & vocabulary
            foreign = found - english
            if not foreign:  # a beginning alone is no evidence
                continue
            entries = self._english[language]
            foreign |= {word for word in words - english if _beginning(word, entries, language)}
            lead = len(foreign) - len(english - vocabulary)
            # A name or a typo may look like one word of a language: "Pina Bausch", "im tsting".
            enough = len(words) > 2 and 2 * len(found | foreign) >= len(words)
            if lead > most and (lead > 1 or foreign == words or enough):
                best, most = language, lead
        return best

    def _han(self, text: str) -> str:
        """Chinese or Japanese, whichever knows more of a text without kana."""
        left = {
            language: len(_HAN.findall(self._cut(text, language))) for language in self._longest
        }
        return min(("zh", "ja"), key=lambda language: left.get(language, len(text)))

    def read(self, query: str, language: str | None = None) -> str:
        """The query with the known words of its language in English, the rest in Latin letters.

        Args:
            query: a clean query.
            language: the language to read it in; found out where None.
        """
        language = language or self.language(query)
        entries = self._english.get(language)
        if entries is None:
            return query
        if language in _UNSPACED:
            glossed = self._cut(_fold(query), language)
        else:
            glossed = "".join(_gloss(query, entries, language))
        return " ".join(anyascii(glossed).split()) or query

    def _cut(self, text: str, language: str) -> str:
        """Text without spaces, cut greedily into the longest entries; the rest stays."""
        entries, longest = self._english[language], self._longest[language]
        parts: list[str] = []
        position = 0
        while position < len(text):
            for end in range(min(len(text), position + longest), position, -1):
                english = entries.get(text[position:end])
                if english is not None and not _inside_latin(text, position, end):
                    parts.append(f" {english} ")
                    position = end
                    break
            else:
                before = text[position - 1 : position]
                if before and before.isascii() != text[position].isascii():
                    parts.append(" ")
                parts.append(text[position])
                position += 1
        return "".join(parts)


def _inside_latin(text: str, start: int, end: int) -> bool:
    """Whether a piece would cut a Latin word or a number in two."""

    def joined(left: str, right: str) -> bool:
        return left.isascii() and right.isascii() and left.isalnum() and right.isalnum()

    return joined(text[start - 1 : start], text[start]) or joined(
        text[end - 1], text[end : end + 1]
    )


def _gloss(query: str, entries: dict[str, str], language: str) -> Iterator[str]:
    """The query's words in English, with what stood between them."""
    text = _composed(query)
    found = list(_WORD.finditer(text))
    folded = [_fold(match.group()) for match in found]
    is_name = _names(found, language)
    position, written = 0, 0
    while position < len(found):
        for length in range(min(_LONGEST, len(found) - position), 0, -1):
            words = folded[position : position + length]
            if any(is_name[position : position + length]):
                english = words[0] if length == 1 else None
            elif length > 1:
                english = entries.get(" ".join(words))
            else:
                english = _word(words[0], entries, language)
            if english is not None:
                between = text[written : found[position].start()]
                # An apostrophe or hyphen inside a word means nothing once the word is English.
                yield " " if between in _JOINTS else between
                yield english
                position += length
                written = found[position - 1].end()
                break
    yield text[written:]


def _names(found: list[re.Match[str]], language: str) -> list[bool]:
    """Which words are names by their capital: not the first of a query, and not where all have one.

    German gives capitals to nouns, and other scripts than Latin and Cyrillic have none.
    """
    capital = [match.group().istitle() for match in found]
    telling = language in _CAPITALS and not all(capital)
    return [telling and index > 0 and capital[index] for index in range(len(found))]


def _word(word: str, entries: dict[str, str], language: str) -> str:
    """English of one word: its own, that of what remains of it unglued, or of its beginning."""
    forms = [word]
    for glued in _GLUED.get(language, ()):
        if forms[-1].startswith(glued) and len(forms[-1]) > len(glued) + 1:
            forms.append(forms[-1][len(glued) :])
    for form in forms:
        if form in entries:
            return entries[form]
    for form in forms:
        begun = _beginning(form, entries, language)
        if begun is not None:
            return entries[begun]
    return word


def _beginning(word: str, entries: dict[str, str], language: str) -> str | None:
    """The longest entry that a word begins with, if it is most of the word."""
    shortest = max(_STEM.get(language, _USUAL_STEM), (len(word) + 1) // 2)
    for end in range(len(word) - 1, shortest - 1, -1):
        if word[:end] in entries:
            return word[:end]
    return None


def _composed(text: str) -> str:
    """Accents and half-width forms as one character each, so that places in it are stable."""
    return unicodedata.normalize("NFKC", text)


def _fold(text: str) -> str:
    """Lower case, without accents; other signs as Unicode composes them."""
    if text.isascii():
        return text.lower()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFKC", bare)


def _entries(lines: list[str], path: Path) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(lines, start=1):
        try:
            language, foreign, english = line.split("\t")
        except ValueError:
            raise ArtefactError(
                f"{path}, line {number}: not language, word and English by tabs; distil or copy "
                f"the student again"
            ) from None
        yield language, foreign, english
