"""Splitting examples into training and validation without a query on both sides."""

import random
from collections.abc import Sequence

from filmstill.query import same_query
from filmstill.records import Example


def group_key(example: Example) -> str:
    """What must stay on one side: the example's parent where it has one, else its query."""
    return same_query(example.tags.get("parent") or example.query)


def split(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Training and validation examples, split by distinct query.

    Repeats of a query (in any case or spacing), and rows grown from one parent, stay together.

    Args:
        examples: in any order; both results keep it.
        share: share of distinct queries that go to validation, 0..1; at least one does, and at
            least one stays, unless the share is 0.
        seed: of the shuffle.
    """
    groups = sorted({group_key(example) for example in examples})
    random.Random(seed).shuffle(groups)  # noqa: S311 - not for secrets
    count = min(max(1, round(share * len(groups))), len(groups) - 1) if share else 0
    held_out = set(groups[:count])
    training = [example for example in examples if group_key(example) not in held_out]
    validation = [example for example in examples if group_key(example) in held_out]
    return training, validation
