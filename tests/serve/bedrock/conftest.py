"""Fixtures of the tests that speak to real handlers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from filmstill import Task
from filmstill.config import ServeConfig
from filmstill.data.corpus import student_path
from filmstill.jobs.job import MODEL
from filmstill.jobs.recipes import Recipes, load_recipes
from filmstill.models import open_model
from filmstill.registry import new_id
from filmstill.registry.students import student_folder
from filmstill.serve.bedrock.handlers import bedrock_app
from filmstill.serve.observe import Metrics
from filmstill.serve.students import Students
from tests.conftest import WORDS, make_examples, write_training
from tests.services import Service, point_at, service

from .test_boto3 import client, serving
from .worlds import BASE, TEACHER, Cloud, Line, Still, Switch, assembled, make_backend, pages


@pytest.fixture(scope="session")
def recipes(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Recipes:
    """Nova Micro stands for the tiny base."""
    path = tmp_path_factory.mktemp("recipes") / "recipes.toml"
    path.write_text(
        f"[[recipes]]\nmodel = {BASE!r}\nteachers = ['{TEACHER}', 'amazon.nova-premier-v1:0']\n"
        f"[recipes.settings]\nbase = '{tiny_base}'\nepochs = 1\nglossary = false\n"
        f"max_tokens = 32\nbatch_size = 16\nlearning_rate = 0.003\n"
    )
    return load_recipes(path)


@pytest.fixture(scope="session")
def cloud(
    tmp_path_factory: pytest.TempPathFactory, recipes: Recipes, task: Task
) -> Iterator[Cloud]:
    """The whole server, in which "first" was distilled."""
    pytest.importorskip("fcntl")
    backend = make_backend(tmp_path_factory.mktemp("cloud"), recipes)
    with assembled(backend) as (address, backend, students):
        made = Cloud(
            backend, students, client(address, "bedrock"), client(address, "bedrock-runtime")
        )
        write_training(made.bucket / "train.jsonl", make_examples(task, WORDS, 120, seed=1), task)
        made.asked = made.order(
            "first",
            clientRequestToken="the-first-one",
            hyperParameters={"epochCount": "2", "learningRate": "1e-3"},
            jobTags=[{"key": "team", "value": "search"}],
            customModelTags=[{"key": "stage", "value": ""}],
            validationDataConfig={"validators": []},
            vpcConfig={"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]},
        )
        made.job_arn = made.bedrock.create_model_customization_job(**made.asked)["jobArn"]
        made.watch()
        assert made.seen[-1]["status"] == "Completed", made.seen[-1]
        made.model = made.seen[-1]["outputModelArn"]
        yield made
        for summary in pages(made, "list_model_customization_jobs", statusEquals="InProgress"):
            made.bedrock.stop_model_customization_job(jobIdentifier=summary["jobArn"])
            made.ended(summary["jobArn"])
        made.bedrock.close()
        made.runtime.close()
    backend.registry.close()


@pytest.fixture(scope="session")
def line() -> Iterator[Line]:
    """One server and its clients, for all still worlds."""
    switch = Switch()
    with serving(switch) as address:
        made = Line(switch, client(address, "bedrock"), client(address, "bedrock-runtime"))
        yield made
        made.bedrock.close()
        made.runtime.close()


@pytest.fixture
def still(cloud: Cloud, line: Line, recipes: Recipes, tmp_path: Path) -> Iterator[Still]:
    """An empty world in which nothing happens by itself."""
    backend = make_backend(tmp_path / new_id(), recipes)
    students = Students(backend.registry, ServeConfig(), Metrics())
    backend = replace(backend, changed=students.refresh)
    app = line.switch.app = bedrock_app(backend, students)
    model = cloud.registry.get(MODEL, "first")
    yield Still(
        backend,
        students,
        line.bedrock,
        line.runtime,
        app=app,
        student=student_folder(cloud.registry, model.body["student"]),
        other=student_path(Task.builtin()),
    )
    students.close()
    backend.registry.close()


@pytest.fixture(scope="module")
def remote() -> Iterator[Service]:
    """A judge that finds everything good, and a base model that repeats what it is asked."""

    def answer(system: str, user: str) -> str:
        if "Rate by this scale" in user:
            rating = '"Bad"' if "nonsense" in user else ('"Good"' if "Good:" in user else "4")
            return f'{{"explanation": "it is so", "rating": {rating}}}'
        return f"You said: {user}"

    with service(answer) as running, pytest.MonkeyPatch.context() as patch:
        point_at(running, patch)
        yield running


@pytest.fixture(scope="module")
def modern(cloud: Cloud, remote: Service) -> Iterator[Cloud]:
    """The same cloud, by a server with a judge and a base model."""
    backend = replace(cloud.backend, judge="openai:judge", base_model="openai:base")
    base = open_model("openai:base", retry=False)
    with serving(bedrock_app(backend, cloud.students, base)) as address:
        made = replace(
            cloud,
            backend=backend,
            bedrock=client(address, "bedrock"),
            runtime=client(address, "bedrock-runtime"),
        )
        yield made
        made.bedrock.close()
        made.runtime.close()
    base.close()


@pytest.fixture(scope="module")
def arn(cloud: Cloud) -> Iterator[str]:
    """A deployment of the model."""
    made = cloud.deployed("runtime", cloud.model)
    yield made
    cloud.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=made)
