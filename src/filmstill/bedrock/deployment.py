"""The deployment of a distilled model: on demand, or with provisioned throughput."""

from collections.abc import Callable, Iterator
from typing import Any

from filmstill.bedrock.advice import MISSING
from filmstill.bedrock.aws import Aws
from filmstill.bedrock.job import MODEL
from filmstill.bedrock.run import MADE, Made, Run
from filmstill.bedrock.waiting import pause
from filmstill.errors import AwsError, InputError

DEPLOYMENT, PROVISIONED = "deployment", "provisioned"
POLL_S = 10.0
MISSES = 3
"""Looks in vain after which something is gone: what was just made is not seen everywhere yet."""

_LOOKS = {
    DEPLOYMENT: ("get_custom_model_deployment", "customModelDeploymentIdentifier"),
    PROVISIONED: ("get_provisioned_model_throughput", "provisionedModelId"),
}


def ensure_deployment(aws: Aws, run: Run) -> str:
    """Deploy the run's model on demand, unless it is; the deployment's ARN.

    Raises:
        AwsError: Bedrock refuses it.
        InputError: the run has no model yet, or is deployed otherwise.
    """
    model = _model(run)
    _refuse_other(run, PROVISIONED)
    known = run.intend(DEPLOYMENT, run.name)
    if known.state == MADE:
        return known.arn
    arn = next(deployments(aws, run.name), "") or str(
        aws.call(
            "bedrock",
            "create_custom_model_deployment",
            modelDeploymentName=run.name,
            modelArn=model,
            clientRequestToken=run.attempt(DEPLOYMENT),
            tags=run.tags,
        )["customModelDeploymentArn"]
    )
    run.made(DEPLOYMENT, run.name, arn=arn)
    return arn


def deployments(aws: Aws, name: str) -> Iterator[str]:
    """The ARNs of deployments of exactly this name, which should be one at most."""
    for page in aws.pages("bedrock", "list_custom_model_deployments", nameContains=name):
        for item in page["modelDeploymentSummaries"]:
            if item["customModelDeploymentName"] == name:
                yield str(item["customModelDeploymentArn"])


def ensure_provisioned(aws: Aws, run: Run, units: int) -> str:
    """Buy throughput for the run's model by the hour, unless that is done; its ARN.

    Raises:
        AwsError: Bedrock refuses it.
        InputError: the run has no model yet, or is deployed otherwise.
    """
    model = _model(run)
    _refuse_other(run, DEPLOYMENT)
    known = run.intend(PROVISIONED, run.name, units=units)
    if known.facts.get("units") != units:
        raise InputError(
            f"{run.folder} has {known.facts.get('units')} units of throughput already; `filmstill "
            f"cleanup {run.folder} --only {PROVISIONED}` gives them back"
        )
    if known.state == MADE:
        return known.arn
    arn = next(provisioned(aws, run.name), "") or str(
        aws.call(
            "bedrock",
            "create_provisioned_model_throughput",
            provisionedModelName=run.name,
            modelId=model,
            modelUnits=units,
            clientRequestToken=run.attempt(PROVISIONED),
            tags=run.tags,
        )["provisionedModelArn"]
    )
    run.made(PROVISIONED, run.name, arn=arn)
    return arn


def provisioned(aws: Aws, name: str) -> Iterator[str]:
    """The ARNs of provisioned throughput of exactly this name, which should be one at most."""
    for page in aws.pages("bedrock", "list_provisioned_model_throughputs", nameContains=name):
        for item in page["provisionedModelSummaries"]:
            if item["provisionedModelName"] == name:
                yield str(item["provisionedModelArn"])


def look_at(aws: Aws, kind: str, arn: str, *, patient: bool = True) -> dict[str, Any] | None:
    """How a deployment or provisioned throughput stands; None where it is not there.

    Args:
        aws: the account.
        kind: which of both.
        arn: its ARN.
        patient: wait for what may pass; see `Aws.watch`.

    Raises:
        AwsError: it cannot be looked at.
    """
    operation, name = _LOOKS[kind]
    ask = aws.watch if patient else aws.call
    try:
        return ask("bedrock", operation, **{name: arn})
    except AwsError as error:
        if error.code in MISSING:
            return None
        raise


def wait_until_served(
    aws: Aws,
    run: Run,
    *,
    on_look: Callable[[str], None] = lambda status: None,
) -> str:
    """Wait until what was deployed answers; its ARN.

    Raises:
        AwsError: it failed, or is gone; the message says why.
        InputError: nothing was deployed.
    """
    item, missed = _served(run), 0
    while True:
        now = look_at(aws, item.kind, item.arn)
        if now is None:
            missed += 1
            if missed < MISSES:
                pause(POLL_S)
                continue
            run.gone(item)
            raise AwsError(
                f"the deployment {run.name} was removed by somebody else; run the same command "
                f"again to deploy anew"
            )
        on_look(now["status"])
        if now["status"] in ("Active", "InService"):
            return item.arn
        if now["status"] == "Failed":
            raise AwsError(
                f"the deployment {run.name} failed: "
                f"{now.get('failureMessage') or 'Bedrock gives no reason'}; `filmstill cleanup "
                f"{run.folder} --only {item.kind}` removes it, then deploy again"
            )
        pause(POLL_S)


def served_arn(run: Run) -> str:
    """The ARN that Converse takes.

    Raises:
        InputError: nothing was deployed.
    """
    return _served(run).arn


def _served(run: Run) -> Made:
    item = run.find(DEPLOYMENT) or run.find(PROVISIONED)
    if item is None or not item.arn:
        raise InputError(f"{run.folder}: nothing is deployed; `filmstill deploy {run.folder}` does")
    return item


def _refuse_other(run: Run, kind: str) -> None:
    """One way at a time, so that it is clear what answers and what is paid."""
    if run.find(kind):
        raise InputError(
            f"{run.folder} is deployed otherwise; `filmstill cleanup {run.folder} --only {kind}` "
            f"ends that"
        )


def _model(run: Run) -> str:
    item = run.find(MODEL)
    if item is None or not item.arn:
        raise InputError(
            f"{run.folder}: its job has not made a model; run `filmstill distill` on it to wait"
        )
    return item.arn
