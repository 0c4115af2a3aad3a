"""Distillation jobs, from the data to the model, in processes of their own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from filmstill import Router
from filmstill.jobs.job import Job, find_job, job_folder, log_path, submit_distillation
from filmstill.jobs.order import Distillation, Places
from filmstill.jobs.runner import Runner, stop
from filmstill.registry import Registry
from filmstill.registry.deployments import deploy, served_students
from filmstill.registry.students import student_folder
from filmstill.student.artefact import open_artefact
from tests.jobs.conftest import (
    LABEL,
    end_all,
    is_worked_on,
    lines_of,
    put,
    to_the_end,
    unlabelled,
    until,
)
from tests.services import Service, point_at, service

QUICK = {"epochs": 1, "glossary": False, "max_tokens": 32, "batch_size": 8, "threads": 1}


@dataclass
class Seen:
    """A job from its beginning to its end.

    Attributes:
        registry: where it is.
        places: where its output is.
        job: how it ended.
        history: the phase and the statuses of all phases, each time they changed.
        progress: every progress that was seen.
    """

    registry: Registry
    places: Places
    job: Job
    history: list[tuple[str, ...]] = field(default_factory=list)
    progress: list[dict[str, Any]] = field(default_factory=list)

    def watch(self, job: Job) -> None:
        now = (job.status, *(phase.status for phase in job.phases.values()))
        if now not in self.history[-1:]:
            self.history.append(now)
        if job.progress and job.progress not in self.progress[-1:]:
            self.progress.append(job.progress)
        self.job = job

    def artefact(self, key: str) -> str:
        root = Path(self.places.root) / "bucket" / "out" / f"model-customization-job-{self.job.id}"
        return (root / key).read_text()


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Iterator[dict[str, Seen]]:
    """Two jobs side by side; the model's name of the second one is taken meanwhile."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "s3" / "bucket").mkdir(parents=True)
    places, registry = Places(root=str(folder / "s3")), Registry(folder / "home")
    # 40 labelled, 5 that a teacher can label, 1 that it cannot, 2 that are no records
    queries = [f"thunder {number}" for number in range(5)]
    text = lines_of(40) + unlabelled(*queries, "nonsense") + "{}\n" + '{"query": ""}\n'
    order = Distillation(
        put(places, "data.jsonl", text),
        "one",
        settings={**QUICK, "base": str(tiny_base)},
        teacher="openai:teacher",
        output="s3://bucket/out/",
        places=places,
    )
    runner = Runner(registry, at_once=2)
    with (
        pytest.MonkeyPatch.context() as patched,
        service(lambda _, user: "That is nonsense." if "nonsense" in user else LABEL) as running,
    ):
        point_at(running, patched)
        first = submit_distillation(registry, "first", order, bedrock={"asked": "so"})
        plain = replace(order, training=put(places, "plain.jsonl", lines_of(30)), model="two")
        second = submit_distillation(registry, "second", replace(plain, output="", teacher=""))
        seen = {job.name: Seen(registry, places, job) for job in (first, second)}
        registry.add("model", "two", "Active", {"student": "x"})
        to_the_end(runner, registry, "first", "second", watch=lambda job: seen[job.name].watch(job))
    end_all(registry)
    runner.tick(start=False)
    yield seen
    registry.close()


@pytest.fixture
def done(ended: dict[str, Seen]) -> Seen:
    """The job that was completed."""
    assert ended["first"].job.status == "Completed", ended["first"].job.failure
    return ended["first"]


def test_the_phases_follow_each_other(done: Seen) -> None:
    order = [
        ("InProgress", "NotStarted", "NotStarted", "NotStarted"),
        ("InProgress", "InProgress", "NotStarted", "NotStarted"),
        ("InProgress", "Completed", "InProgress", "NotStarted"),
        ("InProgress", "Completed", "Completed", "InProgress"),
        ("Completed", "Completed", "Completed", "Completed"),
    ]
    assert done.history == [step for step in order if step in done.history]  # short ones are missed
    assert done.history[-2:] == order[-2:]
    moments = [
        moment for phase in done.job.phases.values() for moment in (phase.created, phase.modified)
    ]
    assert None not in moments
    assert moments == sorted(moment for moment in moments if moment)
    assert moments[-1] == done.job.ended
    assert done.job.phase == "training"


def test_progress_is_seen(done: Seen) -> None:
    training = [progress for progress in done.progress if "step" in progress]
    assert training
    for progress in training:
        assert 1 <= progress["step"] <= progress["steps"] == 6  # 41 of 45 to train on, 8 at a time
        assert (progress["epoch"], progress["epochs"]) == (1, 1)
        assert progress["loss"] > 0


def test_the_model_is_registered(done: Seen) -> None:
    registry = done.registry
    model = registry.get("model", "one")
    assert done.job.result == {"model": model.id, "model_name": "one"}
    assert done.job.to_dict()["model"] == "one"
    assert model.status == "Active"
    assert (model.body["job"], model.body["bedrock"]) == (done.job.id, {"asked": "so"})
    folder = student_folder(registry, model.body["student"])
    assert open_artefact(folder).manifest["data"]["examples"] == 45
    assert sum(Router.load(folder).route("red car").weights.values()) == pytest.approx(1)
    deploy(registry, "live", folder)
    assert [served for _, served in served_students(registry)] == [folder]


def test_its_metrics(done: Seen) -> None:
    metrics = done.job.metrics
    assert metrics == done.registry.get("model", "one").body["metrics"]
    [epoch] = metrics["training"]
    assert epoch["loss"] > 0
    assert 0 <= epoch["validation_error"] <= 1
    assert metrics["scores"]["queries"] == 4
    assert metrics["seconds"] > 0


def test_its_artefacts(done: Seen) -> None:
    header, *rows = done.artefact("training_artifacts/step_wise_training_metrics.csv").splitlines()
    assert header == "step_number,epoch_number,training_loss,perplexity"
    steps = [[float(cell) for cell in row.split(",")] for row in rows]
    assert [step[:2] for step in steps] == [[number, 1] for number in range(1, 7)]
    [epoch] = done.job.metrics["training"]
    assert steps[-1][2] == pytest.approx(epoch["loss"], rel=1e-5)
    for _, _, loss, perplexity in steps:
        assert perplexity == pytest.approx(2.718281828**loss, rel=1e-4)
    validation = "validation_artifacts/post_fine_tuning_validation/validation_metrics.csv"
    header, row = done.artefact(validation).splitlines()
    assert header == "step_number,epoch_number,mean_absolute_error"
    assert row == f"1,1,{epoch['validation_error']:.6g}"
    # of 48 records 2 cannot be read and 1 could not be labelled
    assert done.artefact("input_data_report/manifest.report.csv") == (
        "fileName,totalProcessedRecordCount,acceptedRecordCount,partiallyAcceptedRecordCount,"
        "rejectedRecordCount\ns3://bucket/data.jsonl,48,45,0,3\n"
    )
    probe = Path(done.places.root) / "bucket" / "out" / ".write_access_check_file.temp"
    assert probe.read_bytes() == b""


def test_what_stays_of_its_folder(done: Seen) -> None:
    folder = job_folder(done.registry, done.job.id)
    assert {path.name for path in folder.iterdir()} == {"lock", "log.txt", "rejects.jsonl"}
    rejects = [json.loads(line) for line in (folder / "rejects.jsonl").read_text().splitlines()]
    assert [reject["line"] for reject in rejects] == [47, 48]
    log = log_path(done.registry, done.job.id).read_text()
    found = [
        log.index(text)
        for text in (
            "Phase validation",
            "46 usable records, 2 rejected",
            "Phase data processing",
            "openai:teacher labelled 5, 1 not usable",
            "Phase training",
            "Completed",
        )
    ]
    assert found == sorted(found)
    assert "Traceback" not in log


def test_a_models_name_that_is_taken_in_the_end(ended: dict[str, Seen]) -> None:
    job, registry = ended["second"].job, ended["second"].registry
    assert job.status == "Failed"
    assert job.failure == "there is a model called 'two' already; choose another"
    assert [phase.status for phase in job.phases.values()] == ["Completed", "Completed", "Failed"]
    assert registry.get("model", "two").body == {"student": "x"}
    assert (job.result, job.metrics) == ({}, {})
    # what was trained is not lost
    left = {path.name for path in job_folder(registry, job.id).iterdir()}
    assert left == {"lock", "log.txt", "student"}


@pytest.fixture
def order(places: Places, tiny_base: Path) -> Distillation:
    """An order that can be carried out."""
    return Distillation(
        put(places, "data.jsonl", lines_of(20)),
        "model",
        settings={**QUICK, "base": str(tiny_base)},
        output="s3://bucket/out",
        places=places,
    )


def failed(registry: Registry, runner: Runner, order: Distillation) -> tuple[str, str]:
    """Do a job that must fail; the phase in which it does, and why."""
    submit_distillation(registry, "a", order)
    [job] = to_the_end(runner, registry, "a")
    assert job.status == "Failed"
    assert job.phases[job.phase].status == "Failed"
    assert registry.all("model") == []
    assert job.failure in log_path(registry, job.id).read_text()
    return job.phase, job.failure


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"training": "s3://bucket/none.jsonl"}, "s3://bucket/none.jsonl: there is no such object"),
        ({"training": "s3://none/data.jsonl"}, "s3://none/data.jsonl: there is no such object"),
        ({"training": "/nowhere/data.jsonl"}, "cannot read /nowhere/data.jsonl: no such file"),
        ({"training": "s3://bucket/empty.jsonl"}, "s3://bucket/empty.jsonl: no record can be used"),
        (
            {"training": "s3://bucket/bad.jsonl"},
            "s3://bucket/bad.jsonl: no record can be used: the record is neither",
        ),
        ({"output": "s3://none/out"}, "s3://none/out/.write_access_check_file.temp: there is no s"),
        ({"output": "s3://bucket/data.jsonl"}, "cannot write to folder"),
        ({"output": "bucket/out"}, "is no S3 address"),
        ({"task": "name = 1"}, "the job's task: "),
        ({"settings": {"epochs": 1000}}, "epochs is 1000; it must lie between 0 and 100"),
        # before a teacher is paid
        ({"settings": {"base": "/nowhere"}}, "base model '/nowhere': there is no such folder"),
        ({"training": "s3://bucket/logs/", "logs": True}, "there are no logs"),
    ],
)
def test_what_fails_in_validation(
    changes: dict[str, Any],
    reason: str,
    registry: Registry,
    runner: Runner,
    order: Distillation,
    places: Places,
) -> None:
    put(places, "empty.jsonl", "")
    put(places, "bad.jsonl", "{}\n")
    phase, failure = failed(registry, runner, replace(order, **changes))
    assert phase == "validation"
    assert reason in failure


def test_records_without_a_label_and_no_teacher(
    registry: Registry, runner: Runner, order: Distillation, places: Places
) -> None:
    data = put(places, "some.jsonl", lines_of(22) + unlabelled("a bell", "thunder"))
    phase, failure = failed(registry, runner, replace(order, training=data))
    assert phase == "data_processing"
    assert failure.startswith("2 of 24 records have no label, and no teacher is configured")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"least": 21}, "has 20 valid prompts; the minimum is 21 valid prompts"),
        ({"least": 1, "most": 19}, "has 20 prompts; the maximum is 19"),
    ],
)
def test_too_few_and_too_many(
    changes: dict[str, Any], reason: str, registry: Registry, runner: Runner, order: Distillation
) -> None:
    phase, failure = failed(registry, runner, replace(order, **changes))
    assert phase == "data_processing"
    assert failure == f"s3://bucket/data.jsonl {reason}"


def test_a_teacher_that_refuses_all_work(
    registry: Registry, runner: Runner, order: Distillation, places: Places, teacher: Service
) -> None:
    data = put(places, "some.jsonl", lines_of(20) + unlabelled("a bell"))
    order = replace(order, training=data, teacher="openai:missing")
    phase, failure = failed(registry, runner, order)
    assert phase == "data_processing"
    assert "openai:missing: " in failure
    assert "does not exist" in failure


def test_too_few_that_the_teacher_could_label(
    registry: Registry, runner: Runner, order: Distillation, places: Places, teacher: Service
) -> None:
    """What its service fails with to the end is left out, and the rest is not lost."""
    data = put(places, "some.jsonl", lines_of(20) + unlabelled("a bell", "thunder"))
    teacher.faults = [503] * 15  # a query is given up after eight: one of the two, not both
    order = replace(order, training=data, teacher="openai:t", least=22)
    phase, failure = failed(registry, runner, order)
    assert phase == "data_processing"
    assert failure == "only 21 prompts have a usable label; the minimum is 22"


def test_from_logs_of_invocations(
    registry: Registry, runner: Runner, order: Distillation, places: Places
) -> None:
    entries = [
        {
            "modelId": "teacher",
            "requestMetadata": {"app": "search" if number % 2 else "other"},
            "input": {
                "inputBodyJson": {
                    "messages": [{"role": "user", "content": [{"text": f"red car {number}"}]}]
                }
            },
        }
        for number in range(50)
    ]
    put(places, "logs/a.json", "".join(json.dumps(entry) + "\n" for entry in entries))
    order = replace(
        order, training="s3://bucket/logs", logs=True, filters={"equals": {"app": "search"}}
    )
    phase, failure = failed(registry, runner, order)
    assert phase == "data_processing"
    assert failure.startswith("25 of 25 records have no label")
    log = log_path(registry, find_job(registry, "a").id).read_text()
    assert "25 of 50 log entries in 1 files used" in log


def test_stop_while_training(
    registry: Registry, runner: Runner, order: Distillation, places: Places
) -> None:
    data = put(places, "many.jsonl", lines_of(300))
    settings = {**order.settings, "epochs": 100, "batch_size": 1}
    submit_distillation(registry, "a", replace(order, training=data, settings=settings))
    runner.tick()
    until(lambda: find_job(registry, "a").progress.get("step"))
    job = stop(registry, find_job(registry, "a"))
    [job] = to_the_end(runner, registry, "a")
    assert (job.status, job.failure) == ("Stopped", "")
    assert [phase.status for phase in job.phases.values()] == ["Completed", "Completed", "Stopped"]
    assert registry.all("model") == []
    until(lambda: not is_worked_on(registry, job))
    folder = job_folder(registry, job.id)
    assert {path.name for path in folder.iterdir()} == {"lock", "log.txt"}
    out = Path(places.root) / "bucket" / "out"
    assert [path.name for path in out.iterdir()] == [".write_access_check_file.temp"]
