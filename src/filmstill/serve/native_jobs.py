"""The native API: jobs that distil in the background."""

import math
from dataclasses import fields
from datetime import datetime
from typing import Any, Literal, Self

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from filmstill.config import DEFAULT_BASE, DistillConfig
from filmstill.errors import InputError
from filmstill.files import is_there, storage_errors
from filmstill.jobs.job import Job, all_jobs, find_job, log_path, submit_distillation
from filmstill.jobs.objects import split_address
from filmstill.jobs.order import Distillation, Places
from filmstill.jobs.runner import stop
from filmstill.serve.schemas import Name, refused
from filmstill.serve.service import service_of

LOG_BYTES = 1_000_000
"""The end of a log that is sent."""

_SETTINGS = {item.name for item in fields(DistillConfig)} - {"base"}  # which may be a path


class CreateJob(BaseModel):
    """What to distil."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        pattern=r"^[0-9a-zA-Z][0-9a-zA-Z._-]{0,62}$", description="Of the job and its student."
    )
    training: str = Field(
        pattern=r"^s3://", max_length=1024, description="`s3://` address of labelled examples."
    )
    settings: dict[str, float | bool] = Field(
        default_factory=dict,
        description="As the options of `filmstill distill`, with underscores.",
    )


class JobItem(BaseModel):
    """A job as it stands."""

    id: str
    kind: Literal["distillation", "evaluation"]
    name: str
    status: str = Field(description="InProgress, Completed, Failed, Stopping or Stopped.")
    queued: bool = Field(description="It waits for its turn.")
    phases: dict[str, str]
    progress: dict[str, Any]
    metrics: dict[str, Any]
    created: datetime
    modified: datetime
    ended: datetime | None = None
    model: str | None = Field(None, description="The student it made; deploy it by this name.")
    failure: str | None = None

    @classmethod
    def of(cls, job: Job) -> Self:
        """A job."""
        return cls.model_validate(job.to_dict())


class Jobs(BaseModel):
    """All jobs, the oldest first."""

    jobs: list[JobItem]


def jobs_router(places: Places, teacher: str, task: str) -> APIRouter:
    """The routes of jobs.

    Args:
        places: where `s3://` addresses lead.
        teacher: who labels the examples without a label; empty for nobody.
        task: the task of students, as TOML; empty for the built-in one.
    """
    router = APIRouter(prefix="/v1", tags=["jobs"])

    @router.get("/jobs", response_model_exclude_none=True, responses=refused())
    def list_jobs(request: Request) -> Jobs:
        """All jobs."""
        return Jobs(jobs=[JobItem.of(job) for job in all_jobs(service_of(request).registry)])

    @router.post("/jobs", status_code=202, response_model_exclude_none=True, responses=refused(409))
    def create_job(asked: CreateJob, request: Request) -> JobItem:
        """Distil in the background; the job waits where others are under way."""
        split_address(asked.training)
        order = Distillation(
            asked.training,
            asked.name,
            task=task,
            settings=_settings(asked.settings),
            teacher=teacher,
            places=places,
        )
        return JobItem.of(submit_distillation(service_of(request).registry, asked.name, order))

    @router.get("/jobs/{name}", response_model_exclude_none=True, responses=refused(404))
    def get_job(name: Name, request: Request) -> JobItem:
        """One job, by its name or id."""
        return JobItem.of(find_job(service_of(request).registry, name))

    @router.post("/jobs/{name}/stop", response_model_exclude_none=True, responses=refused(404))
    def stop_job(name: Name, request: Request) -> JobItem:
        """Stop a job that is under way or waits for its turn."""
        registry = service_of(request).registry
        return JobItem.of(stop(registry, find_job(registry, name)))

    @router.get(
        "/jobs/{name}/logs",
        response_class=Response,  # else errors would be described as plain text, too
        responses={**refused(404), 200: {"content": {"text/plain": {}}}},
    )
    def get_logs(name: Name, request: Request) -> PlainTextResponse:
        """The end of a job's log."""
        registry = service_of(request).registry
        path = log_path(registry, find_job(registry, name).id)
        if not is_there(path):
            return PlainTextResponse("")
        with storage_errors("read", path), path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            return PlainTextResponse(file.read().decode("utf-8", "replace"))

    return router


def _settings(given: dict[str, float | bool]) -> dict[str, Any]:
    unknown = sorted(set(given) - _SETTINGS)
    if unknown:
        raise InputError(f"unknown setting {', '.join(unknown)}; known are {sorted(_SETTINGS)}")
    defaults = DistillConfig(base=DEFAULT_BASE)
    settings: dict[str, Any] = {}
    for name, value in given.items():
        kind = type(getattr(defaults, name))
        if not math.isfinite(value) or kind(value) != value:
            raise InputError(f"{name} cannot be {value}; it is a {kind.__name__}")
        settings[name] = kind(value)
    DistillConfig(**settings)
    return settings
