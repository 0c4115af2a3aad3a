import pytest

from filmstill import Example, Routing, Task
from filmstill.evals.noise import teacher_noise


def labelled(query: str, *weights: float) -> Example:
    names = ("visual", "audio", "transcription", "metadata")
    return Example(query, Routing(dict(zip(names, weights, strict=True))))


def test_pairs_of_labels_by_hand(task: Task) -> None:
    examples = [
        labelled("red car", 0.8, 0.0, 0.0, 0.2),
        labelled("Red  car", 0.7, 0.1, 0.0, 0.2),  # off by 0.1 in two: score 4
        labelled("red car", 0.8, 0.0, 0.0, 0.2),  # a third label makes three pairs: 5, 4, 4
        labelled("bell", 0.4, 0.2, 0.2, 0.2),
        labelled("bell", 0.2, 0.4, 0.2, 0.2),  # another leads: score 2
        labelled("once", 1.0, 0.0, 0.0, 0.0),
        Example("once"),
    ]
    noise = teacher_noise(examples, task)
    assert noise is not None
    assert (noise.queries, noise.pairs) == (2, 4)
    assert noise.rubric == pytest.approx((4 + 5 + 4 + 2) / 4)
    assert noise.leading == pytest.approx(3 / 4)
    assert noise.mean_absolute_error == pytest.approx((0.05 + 0 + 0.05 + 0.1) / 4)


def test_without_repeats_there_is_nothing_to_tell(task: Task) -> None:
    assert teacher_noise([labelled("x", 1, 0, 0, 0), Example("x")], task) is None
