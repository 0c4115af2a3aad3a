"""The role with which Bedrock reads the data and writes the output: as few rights as will do."""

import json
import re
from collections.abc import Callable
from typing import Any

from filmstill.bedrock.advice import DENIED, NOT_ALLOWED
from filmstill.bedrock.aws import Aws
from filmstill.bedrock.models import foundation_regions, profile_regions
from filmstill.bedrock.run import MADE, TAG, Made, Run
from filmstill.bedrock.storage import EVALUATION, OUTPUT, TRAINING, bucket_of, prefix_of
from filmstill.bedrock.waiting import pause
from filmstill.errors import AwsError, InputError

ROLE = "role"
DATA, EVALUATE = "data", "evaluate"
TRIES = 6
"""More tries, in about a minute, with a role that Bedrock does not know yet."""
SETTLE_S = 10.0
"""Until a new role and its rights are known everywhere, mostly."""
OF_ROLE = re.compile(r"\b(iam|service|execution) role|assume|permission|access denied")
"""Words, in lower case, of a refusal that a role is to blame for."""
_JOBS = ("model-customization-job", "evaluation-job")


def role_arn(run: Run) -> str:
    """The role's ARN: the user's own, or that of the one made for the run."""
    own = str(run.settings["role"])
    item = run.find(ROLE)
    return own or (item.arn if item else "")


def ensure_role(aws: Aws, run: Run) -> None:
    """Make the run's role, unless it is there or the user names one.

    Raises:
        AwsError: it cannot be made.
    """
    if run.settings["role"]:
        return
    name = run.name
    known = run.intend(ROLE, name, arn=f"arn:aws:iam::{run.settings['account']}:role/{name}")
    if known.state == MADE:
        return
    if aws.find("iam", "get_role", RoleName=name) is None:
        _create(aws, run)
    put_policy(aws, run, DATA, data_policy(run))
    run.made(ROLE, name)
    pause(SETTLE_S)


def check_role(aws: Aws, arn: str) -> None:
    """See whether a role of the user's own is there, where that may be looked at.

    Raises:
        AwsError: IAM cannot be asked.
        InputError: there is no such role, or it is of another account.
    """
    if f":{aws.account}:" not in arn:
        raise InputError(f"--role {arn}: the role is not of account {aws.account}, as it must be")
    try:
        found = aws.find("iam", "get_role", RoleName=arn.rpartition("/")[2])
    except AwsError as error:
        if error.code in DENIED:  # who may not make roles may not be let see them either
            return
        raise
    if found is None:
        raise InputError(f"--role {arn}: there is no such role; make it, or leave --role out")


def _create(aws: Aws, run: Run) -> None:
    try:
        aws.call(
            "iam",
            "create_role",
            RoleName=run.name,
            AssumeRolePolicyDocument=json.dumps(trust_policy(run)),
            Description="Lets Amazon Bedrock read and write the data of one Filmstill run",
            Tags=[{"Key": TAG, "Value": run.id}],
        )
    except AwsError as error:
        # By a try before this one, whose answer was lost.
        if error.code != "EntityAlreadyExists":
            raise


def put_policy(aws: Aws, run: Run, name: str, policy: dict[str, Any]) -> None:
    """Give the run's own role rights; the user's own role is the user's to care for.

    Raises:
        AwsError: it cannot be written.
    """
    if run.settings["role"]:
        return
    aws.call(
        "iam",
        "put_role_policy",
        RoleName=run.name,
        PolicyName=name,
        PolicyDocument=json.dumps(policy),
    )


def trust_policy(run: Run) -> dict[str, Any]:
    """Who may take the role: Bedrock, for jobs of this account and region."""
    account, region = run.settings["account"], run.settings["region"]
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": "bedrock.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": account},
                "ArnLike": {
                    "aws:SourceArn": [
                        f"arn:aws:bedrock:{region}:{account}:{job}/*" for job in _JOBS
                    ]
                },
            },
        }
    )


def data_policy(run: Run) -> dict[str, Any]:
    """Rights for the distillation job: read the data, write the output, ask the teacher."""
    bucket, prefix = f"arn:aws:s3:::{bucket_of(run)}", prefix_of(run)
    statements = [
        _allow(["s3:GetObject"], [f"{bucket}/{prefix}{TRAINING}"]),
        _allow(["s3:GetObject", "s3:PutObject"], [f"{bucket}/{prefix}{OUTPUT}*"]),
        {
            **_allow(["s3:ListBucket"], [bucket]),
            "Condition": {"StringLike": {"s3:prefix": [f"{prefix}*"]}},
        },
    ]
    logs = str(run.settings["logs"])
    if logs:
        log_bucket, _, log_prefix = logs.removeprefix("s3://").partition("/")
        arn = f"arn:aws:s3:::{log_bucket}"
        statements += [
            _allow(["s3:GetObject"], [f"{arn}/{log_prefix}*"]),
            _allow(["s3:ListBucket"], [arn]),
        ]
    return _policy(*statements, *_model_rights(run, str(run.settings["teacher"])))


def evaluation_policy(run: Run, judge: str) -> dict[str, Any]:
    """Rights for an evaluation job: read the responses, write the output, ask the judge."""
    bucket, prefix = f"arn:aws:s3:::{bucket_of(run)}", prefix_of(run)
    objects = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    return _policy(
        _allow(objects, [f"{bucket}/{prefix}{EVALUATION}*"]),
        _allow(["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], [bucket]),
        _allow(["bedrock:InvokeModel", "bedrock:GetInferenceProfile"], _model_arns(run, judge)),
        _allow(
            ["bedrock:CreateModelInvocationJob", "bedrock:StopModelInvocationJob"],
            _model_arns(run, judge),
        ),
    )


def remove_role(aws: Aws, run: Run, item: Made) -> None:
    """Remove the role that was made for the run, with its policies.

    Raises:
        AwsError: it cannot be removed, or is not this run's.
    """
    role = aws.find("iam", "get_role", RoleName=item.name)
    if role is None:
        return
    tags = aws.call("iam", "list_role_tags", RoleName=item.name)["Tags"]
    if {"Key": TAG, "Value": run.id} not in tags:
        raise AwsError(f"the role {item.name} does not carry this run's tag; it is left alone")
    for policy in aws.call("iam", "list_role_policies", RoleName=item.name)["PolicyNames"]:
        aws.call("iam", "delete_role_policy", RoleName=item.name, PolicyName=policy)
    aws.call("iam", "delete_role", RoleName=item.name)


def with_role(run: Run, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a call that hands over the run's role answers, tried again while the role is young.

    Raises:
        AwsError: it failed.
    """
    tries = 0
    while True:
        try:
            return call()
        except AwsError as error:
            tries += 1
            if not wait_for_role(run, error, tries):
                raise


def wait_for_role(run: Run, error: AwsError, tries: int) -> bool:
    """Whether to try again, after a wait: a new role is not known everywhere for some seconds."""
    text = str(error)
    if error.code not in ("ValidationException", "AccessDeniedException") or tries > TRIES:
        return False
    denied = NOT_ALLOWED.search(text)
    # What the caller itself may not do, it will not be allowed to in a minute; nor is a role of the
    # user's own a new one.
    of_role = f"assumed-role/{run.name}/" in text if denied else OF_ROLE.search(text.lower())
    if not of_role or run.settings["role"]:
        return False
    pause(min(2**tries, 15))
    return True


def _model_rights(run: Run, model: str) -> list[dict[str, Any]]:
    """Rights to ask a teacher, which only one behind an inference profile needs."""
    if not profile_regions(model):
        return []
    return [_allow(["bedrock:InvokeModel", "bedrock:GetInferenceProfile"], _model_arns(run, model))]


def _model_arns(run: Run, model: str) -> list[str]:
    account, region = run.settings["account"], run.settings["region"]
    bare, regions = foundation_regions(model, region)
    arns = [f"arn:aws:bedrock:{place}::foundation-model/{bare}" for place in regions]
    if profile_regions(model):
        profile = model.rpartition("/")[2]
        arns.append(f"arn:aws:bedrock:{region}:{account}:inference-profile/{profile}")
    return arns


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
