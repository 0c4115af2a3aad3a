"""What a run made, as it stands, and its removal: all of it and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count

from filmstill.bedrock.advice import MISSING
from filmstill.bedrock.aws import Aws
from filmstill.bedrock.deployment import DEPLOYMENT, PROVISIONED, deployments, look_at, provisioned
from filmstill.bedrock.evaluation import EVALUATION_JOB, evaluations
from filmstill.bedrock.job import JOB, MODEL, jobs
from filmstill.bedrock.order import Say
from filmstill.bedrock.role import ROLE, remove_role
from filmstill.bedrock.run import GONE, KINDS, TAG, Made, Run
from filmstill.bedrock.storage import BUCKET, OBJECT, bucket_of, remove_bucket, remove_objects
from filmstill.bedrock.waiting import pause
from filmstill.errors import AwsError

_FIRST = {
    MODEL: (PROVISIONED, DEPLOYMENT),
    ROLE: (EVALUATION_JOB, JOB),
    OBJECT: (EVALUATION_JOB, JOB),
    BUCKET: (EVALUATION_JOB, JOB, OBJECT),
}
"""What must be gone before: a job that cannot be stopped goes on to write."""
POLL_S = 5.0
TRIES = 24
"""Looks at a model that is in use, in two minutes."""
UNFINISHED = ("InProgress", "Stopping")


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of one thing.

    Attributes:
        item: the thing.
        failure: why it is still there; empty where it is gone.
    """

    item: Made
    failure: str = ""


def to_remove(run: Run) -> list[Made]:
    """What is in the record and not gone, in the order of removal."""
    left = [item for item in run.things if item.state != GONE]
    return sorted(left, key=lambda item: KINDS.index(item.kind))


def clean_up(
    aws: Aws, run: Run, *, kinds: tuple[str, ...] = KINDS, say: Say = lambda text: None
) -> list[Removal]:
    """Remove what the run made; what fails is told and can be tried again.

    Only what is in the run's record is touched, and of that only what carries the run's tag. What
    something that is still there needs or writes to is left for the next time.

    Args:
        aws: the account.
        run: the run.
        kinds: what to remove.
        say: called with a line for everything that is gone.
    """
    done = []
    for kind in (kind for kind in KINDS if kind in kinds):
        items = [item for item in to_remove(run) if item.kind == kind]
        failure = _blocked(run, kind)
        if items and kind == OBJECT and not failure:
            # All of them at once, with what jobs wrote beside them.
            failure = _failure(lambda: _say_objects(aws, run, say))
        for item in items:
            if kind != OBJECT and not failure:
                why = _failure(partial(_REMOVERS[kind], aws, run, item))
            else:
                why = failure
            if not why:
                run.gone(item)
                if kind != OBJECT:
                    say(f"{kind} {item.name} is gone")
            done.append(Removal(item, why))
    return done


def _blocked(run: Run, kind: str) -> str:
    """Why things of a kind cannot go yet; empty where they can."""
    left = [other for other in _FIRST.get(kind, ()) if run.find(other)]
    return f"the {' and the '.join(left)} must go first" if left else ""


def _failure(remove: Callable[[], None]) -> str:
    try:
        remove()
    except AwsError as error:
        return str(error)
    return ""


def _say_objects(aws: Aws, run: Run, say: Say) -> None:
    number = remove_objects(aws, run)
    say(f"{number:,} objects of s3://{bucket_of(run)} are gone")


def _remove_job(aws: Aws, run: Run, item: Made) -> None:
    """Stop it; Bedrock keeps the record of a job for ever."""
    found = next(jobs(aws, item.name), None)
    if found is None:
        return
    _check_tag(aws, run, found["jobArn"])
    job = aws.call("bedrock", "get_model_customization_job", jobIdentifier=found["jobArn"])
    if job["status"] == "InProgress":
        _stop(aws, "stop_model_customization_job", job["jobArn"])
    while job["status"] in UNFINISHED:  # until then it may write
        pause(POLL_S)
        job = aws.watch("bedrock", "get_model_customization_job", jobIdentifier=job["jobArn"])
    if job["status"] == "Completed" and run.find(MODEL) is None:
        # It ended after the last look: its model is the run's too, and the next to go.
        run.made(MODEL, job["outputModelName"], arn=job["outputModelArn"])


def _remove_model(aws: Aws, run: Run, item: Made) -> None:
    model = aws.find("bedrock", "get_custom_model", modelIdentifier=item.arn or item.name)
    if model is None:
        return
    _check_tag(aws, run, model["modelArn"])
    for tries in count():
        try:
            aws.call("bedrock", "delete_custom_model", modelIdentifier=model["modelArn"])
        except AwsError as error:
            # Its deployment may be on its way out still.
            if error.code != "ConflictException" or tries >= TRIES:
                raise
        else:
            return
        pause(POLL_S)


def _remove_deployment(aws: Aws, run: Run, item: Made) -> None:
    for arn in list(deployments(aws, item.name)):
        _check_tag(aws, run, arn)
        aws.call("bedrock", "delete_custom_model_deployment", customModelDeploymentIdentifier=arn)
        _wait_until_gone(aws, item, arn)


def _remove_provisioned(aws: Aws, run: Run, item: Made) -> None:
    for arn in list(provisioned(aws, item.name)):
        _check_tag(aws, run, arn)
        aws.call("bedrock", "delete_provisioned_model_throughput", provisionedModelId=arn)
        _wait_until_gone(aws, item, arn)


def _wait_until_gone(aws: Aws, item: Made, arn: str) -> None:
    """Or the next one of this name would be taken for made, while it is on its way out."""
    for _ in range(TRIES):
        if look_at(aws, item.kind, arn) is None:
            return
        pause(POLL_S)
    raise AwsError(f"{arn} is being removed still; run the same command again in a while")


def _remove_evaluation(aws: Aws, run: Run, item: Made) -> None:
    for found in list(evaluations(aws, item.name)):
        arn, now = found["jobArn"], found
        if now["status"] == "Deleting":
            continue
        _check_tag(aws, run, arn)
        if now["status"] == "InProgress":
            _stop(aws, "stop_evaluation_job", arn)
        while now["status"] in UNFINISHED:
            pause(POLL_S)
            now = aws.watch("bedrock", "get_evaluation_job", jobIdentifier=arn)
        answer = aws.call("bedrock", "batch_delete_evaluation_job", jobIdentifiers=[arn])
        for failure in answer["errors"]:
            if failure["code"] not in MISSING:
                message = failure.get("message", failure["code"])
                raise AwsError(f"evaluation job {item.name}: {message}", code=failure["code"])


def _stop(aws: Aws, operation: str, arn: str) -> None:
    try:
        aws.call("bedrock", operation, jobIdentifier=arn)
    except AwsError as error:
        if error.code != "ConflictException":  # it ended since it was looked at
            raise


def _check_tag(aws: Aws, run: Run, arn: str) -> None:
    tags = aws.call("bedrock", "list_tags_for_resource", resourceARN=arn).get("tags", [])
    if {"key": TAG, "value": run.id} not in tags:
        raise AwsError(f"{arn} does not carry this run's tag; it is left alone")


_REMOVERS: dict[str, Callable[[Aws, Run, Made], None]] = {
    EVALUATION_JOB: _remove_evaluation,
    PROVISIONED: _remove_provisioned,
    DEPLOYMENT: _remove_deployment,
    JOB: _remove_job,
    MODEL: _remove_model,
    ROLE: remove_role,
    BUCKET: remove_bucket,
}
