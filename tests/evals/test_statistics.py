"""The statistics, against outside references where there are any."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from filmstill import Example
from filmstill.evals.breakdown import Slice, confusion, reliability, slices
from filmstill.evals.judge_check import weighted_kappa
from filmstill.evals.significance import paired_difference, paired_permutation


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_permutation_test_equals_scipys(shift: float) -> None:
    differences = np.random.default_rng(1).normal(shift, 1, 60)
    reference = stats.permutation_test(
        (differences, np.zeros(60)),
        lambda x, y: np.mean(x - y),
        permutation_type="samples",
        n_resamples=9999,
        rng=np.random.default_rng(2),
    )
    assert paired_permutation(differences) == pytest.approx(reference.pvalue, abs=0.02)


def test_a_difference_by_hand() -> None:
    found = paired_difference("b", [5, 4, 3], "a", [4, 3, 2])
    assert (found.router, found.baseline, found.mean) == ("b", "a", 1)
    assert (found.low, found.high) == (1, 1)
    assert found.p_value == pytest.approx(2 / 8, abs=0.02)  # all signs alike, two ways of eight
    assert paired_difference("b", [3, 3], "a", [3, 3]).p_value == 1


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=40))
def test_kappa_equals_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    if len(set(first) | set(second)) < 2:
        assert np.isnan(weighted_kappa(np.array(pairs, dtype=np.float64)))
        return
    reference = cohen_kappa_score(first, second, weights="quadratic", labels=[1, 2, 3, 4, 5])
    assert weighted_kappa(np.array(pairs, dtype=np.float64)) == pytest.approx(
        reference, nan_ok=True
    )


def test_confusion_by_hand() -> None:
    reference = np.array([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    predicted = np.array([[0.6, 0.4], [0.9, 0.1], [0.3, 0.7]])
    table = confusion(predicted, reference)
    assert table == pytest.approx(np.array([[1, 0.5], [1, 0.5]]))
    assert table.sum() == pytest.approx(3)


def test_reliability_by_hand() -> None:
    confidence = np.array([0.05, 0.95, 0.96, 1.0])
    right = np.array([0.0, 1.0, 1.0, 0.0])
    bins, error = reliability(confidence, right)
    assert [(item.queries, item.leading) for item in bins] == [(1, 0), (3, pytest.approx(2 / 3))]
    assert error == pytest.approx((0.05 + 3 * abs((0.95 + 0.96 + 1) / 3 - 2 / 3)) / 4)


def test_slices_by_hand() -> None:
    examples = [
        Example("a", tags={"style": "caption", "id": "1", "only": "x"}),
        Example("b", tags={"style": "caption", "id": "2", "only": "x"}),
        Example("c", tags={"style": "question", "id": "3", "only": "x"}),
        Example("d", tags={"style": "question", "id": "4", "only": "x"}),
        Example("e", tags={"id": "5", "only": "x", "style": ""}),
    ]
    rubric = np.array([5, 4, 1, 0, 3])  # the third has no valid routing, the fourth was not asked
    leading = np.array([1, 0, np.nan, np.nan, 1])
    errors = np.array([0, 0.05, np.nan, np.nan, 0.1])
    found = slices(examples, rubric, leading, errors)
    assert [item for item in found if item.tag == "style"] == [
        Slice("style", "caption", 2, 4.5, 0.5, 0.025),
        Slice("style", "question", 1, 1.0, None, None),
    ]
    assert {item.tag for item in found} == {"style"}  # an id names a row, and is no slice
    for count, expected in ((24, 24), (25, 0)):
        many = [Example("q", tags={"note": str(number)}) for number in range(count)]
        found = slices(many, np.full(count, 5), np.ones(count), np.zeros(count))
        assert len(found) == expected
