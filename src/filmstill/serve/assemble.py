"""The whole server: students, jobs and three APIs over one registry."""

from dataclasses import dataclass, field
from pathlib import Path

from filmstill.config import ServeConfig
from filmstill.errors import InputError
from filmstill.jobs.order import Places
from filmstill.jobs.rating import RubricRater
from filmstill.jobs.recipes import Recipes, load_recipes
from filmstill.jobs.runner import Runner
from filmstill.models import open_model
from filmstill.models.chat import is_model
from filmstill.registry import Registry
from filmstill.serve.app import create_app
from filmstill.serve.bedrock.backend import Backend
from filmstill.serve.bedrock.handlers import bedrock_app
from filmstill.serve.guard import Guard
from filmstill.serve.keys import Keys
from filmstill.serve.native_jobs import jobs_router
from filmstill.serve.service import Service


@dataclass(frozen=True)
class Options:
    """What a server works with, beside its limits.

    Attributes:
        region: the AWS region that it stands for.
        places: where `s3://` addresses lead.
        task: what students of jobs weigh, as TOML; empty for the built-in task.
        teacher: address of who labels records without a label; empty for nobody.
        judge: who rates in evaluation jobs: "rubric", or a language model's address.
        base_model: address of the language model that answers for base models; empty for none.
        recipes: which student a base model of Bedrock stands for.
    """

    region: str = "us-east-1"
    places: Places = field(default_factory=Places)
    task: str = ""
    teacher: str = ""
    judge: str = RubricRater.name
    base_model: str = ""
    recipes: Recipes = field(default_factory=load_recipes)

    def __post_init__(self) -> None:
        for name in ("teacher", "base_model"):
            self._check(name, getattr(self, name))
        if self.judge != RubricRater.name:
            self._check("judge", self.judge)
        if self.places.root and not Path(self.places.root).is_dir():
            raise InputError(f"--s3-root {self.places.root}: there is no such folder; make it")

    def _check(self, name: str, address: str) -> None:
        if address and not is_model(address):
            raise InputError(
                f"--{name.replace('_', '-')} {address!r} is no model: give openai:MODEL or "
                f"bedrock:MODEL_ID_OR_ARN"
            )


def assemble(
    registry: Registry,
    options: Options,
    config: ServeConfig | None = None,
    keys: Keys | None = None,
    *,
    any_host: bool = False,
) -> Guard:
    """The server as one application; whoever opened the registry closes it.

    Without keys, requests must be sent to one of this machine's addresses unless `any_host`.

    Raises:
        MissingExtraError, ServiceError: the model that answers for base models cannot be used.
    """
    config = config or ServeConfig()
    service = Service(registry, config, keys or Keys(), any_host=any_host)
    base = (
        # AWS's clients try again by themselves.
        open_model(options.base_model, timeout_s=config.request_seconds, retry=False)
        if options.base_model
        else None
    )
    backend = Backend(
        registry,
        region=options.region,
        places=options.places,
        task=options.task,
        teacher=options.teacher,
        judge=options.judge,
        base_model=options.base_model,
        recipes=options.recipes,
        changed=service.students.refresh,
    )
    return create_app(
        service,
        bedrock=bedrock_app(backend, service.students, base),
        routers=[jobs_router(options.places, options.teacher, options.task)],
        tick=Runner(registry, config.jobs).tick,
    )
