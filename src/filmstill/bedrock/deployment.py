"""The deployment of a distilled model: on demand, or with provisioned throughput."""

from collections.abc import Callable, Iterator

from filmstill.bedrock.aws import Aws
from filmstill.bedrock.job import MODEL
from filmstill.bedrock.run import MADE, Made, Run
from filmstill.bedrock.waiting import pause
from filmstill.errors import AwsError, InputError

DEPLOYMENT, PROVISIONED = "deployment", "provisioned"
POLL_S = 10.0


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
    found = aws.find("bedrock", "get_provisioned_model_throughput", provisionedModelId=run.name)
    made = found or aws.call(
        "bedrock",
        "create_provisioned_model_throughput",
        provisionedModelName=run.name,
        modelId=model,
        modelUnits=units,
        clientRequestToken=run.attempt(PROVISIONED),
        tags=run.tags,
    )
    arn = made["provisionedModelArn"]
    run.made(PROVISIONED, run.name, arn=arn)
    return str(arn)


def wait_until_served(
    aws: Aws,
    run: Run,
    *,
    on_look: Callable[[str], None] = lambda status: None,
) -> str:
    """Wait until what was deployed answers; its ARN.

    Raises:
        AwsError: it failed; the message says why.
        InputError: nothing was deployed.
    """
    while True:
        arn, status, reason = _status(aws, run)
        on_look(status)
        if status in ("Active", "InService"):
            return arn
        if status == "Failed":
            raise AwsError(
                f"the deployment {run.name} failed: {reason or 'Bedrock gives no reason'}; "
                f"`filmstill cleanup {run.folder} --only {_served(run).kind}` removes it, then "
                f"deploy again"
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


def _status(aws: Aws, run: Run) -> tuple[str, str, str]:
    item = _served(run)
    arn = item.arn
    if item.kind == DEPLOYMENT:
        now = aws.call(
            "bedrock", "get_custom_model_deployment", customModelDeploymentIdentifier=arn
        )
    else:
        now = aws.call("bedrock", "get_provisioned_model_throughput", provisionedModelId=arn)
    return arn, str(now["status"]), str(now.get("failureMessage") or "")


def _model(run: Run) -> str:
    item = run.find(MODEL)
    if item is None or not item.arn:
        raise InputError(
            f"{run.folder}: its job has not made a model; run `filmstill distill` on it to wait"
        )
    return item.arn
