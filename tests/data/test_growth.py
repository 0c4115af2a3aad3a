import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill import Example, Routing, Task, load_examples
from filmstill.data.corpus import corpus_path, growth_path
from filmstill.data.growth import OPERATIONS, Growth, grow
from filmstill.data.split import families, split
from filmstill.errors import InputError
from filmstill.query import same_query

GROWTH = Growth.parse(
    """
[swaps]
names = ["Emma", "Omar"]
colours = ["red", "blue"]
[wrappers]
en = ["{} please", "find {}"]
"""
)
ROUTING = Routing({"visual": 0.7, "audio": 0.1, "transcription": 0.0, "metadata": 0.2}, "Because.")


def apply(name: str, query: str, seed: int = 0) -> str:
    return OPERATIONS[name](query, "en", GROWTH, random.Random(seed))


@pytest.mark.parametrize(
    ("name", "query", "allowed"),
    [
        ("swap", "Emma in a red coat", {"Omar in a blue coat"}),
        ("swap", '"Emma" waits', {'"Omar" waits'}),
        ("swap", "Emma Thompson in a red coat", {"Emma Thompson in a blue coat"}),  # a full name
        ("swap", "reddish Emmas", {"reddish Emmas"}),
        (
            "numbers",
            "best film of 1968, season 3",
            {
                f"best film of {year}, season {n}"
                for year in range(1964, 1973)
                for n in range(1, 13)
            },
        ),
        ("case", "Red Car", {"red car", "RED CAR"}),
        ("accents", "château à l'aube", {"chateau a l'aube"}),
        ("accents", "собака", {"собака"}),
        ("punctuation", 'Well, "no, sir." Yes!', {'Well "no sir." Yes'}),
        ("order", "fog at dawn, bells", {"fog at dawn, bells"}),  # one word is no part
        ("order", "fog at dawn, a church bell", {"a church bell, fog at dawn"}),
        ("order", "a man sings while rain falls", {"rain falls while a man sings"}),
        ("order", "who sang it, and when was that?", {"who sang it, and when was that?"}),
        ("wrap", "red car", {"red car please", "find red car"}),
        ("wrap", "what is it?", {"what is it? please"}),
        ("typo", "a red car", {"a red car"}),  # too short to stay readable
    ],
)
def test_each_operation(name: str, query: str, allowed: set[str]) -> None:
    for seed in range(10):
        assert apply(name, query, seed) in allowed


@given(st.integers())
def test_a_typo_is_one_letter(seed: int) -> None:
    typed = apply("typo", "waterfall", seed)
    assert abs(len(typed) - 9) <= 1
    assert typed[0] == "w"
    assert sum((Counter(typed) - Counter("waterfall")).values()) <= 1
    assert sum((Counter("waterfall") - Counter(typed)).values()) <= 1


def parents(count: int) -> list[Example]:
    return [
        Example(
            f"Emma sees {n} red waterfalls, a barking dog", ROUTING, {"id": f"q{n}", "style": "s"}
        )
        for n in range(count)
    ]


@given(st.integers(2, 12), st.integers(0, 60), st.integers(0, 3))
def test_children_keep_the_label_and_point_to_their_parent(
    count: int, wanted: int, seed: int
) -> None:
    grown = grow(parents(count), GROWTH, count=wanted, seed=seed)
    assert grown[:count] == parents(count)
    assert len(grown) == max(count, wanted)
    children = grown[count:]
    assert len({same_query(item.query) for item in grown}) == len(grown)
    by_id = {item.tags["id"]: item for item in parents(count)}
    for child in children:
        assert child.tags["parent"] in by_id
        assert child.tags["style"] == "s"
        assert child.tags["grown"]
        assert child.routing == Routing(ROUTING.weights)


def test_growing_is_reproducible_and_avoids_the_forbidden() -> None:
    once = grow(parents(5), GROWTH, count=40, seed=1)
    assert once == grow(parents(5), GROWTH, count=40, seed=1)
    assert once != grow(parents(5), GROWTH, count=40, seed=2)
    forbidden = [item.query.upper() for item in once[5:]]
    other = grow(parents(5), GROWTH, count=40, seed=1, forbidden=forbidden)
    assert not {same_query(item.query) for item in other} & {same_query(q) for q in forbidden}


def test_what_yields_nothing_ends() -> None:
    assert len(grow([Example("雨", ROUTING, {"language": "xx"})], GROWTH, count=99, seed=0)) == 1
    assert grow([], GROWTH, count=5, seed=0) == []


def test_a_split_keeps_families_together() -> None:
    grown = grow(parents(20), GROWTH, count=100, seed=0)
    grandchildren = grow(grown[20:40], GROWTH, count=60, seed=3)[20:]
    everything = [*grown, *grandchildren, Example("emma SEES 3 red waterfalls, a barking dog")]
    training, validation = split(everything, 0.25, 0)
    family = lambda item: item.tags.get("parent") or item.tags.get("id") or "q3"  # noqa: E731
    assert not {family(item) for item in training} & {family(item) for item in validation}
    assert len(set(families(everything))) == 20


def test_the_shipped_corpus_grows(task: Task) -> None:
    examples = load_examples(corpus_path(task), task).examples[:300]
    growth = Growth.parse(growth_path(task).read_text(encoding="utf-8"))
    assert len(grow(examples, growth, count=900, seed=0)) == 900
    for language, phrases in growth.wrappers.items():
        assert all(phrase.count("{}") == 1 for phrase in phrases), language


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = ", "not of the form"),
        ("[swaps]\n", "not of the form"),
        ("swaps = 1\nwrappers = 2\n", "not of the form"),
        ("[swaps]\ncolours = 'red'\n[wrappers]\n", "colours must be a list of texts"),
        ("[swaps]\ncolours = ['red', 'red']\n[wrappers]\n", "two different words"),
        ("[swaps]\n[wrappers]\nen = ['please']\n", "'please' needs one {} for the query"),
    ],
)
def test_a_bad_file_of_words(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=r"^mine\.toml: ") as caught:
        Growth.parse(text, "mine.toml")
    assert reason in str(caught.value)


def test_the_verb(tmp_path: Path, task: Task) -> None:
    from click.testing import CliRunner

    from filmstill.cli.main import cli

    out = tmp_path / "grown.jsonl"
    ran = CliRunner().invoke(
        cli, ["grow", "--out", str(out), "--count", "15600"], catch_exceptions=False
    )
    assert ran.exit_code == 0
    assert len(load_examples(out, task).examples) >= 15500
    with pytest.raises(InputError, match="the file exists"):
        CliRunner().invoke(cli, ["grow", "--out", str(out)], catch_exceptions=False)
