"""Splitting examples into training and validation without a query on both sides."""

import random
from collections.abc import Sequence

from filmstill.query import same_query
from filmstill.records import Example


def families(examples: Sequence[Example]) -> list[str]:
    """For each example a name that is equal for all that must stay on one side of a split.

    Repeats of a query (in any case or spacing) are one family, and so are a parent and the
    children grown from it, which the tags "id" and "parent" tell.
    """
    roots: dict[str, str] = {}

    def root(key: str) -> str:
        while (above := roots.setdefault(key, key)) != key:
            roots[key] = roots[above]  # halve the path, so that long chains stay cheap
            key = above
        return key

    for example in examples:
        keys = [f"query {same_query(example.query)}"]
        keys += [f"id {example.tags[tag]}" for tag in ("id", "parent") if tag in example.tags]
        for key in keys[1:]:
            roots[root(key)] = root(keys[0])
    return [root(f"query {same_query(example.query)}") for example in examples]


def split(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Training and validation examples, split by family (see `families`).

    Args:
        examples: in any order; both results keep it.
        share: share of families that go to validation, 0..1; at least one does, and at least one
            stays.
        seed: of the shuffle.
    """
    names = families(examples)
    groups = sorted(set(names))
    random.Random(seed).shuffle(groups)  # noqa: S311 - not for secrets
    held_out = set(groups[: min(max(1, round(share * len(groups))), len(groups) - 1)])
    training = [item for item, name in zip(examples, names, strict=True) if name not in held_out]
    validation = [item for item, name in zip(examples, names, strict=True) if name in held_out]
    return training, validation
