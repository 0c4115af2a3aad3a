import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from filmstill.student.decode import UNSEEN, Decoder

LABELS = np.array([[0.8, 0.2, 0.0]] * 8 + [[0.6, 0.2, 0.2]] * 2)


def test_by_hand() -> None:
    decoder = Decoder.fit(LABELS, 10, sigma=0.05)
    # |w - v|^2 is 0.0114 to the frequent label, 0.0314 to the rare one, 0.0014 to the rounding;
    # over 2 sigma^2 = 0.005 that is 2.28, 6.28 and 0.28; the log counts are log 8 = 2.08,
    # log 2 = 0.69 and log 0.5 = -0.69: -0.20, -5.59 and -0.97, so the frequent label wins
    raw = np.array([[0.72, 0.21, 0.07]])
    assert ((raw - LABELS[0]) ** 2).sum() == pytest.approx(0.0114)
    assert ((raw - LABELS[-1]) ** 2).sum() == pytest.approx(0.0314)
    assert decoder(raw).tolist() == [[0.8, 0.2, 0.0]]
    # a surer student: the distances count 25 times more, and the rounding is nearest
    assert Decoder.fit(LABELS, 10, sigma=0.01)(raw).tolist() == [[0.7, 0.2, 0.1]]


def test_far_from_every_label_plain_rounding_wins() -> None:
    assert Decoder.fit(LABELS, 10, 0.05)(np.array([[0.02, 0.03, 0.95]])).tolist() == [[0, 0, 1.0]]


def test_what_rounding_and_labels_both_say_is_no_contest() -> None:
    assert Decoder.fit(LABELS, 10, 0.05)(np.array([[0.61, 0.2, 0.19]])).tolist() == [
        [0.6, 0.2, 0.2]
    ]
    assert UNSEEN < 1


@given(
    hnp.arrays(np.float64, (20, 4), elements=st.floats(0.001, 1)),
    hnp.arrays(np.float64, (7, 4), elements=st.floats(0.001, 1)),
    st.floats(0, 1),
)
def test_every_answer_is_on_the_grid(labels: np.ndarray, raw: np.ndarray, sigma: float) -> None:
    labels /= labels.sum(axis=1, keepdims=True)
    raw /= raw.sum(axis=1, keepdims=True)
    decoder = Decoder.fit(labels, 10, sigma)
    decoded = decoder(raw)
    assert (np.round(decoded, 1) == decoded).all()
    assert (np.rint(decoded * 10).sum(axis=1) == 10).all()
    again = Decoder.from_json(decoder.to_json(), 10)
    assert (again(raw) == decoded).all()
