"""Evaluation jobs, from the data set to the lines of the results."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill import Router, Task
from filmstill.errors import DataError, FilmstillError, InputError, ServiceError
from filmstill.jobs.evaluation import Dataset, Evaluation, run_evaluation
from filmstill.jobs.job import EVALUATION, find_job, job_folder, log_path, submit
from filmstill.jobs.objects import FolderObjects
from filmstill.jobs.order import Places
from filmstill.jobs.rating import Metric
from filmstill.jobs.runner import Runner
from filmstill.jobs.worker import Report
from filmstill.models import Completion
from filmstill.registry import Registry
from filmstill.routers.reply import read_reply
from tests.conftest import SHOP
from tests.jobs.conftest import put, submit_evaluation, to_the_end
from tests.services import Service, point_at, service

SCALE = tuple((float(number), f"grade {number}") for number in range(1, 6))
ROUTING = Metric("routing", "Q {{prompt}} A {{prediction}} R {{ground_truth}}", SCALE)
WORDS = Metric("tone", "TONE {{prediction}}", (("Good", "pleasant"), ("Bad", "not pleasant")))
REFERENCE = '{"visual": 0.6, "audio": 0.3, "transcription": 0.1, "metadata": 0.0}'


def answered(prompt: str, response: str, reference: str = "", category: str = "") -> str:
    """A line of a data set that brings its answer."""
    record: dict[str, Any] = {"prompt": prompt, "referenceResponse": reference}
    if category:
        record["category"] = category
    record["modelResponses"] = [{"response": response, "modelIdentifier": "mine"}]
    return json.dumps(record) + "\n"


def weights(*numbers: float) -> str:
    names = ("visual", "audio", "transcription", "metadata")
    return json.dumps(dict(zip(names, numbers, strict=True)))


@pytest.fixture
def order(places: Places) -> Evaluation:
    """Rates the set's own answers by the rubric."""
    return Evaluation(
        name="first",
        datasets=(Dataset("queries", "s3://bucket/set.jsonl", "General", ("routing",)),),
        metrics=(ROUTING,),
        judge="rubric",
        responder="mine",
        router="",
        output="s3://bucket/results/",
        places=places,
    )


def evaluate(registry: Registry, order: Evaluation) -> tuple[list[dict[str, Any]], Any]:
    """Do a job in this process; the lines of its results, and its metrics."""
    job = submit(registry, EVALUATION, order.name, asdict(order))
    publish = run_evaluation(Report(registry, registry.get(EVALUATION, job.id)))
    publish(registry.get(EVALUATION, job.id))
    [address] = results(order.places)
    content = FolderObjects(Path(order.places.root)).read(address).decode()
    return [json.loads(line) for line in content.splitlines()], find_job(registry, job.id).metrics


def results(places: Places) -> list[str]:
    """Found as users must find them: by listing."""
    found = FolderObjects(Path(places.root)).list("s3://bucket/results")
    return [address for address in found if address.endswith("_output.jsonl")]


def scores(lines: list[dict[str, Any]], metric: str = "routing") -> list[Any]:
    return [
        score["result"]
        for line in lines
        for score in line["automatedEvaluationResult"]["scores"]
        if score["metricName"] == metric
    ]


def test_the_life_of_a_job(
    registry: Registry, runner: Runner, places: Places, order: Evaluation
) -> None:
    put(
        places,
        "set.jsonl",
        "\ufeff"
        + answered("a red car", weights(0.6, 0.3, 0.1, 0.0), REFERENCE, "short")
        + answered("a bell", weights(0.52, 0.38, 0.1, 0.0), REFERENCE)
        + "\r\n"
        + answered("says why", weights(0.45, 0.3, 0.1, 0.15), REFERENCE)
        + answered("season 2019", "I do not know", REFERENCE)
        + answered("no reference", weights(0.6, 0.3, 0.1, 0.0)),
    )
    submit(registry, EVALUATION, "first", asdict(order))
    [job] = to_the_end(runner, registry, "first")
    assert (job.status, job.failure) == ("Completed", "")
    assert job.phases == {}
    # 5 right; 4 off by 0.08; 3 off by 0.15, but the same channel leads; 1 cannot be read
    assert job.metrics == {"queries": {"routing": 3.25}}
    [address] = results(places)
    start, _, end = address.rpartition("/")
    assert start == (
        f"s3://bucket/results/first/{job.id}/models/mine/taskTypes/General/datasets/queries"
    )
    assert len(end.removesuffix("_output.jsonl")) == 36
    content = FolderObjects(Path(places.root)).read(address).decode()
    lines = [json.loads(line) for line in content.splitlines()]
    assert scores(lines) == [5.0, 4.0, 3.0, 1.0, None]
    assert lines[0] == {
        "automatedEvaluationResult": {
            "scores": [
                {
                    "metricName": "routing",
                    "result": 5.0,
                    "evaluatorDetails": [
                        {
                            "modelIdentifier": "rubric",
                            "explanation": "numeric part of the rubric: largest error 0.00",
                        }
                    ],
                }
            ]
        },
        "inputRecord": {
            "prompt": "a red car",
            "referenceResponse": REFERENCE,
            "category": "short",
        },
        "modelResponses": [{"response": weights(0.6, 0.3, 0.1, 0.0), "modelIdentifier": "mine"}],
    }
    assert "category" not in lines[1]["inputRecord"]
    probe = "s3://bucket/results/first/amazon-bedrock-evaluations-permission-check"
    assert FolderObjects(Path(places.root)).read(probe) == b""
    assert "5 prompts of queries rated by rubric: s3://" in log_path(registry, job.id).read_text()
    assert {path.name for path in job_folder(registry, job.id).iterdir()} <= {"lock", "log.txt"}


def judge(system: str, user: str) -> str:
    """Rates by what the answer says, and once not at all."""
    if "nonsense" in user:
        return "I cannot rate this."
    if user.startswith("TONE"):
        return '{"explanation": "kind", "rating": "Good"}'
    return '{"explanation": "as it should be", "rating": 4}'


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with service(judge) as running:
        point_at(running, monkeypatch)
        yield running


def test_a_language_model_as_judge(
    registry: Registry, places: Places, order: Evaluation, remote: Service
) -> None:
    text = answered("one", "fine", "right") + answered("two", "nonsense", "right")
    put(places, "set.jsonl", text + answered("three", "fine"))
    dataset = replace(order.datasets[0], metrics=("routing", "tone"))
    order = replace(order, judge="openai:judge", datasets=(dataset,), metrics=(WORDS, ROUTING))
    lines, metrics = evaluate(registry, order)
    assert scores(lines) == [4.0, None, 4.0]
    assert scores(lines, "tone") == ["Good", None, "Good"]
    assert metrics == {"queries": {"routing": 4.0, "tone": None}}  # words have no mean
    [first, _] = lines[1]["automatedEvaluationResult"]["scores"]
    assert first["evaluatorDetails"] == [
        {
            "modelIdentifier": "openai:judge",
            "explanation": "no rating in the judge's reply: 'I cannot rate this.'",
        }
    ]
    questions = [body["messages"][-1]["content"] for _, _, body in remote.requests]
    assert len(questions) == 6
    assert any(question.startswith("Q one A fine R right\n\nRate by") for question in questions)


def test_a_judge_that_refuses_all_work(
    registry: Registry, places: Places, order: Evaluation, remote: Service
) -> None:
    put(places, "set.jsonl", answered("one", "fine"))
    with pytest.raises(ServiceError, match=r"openai:missing: .*does not exist"):
        evaluate(registry, replace(order, judge="openai:missing"))


def test_a_student_that_answers(
    registry: Registry, places: Places, order: Evaluation, quick_student: Path
) -> None:
    queries = ["red car", "thunder and a bell", " ", "tab\x07bell"]
    text = "".join(
        json.dumps({"prompt": query, "referenceResponse": REFERENCE}) + "\n" for query in queries
    )
    put(places, "set.jsonl", text)
    lines, _ = evaluate(registry, replace(order, router=str(quick_student)))
    student = Router.load(quick_student)
    answers = [line["modelResponses"][0]["response"] for line in lines]
    expected = [student.route(query, explain=True).to_label() for query in queries[:2]]
    assert answers[:2] == expected
    assert read_reply(Completion(answers[0]), Task.builtin()).reasoning
    assert answers[2].startswith("the query is empty")
    assert "control character" in answers[3]
    assert scores(lines)[2:] == [1.0, 1.0]
    assert [line["inputRecord"]["prompt"] for line in lines] == queries


def test_a_language_model_that_answers(
    registry: Registry, places: Places, order: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(places, "set.jsonl", json.dumps({"prompt": "one", "referenceResponse": REFERENCE}))
    with service(lambda system, user: f"{system}|{user}|{REFERENCE}") as running:
        point_at(running, monkeypatch)
        lines, metrics = evaluate(registry, replace(order, router="openai:student"))
    assert lines[0]["modelResponses"][0]["response"] == f"|one|{REFERENCE}"
    assert metrics == {"queries": {"routing": 5.0}}


def test_a_call_that_fails_leaves_its_prompt_unrated(
    registry: Registry, places: Places, order: Evaluation, remote: Service
) -> None:
    put(places, "set.jsonl", '{"prompt": "one"}\n')
    remote.faults = [400]
    lines, metrics = evaluate(registry, replace(order, router="openai:student"))
    assert scores(lines) == [None]
    assert metrics == {"queries": {"routing": None}}
    [score] = lines[0]["automatedEvaluationResult"]["scores"]
    assert "error 400" in score["evaluatorDetails"][0]["explanation"]


def test_a_task_of_ones_own(registry: Registry, places: Places, order: Evaluation) -> None:
    label = '{"visual": 0.5, "spec": 0.5, "review": 0.0}'
    put(places, "set.jsonl", answered("red", label, label))
    lines, _ = evaluate(registry, replace(order, task=SHOP))
    assert scores(lines) == [5.0]


def test_several_data_sets(registry: Registry, places: Places, order: Evaluation) -> None:
    put(places, "set.jsonl", answered("one", REFERENCE, REFERENCE))
    put(places, "more.jsonl", answered("two", "", REFERENCE))
    more = Dataset("more", "s3://bucket/more.jsonl", "Classification", ("routing",))
    order = replace(order, datasets=(*order.datasets, more))
    job = submit(registry, EVALUATION, order.name, asdict(order))
    run_evaluation(Report(registry, registry.get(EVALUATION, job.id)))(
        registry.get(EVALUATION, job.id)
    )
    assert find_job(registry, job.id).metrics == {
        "queries": {"routing": 5.0},
        "more": {"routing": 1.0},
    }
    first, second = results(places)
    assert "/taskTypes/Classification/datasets/more/" in first
    assert "/taskTypes/General/datasets/queries/" in second


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "AttributeError"),
        ("{}", "KeyError"),
        ('{"prompt": 1}', "must be text"),
        ('{"prompt": "x", "referenceResponse": 1}', "must be text"),
        ('{"prompt": "x", "category": ["y"]}', "must be text"),
        ('{"prompt": "x", "modelResponses": [{"response": null}]}', "must be text"),
        ('{"prompt": "x", "modelResponses": [{}]}', "KeyError"),
        ('{"prompt": "x", "modelResponses": {"response": "y"}}', "KeyError"),
        ("[" * 100_000, "RecursionError"),
    ],
)
def test_a_bad_line_is_named(
    line: str, reason: str, registry: Registry, places: Places, order: Evaluation
) -> None:
    put(places, "set.jsonl", f"{answered('one', 'x')}\n{line}\n")
    with pytest.raises(DataError, match=f"s3://bucket/set.jsonl:3: not a line of .*{reason}"):
        evaluate(registry, order)
    assert results(places) == []


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=2),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    ["prompt", "referenceResponse", "category", "modelResponses", "response"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
def test_no_line_is_too_strange(line: object) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        (Path(folder) / "bucket").mkdir()
        places = Places(root=folder)
        put(places, "set.jsonl", json.dumps(line) + "\n")
        registry = Registry(Path(folder) / "home")
        try:
            lines, _ = evaluate(
                registry,
                Evaluation(
                    "e",
                    (Dataset("set", "s3://bucket/set.jsonl", "General", ("routing",)),),
                    (ROUTING,),
                    "rubric",
                    "m",
                    "",
                    "s3://bucket/results",
                    places=places,
                ),
            )
        except FilmstillError:
            return
        finally:
            registry.close()
        assert isinstance(line, dict)
        assert lines[0]["inputRecord"]["prompt"] == line["prompt"]


def change(**changes: Any) -> Callable[[Evaluation], Evaluation]:
    return lambda order: replace(order, **changes)


def of_set(**changes: Any) -> Callable[[Evaluation], Evaluation]:
    return lambda order: replace(order, datasets=(replace(order.datasets[0], **changes),))


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (of_set(metrics=("Builtin.Helpfulness",)), DataError, "needs a language model as judge"),
        (of_set(metrics=("unknown",)), DataError, "no custom metric 'unknown' in the job"),
        (change(metrics=(replace(WORDS, name="routing"),)), DataError, "another scale than 1 to 5"),
        (of_set(address="s3://bucket/none.jsonl"), InputError, "there is no such object"),
        (of_set(address="s3://bucket/long.jsonl"), DataError, "has 1,001 prompts; there must be"),
        (of_set(address="s3://bucket/empty.jsonl"), DataError, "has 0 prompts; there must be 1 to"),
        (of_set(address="s3://bucket/latin.jsonl"), DataError, r"not UTF-8 text \(byte 12\)"),
        (change(output="s3://elsewhere/x"), InputError, "there is no such bucket"),
        (change(judge="somebody"), InputError, "'somebody' is no model"),
        (change(router="/no/student"), FilmstillError, "no such folder"),
    ],
)
def test_orders_that_cannot_be_carried_out(
    changed: Callable[[Evaluation], Evaluation],
    error: type[Exception],
    message: str,
    registry: Registry,
    places: Places,
    order: Evaluation,
) -> None:
    put(places, "set.jsonl", answered("one", "x"))
    put(places, "long.jsonl", answered("one", "x") * 1001)
    put(places, "empty.jsonl", "\n\n")
    put(places, "latin.jsonl", b'{"prompt": "\xe4"}\n')
    with pytest.raises(error, match=message):
        evaluate(registry, changed(order))
    assert results(places) == []


def test_the_most_prompts(registry: Registry, places: Places, order: Evaluation) -> None:
    put(places, "set.jsonl", answered("one", REFERENCE, REFERENCE) * 1000)
    lines, metrics = evaluate(registry, order)
    assert (len(lines), metrics) == (1000, {"queries": {"routing": 5.0}})


def test_a_job_that_fails_says_why(registry: Registry, runner: Runner, places: Places) -> None:
    submit_evaluation(registry, places, "a", lines='{"prompt": "x"}\n{"prompt": 7}\n')
    [job] = to_the_end(runner, registry, "a")
    assert job.status == "Failed"
    assert job.failure.startswith("s3://bucket/a.jsonl:1: not a line of an evaluation data set")
    assert job.failure in log_path(registry, job.id).read_text()
    assert job.ended is not None
    assert job.metrics == {}
