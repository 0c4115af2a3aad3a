from pathlib import Path

import pytest

from filmstill import Task, load_examples
from filmstill.data.description import describe
from filmstill.data.plots import plot_weights
from filmstill.errors import InputError
from tests.conftest import record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    def label(*weights: float) -> dict[str, float]:
        return dict(zip(("visual", "audio", "transcription", "metadata"), weights, strict=True))

    lines = [
        record("red car", label(0.7, 0.1, 0.0, 0.2)),
        record("RED car", label(0.4, 0.4, 0.0, 0.2)),
        record("a bell rings far away", label(0.25, 0.25, 0.25, 0.25)),
        '{"query": "no label"}',
        "{broken",
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_every_figure_by_hand(path: Path, task: Task) -> None:
    facts = describe(load_examples(path, task), task)
    assert (facts.examples, facts.labelled, facts.rejected, facts.distinct) == (4, 3, 1, 3)
    assert (facts.with_reasoning, facts.off_grid) == (0, 1)
    assert (facts.median_words, facts.longest_words) == (2, 5)
    assert facts.mean_weights["visual"] == pytest.approx((0.7 + 0.4 + 0.25) / 3, abs=1e-4)
    # one lead alone, a tie of two, a tie of four
    assert facts.leading["visual"] == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    assert facts.leading["metadata"] == pytest.approx((1 / 4) / 3)
    assert list(facts.balance.values()) == [1, 1, 0, 1]
    assert facts.histogram["visual"] == [0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0]  # 0.25 goes to even 0.2
    assert facts.bins[3] == 0.3


def test_without_labels(tmp_path: Path, task: Task) -> None:
    path = tmp_path / "queries.txt"
    path.write_text("red car\n", encoding="utf-8")
    facts = describe(load_examples(path, task), task)
    assert (facts.labelled, facts.mean_weights, facts.balance) == (0, {}, {})
    with pytest.raises(InputError, match="no labels to plot"):
        plot_weights(facts, "x", tmp_path / "x.svg")


@pytest.mark.parametrize(("suffix", "magic"), [(".svg", b"<?xml"), (".PNG", b"\x89PNG")])
def test_plots(path: Path, task: Task, suffix: str, magic: bytes) -> None:
    pytest.importorskip("matplotlib")
    picture = path.with_suffix(suffix)
    plot_weights(describe(load_examples(path, task), task), "title", picture)
    assert picture.read_bytes().startswith(magic)
    if suffix == ".svg":
        assert b"matplotlib" in picture.read_bytes()


def test_a_plot_of_another_kind(path: Path, task: Task) -> None:
    with pytest.raises(InputError, match=r"must end in \.svg or \.png"):
        plot_weights(describe(load_examples(path, task), task), "title", path.with_suffix(".gif"))
