"""The distillation job: begun once, waited for, and what it wrote fetched."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from filmstill.bedrock.aws import Aws
from filmstill.bedrock.order import Say
from filmstill.bedrock.role import OF_ROLE, role_arn, with_role
from filmstill.bedrock.run import MADE, Run
from filmstill.bedrock.storage import OBJECT, OUTPUT, TRAINING, address, keys_below, prefix_of, read
from filmstill.bedrock.waiting import pause
from filmstill.errors import AwsError
from filmstill.files import make_folder, replacing

JOB, MODEL = "job", "model"
POLL_S = 30.0
STALLED_H = 24.0
"""Hours without news of a job that does not train yet; some were seen that never do."""

_TRAINING, _NOT_STARTED = "training", "NotStarted"
_UNFINISHED = ("InProgress", "Stopping")
_ADVICE = (
    (OF_ROLE, "look at the role's trust and rights"),
    (re.compile("minimum"), "give more training data"),
    (re.compile("internal error"), "begin another run; if it fails again, ask AWS Support"),
)


@dataclass(frozen=True, slots=True)
class Look:
    """How a job stands.

    Attributes:
        status: Bedrock's word.
        phases: each phase and its status.
        elapsed_s: seconds since the job was made, until it ended.
    """

    status: str
    phases: dict[str, str]
    elapsed_s: float


def ensure_job(aws: Aws, run: Run) -> str:
    """Begin the run's job, unless it was begun; its ARN.

    Raises:
        AwsError: Bedrock refuses it.
    """
    known = run.intend(JOB, run.name)
    if known.state == MADE:
        return known.arn
    run.intend(OBJECT, prefix_of(run) + OUTPUT)  # what the job will write is the run's too
    found = next(jobs(aws, run.name), None)
    arn = found["jobArn"] if found else _create(aws, run)
    run.made(JOB, run.name, arn=arn)
    return str(arn)


def jobs(aws: Aws, name: str) -> Iterator[dict[str, Any]]:
    """Summaries of the jobs of exactly this name, which should be one at most."""
    for page in aws.pages("bedrock", "list_model_customization_jobs", nameContains=name):
        yield from (job for job in page["modelCustomizationJobSummaries"] if job["jobName"] == name)


def wait_for_job(
    aws: Aws,
    run: Run,
    *,
    on_look: Callable[[Look], None] = lambda look: None,
    stalled_h: float = STALLED_H,
) -> dict[str, Any]:
    """Wait until the job has ended; what Bedrock says of it.

    Raises:
        AwsError: it failed or was stopped, or has not moved for too long; the run can go on.
    """
    arn = ensure_job(aws, run)
    while True:
        job = aws.watch("bedrock", "get_model_customization_job", jobIdentifier=arn)
        look = _look(job)
        on_look(look)
        if look.status not in _UNFINISHED:
            break
        _check_moving(run, job, look, stalled_h)
        pause(POLL_S)
    if job["status"] != "Completed":
        raise AwsError(_failed(run, job))
    model = job["outputModelArn"]
    run.made(MODEL, job["outputModelName"], arn=model)
    return job


def fetch_metrics(aws: Aws, run: Run, say: Say) -> list[Path]:
    """Copy the tables that the job wrote into the run's folder.

    Raises:
        AwsError: they cannot be read.
        StorageError: they cannot be written.
    """
    folder, found = run.folder / "metrics", list[Path]()
    for key in keys_below(aws, run, OUTPUT):
        if key.endswith(".csv"):
            make_folder(folder)
            path = folder / Path(key).name
            if path in found:  # the keys are not documented, and may end alike
                path = folder / f"{len(found)}-{path.name}"
            content = read(aws, run, key)
            with replacing(path) as temporary:
                temporary.write_bytes(content)
            found.append(path)
    say(f"{len(found)} tables of metrics in {folder}" if found else "The job wrote no metrics")
    return found


def _create(aws: Aws, run: Run) -> str:
    settings = run.settings
    teacher = {
        "teacherModelIdentifier": settings["teacher"],
        "maxResponseLengthForInference": settings["max_tokens"],
    }
    logs = {
        "invocationLogsConfig": {
            "usePromptResponse": settings["use_responses"],
            "invocationLogSource": {"s3Uri": settings["logs"]},
        }
    }
    answer = with_role(
        run,
        partial(
            aws.call,
            "bedrock",
            "create_model_customization_job",
            jobName=run.name,
            customModelName=run.name,
            roleArn=role_arn(run),
            clientRequestToken=run.attempt(JOB),
            baseModelIdentifier=settings["student"],
            customizationType="DISTILLATION",
            customizationConfig={"distillationConfig": {"teacherModelConfig": teacher}},
            trainingDataConfig=logs if settings["logs"] else {"s3Uri": address(run, TRAINING)},
            outputDataConfig={"s3Uri": address(run, OUTPUT)},
            jobTags=run.tags,
            customModelTags=run.tags,
        ),
    )
    return str(answer["jobArn"])


def _check_moving(run: Run, job: dict[str, Any], look: Look, stalled_h: float) -> None:
    """End the waiting where a job does not begin to train; once every so many hours."""
    if look.phases.get(_TRAINING, _NOT_STARTED) != _NOT_STARTED:
        return
    details = (job.get("statusDetails") or {}).values()
    news = [detail["lastModifiedTime"] for detail in details if detail.get("lastModifiedTime")]
    told = run.notes.get("stalled")  # by an earlier command
    since = max([job["creationTime"], *news, *([datetime.fromisoformat(told)] if told else [])])
    now = datetime.now(UTC)
    if now - since <= timedelta(hours=stalled_h):
        return
    run.note(stalled=now.isoformat())
    where = ", ".join(f"{name} {status}" for name, status in look.phases.items())
    raise AwsError(
        f"the job has not moved for {stalled_h:g} hours ({where}); jobs were seen that never start "
        f"to train: run the same command to wait on, or `filmstill cleanup {run.folder}` to give up"
    )


def _look(job: dict[str, Any]) -> Look:
    details = job.get("statusDetails") or {}
    phases = {
        name.removesuffix("Details"): detail.get("status", "") for name, detail in details.items()
    }
    elapsed = (job.get("endTime") or datetime.now(UTC)) - job["creationTime"]
    return Look(job["status"], phases, elapsed.total_seconds())


def _failed(run: Run, job: dict[str, Any]) -> str:
    reason = job.get("failureMessage") or "Bedrock gives no reason"
    phases = _look(job).phases
    failed = [name for name, status in phases.items() if status == "Failed"]
    where = f" in {failed[0]}" if failed else ""
    advice = next((text for form, text in _ADVICE if form.search(reason.lower())), "")
    return (
        f"the job {run.name} is {job['status']}{where}: {reason}"
        f"{f'; {advice}' if advice else ''}; `filmstill cleanup {run.folder}` removes what it left"
    )
