"""What to do on Bedrock, checked before anything is made."""

import codecs
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filmstill.bedrock.aws import Aws
from filmstill.bedrock.models import Student, check_pair
from filmstill.bedrock.run import GONE, Run, begin, record_path
from filmstill.data.reading import ExampleFile, load_examples
from filmstill.errors import AwsError, DataError, InputError
from filmstill.files import sha256_of
from filmstill.task import Task, parse_task

LEAST, MOST = 100, 15_000
"""Prompts that a distillation job takes."""
MAX_BYTES = 1024**3
"""The largest training file, by the validator that AWS publishes."""
TEACHER = "amazon.nova-pro-v1:0"
STUDENT = "amazon.nova-micro-v1:0:128k"

_KEYS = {"schemaVersion", "system", "messages"}
_FORMS = {
    "bucket": r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    "role": r"arn:aws(-[^:]+)?:iam::[0-9]{12}:role/.+",
    "logs": r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_*'().-]*)*",
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
    """

    aws: Aws
    student: Student
    file: ExampleFile | None


def check(settings: Settings, training: Path | None, task: Task) -> Checked:
    """See whether a run can succeed: data, models, region, credentials; nothing is made.

    Raises:
        AwsError: there are no credentials, or no region.
        DataError: the file cannot be used by Bedrock.
        InputError: the models do not fit together, or neither or both of file and logs are given.
        MissingExtraError: boto3 is not installed.
    """
    if (training is None) == (not settings.logs):
        raise InputError("give a file of training data, or --logs; one of them")
    _check_settings(settings)
    file = None if training is None else check_data(training, task)
    aws = Aws(settings.region, settings.profile)
    student = check_pair(settings.teacher, settings.student, aws.region, datetime.now(UTC).date())
    _ = aws.account
    return Checked(aws, student, file)


def check_data(training: Path, task: Task) -> ExampleFile:
    """The training data, where Bedrock takes it as it is.

    Raises:
        DataError: it does not; the message names the first line that is wrong.
    """
    file = load_examples(training, task)
    if file.rejects:
        first = file.rejects[0]
        raise DataError(
            f"{training}:{first.line}: {first.reason}; Bedrock refuses a file with "
            f"{len(file.rejects):,} such lines: mend or remove them"
        )
    if not LEAST <= len(file.examples) <= MOST:
        raise DataError(
            f"{training} has {len(file.examples):,} prompts; a distillation job takes {LEAST:,} to "
            f"{MOST:,}"
        )
    if training.stat().st_size > MAX_BYTES:
        raise DataError(f"{training} is larger than 1 GiB, the most that Bedrock takes")
    _check_form(training)
    return file


def _check_form(training: Path) -> None:
    """See that a file is not only readable, but in Bedrock's own form in every line."""
    with training.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{training}:{number}"
            if line.startswith(codecs.BOM_UTF8) or not line.strip():
                raise DataError(
                    f"{where}: Bedrock reads one JSON record a line: remove byte-order marks and "
                    f"empty lines"
                )
            unknown = json.loads(line).keys() - _KEYS
            if "query" in unknown:
                raise DataError(
                    f"{where}: not in the conversation format, which is what Bedrock reads; "
                    f"`filmstill prepare --queries {training} --out FILE` writes it"
                )
            if unknown:
                raise DataError(f"{where}: Bedrock takes no {', '.join(sorted(unknown))}")


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
    }
    del facts["profile"]  # who goes on with a run may sign in otherwise
    run = begin(folder, facts)
    if any(item.kind in ("job", "model") and item.state == GONE for item in run.things):
        raise InputError(f"{folder}: this run was cleaned up; give another --out to begin anew")
    return run
