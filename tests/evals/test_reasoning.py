"""What is checked in a reasoning: is it about this query and these weights?"""

from dataclasses import astuple

import pytest

from filmstill import Routing, Task
from filmstill.evals.reasoning import check_reasoning

NAMES = ("visual", "audio", "transcription", "metadata")


def routing(reasoning: str, *weights: float) -> Routing:
    return Routing(dict(zip(NAMES, weights or (0.6, 0.3, 0.1, 0.0), strict=True)), reasoning)


@pytest.mark.parametrize(
    ("query", "answer", "specific", "names_lead", "agrees"),
    [
        ("a red car", routing("Visual: the red paint can be seen."), 1, 1, 1),
        # by its description instead of its name
        ("a red car", routing("A car is what can be seen."), 1, 1, 1),
        # of a word of two letters nothing follows, where the query has a longer one
        ("a red car", routing("Visual leads a lot."), 0, 1, 1),
        ("go on", routing("Visual, to go by."), 1, 1, 1),
        # "carpet" and "audiobook" hold the words, and are others
        ("a red car", routing("A carpet in an audiobook."), 0, 0, 0),
        # the lead is named, after a channel that it outweighs and does not leave out
        ("a red car", routing("Audio of the car, then visual."), 1, 1, 1),
        # the lead is left out, and outweighs what is named
        ("a red car", routing("The car is for audio."), 1, 0, 0),
        # of two that tie, one is enough
        ("a red car", routing("The car is for audio.", 0.5, 0.5, 0.0, 0.0), 1, 1, 1),
        # scripts without spaces: a word stands inside what looks like one
        ("赤い車が走る", routing("Visual: 車 can be seen."), 1, 1, 1),
        ("赤い車が走る", routing("Visual: 犬 can be seen."), 0, 1, 1),
        ("?!", routing("Visual, for want of words."), 1, 1, 1),
    ],
)
def test_one_reasoning(
    task: Task, query: str, answer: Routing, specific: int, names_lead: int, agrees: int
) -> None:
    found = check_reasoning([(query, answer)], task)
    assert found is not None
    assert astuple(found) == (1, specific, names_lead, agrees, 1)


def test_shares_by_hand(task: Task) -> None:
    answers = [
        ("a red car", routing("The red car is visual.")),
        ("a blue car", routing("Visual leads.")),
        ("a dog", routing("Visual leads.")),
        ("a bell", routing("The bell is for audio.")),
        ("a shop", routing("")),  # has none, and counts nowhere
    ]
    found = check_reasoning(answers, task)
    assert found is not None
    assert found.reasonings == 4
    assert found.specific == 2 / 4
    assert found.names_lead == found.agrees == 3 / 4
    assert found.own == 2 / 4


def test_without_reasonings_there_is_nothing_to_tell(task: Task) -> None:
    assert check_reasoning([("a red car", routing(""))], task) is None
