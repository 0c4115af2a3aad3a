"""Texts for regular expressions, the same at each run."""

import re
import string
from typing import Any

_CHARACTERS = [
    *string.ascii_lowercase, *string.digits, *string.ascii_uppercase, *string.punctuation, " ",
]  # fmt: skip


def sample(pattern: str, repeats: int) -> str:
    """A text that a pattern matches, with so many more repeats than the least."""
    tree = re._parser.parse(pattern)  # type: ignore[attr-defined]
    return _sample(tree, repeats)


def _sample(tree: Any, repeats: int) -> str:
    return "".join(_one(str(kind), value, repeats) for kind, value in tree)


def _one(kind: str, value: Any, repeats: int) -> str:
    if kind == "LITERAL":
        return chr(value)
    if kind == "ANY":
        return "a"
    if kind == "AT":
        return ""
    if kind == "NOT_LITERAL":
        return next(one for one in _CHARACTERS if ord(one) != value)
    if kind == "IN":
        return next(one for one in _CHARACTERS if _is_in(one, value))
    if kind == "MAX_REPEAT":
        least, most, tree = value
        return _sample(tree, repeats) * min(int(least) + repeats, int(most))
    if kind == "SUBPATTERN":
        return _sample(value[-1], repeats)
    if kind == "BRANCH":
        return _sample(next((one for one in value[1] if one), value[1][0]), repeats)
    raise NotImplementedError(kind)


def _is_in(one: str, members: Any) -> bool:
    found = False
    negated = False
    for kind, value in members:
        if str(kind) == "NEGATE":
            negated = True
        elif str(kind) == "LITERAL":
            found |= ord(one) == value
        elif str(kind) == "RANGE":
            found |= value[0] <= ord(one) <= value[1]
        else:  # \s and \S, \d
            code = {"CATEGORY_SPACE": r"\s", "CATEGORY_NOT_SPACE": r"\S", "CATEGORY_DIGIT": r"\d"}
            found |= bool(re.fullmatch(code[str(value)], one))
    return found != negated
