import numpy as np
import pytest

from filmstill.evals.metrics import (
    absolute_errors,
    leading_matches,
    rubric_scores,
    within,
)

REFERENCE = [0.5, 0.2, 0.2, 0.1]

# prediction for REFERENCE, rubric score, leading matches
CASES = [
    ([0.5, 0.2, 0.2, 0.1], 5, True),
    ([0.55, 0.15, 0.2, 0.1], 5, True),  # off by exactly 0.05
    ([0.56, 0.14, 0.2, 0.1], 4, True),
    ([0.4, 0.3, 0.2, 0.1], 4, True),  # off by exactly 0.10
    ([0.35, 0.35, 0.2, 0.1], 3, True),  # a tie that includes the leader; 0.15, mean 0.075
    ([0.39, 0.31, 0.2, 0.1], 3, True),
    ([0.8, 0.1, 0.1, 0.0], 2, True),  # off by exactly 0.30, but the mean is 0.15, not below
    ([0.2, 0.5, 0.2, 0.1], 2, False),  # off by exactly 0.30, another channel leads
    ([0.34, 0.36, 0.2, 0.1], 2, False),
    ([0.19, 0.51, 0.2, 0.1], 1, False),  # off by 0.31
    ([0.0, 0.0, 0.0, 1.0], 1, False),
]


@pytest.mark.parametrize(("predicted", "score", "matches"), CASES)
def test_rubric_by_hand(predicted: list[float], score: int, matches: bool) -> None:
    one, reference = np.array([predicted]), np.array([REFERENCE])
    assert rubric_scores(one, reference).tolist() == [score]
    assert leading_matches(one, reference).tolist() == [matches]


def test_a_three_needs_a_mean_error_below_015() -> None:
    reference = np.array([[0.6, 0.2, 0.2, 0.0]])
    just_below = np.array([[0.88, 0.06, 0.06, 0.0]])  # mean 0.14
    assert rubric_scores(just_below, reference).tolist() == [3]


def test_two_channels() -> None:
    reference = np.array([[0.5, 0.5]] * 4)
    predicted = np.array([[0.5, 0.5], [0.6, 0.4], [0.64, 0.36], [0.8, 0.2]])
    # the reference ties, so either channel may lead; a mean error of 0.3 is too much for a 3
    assert rubric_scores(predicted, reference).tolist() == [5, 4, 3, 2]
    assert leading_matches(predicted, reference).all()


def test_ties_match_through_one_common_leader() -> None:
    predicted = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.1 + 0.3, 0.4, 0.2]])
    reference = np.array([[0.2, 0.4, 0.4], [0.3, 0.3, 0.4], [0.8, 0.1, 0.1]])
    assert leading_matches(predicted, reference).tolist() == [True, False, True]


def test_within_and_errors() -> None:
    predicted, reference = np.array([[0.3, 0.7], [0.2, 0.8]]), np.array([[0.2, 0.8], [0.2, 0.8]])
    assert within(predicted, reference, 0.1).tolist() == [True, True]
    assert within(predicted, reference, 0.05).tolist() == [False, True]
    assert absolute_errors(predicted, reference) == pytest.approx(np.array([[0.1, 0.1], [0, 0]]))
