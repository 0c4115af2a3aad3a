"""The distillation job: begun once, waited for, and what it wrote fetched."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filmstill.bedrock.aws import Aws
from filmstill.bedrock.order import Say
from filmstill.bedrock.role import role_arn, wait_for_role
from filmstill.bedrock.run import MADE, Run
from filmstill.bedrock.storage import OBJECT, OUTPUT, TRAINING, address, keys_below, prefix_of, read
from filmstill.bedrock.waiting import pause
from filmstill.errors import AwsError
from filmstill.files import make_folder, storage_errors

JOB, MODEL = "job", "model"
POLL_S = 30.0
STALLED_H = 24.0
"""Hours without a change of phase after which waiting ends; jobs were seen that never train."""

_UNFINISHED = ("InProgress", "Stopping")
_ADVICE = {
    "role": "look at the role's trust and rights",
    "permission": "look at the role's trust and rights",
    "minimum": "give more training data",
    "internal error": "begin another run; if it fails again, ask AWS Support",
}


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
    found = aws.find("bedrock", "get_model_customization_job", jobIdentifier=run.name)
    arn = found["jobArn"] if found else _create(aws, run)
    run.made(JOB, run.name, arn=arn)
    return str(arn)


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
    arn, seen, since = ensure_job(aws, run), None, time.monotonic()
    while True:
        job = aws.call("bedrock", "get_model_customization_job", jobIdentifier=arn)
        look = _look(job)
        on_look(look)
        if look.status not in _UNFINISHED:
            break
        if (look.status, look.phases) != seen:
            seen, since = (look.status, look.phases), time.monotonic()
        if time.monotonic() - since > stalled_h * 3600:
            where = ", ".join(f"{name} {status}" for name, status in look.phases.items())
            raise AwsError(
                f"the job has not moved for {stalled_h:g} hours ({where}); jobs were seen that "
                f"never start to train: run the same command to wait on, or `filmstill cleanup "
                f"{run.folder}` to give up"
            )
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
    folder, found = run.folder / "metrics", []
    for key in keys_below(aws, run, OUTPUT):
        if key.endswith(".csv"):
            make_folder(folder)
            path = folder / Path(key).name
            content = read(aws, run, key)
            with storage_errors("write", path):
                path.write_bytes(content)
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
    tries = 0
    while True:
        try:
            answer = aws.call(
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
            )
        except AwsError as error:
            tries += 1
            if not wait_for_role(error, tries):
                raise
        else:
            return str(answer["jobArn"])


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
    advice = next((text for word, text in _ADVICE.items() if word in reason.lower()), "")
    return (
        f"the job {run.name} is {job['status']}{where}: {reason}"
        f"{f'; {advice}' if advice else ''}; `filmstill cleanup {run.folder}` removes what it left"
    )
