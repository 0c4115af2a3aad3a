"""Bedrock's API over real parts: the whole server, and one in which nothing happens by itself."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from starlette.types import ASGIApp, Receive, Scope, Send

from filmstill.config import ServeConfig
from filmstill.jobs.job import DISTILLATION, MODEL
from filmstill.jobs.order import Places
from filmstill.jobs.recipes import Recipes
from filmstill.registry import Registry, Resource
from filmstill.registry.deployments import settle_all
from filmstill.registry.students import keep_student
from filmstill.serve.assemble import Options, assemble
from filmstill.serve.bedrock.backend import Backend
from filmstill.serve.bedrock.http import BedrockApp
from filmstill.serve.students import Students

from .requests_from_model import model
from .test_boto3 import client as client
from .test_boto3 import serving

BASE, TEACHER = "amazon.nova-micro-v1:0:128k", "amazon.nova-pro-v1:0"
ROLE = "arn:aws:iam::123456789012:role/distil"
ARN = "arn:aws:bedrock:us-east-1:123456789012"
UNFINISHED = ("InProgress", "Stopping")


def until(condition: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """What a condition gives when it is true at last."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)
    return found


@dataclass
class World:
    """A server, its state and its clients.

    Attributes:
        backend: the registry and the settings.
        students: what is served.
        bedrock: client of the control plane.
        runtime: client of the runtime.
    """

    backend: Backend
    students: Students
    bedrock: Any
    runtime: Any

    @property
    def registry(self) -> Registry:
        return self.backend.registry

    @property
    def bucket(self) -> Path:
        """The folder that is s3://bucket."""
        return Path(self.backend.places.root) / "bucket"

    def put(self, key: str, content: str | bytes) -> str:
        """Write an object; its address."""
        path = self.bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return f"s3://bucket/{key}"

    def order(self, name: str, **changes: Any) -> dict[str, Any]:
        """The members of a valid CreateModelCustomizationJob; None leaves one out."""
        given = {
            "jobName": name,
            "customModelName": name,
            "roleArn": ROLE,
            "baseModelIdentifier": BASE,
            "customizationType": "DISTILLATION",
            "customizationConfig": taught_by(TEACHER),
            "trainingDataConfig": {"s3Uri": "s3://bucket/train.jsonl"},
            "outputDataConfig": {"s3Uri": "s3://bucket/out/"},
        }
        return {key: value for key, value in (given | changes).items() if value is not None}

    def distil(self, name: str, **changes: Any) -> str:
        """Ask for a distillation; the ARN of the job."""
        arn: str = self.bedrock.create_model_customization_job(**self.order(name, **changes))[
            "jobArn"
        ]
        return arn

    def deploy(self, name: str, model: str, **changes: Any) -> str:
        """Ask for a deployment; its ARN."""
        arn: str = self.bedrock.create_custom_model_deployment(
            modelDeploymentName=name, modelArn=model, **changes
        )["customModelDeploymentArn"]
        return arn

    def deployed(self, name: str, model: str) -> str:
        """A deployment that is active already; its ARN."""
        arn = self.deploy(name, model)
        until(lambda: self.deployment(arn)["status"] == "Active")
        return arn

    def deployment(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.bedrock.get_custom_model_deployment(
            customModelDeploymentIdentifier=arn
        )
        return found

    def provision(self, name: str, model: str, **changes: Any) -> str:
        """Ask for provisioned throughput; its ARN."""
        arn: str = self.bedrock.create_provisioned_model_throughput(
            provisionedModelName=name, modelId=model, modelUnits=1, **changes
        )["provisionedModelArn"]
        return arn

    def evaluate(self, name: str, **given: Any) -> str:
        """Ask for an evaluation, see `evaluation`; the ARN of the job."""
        arn: str = self.bedrock.create_evaluation_job(**evaluation(name, **given))["jobArn"]
        return arn

    def settle(self) -> None:
        """What housekeeping does, for a world in which nothing happens by itself."""
        settle_all(self.registry)
        self.students.refresh()

    def job(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.bedrock.get_model_customization_job(jobIdentifier=arn)
        return found

    def ended(self, arn: str) -> dict[str, Any]:
        """A customization job when it has ended."""
        until(lambda: self.job(arn)["status"] not in UNFINISHED)
        return self.job(arn)

    def say(self, arn: str, text: str, **changes: Any) -> Any:
        """What Converse answers."""
        messages = [{"role": "user", "content": [{"text": text}]}]
        return self.runtime.converse(modelId=arn, messages=messages, **changes)

    def snapshot(self) -> list[Any]:
        """All that the registry holds."""
        database = self.registry._database
        return [
            database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in ("resources", "tags")
        ]


SOURCE, METRIC = "distilled-router", "OverallQuality"
JUDGE = {"bedrockEvaluatorModels": [{"modelIdentifier": TEACHER}]}


def scale(*values: float | str) -> list[dict[str, Any]]:
    """A rating scale; 1 to 5 where no values are given."""
    return [
        {
            "definition": f"grade {value}",
            "value": {"stringValue" if isinstance(value, str) else "floatValue": value},
        }
        for value in values or (1.0, 2.0, 3.0, 4.0, 5.0)
    ]


def metric(name: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """A custom metric."""
    definition = {
        "name": name,
        "instructions": "Q {{prompt}} A {{prediction}} R {{ground_truth}}",
        "ratingScale": steps,
    }
    return {"customMetricDefinition": definition}


def evaluation(
    name: str,
    *,
    models: list[dict[str, Any]] | None = None,
    metrics: tuple[str, ...] = (METRIC,),
    custom: list[dict[str, Any]] | None = None,
    data: str = "s3://bucket/responses.jsonl",
    **changes: Any,
) -> dict[str, Any]:
    """The members of a CreateEvaluationJob as the published walk-through has them."""
    configs = [
        {
            "taskType": "General",
            "dataset": {"name": "held-out", "datasetLocation": {"s3Uri": data}},
            "metricNames": list(metrics),
        }
    ]
    source = {"precomputedInferenceSource": {"inferenceSourceIdentifier": SOURCE}}
    automated = {
        "datasetMetricConfigs": configs,
        "evaluatorModelConfig": JUDGE,
        "customMetricConfig": {
            "customMetrics": [metric(METRIC, scale())] if custom is None else custom,
            "evaluatorModelConfig": JUDGE,
        },
    }
    if custom == []:
        del automated["customMetricConfig"]
    given = {
        "jobName": name,
        "roleArn": ROLE,
        "applicationType": "ModelEvaluation",
        "evaluationConfig": {"automated": automated},
        "inferenceConfig": {"models": models or [source]},
        "outputDataConfig": {"s3Uri": "s3://bucket/evaluation/"},
    }
    return {key: value for key, value in (given | changes).items() if value is not None}


@contextlib.contextmanager
def refused(code: str, match: str | None = None) -> Iterator[None]:
    """A call that must be refused so, with an error that its operation declares."""
    with pytest.raises(ClientError, match=match) as caught:
        yield
    found, operation = caught.value.response, caught.value.operation_name
    assert found["Error"]["Code"] == code, found
    declared = {shape.name: shape.metadata for shape in model(operation).error_shapes}
    assert found["ResponseMetadata"]["HTTPStatusCode"] == declared[code]["error"]["httpStatusCode"]
    assert type(caught.value).__name__ == code  # a class of its own, for `except`


def taught_by(teacher: str) -> dict[str, Any]:
    """A customizationConfig."""
    config = {"teacherModelIdentifier": teacher, "maxResponseLengthForInference": 1000}
    return {"distillationConfig": {"teacherModelConfig": config}}


def text_of(answer: Any) -> str:
    """The text of what Converse answered."""
    ((content,),) = (answer["output"]["message"]["content"],)
    return str(content["text"])


def make_backend(folder: Path, recipes: Recipes, **fields: Any) -> Backend:
    """A new registry with one bucket beside it."""
    (folder / "s3" / "bucket").mkdir(parents=True)
    places = Places(root=str(folder / "s3"))
    return Backend(Registry(folder / "home"), places=places, recipes=recipes, **fields)


@contextlib.contextmanager
def assembled(backend: Backend, *, jobs: int = 2) -> Iterator[tuple[str, Backend, Students]]:
    """The whole server, as `filmstill serve` puts it together; its address."""
    options = Options(places=backend.places, recipes=backend.recipes)
    app = assemble(backend.registry, options, ServeConfig(jobs=jobs))
    students = app.service.students
    with serving(app, lifespan="on") as address:
        until(lambda: app.service.ready)
        yield address, replace(backend, changed=students.refresh), students


@dataclass
class Cloud(World):
    """The whole server, in which one job has distilled a model.

    Attributes:
        asked: the members of the request for the job.
        job_arn: of the job that made the model.
        model: ARN of the model.
        seen: the job as it was each time that something of its statuses had changed.
    """

    asked: dict[str, Any] = field(default_factory=dict)
    job_arn: str = ""
    model: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)

    def copy(self, name: str, folder: Path | None = None) -> str:
        """Another custom model, which is the first one with a name, or a student, of its own."""
        first = self.registry.get(MODEL, "first")
        with self.registry.transaction():
            body = dict(first.body)
            if folder is not None:
                body["student"] = keep_student(self.registry, folder)
            made = self.registry.add(MODEL, name, "Active", body)
        return self.backend.arn(made)

    def watch(self) -> None:
        """Look at the job until it has ended."""
        before = None
        while True:
            now = self.job(self.job_arn)
            if (statuses := statuses_of(now)) != before:
                before = statuses
                self.seen.append(now)
            if now["status"] not in UNFINISHED:
                return
            time.sleep(0.01)


def statuses_of(job: dict[str, Any]) -> tuple[str, ...]:
    """Of the job and of its phases, in their order."""
    names = ("validationDetails", "dataProcessingDetails", "trainingDetails")
    return (job["status"], *(job["statusDetails"][name]["status"] for name in names))


def pages(world: World, operation: str, **given: Any) -> list[dict[str, Any]]:
    """All that a list operation lists, by boto3's paginator."""
    paginator = world.bedrock.get_paginator(operation)
    found = []
    for page in paginator.paginate(**given):
        (items,) = (value for value in page.values() if isinstance(value, list))
        found += items
    return found


class Switch:
    """An application whose insides are exchanged while it is served."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@dataclass
class Line:
    switch: Switch
    bedrock: Any
    runtime: Any


@dataclass
class Still(World):
    """A server without housekeeping and without workers: nothing happens by itself.

    Attributes:
        app: what is served.
        student: folder of a small student.
        other: folder of another one, which answers otherwise.
    """

    app: BedrockApp | None = None
    student: Path = Path()
    other: Path = Path()

    def model(
        self, name: str, *, folder: Path | None = None, base: str = BASE, **order: Any
    ) -> str:
        """A custom model as a job would have made it; its ARN."""
        registry = self.registry
        arn = self.distil(f"job-of-{name}", customModelName=name, **order)
        job = registry.get(DISTILLATION, arn.rpartition("/")[2])
        bedrock = {**job.body["bedrock"], "base": base}
        with registry.transaction():
            registry.change(job, status="Completed", bedrock=bedrock)
            made = registry.add(
                MODEL,
                name,
                "Active",
                {
                    "student": keep_student(registry, folder or self.student),
                    "source": f"job {job.name}",
                    "job": job.id,
                    "bedrock": bedrock,
                },
                id=job.body["order"]["model_id"],
            )
        return self.backend.arn(made)

    def has(self, kind: str, name: str) -> Resource | None:
        return self.registry.find(kind, name)
