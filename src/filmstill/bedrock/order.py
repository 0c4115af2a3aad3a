"""What to do on Bedrock, checked before anything is made."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filmstill.bedrock.aws import Aws
from filmstill.bedrock.data import check_data
from filmstill.bedrock.models import Student, check_pair
from filmstill.bedrock.role import check_role
from filmstill.bedrock.run import GONE, Run, begin, record_path
from filmstill.bedrock.storage import check_bucket
from filmstill.data.reading import ExampleFile
from filmstill.errors import AwsError, InputError
from filmstill.files import sha256_of
from filmstill.prompts import render
from filmstill.task import Task, parse_task

TEACHER = "amazon.nova-pro-v1:0"
STUDENT = "amazon.nova-micro-v1:0:128k"

_FORMS = {
    "bucket": r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    "role": r"arn:aws(-[^:]+)?:iam::[0-9]{12}:role/.+",
    "logs": r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_*'().-]+)*/?",
}
_EXAMPLES = {
    "bucket": "my-bucket",
    "role": "arn:aws:iam::123456789012:role/NAME",
    "logs": "s3://BUCKET/PREFIX; Bedrock allows letters, digits and -!_*'(). in it",
}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run on Bedrock is to be done.

    Attributes:
        teacher: id of the model that teaches, or of an inference profile of it.
        student: id of the model that is distilled into, as jobs name it.
        region: empty for what the environment or the profile says.
        profile: of the AWS configuration; empty for the default one.
        bucket: a bucket of the user's own; empty to make one.
        role: ARN of a role of the user's own; empty to make one.
        logs: `s3://` prefix with logs of the teacher's invocations to learn from, instead of a
            file; empty for none.
        use_responses: of logs, take the answers as labels.
        max_tokens: the longest answer of the teacher.
    """

    teacher: str = TEACHER
    student: str = STUDENT
    region: str = ""
    profile: str = ""
    bucket: str = ""
    role: str = ""
    logs: str = ""
    use_responses: bool = True
    max_tokens: int = 1000


@dataclass(frozen=True)
class Checked:
    """A run that may begin.

    Attributes:
        aws: the account.
        student: what is known of the student.
        file: the training data; None where logs are used.
        prompt: the system prompt that the student learns with; empty for none.
    """

    aws: Aws
    student: Student
    file: ExampleFile | None
    prompt: str


def check(settings: Settings, training: Path | None, task: Task) -> Checked:
    """See whether a run can succeed: data, models, region, credentials, what the user names.

    Nothing is made.

    Raises:
        AwsError: there are no credentials, or no region.
        DataError: the file cannot be used by Bedrock.
        InputError: the models do not fit together, there is no such bucket or role, or neither or
            both of file and logs are given.
        MissingExtraError: boto3 is not installed.
    """
    if (training is None) == (not settings.logs):
        raise InputError("give a file of training data, or --logs; one of them")
    _check_settings(settings)
    data = None if training is None else check_data(training, task)
    aws = Aws(settings.region, settings.profile)
    student = check_pair(settings.teacher, settings.student, aws.region, datetime.now(UTC).date())
    _ = aws.account
    if settings.bucket:
        check_bucket(aws, settings.bucket)
    if settings.role:
        check_role(aws, settings.role)
    if data is None:  # what Filmstill asked the teacher with; other logs may hold other prompts
        return Checked(aws, student, None, render("teacher", task))
    return Checked(aws, student, data.file, data.prompt)


def _check_settings(settings: Settings) -> None:
    """See that names are of the form that AWS takes, before anything is made."""
    for name, form in _FORMS.items():
        value = str(getattr(settings, name))
        if value and not re.fullmatch(form, value):
            raise InputError(f"--{name} {value}: not of the form {_EXAMPLES[name]}")
    if settings.max_tokens < 1:
        raise InputError("max_tokens must be at least 1")


def account_of(run: Run, profile: str = "") -> Aws:
    """The account that a run was begun in.

    In another one nothing of the run would be found, and all of it be taken for removed.

    Raises:
        AwsError: there are no credentials, or those of another account.
    """
    aws = Aws(run.settings["region"], profile)
    if aws.account != run.settings["account"]:
        raise AwsError(
            f"{run.folder}: the run is in account {run.settings['account']}, and these credentials "
            f"are of account {aws.account}; give --profile, or set AWS_PROFILE"
        )
    return aws


def task_of(run: Run) -> Task:
    """What the run's model weighs.

    Raises:
        TaskError: the record was changed.
    """
    return parse_task(run.settings["task"], str(record_path(run.folder)))


def begin_run(folder: Path, settings: Settings, checked: Checked, task: Task) -> Run:
    """The run in a folder: the one that was begun there with the same settings, or a new one.

    Raises:
        InputError: see `run.begin`; or the run was removed.
    """
    data = sha256_of(checked.file.path) if checked.file else ""
    facts: dict[str, Any] = {
        **asdict(settings),
        "region": checked.aws.region,
        "account": checked.aws.account,
        "data": data,
        "task": task.to_toml(),
        "prompt": checked.prompt,
    }
    del facts["profile"]  # who goes on with a run may sign in otherwise
    run = begin(folder, facts)
    if any(item.kind in ("job", "model") and item.state == GONE for item in run.things):
        raise InputError(f"{folder}: this run was cleaned up; give another --out to begin anew")
    return run
