import pytest

from filmstill import Example
from filmstill.data.variety import tag_counts, variety


def test_ngrams_and_template_by_hand() -> None:
    examples = [Example(f"a shot of {thing}") for thing in ("rain", "a dog", "fog", "snow", "hail")]
    examples += [Example("A  SHOT of rain"), Example("rain")]
    examples.append(
        Example("a shot of sleet", tags={"parent": "a shot of snow"})
    )  # grown: left out
    found = variety(examples)
    assert found.queries == 6
    # 3 x 5 words, 6 for the five things, 1 more "rain"; distinct: a shot of rain dog fog snow hail
    assert found.distinct[1] == pytest.approx(8 / 22)
    # pairs: 2 x 5 + 4 + 2 = 16; distinct: a-shot shot-of of-{rain,a,fog,snow,hail} a-dog
    assert found.distinct[2] == pytest.approx(8 / 16)
    assert (found.template, found.template_queries) == ("a shot of", 5)


def test_nothing_shared() -> None:
    found = variety([Example("one two"), Example("three four")])
    assert (found.template, found.template_queries) == ("", 0)
    assert found.distinct == {1: 1.0, 2: 1.0, 3: 0.0}
    assert variety([]).queries == 0


def test_tags_are_counted_but_not_names_of_rows() -> None:
    examples = [
        Example("x", tags={"style": "caption", "id": "1"}),
        Example("y", tags={"style": "caption", "id": "2"}),
        Example("z", tags={"style": "typos", "parent": "1"}),
    ]
    assert tag_counts(examples) == {"style": {"caption": 2, "typos": 1}}
