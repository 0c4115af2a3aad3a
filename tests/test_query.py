import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill.errors import QueryError
from filmstill.query import MAX_QUERY_CHARS, clean_query, same_query


@pytest.mark.parametrize(
    "text", ["", " ", "\t\n  \r\n", "\u3000\u00a0", "\u200b", "\ufeff", "\u200d \u200b"]
)
def test_nothing_is_no_query(text: str) -> None:
    with pytest.raises(QueryError, match="empty"):
        clean_query(text)


def test_a_book_is_no_query() -> None:
    with pytest.raises(QueryError, match=r"20,000 characters and the limit is 2,000"):
        clean_query("a" * 20_000)
    assert len(clean_query("a" * MAX_QUERY_CHARS)) == MAX_QUERY_CHARS


@pytest.mark.parametrize(("text", "name"), [("a\x00b", "U\\+0000"), ("\x1b[31m", "U\\+001B")])
def test_control_characters_are_named_with_their_place(text: str, name: str) -> None:
    with pytest.raises(QueryError, match=name):
        clean_query(text)


def test_a_byte_order_mark_is_no_part_of_the_query() -> None:
    assert clean_query("\ufeffred car") == "red car"


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(QueryError, match="U\\+D800"):
        clean_query("x \ud800")


@pytest.mark.parametrize(
    "text",
    ["👨‍👩‍👧 at the beach 🏖️", "perro ladrando", "雨の音", "कुत्ता भौंक रहा है", "صوت المطر", "Ёлка"],
)
def test_every_script_passes_unchanged(text: str) -> None:
    assert clean_query(text) == text


@given(st.text(max_size=200))
def test_cleaning_is_stable(text: str) -> None:
    try:
        cleaned = clean_query(text)
    except QueryError:
        return
    assert cleaned == clean_query(cleaned) == " ".join(cleaned.split())


def test_case_spacing_and_width_make_no_other_query() -> None:
    assert same_query("  Red  CAR ") == same_query("red car") == same_query("ｒｅｄ car")
    assert same_query("red car") != same_query("red cars")
