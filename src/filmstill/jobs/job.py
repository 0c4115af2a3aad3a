"""A job: work that was asked for, how far it is, and what came of it, in Bedrock's words."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filmstill.errors import TakenNameError, UnknownNameError
from filmstill.jobs.order import Distillation
from filmstill.registry import Registry, Resource

DISTILLATION, EVALUATION = "job", "evaluation"
MODEL = "model"
"""Kind of the students that jobs made."""
CARRIED = (
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    "AWS_ENDPOINT_URL_S3",
    "AWS_PROFILE",
    "AWS_REGION",
    "OPENAI_BASE_URL",
)
"""What a job keeps of the environment it was asked for in: which services, and no secrets."""
KINDS = (DISTILLATION, EVALUATION)

IN_PROGRESS, COMPLETED, FAILED = "InProgress", "Completed", "Failed"
STOPPING, STOPPED, NOT_STARTED = "Stopping", "Stopped", "NotStarted"
UNFINISHED = (IN_PROGRESS, STOPPING)

VALIDATION, DATA_PROCESSING, TRAINING = "validation", "data_processing", "training"
PHASES = (VALIDATION, DATA_PROCESSING, TRAINING)


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of a job.

    Attributes:
        status: "NotStarted", "InProgress", "Completed", "Stopping", "Stopped" or "Failed".
        created: when it began, UTC; None where it did not.
        modified: when its status last changed.
    """

    status: str = NOT_STARTED
    created: datetime | None = None
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands.

    Attributes:
        id: twelve lower-case letters and digits.
        kind: "job" for a distillation, "evaluation".
        name: how people call it.
        status: "InProgress", "Completed", "Failed", "Stopping" or "Stopped".
        pid: process that works on it or did; None while it waits for its turn.
        phases: of a distillation, by name, in their order.
        progress: how far the phase under way is: epoch, step, loss, error, seconds left.
        metrics: what is known of the result, such as the loss by epoch.
        failure: why it failed; empty where it did not.
        created: UTC.
        modified: UTC.
        ended: UTC; None while it is not finished.
        order: what it is to do.
        bedrock: what Bedrock's API was asked; empty for a job that was not made through it.
        result: what it made, such as the id of a model.
    """

    id: str
    kind: str
    name: str
    status: str
    pid: int | None
    phases: dict[str, Phase]
    progress: dict[str, Any]
    metrics: dict[str, Any]
    failure: str
    created: datetime
    modified: datetime
    ended: datetime | None
    order: dict[str, Any]
    bedrock: dict[str, Any]
    result: dict[str, Any]

    @property
    def queued(self) -> bool:
        """Whether it waits for its turn."""
        return self.status == IN_PROGRESS and self.pid is None

    @property
    def phase(self) -> str:
        """The phase that is under way, or was when the job ended; empty before the first."""
        begun = [name for name, phase in self.phases.items() if phase.created is not None]
        return begun[-1] if begun else ""

    def to_dict(self) -> dict[str, Any]:
        """What there is to show, ready for JSON."""
        shown: dict[str, Any] = {
            "id": self.id,
            "kind": "distillation" if self.kind == DISTILLATION else self.kind,
            "name": self.name,
            "status": self.status,
            "queued": self.queued,
            "phases": {name: phase.status for name, phase in self.phases.items()},
            "progress": self.progress,
            "metrics": self.metrics,
            "created": _shown(self.created),
            "modified": _shown(self.modified),
            "ended": _shown(self.ended) if self.ended else None,
            "model": self.result.get("model_name"),
        }
        return shown | ({"failure": self.failure} if self.failure else {})


def submit(
    registry: Registry,
    kind: str,
    name: str,
    order: Mapping[str, Any],
    *,
    bedrock: Mapping[str, Any] | None = None,
    token: str | None = None,
) -> Job:
    """Write a job down; a runner starts it when its turn comes.

    Args:
        registry: where.
        kind: "job" or "evaluation".
        name: how people call it.
        order: what to do, as JSON data.
        bedrock: what Bedrock's API was asked.
        token: see `Registry.add`.

    Raises:
        TakenNameError: there is one of this name.
        StorageError: it cannot be written.
    """
    body = {**new_body(order), "bedrock": dict(bedrock or {})}
    return job_of(registry.add(kind, name, IN_PROGRESS, body, token=token))


def new_body(order: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a new job."""
    environment = {name: os.environ[name] for name in CARRIED if name in os.environ}
    return {"order": dict(order), "environment": environment}


def submit_distillation(
    registry: Registry,
    name: str,
    order: Distillation,
    *,
    bedrock: Mapping[str, Any] | None = None,
    token: str | None = None,
) -> Job:
    """Write a distillation down; see `submit`.

    Raises:
        TakenNameError: also where another student is called like this one's will be.
    """
    with registry.transaction():
        check_model_name(registry, order.model)
        return submit(registry, DISTILLATION, name, asdict(order), bedrock=bedrock, token=token)


def check_model_name(registry: Registry, name: str) -> None:
    """See that no student is called so, and that no job is making one.

    Raises:
        TakenNameError: one is.
    """
    jobs = registry.all(DISTILLATION, UNFINISHED)
    if registry.find(MODEL, name) or any(job.body["order"]["model"] == name for job in jobs):
        raise TakenNameError(f"there is a student called {name!r} already, or one is being made")


def find_job(registry: Registry, key: str) -> Job:
    """The job with this id or name, of any kind.

    Raises:
        UnknownNameError: there is none.
    """
    for kind in KINDS:
        found = registry.find(kind, key)
        if found is not None:
            return job_of(found)
    raise UnknownNameError(f"there is no job {key!r}; `filmstill jobs list` shows those there are")


def all_jobs(registry: Registry) -> list[Job]:
    """All jobs, the oldest first."""
    found = [job_of(item) for kind in KINDS for item in registry.all(kind)]
    return sorted(found, key=lambda job: job.created)


def job_folder(registry: Registry, job_id: str) -> Path:
    """Where a job keeps its log and what it works on."""
    return registry.folder / "jobs" / job_id


def log_path(registry: Registry, job_id: str) -> Path:
    """The log of a job; there once it has been started."""
    return job_folder(registry, job_id) / "log.txt"


def job_of(item: Resource) -> Job:
    """The job that a resource is."""
    body = item.body
    phases = body.get("phases", {})
    return Job(
        id=item.id,
        kind=item.kind,
        name=item.name,
        status=item.status,
        pid=body.get("pid"),
        phases=_phases(phases) if item.kind == DISTILLATION else {},
        progress=body.get("progress", {}),
        metrics=body.get("metrics", {}),
        failure=body.get("failure", ""),
        created=item.created,
        modified=item.modified,
        ended=moment(body.get("ended")),
        order=body["order"],
        bedrock=body["bedrock"],
        result=body.get("result", {}),
    )


def moment(seconds: float | None) -> datetime | None:
    """A moment as it is kept, seconds since 1970, as UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _phases(kept: Mapping[str, Any]) -> dict[str, Phase]:
    found = {}
    for name in PHASES:
        facts = kept.get(name)
        found[name] = (
            Phase(facts["status"], moment(facts["created"]), moment(facts["modified"]))
            if facts
            else Phase()
        )
    return found


def _shown(when: datetime) -> str:
    return when.isoformat(timespec="seconds")
