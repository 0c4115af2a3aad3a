"""So many examples of the corpus that ships: a part that is like the whole, or the corpus grown."""

import random
from collections import defaultdict
from collections.abc import Sequence

from filmstill.data.corpus import corpus_path, evaluation_path, growth_path
from filmstill.data.growth import Growth, grow
from filmstill.data.reading import load_examples, load_labelled
from filmstill.files import read_text
from filmstill.records import Example
from filmstill.task import Task


def stratified(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` examples, of every intent about its share, in random order; same seed, same part.

    Examples without an "intent" tag are a group of their own.
    """
    chooser = random.Random(seed)  # noqa: S311 - not for secrets
    groups = defaultdict(list)
    for example in chooser.sample(examples, len(examples)):
        groups[example.tags.get("intent", "")].append(example)
    # Of every group evenly spread places in one queue, so that any head of it is in proportion.
    queue = sorted(
        ((number + 0.5) / len(group), name, number)
        for name, group in groups.items()
        for number in range(len(group))
    )
    chosen = [groups[name][number] for _, name, number in queue[:count]]
    chooser.shuffle(chosen)
    return chosen


def corpus_examples(task: Task, count: int, seed: int) -> list[Example]:
    """Examples from the corpus that ships: a part of the written ones, or the corpus grown.

    Raises:
        InputError: the task has no corpus of its own.
    """
    everything = load_labelled(corpus_path(task), task).examples
    written = [example for example in everything if "parent" not in example.tags]
    if count <= len(everything):
        return stratified(written if count <= len(written) else everything, count, seed)
    source = growth_path(task)
    held_out = load_examples(evaluation_path(task), task).examples
    return grow(
        everything,
        Growth.parse(read_text(source), str(source)),
        count=count,
        seed=seed,
        forbidden=[example.query for example in held_out],
    )
