import numpy as np
import pytest

from filmstill.evals.bootstrap import mean_interval


def test_it_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    sample = np.random.default_rng(3).integers(1, 6, 80)
    low, high = mean_interval(sample)
    outside = stats.bootstrap(
        (sample,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert low == pytest.approx(outside.low, abs=0.03)
    assert high == pytest.approx(outside.high, abs=0.03)


def test_the_same_values_give_the_same_interval() -> None:
    assert mean_interval([1, 2, 5, 5]) == mean_interval([1, 2, 5, 5])
    many = np.random.default_rng(0).random(200)
    assert mean_interval(many) != mean_interval(many, seed=1)


def test_no_spread_no_width() -> None:
    assert mean_interval([4]) == (4, 4)
    assert mean_interval([3, 3, 3]) == (3, 3)
