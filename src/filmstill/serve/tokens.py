"""Counting and cutting text in tokens, as the APIs of language models do."""

from pathlib import Path

from tokenizers import Tokenizer

from filmstill.errors import ArtefactError

_EXACT = 10_000
"""Characters whose tokens are counted: some 5 ms in which nothing else can be done."""


class Tokens:
    """A student's own tokenizer, which neither cuts nor fills up what it counts."""

    def __init__(self, file: Path) -> None:
        """Read a file of the `tokenizers` library.

        Raises:
            ArtefactError: the file cannot be loaded.
        """
        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises bare Exception
            raise ArtefactError(f"{file}: cannot be loaded ({error})") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def count(self, *texts: str) -> int:
        """How many tokens texts have together; of very long ones, about."""
        left, counted, tokens = _EXACT, 0, 0
        for text in texts:
            part = text[:left]
            tokens += len(self._tokenizer.encode(part, add_special_tokens=False).ids)
            left -= len(part)
            counted += len(part)
        return round(tokens * sum(map(len, texts)) / counted) if counted else 0

    def cut(self, text: str, max_tokens: int) -> tuple[str, bool]:
        """The text up to so many tokens, 1 or more, and whether anything was cut off."""
        ends = self._tokenizer.encode(text, add_special_tokens=False).offsets
        if len(ends) <= max_tokens:
            return text, False
        return text[: ends[max_tokens - 1][1]], True
