"""The plan of queries to write: shares kept, files checked."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill import Task
from filmstill.data.corpus import plan_path
from filmstill.errors import InputError
from filmstill.teachers.plan import Plan, apportion, read_words, with_words


def test_the_shipped_plan_is_balanced(task: Task) -> None:
    own = plan_path(task)
    assert own is not None
    slots = Plan.load(task, own).slots(task, 1000, seed=3)
    assert len(slots) == 1000
    # 64 : 26 : 6 : 4 channels in the lead; each group of channels alike
    sizes = Counter(len(slot.leads) for slot in slots)
    assert sizes == {1: 640, 2: 260, 3: 60, 0: 40}
    assert Counter(slot.leads for slot in slots if len(slot.leads) == 1) == dict.fromkeys(
        [(name,) for name in task.channel_names], 160
    )
    assert Counter(slot.difficulty for slot in slots) == {
        "easy": 650,
        "ambiguous": 220,
        "adversarial": 130,
    }
    assert min(Counter(slot.domain for slot in slots).values()) >= 5
    # the kinds are not in step with each other: every difficulty has every channel
    assert len({(slot.difficulty, slot.leads) for slot in slots if len(slot.leads) == 1}) == 12


def test_same_seed_same_slots(task: Task) -> None:
    plan = Plan.load(task)
    assert plan.slots(task, 50, seed=1) == plan.slots(task, 50, seed=1)
    assert plan.slots(task, 50, seed=1) != plan.slots(task, 50, seed=2)


def test_a_file_replaces_whole_tables(task: Task, shop: Task, tmp_path: Path) -> None:
    mine = tmp_path / "plan.toml"
    mine.write_text(
        "[leads]\none = 1\n[channels]\nspec = 3\nreview = 1\n[style]\nrude = 1\n", encoding="utf-8"
    )
    slots = Plan.load(shop, mine).slots(shop, 8, seed=0)
    assert Counter(slot.leads for slot in slots) == {("spec",): 6, ("review",): 2}
    assert {slot.style for slot in slots} == {"rude"}
    assert {slot.domain for slot in slots} == {""}
    with pytest.raises(InputError, match=r"plan\.toml: \[channels\] has no 'spec'; there are visu"):
        Plan.load(task, mine)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("leads = 3", "leads is no table of a plan"),
        ("[colour]\nred = 1", "colour is no table of a plan; there are leads"),
        ("[style]\nshort = -1", r"\[style\] short must be a number from 0 up"),
        ("[style]\nshort = true", r"\[style\] short must be a number"),
        ("[style]\nshort = nan", r"\[style\] short must be a number"),
        ("[style]\nshort = 0", r"\[style\] needs a share above 0"),
        ("[style]", r"\[style\] is empty; leave it out"),
        ("[leads]\nfive = 1", r"\[leads\] has no 'five'; there are one, two, three, none"),
        ("[style", "not TOML"),
    ],
)
def test_a_bad_plan_is_named(text: str, message: str, task: Task, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"plan\.toml: {message}"):
        Plan.load(task, path)


@given(
    st.dictionaries(st.text(min_size=1), st.floats(0, 1e6), min_size=1, max_size=12),
    st.integers(0, 5000),
)
def test_parts_sum_and_are_off_by_less_than_one(shares: dict[str, float], count: int) -> None:
    total = sum(shares.values())
    parts = dict(apportion(shares, count))
    if total < 1e-3:
        return
    assert sum(parts.values()) == count
    for name, number in parts.items():
        assert abs(number - count * shares[name] / total) < 1 + 1e-3


def test_words_of_ones_own(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    path.write_text('titles = ["Dune", "Heat"]\n"camera angle" = ["low angle"]\n', encoding="utf-8")
    words = read_words(path)
    slots = with_words(Plan.load(task).slots(task, 300, seed=0), words, seed=0)
    assert {word for slot in slots for word in slot.words} == {
        "titles: Dune",
        "titles: Heat",
        "camera angle: low angle",
    }
    assert Counter(len(slot.words) for slot in slots) == {1: 200, 2: 100}


@pytest.mark.parametrize("text", ['titles = "Dune"', "titles = [1]", "titles = []", ""])
def test_bad_words_are_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"words\.toml"):
        read_words(path)
