"""A tiny student from training to routing, through the public surface."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from filmstill import DistillConfig, Example, Router, Routing, Task, distill, load_examples
from filmstill.errors import ArtefactError, InputError, QueryError, StorageError, TrainingError
from filmstill.files import sha256_of
from tests.conftest import SHOP_WORDS, WORDS, make_examples, record, write_training


def test_it_learnt_something(student: Router, task: Task) -> None:
    fresh = make_examples(task, WORDS, 60, seed=9)
    routings = student.route_many([item.query for item in fresh])
    right = [a.leading == b.routing.leading for a, b in zip(routings, fresh, strict=True)]  # type: ignore[union-attr]
    assert np.mean(right) > 0.8


def test_weights_are_on_the_grid_and_sum_to_one_as_printed(student: Router) -> None:
    for routing in student.route_many(["red car", "bell", "season 2 of the red tower", "🎬", "雨"]):
        printed = [f"{weight:g}" for weight in routing.weights.values()]
        assert all(len(text) <= 3 for text in printed)
        assert sum(round(float(text) * 10) for text in printed) == 10
        assert 0 < (routing.confidence or 0) < 1
        assert routing.reasoning == ""
        assert routing.evidence == ()


def test_raw_weights_have_four_decimals_and_sum_to_one_as_printed(student: Router) -> None:
    weights = student.route("thunder over a mountain", raw=True).weights
    assert sum(round(float(f"{weight:g}") * 10_000) for weight in weights.values()) == 10_000
    assert any(round(weight, 1) != weight for weight in weights.values())


def test_many_is_one_by_one(student: Router, task: Task) -> None:
    queries = [item.query for item in make_examples(task, WORDS, 80, seed=4)] + ["x " * 300]
    together = student.route_many(queries, raw=True)
    for query, routing in zip(queries, together, strict=True):
        alone = student.route(query, raw=True)
        assert list(alone.weights.values()) == pytest.approx(
            list(routing.weights.values()), abs=2e-4
        )
    assert student.route_many([]) == []


def test_explaining_changes_no_weight_and_names_the_querys_words(student: Router) -> None:
    query = "red car barking"
    plain, explained = student.route(query), student.route(query, explain=True)
    assert explained.weights == plain.weights
    assert explained.leading[0] in explained.reasoning.lower()
    assert any(word in explained.reasoning for word in query.split())
    for item in explained.evidence:
        assert item.word in query.split()
        assert item.channel in plain.weights
        assert item.effect > 0


@pytest.mark.parametrize("query", ["", "   ", "a\x00b", "x" * 20_000])
def test_what_is_no_query_is_refused(student: Router, query: str) -> None:
    with pytest.raises(QueryError):
        student.route(query)
    with pytest.raises(QueryError):
        student.route_many(["fine", query])


def test_the_manifest_tells_what_it_is(student_folder: Path, training_file: Path) -> None:
    manifest = json.loads((student_folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["format_version"] == 2
    assert manifest["data"]["sha256"] == sha256_of(training_file)
    assert manifest["data"]["training"] + manifest["data"]["validation"] == 300
    assert manifest["parity"]["float_max"] < 1e-4
    assert manifest["config"]["seed"] == 0
    assert set(manifest["files"]) == {
        "model.onnx",
        "ngrams.npy",
        "tokenizer.json",
        "glossary.tsv.gz",
        "task.toml",
        "card.md",
    }
    assert {path.name for path in student_folder.iterdir()} == {*manifest["files"], "manifest.json"}
    card = (student_folder / "card.md").read_text(encoding="utf-8")
    assert f"{manifest['validation_scores']['rubric']:.2f}" in card
    assert "{" not in card.split("## Use")[0]


def test_same_seed_same_weights(
    tmp_path: Path, training_file: Path, tiny_config: DistillConfig, student_folder: Path
) -> None:
    distill(training_file, tmp_path / "again", config=tiny_config)
    assert all(
        sha256_of(tmp_path / "again" / name) == sha256_of(student_folder / name)
        for name in ("model.onnx", "ngrams.npy", "glossary.tsv.gz")
    )


class StopError(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.slow
def test_without_a_glossary_even_after_a_run_with_one(
    tmp_path: Path, training_file: Path, tiny_config: DistillConfig
) -> None:
    out = tmp_path / "student"

    def stop(now: object) -> None:
        raise StopError

    with pytest.raises(StopError):
        distill(training_file, out, config=tiny_config, progress=stop)
    distill(training_file, out, config=replace(tiny_config, glossary=False), force=True)
    assert not (out / "glossary.tsv.gz").exists()
    assert "read as they are" in (out / "card.md").read_text(encoding="utf-8")
    distill(training_file, out, config=tiny_config, force=True)
    assert (out / "glossary.tsv.gz").exists()
    distill(training_file, out, config=replace(tiny_config, glossary=False), force=True)
    assert not (out / "glossary.tsv.gz").exists()
    assert Router.load(out).route("rot wagen").weights


@pytest.mark.parametrize("ending", [KeyboardInterrupt, StopError])
def test_a_stopped_run_resumes_to_the_same_student(
    tmp_path: Path,
    training_file: Path,
    tiny_config: DistillConfig,
    student_folder: Path,
    ending: type[BaseException],
) -> None:
    out = tmp_path / "student"

    def stop(now: object) -> None:
        if now.epoch == 4:  # type: ignore[attr-defined]
            raise ending

    with pytest.raises(ending):
        distill(training_file, out, config=tiny_config, progress=stop)
    with pytest.raises(ArtefactError, match=r"training was not finished.*--resume"):
        Router.load(out)
    with pytest.raises(InputError, match="a training run was stopped here"):
        distill(training_file, out, config=tiny_config)
    said: list[str] = []
    distill(training_file, out, config=tiny_config, resume=True, say=said.append)
    assert "Resuming after epoch 3" in said
    assert sha256_of(out / "model.onnx") == sha256_of(student_folder / "model.onnx")
    assert not (out / ".training").exists()


def test_resuming_with_something_else_is_refused(
    tmp_path: Path, training_file: Path, tiny_config: DistillConfig, tiny_base: Path
) -> None:
    def stop(now: object) -> None:
        if now.epoch == 2:  # type: ignore[attr-defined]
            raise StopError

    with pytest.raises(StopError):
        distill(training_file, tmp_path / "s", config=tiny_config, progress=stop)
    other = DistillConfig(base=str(tiny_base), epochs=6, learning_rate=1e-3, max_tokens=32)
    with pytest.raises(TrainingError, match="dropout, learning_rate changed"):
        distill(training_file, tmp_path / "s", config=other, resume=True)
    state = tmp_path / "s" / ".training" / "state.pt"
    state.write_bytes(state.read_bytes()[:5000])
    with pytest.raises(TrainingError, match="the training state is damaged"):
        distill(training_file, tmp_path / "s", config=tiny_config, resume=True)


def test_a_finished_student_is_not_overwritten(
    student_folder: Path, training_file: Path, tiny_config: DistillConfig
) -> None:
    before = sha256_of(student_folder / "manifest.json")
    with pytest.raises(InputError, match=r"a finished student.*--force"):
        distill(training_file, student_folder, config=tiny_config)
    assert sha256_of(student_folder / "manifest.json") == before


@pytest.fixture
def copy(tmp_path: Path, student_folder: Path) -> Path:
    return Path(shutil.copytree(student_folder, tmp_path / "copy"))


def test_a_forced_run_that_fails_leaves_the_finished_student(
    copy: Path, training_file: Path, tiny_config: DistillConfig
) -> None:
    def stop(now: object) -> None:
        if now.epoch == 2:  # type: ignore[attr-defined]
            raise StopError

    with pytest.raises(StorageError, match="no such file"):
        distill(copy / "none.jsonl", copy, config=tiny_config, force=True)
    assert Router.load(copy).route("red car")
    with pytest.raises(StopError):
        distill(training_file, copy, config=tiny_config, force=True, progress=stop)
    assert Router.load(copy).route("red car")
    distill(training_file, copy, config=tiny_config, resume=True)
    assert not (copy / ".training").exists()
    assert Router.load(copy).route("red car")


def test_two_runs_in_one_folder(
    tmp_path: Path, training_file: Path, tiny_config: DistillConfig
) -> None:
    def again(now: object) -> None:
        distill(training_file, tmp_path / "s", config=tiny_config, force=True)

    with pytest.raises(StorageError, match="another process is at work here"):
        distill(training_file, tmp_path / "s", config=tiny_config, progress=again)


def test_one_family_is_too_few(tmp_path: Path, task: Task) -> None:
    from filmstill import Example
    from filmstill.data.formats import conversation_record
    from filmstill.data.reading import write_records

    grown = [
        Example(item.query, item.routing, {"parent": "p"})
        for item in make_examples(task, WORDS, 60, 1)
    ]
    records = [conversation_record(item, task, with_tags=True) for item in grown]
    write_records(tmp_path / "t.jsonl", records)
    with pytest.raises(InputError, match=r"1 distinct labelled queries that were not grown"):
        distill(tmp_path / "t.jsonl", tmp_path / "s")


def test_bad_lines_are_left_out_and_kept(
    tmp_path: Path, training_file: Path, tiny_config: DistillConfig
) -> None:
    train = tmp_path / "train.jsonl"
    train.write_text(training_file.read_text(encoding="utf-8") + "{broken\n", encoding="utf-8")
    made = distill(train, tmp_path / "s", config=tiny_config)
    assert made.rejects == 1
    kept = json.loads((tmp_path / "s" / "rejects.jsonl").read_text(encoding="utf-8"))
    assert kept["line"] == 301


def test_too_few_examples(tmp_path: Path) -> None:
    train = tmp_path / "train.jsonl"
    train.write_text("\n".join(record(f"query {n}") for n in range(19)) + "\n" + record("Query 1"))
    with pytest.raises(InputError, match="19 distinct labelled queries are too few"):
        distill(train, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_the_whole_pipeline_on_a_users_task(
    tmp_path: Path, shop: Task, tiny_config: DistillConfig
) -> None:
    """Three channels on a grid of twentieths: nothing knows the built-in channels."""
    train = write_training(tmp_path / "t.jsonl", make_examples(shop, SHOP_WORDS, 200, 1), shop)
    distill(train, tmp_path / "s", task=shop, config=tiny_config)
    router = Router.load(tmp_path / "s", task=shop)
    assert router.task == shop
    routing = router.route("sturdy 20 watt steel", explain=True)
    assert list(routing.weights) == ["visual", "spec", "review"]
    assert all(round(weight * 20, 6).is_integer() for weight in routing.weights.values())
    assert any(shop.channels[i].description in routing.reasoning for i in range(3))
    with pytest.raises(ArtefactError, match=r"weighs visual, spec, review.*not visual, audio"):
        Router.load(tmp_path / "s", task=Task.builtin())


@pytest.mark.parametrize(
    "name",
    ["model.onnx", "ngrams.npy", "tokenizer.json", "glossary.tsv.gz", "task.toml", "card.md"],
)
def test_damage_is_noticed(copy: Path, name: str) -> None:
    path = copy / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=f"{name}: the file is damaged or was changed"):
        Router.load(copy)
    path.unlink()
    with pytest.raises(ArtefactError, match=f"{name} is missing"):
        Router.load(copy)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: None, r"not a complete student \(manifest.json is missing\)"),
        (lambda text: text[:100], "cannot be read"),
        (lambda text: "[]", "not the manifest of a Filmstill student"),
        (
            lambda text: text.replace('"format_version": 2', '"format_version": 9'),
            "version 9 is not",
        ),
        (lambda text: text.replace('"decoder"', '"decoded"'), r"incomplete \(decoder\)"),
        (lambda text: text.replace('"max_tokens"', '"most"'), "damaged or changed by hand"),
        (lambda text: text.replace('"slope"', '"tilt"'), "damaged or changed by hand"),
    ],
)
def test_a_bad_manifest_is_noticed(copy: Path, change: object, reason: str) -> None:
    path = copy / "manifest.json"
    text = change(path.read_text(encoding="utf-8"))  # type: ignore[operator]
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ArtefactError, match=reason):
        Router.load(copy)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="there is no such folder"):
        Router.load(tmp_path / "none")
    with pytest.raises(ArtefactError, match="name too long"):
        Router.load("x" * 300)


def test_no_path_of_the_machine_that_trained_it_is_in_the_artefact(student_folder: Path) -> None:
    for path in student_folder.iterdir():
        content = path.read_bytes()
        for trace in (
            b"site-packages",
            str(Path.home()).encode(),
            str(student_folder.parent).encode(),
        ):
            assert trace not in content, path


@pytest.mark.slow
def test_assistants_pull_a_student_towards_them(
    training_file: Path, tiny_config: DistillConfig, task: Task, tmp_path: Path
) -> None:
    # An assistant that learned the opposite: visual and metadata have changed places.
    swapped = []
    for example in load_examples(training_file, task).examples:
        assert example.routing is not None
        weights = dict(example.routing.weights)
        weights["visual"], weights["metadata"] = weights["metadata"], weights["visual"]
        swapped.append(Example(example.query, Routing(weights)))
    opposite = write_training(tmp_path / "opposite.jsonl", swapped, task)
    distill(opposite, tmp_path / "opposite", config=tiny_config)
    config = replace(tiny_config, epochs=3)
    distill(training_file, tmp_path / "alone", config=config)
    made = distill(
        training_file, tmp_path / "assisted", config=config, assistants=[tmp_path / "opposite"]
    )
    assert len(made.manifest["assistants"]) == 1
    assert "mean of 1 other students" in (tmp_path / "assisted" / "card.md").read_text("utf-8")

    def visual(folder: str) -> float:
        return Router.load(tmp_path / folder).route("red car", raw=True).weights["visual"]

    assert visual("opposite") < visual("assisted") < visual("alone")


def test_an_assistant_must_be_a_student(
    training_file: Path, tiny_config: DistillConfig, tmp_path: Path
) -> None:
    with pytest.raises(ArtefactError, match="nobody"):
        distill(
            training_file, tmp_path / "out", config=tiny_config, assistants=[tmp_path / "nobody"]
        )
    assert not (tmp_path / "out" / "manifest.json").exists()
