from pathlib import Path

import numpy as np
import pytest

from filmstill import Example, Router, Routing, Task
from filmstill.errors import InputError, MissingExtraError, QueryError
from filmstill.routers.mean import MeanRouter
from filmstill.routers.tfidf import TfidfRouter
from tests.conftest import WORDS, make_examples, write_training


def test_mean_by_hand(task: Task) -> None:
    rows = [(0.7, 0.1, 0.0, 0.2), (0.1, 0.6, 0.1, 0.2), Example("unlabelled")]
    examples = [
        row
        if isinstance(row, Example)
        else Example("x", Routing(dict(zip(task.channel_names, row, strict=True))))
        for row in rows
    ]
    router = MeanRouter.fit(examples, task)
    raw = router.route("anything", raw=True).weights
    assert list(raw.values()) == [0.4, 0.35, 0.05, 0.2]
    # 4, 3.5, 0.5, 2 tenths: the step left over goes to the earlier of two equal remainders
    assert list(router.route("anything").weights.values()) == [0.4, 0.4, 0.0, 0.2]


def test_tfidf_learns_what_words_mean(task: Task) -> None:
    pytest.importorskip("sklearn")
    examples = make_examples(task, WORDS, 300, seed=1)
    router = TfidfRouter.fit(examples, task)
    fresh = make_examples(task, WORDS, 50, seed=2)
    right = [router.route(item.query).leading == item.routing.leading for item in fresh]  # type: ignore[union-attr]
    assert np.mean(right) > 0.9


def test_tfidf_gives_words_it_never_saw_about_the_mean(task: Task) -> None:
    pytest.importorskip("sklearn")
    router = TfidfRouter.fit(make_examples(task, WORDS, 30, seed=1), task)
    mean = MeanRouter.fit(make_examples(task, WORDS, 30, seed=1), task).mean
    predicted = router.predict(["zzzzqqqq"])[0]
    assert predicted == pytest.approx(mean, abs=0.15)


@pytest.mark.parametrize("name", ["mean", "tfidf"])
def test_baselines_keep_the_contract(name: str, tmp_path: Path, shop: Task) -> None:
    pytest.importorskip("sklearn")
    from tests.conftest import SHOP_WORDS

    train = write_training(tmp_path / "t.jsonl", make_examples(shop, SHOP_WORDS, 30, 1), shop)
    router = Router.load(name, task=shop, training=train)
    assert router.name == name
    assert router.route_many([]) == []
    routings = router.route_many(["steel litres", "loved it"], explain=True)
    for routing in routings:
        assert list(routing.weights) == ["visual", "spec", "review"]
        assert sum(routing.weights.values()) == pytest.approx(1)
        assert all(round(weight * 20, 6).is_integer() for weight in routing.weights.values())
    with pytest.raises(QueryError):
        router.route(" ")


def test_a_users_task_has_no_corpus_to_learn_from(shop: Task) -> None:
    with pytest.raises(InputError, match=r"'shop' has no corpus.jsonl of its own"):
        Router.load("mean", task=shop)


def test_the_built_in_task_brings_its_own() -> None:
    assert sum(Router.load("mean").route("x").weights.values()) == pytest.approx(1)


def test_tfidf_without_scikit_learn(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    monkeypatch.setitem(__import__("sys").modules, "sklearn.feature_extraction.text", None)
    with pytest.raises(MissingExtraError, match=r'pip install "filmstill\[train\]"'):
        TfidfRouter.fit(make_examples(task, WORDS, 30, seed=1), task)
