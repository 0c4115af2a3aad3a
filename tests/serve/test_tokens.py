"""Counting and cutting in tokens."""

from pathlib import Path

import pytest

from filmstill import Router
from filmstill.errors import ArtefactError
from filmstill.serve.tokens import Tokens
from filmstill.student.router import StudentRouter


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    router = Router.load()
    assert isinstance(router, StudentRouter)
    return Tokens(router.artefact.layout.tokenizer)


def test_counting(tokens: Tokens) -> None:
    assert tokens.count() == tokens.count("") == tokens.count("", "") == 0
    assert tokens.count("a dog barking in the rain") == 6
    assert tokens.count("a dog", "", "barking in the rain") == 6
    assert tokens.count("a dog " * 200) == 400  # longer than any query that is routed


def test_very_long_texts_are_counted_about(tokens: Tokens) -> None:
    assert tokens.count("a dog " * 100_000) == pytest.approx(200_000, rel=0.001)
    assert tokens.count(*["a dog "] * 100_000) == pytest.approx(200_000, rel=0.001)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(1, "{"), (3, '{"vis'), (99, None), (10**30, None)],
)
def test_cutting(tokens: Tokens, limit: int, expected: str | None) -> None:
    text = '{"vis犬ual": 0.3}'
    cut, was_cut = tokens.cut(text, limit)
    assert (cut, was_cut) == ((text, False) if expected is None else (expected, True))
    for size in range(1, 12):  # it never cuts through a character, and never adds one
        cut, was_cut = tokens.cut(text, size)
        assert text.startswith(cut)
        assert not was_cut or len(cut) < len(text)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ArtefactError, match=r"tokenizer\.json: cannot be loaded"):
        Tokens(tmp_path / "tokenizer.json")
