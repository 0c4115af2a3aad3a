"""The n-gram model and how it is put together with the network."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill.student.ngrams import BUCKETS, NgramModel, buckets
from filmstill.student.runtime import mixed
from filmstill.student.train.facts import share_of_network
from filmstill.student.train.ngrams import fit_ngrams
from filmstill.task import parse_task

TEXTS = ["red car", "loud bell", "red bell", "loud car"] * 5
TASK = """\
name = "two"
description = "two channels"
grid_step = 0.1

[[channels]]
name = "seen"
description = "what is seen"

[[channels]]
name = "heard"
description = "what is heard"
"""
LABELS = np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5], [0.5, 0.5]] * 5)


def test_learns_which_words_speak_for_which_channel() -> None:
    model = fit_ngrams(TEXTS, LABELS)
    red, loud, unknown = model.weights(["red", "loud", "qqq"])
    assert red[0] > 0.6
    assert loud[1] > 0.6
    assert unknown == pytest.approx(LABELS.mean(axis=0), abs=0.02)


def test_learns_from_texts_without_words() -> None:
    labels = np.vstack([LABELS, [[0.5, 0.5]]])
    assert fit_ngrams([*TEXTS, "?!"], labels).weights(["red"])[0, 0] > 0.6


def test_a_text_without_words_gets_the_bias() -> None:
    model = NgramModel(np.zeros((BUCKETS, 2), np.int8), 1.0, np.array([0.3, 0.7]))
    assert model.weights(["", "?!"]) == pytest.approx(np.array([[0.3, 0.7], [0.3, 0.7]]))


def test_weights_by_hand() -> None:
    words, characters = buckets("ab")
    assert len(words) == 1  # "ab"
    assert len(characters) == 6  # " a", "ab", "b ", " ab", "ab ", " ab "
    table = np.zeros((BUCKETS, 2), np.int8)
    table[words[0]] = (1, 0)
    table[characters] = (0, 1)
    model = NgramModel(table, 0.1, np.array([0.5, 0.5]))
    first, second = 0.5 + 0.1, 0.5 + 0.1 * 6 / np.sqrt(6)
    expected = np.array([first, second]) / (first + second)
    assert model.weights(["AB"])[0] == pytest.approx(expected)


@given(st.lists(st.text(max_size=60), max_size=4))
def test_weights_are_shares(texts: list[str]) -> None:
    weights = fit_ngrams(TEXTS, LABELS).weights(texts)
    assert weights.shape == (len(texts), 2)
    assert (weights >= 0).all()
    assert weights.sum(axis=1) == pytest.approx(np.ones(len(texts)))


def test_comes_back_from_its_files(tmp_path: Path) -> None:
    model = fit_ngrams(TEXTS, LABELS)
    model.save(tmp_path / "ngrams.npy")
    again = NgramModel.load(tmp_path / "ngrams.npy", model.to_json(), 2)
    assert (again.weights(TEXTS) == model.weights(TEXTS)).all()
    with pytest.raises(ValueError, match=r"ngrams\.npy is int8"):
        NgramModel.load(tmp_path / "ngrams.npy", model.to_json(), 3)


def test_the_better_model_gets_the_larger_share() -> None:
    task = parse_task(TASK, "task.toml")
    labels = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    right, wrong = labels, 1 - labels
    assert share_of_network(right, wrong, labels, labels, task) == 1
    assert share_of_network(wrong, right, labels, labels, task) < 0.5
    assert share_of_network(right, right, labels, labels, task) == 1  # nothing to choose


def test_two_opinions_are_better_than_either() -> None:
    task = parse_task(TASK, "task.toml")
    labels = np.array([[0.8, 0.2], [0.6, 0.4], [0.2, 0.8]])
    shift = np.array([[-0.2, 0.2]])
    low, high = labels + shift, labels - shift
    assert 0.3 < share_of_network(low, high, labels, labels, task) < 0.7
    assert mixed(low, high, 0.5) == pytest.approx(labels)
