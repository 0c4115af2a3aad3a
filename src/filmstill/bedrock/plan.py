"""The calls that a command makes on Bedrock, before it makes them."""

from collections.abc import Iterator
from dataclasses import dataclass

from filmstill.bedrock.order import Checked, Settings
from filmstill.bedrock.role import DATA, EVALUATE
from filmstill.bedrock.run import Run
from filmstill.bedrock.storage import OUTPUT


@dataclass(frozen=True, slots=True)
class Call:
    """One call that a run makes.

    Attributes:
        call: service and operation.
        why: what for.
    """

    call: str
    why: str


def distill_plan(settings: Settings, checked: Checked) -> Iterator[Call]:
    """The calls of a new run, in their order."""
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
        "bedrock ListModelCustomizationJobs, CreateModelCustomizationJob",
        f"{settings.teacher} teaches {settings.student}",
    )
    yield Call("bedrock GetModelCustomizationJob", "every 30 seconds, until it has ended")
    yield Call("s3 ListObjectsV2, GetObject", f"metrics below {OUTPUT}")


def deploy_plan(run: Run, units: int | None) -> Iterator[Call]:
    """The calls of a deployment, on demand or with so many units of throughput."""
    yield Call("sts GetCallerIdentity", "see that it is the run's account")
    if units is None:
        yield Call(
            "bedrock ListCustomModelDeployments, CreateCustomModelDeployment",
            f"deploy the model {run.name}",
        )
        yield Call("bedrock GetCustomModelDeployment", "every 10 seconds, until it is Active")
    else:
        yield Call(
            "bedrock ListProvisionedModelThroughputs, CreateProvisionedModelThroughput",
            f"model units for {run.name}: {units}",
        )
        yield Call(
            "bedrock GetProvisionedModelThroughput", "every 10 seconds, until it is InService"
        )


def evaluate_plan(run: Run, jobs: int, judge: str) -> Iterator[Call]:
    """The calls of so many evaluation jobs; each router has one of its own."""
    yield Call("sts GetCallerIdentity", "see that it is the run's account")
    yield Call("s3 PutObject", f"answers; routers: {jobs}, with a file each")
    if not run.settings["role"]:
        yield Call("iam PutRolePolicy", f"the policy {EVALUATE!r} of the role {run.name}")
    yield Call("iam PassRole", "a right that the identity needs, no call")
    yield Call(
        "bedrock ListEvaluationJobs, CreateEvaluationJob", f"jobs: {jobs}; the judge is {judge}"
    )
    yield Call("bedrock GetEvaluationJob", "every 15 seconds, until it has ended")
    yield Call("s3 ListObjectsV2, GetObject", "the verdicts")
