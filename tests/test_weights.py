import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from filmstill.records import Routing
from filmstill.task import Task
from filmstill.weights import RAW_STEPS, snap, weights_array, weights_mapping

rows = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 5), st.integers(2, 12)), elements=st.floats(0.001, 1)
)


def test_the_largest_remainders_get_the_steps_left_over() -> None:
    # in tenths: 4.4, 3.3, 1.8, 0.5 -> floors 4, 3, 1, 0; two left, to .8 and .5
    assert snap([[0.44, 0.33, 0.18, 0.05]], 10).tolist() == [[0.4, 0.3, 0.2, 0.1]]


def test_on_a_tie_the_earlier_channel_gets_the_step() -> None:
    assert snap([[0.25, 0.25, 0.25, 0.25]], 10).tolist() == [[0.3, 0.3, 0.2, 0.2]]


def test_what_lies_on_the_grid_stays() -> None:
    row = [0.1 + 0.2, 0.7, 0.0, 0.0]  # 0.30000000000000004
    assert snap([row], 10).tolist() == [[0.3, 0.7, 0.0, 0.0]]


def test_quarters_and_ten_thousandths() -> None:
    assert snap([[0.3, 0.7]], 4).tolist() == [[0.25, 0.75]]
    assert snap([[1 / 3, 1 / 3, 1 / 3]], RAW_STEPS).tolist() == [[0.3334, 0.3333, 0.3333]]


@given(rows, st.sampled_from([2, 4, 5, 10, 20, 100, 1000, RAW_STEPS]))
def test_rows_lie_on_the_grid_sum_to_one_and_stay_near(weights: np.ndarray, steps: int) -> None:
    snapped = snap(weights, steps)
    counts = snapped * steps
    assert np.allclose(counts, np.rint(counts), atol=1e-2 if steps == RAW_STEPS else 1e-6)
    assert (np.rint(counts).sum(axis=1) == steps).all()
    shares = weights / weights.sum(axis=1, keepdims=True)
    assert (np.abs(snapped - shares) < 1 / steps + 1e-6).all()


@given(rows)
def test_the_order_of_channels_is_kept(weights: np.ndarray) -> None:
    snapped = snap(weights, 10)
    for before, after in zip(weights, snapped, strict=True):
        for i in range(len(before)):
            for j in range(len(before)):
                if before[i] > before[j] + 1e-6:
                    assert after[i] >= after[j]


@given(rows)
def test_snapping_twice_changes_nothing(weights: np.ndarray) -> None:
    once = snap(weights, 10)
    assert (snap(once, 10) == once).all()


def test_sums_print_as_one(task: Task) -> None:
    for weights in snap(np.random.default_rng(0).dirichlet(np.ones(4), 200), 10):
        tenths = sum(int(f"{weight:g}".replace("0.", "") or 0) for weight in weights if weight < 1)
        assert tenths == 10 or 1.0 in weights


def test_arrays_and_mappings_are_inverse(task: Task) -> None:
    mapping = {"visual": 0.4, "audio": 0.3, "transcription": 0.2, "metadata": 0.1}
    array = weights_array([Routing(mapping)], task)
    assert array.tolist() == [[0.4, 0.3, 0.2, 0.1]]
    assert weights_mapping(array[0], task) == mapping


def test_no_routings_make_an_empty_array(task: Task) -> None:
    assert weights_array([], task).shape == (0, 4)


def test_leading_lists_ties_in_channel_order() -> None:
    assert Routing({"a": 0.4, "b": 0.2, "c": 0.1 + 0.3}).leading == ("a", "c")
    assert Routing({"a": 0.3, "b": 0.7}).leading == ("b",)
