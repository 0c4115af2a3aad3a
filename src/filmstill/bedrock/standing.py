"""How the things that a run made stand in the account."""

from collections.abc import Callable, Iterator

from filmstill.bedrock.aws import Aws
from filmstill.bedrock.deployment import DEPLOYMENT, PROVISIONED, deployments, look_at, provisioned
from filmstill.bedrock.evaluation import EVALUATION_JOB, evaluations
from filmstill.bedrock.job import JOB, MODEL, jobs
from filmstill.bedrock.role import ROLE
from filmstill.bedrock.run import GONE, Made, Run
from filmstill.bedrock.storage import BUCKET, OBJECT, bucket_of

THERE, NOT_THERE, REMOVED = "there", "not there", "removed"


def standing(aws: Aws, run: Run, item: Made) -> str:
    """A thing's status in Bedrock's word, or whether it is there.

    Raises:
        AwsError: it cannot be looked at.
    """
    if item.state == GONE:
        return REMOVED
    look: dict[str, Callable[[], str]] = {
        BUCKET: lambda: _there(aws.find("s3", "head_bucket", Bucket=item.name)),
        OBJECT: lambda: _object(aws, run, item.name),
        ROLE: lambda: _there(aws.find("iam", "get_role", RoleName=item.name)),
        JOB: lambda: _status(next(jobs(aws, item.name), None)),
        MODEL: lambda: _there(
            aws.find("bedrock", "get_custom_model", modelIdentifier=item.arn or item.name)
        ),
        DEPLOYMENT: lambda: _served(aws, item.kind, deployments(aws, item.name)),
        PROVISIONED: lambda: _served(aws, item.kind, provisioned(aws, item.name)),
        EVALUATION_JOB: lambda: _status(next(evaluations(aws, item.name), None)),
    }
    return look[item.kind]()


def _served(aws: Aws, kind: str, arns: Iterator[str]) -> str:
    """Found by its name, since it may have been made without being written down."""
    arn = next(arns, "")
    return _status(look_at(aws, kind, arn, patient=False)) if arn else NOT_THERE


def _object(aws: Aws, run: Run, key: str) -> str:
    if not key.endswith("/"):
        return _there(aws.find("s3", "head_object", Bucket=bucket_of(run), Key=key))
    # All that a job wrote below a prefix.
    found = aws.find("s3", "list_objects_v2", Bucket=bucket_of(run), Prefix=key, MaxKeys=1)
    return _there((found or {}).get("Contents"))


def _there(found: object) -> str:
    return NOT_THERE if found is None else THERE


def _status(found: dict[str, object] | None) -> str:
    return NOT_THERE if found is None else str(found["status"])
