"""A run from a prepared file to a distilled model, which goes on wherever it was stopped."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filmstill.bedrock.job import Look, ensure_job, fetch_metrics, wait_for_job
from filmstill.bedrock.order import Checked, Say, Settings, begin_run
from filmstill.bedrock.role import DATA, ensure_role
from filmstill.bedrock.run import Run
from filmstill.bedrock.storage import OUTPUT, TRAINING, ensure_bucket, upload
from filmstill.task import Task


@dataclass(frozen=True, slots=True)
class Call:
    """One call that a run makes.

    Attributes:
        call: service and operation.
        why: what for.
    """

    call: str
    why: str


def distill_on_bedrock(
    folder: Path,
    settings: Settings,
    checked: Checked,
    task: Task,
    *,
    say: Say = lambda text: None,
    on_look: Callable[[Look], None] = lambda look: None,
) -> Run:
    """Distil on Bedrock; called again after a stop, it goes on.

    Args:
        folder: of the run.
        settings: how.
        checked: what `check` found.
        task: what is routed.
        say: called with a line at every step.
        on_look: called with every look at the job.

    Raises:
        AwsError: a call failed, or the job did; the run can go on where the message says so.
        InputError: the folder holds another run.
        StorageError: the folder cannot be written to, or another process is at work on the run.
    """
    aws = checked.aws
    run = begin_run(folder, settings, checked, task)
    with run.alone():
        say(f"Run {run.id} in account {aws.account}, {aws.region}")
        ensure_bucket(aws, run)
        if checked.file is not None:
            upload(aws, run, checked.file.path, TRAINING)
            say(f"{len(checked.file.examples):,} records are uploaded")
        ensure_role(aws, run)
        ensure_job(aws, run)
        say(f"Job {run.name} is begun; it goes on when this command is stopped")
        job = wait_for_job(aws, run, on_look=on_look)
        fetch_metrics(aws, run, say)
        loss = (job.get("trainingMetrics") or {}).get("trainingLoss")
        run.note(training_loss=loss)
    return run


def plan(settings: Settings, checked: Checked) -> Iterator[Call]:
    """The calls that a new run makes, in their order."""
    yield Call("sts GetCallerIdentity", "whose account it is")
    if settings.bucket:
        yield Call("s3 HeadBucket, GetBucketLocation", f"see whether {settings.bucket} can be used")
    else:
        yield Call("s3 HeadBucket, CreateBucket, PutBucketTagging", "a bucket for the run")
        yield Call("s3 PutPublicAccessBlock, PutBucketEncryption", "private and encrypted")
    if checked.file is not None:
        yield Call("s3 PutObject", f"{checked.file.path.name}, with its SHA-256")
    if not settings.role:
        yield Call("iam GetRole, CreateRole, PutRolePolicy", f"a role with the policy {DATA!r}")
    yield Call("iam PassRole", "a right that the identity needs, no call")
    yield Call(
        "bedrock GetModelCustomizationJob, CreateModelCustomizationJob",
        f"{settings.teacher} teaches {settings.student}",
    )
    yield Call("bedrock GetModelCustomizationJob", "every 30 seconds, until it has ended")
    yield Call("s3 ListObjectsV2, GetObject", f"metrics below {OUTPUT}")
