"""What counts as a query."""

import unicodedata

from filmstill.errors import QueryError

MAX_QUERY_CHARS = 2000
"""Longest query that is accepted; the longest a person typed in the data we know has 300."""


_UNSEEN = ("Cf", "Zs", "Zl", "Zp", "Mn")  # categories that leave nothing on the screen alone


def clean_query(text: str) -> str:
    """The query with white space folded to single spaces and trimmed.

    Any script, emoji included, passes unchanged; joiners inside emoji and Indic words stay.

    Raises:
        QueryError: empty, over `MAX_QUERY_CHARS`, or with a control character or half a surrogate
            pair in it.
    """
    if len(text) > MAX_QUERY_CHARS:
        raise QueryError(
            f"the query has {len(text):,} characters and the limit is {MAX_QUERY_CHARS:,}: "
            f"shorten it"
        )
    query = " ".join(text.removeprefix("\ufeff").split())
    if all(unicodedata.category(character) in _UNSEEN for character in query):
        raise QueryError("the query is empty: give at least one word")
    for position, character in enumerate(query, start=1):
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise QueryError(
                f"the query has a control character (U+{ord(character):04X}) as character "
                f"{position}: remove it"
            )
    return query


def same_query(query: str) -> str:
    """A key that is equal for queries which differ only in case, white space or Unicode form."""
    return " ".join(unicodedata.normalize("NFKC", query).casefold().split())


def has_half_surrogate(text: str) -> bool:
    """Whether text holds half of a surrogate pair, which no encoding can write."""
    return any("\ud800" <= character <= "\udfff" for character in text)
