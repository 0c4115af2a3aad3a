from hypothesis import given
from hypothesis import strategies as st

from filmstill import Example
from filmstill.data.split import split

queries = st.lists(st.sampled_from(["Red car", "red  CAR", "dog", "bell", "x", "y"]), min_size=1)


@given(queries, st.floats(0.01, 0.5), st.integers(0, 5))
def test_no_query_is_on_both_sides_and_none_is_lost(
    texts: list[str], share: float, seed: int
) -> None:
    examples = [Example(text) for text in texts]
    training, validation = split(examples, share, seed)
    fold = lambda items: {" ".join(item.query.lower().split()) for item in items}  # noqa: E731
    assert not fold(training) & fold(validation)
    assert sorted(e.query for e in training + validation) == sorted(texts)
    if len(fold(examples)) > 1:
        assert training
        assert validation


def test_the_share_is_of_distinct_queries_and_the_seed_decides_which() -> None:
    examples = [Example(f"query {number}") for number in range(100)]
    assert len(split(examples, 0.2, 1)[1]) == 20
    assert split(examples, 0.2, 1) == split(examples, 0.2, 1)
    assert split(examples, 0.2, 1) != split(examples, 0.2, 2)
