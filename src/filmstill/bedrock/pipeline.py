"""A run from a prepared file to a distilled model, which goes on wherever it was stopped."""

from collections.abc import Callable
from pathlib import Path

from filmstill.bedrock.job import Look, ensure_job, fetch_metrics, wait_for_job
from filmstill.bedrock.order import Checked, Say, Settings, begin_run
from filmstill.bedrock.role import ensure_role
from filmstill.bedrock.run import Run
from filmstill.bedrock.storage import TRAINING, ensure_bucket, upload
from filmstill.task import Task


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
