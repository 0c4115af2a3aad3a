"""What requests carry, and what becomes of those whose answer is lost."""

import base64
import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from filmstill.bedrock.aws import Aws
from filmstill.bedrock.run import open_run
from filmstill.bedrock.storage import bucket_of
from filmstill.errors import AwsError

from .account import REGION, Account
from .runs import Steps
from .wire import Wire


def test_an_api_key_of_bedrock_is_not_used(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be another account's; the other services would not use it."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a key")
    Aws(REGION).call("bedrock", "list_model_customization_jobs")
    signed = wire.requests["ListModelCustomizationJobs"].headers["Authorization"]
    assert signed.startswith(b"AWS4-HMAC-SHA256 ")


def test_a_bucket_that_is_made_is_private_and_encrypted(distilled: Path, account: Account) -> None:
    s3, bucket = account.client("s3"), bucket_of(open_run(distilled))
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    (rule,) = encryption["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


@pytest.mark.parametrize("step", ["distill", "evaluate"])
def test_s3_checks_what_is_uploaded(
    step: str, distilled: Path, steps: Steps, wire: Wire, account: Account
) -> None:
    if step == "evaluate":
        steps.evaluate(distilled)
    request = wire.requests["PutObject"]
    _, bucket, key = urlsplit(request.url).path.split("/", 2)
    content = account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    told = base64.b64decode(request.headers["x-amz-checksum-sha256"])
    assert told == hashlib.sha256(content).digest()


def test_what_is_created_carries_a_token_of_the_run(
    distilled: Path, steps: Steps, wire: Wire
) -> None:
    steps.deploy(distilled)
    steps.clean(distilled, "deployment")
    steps.provision(distilled)
    steps.evaluate(distilled)
    token = f"{open_run(distilled).name}-1"
    assert wire.body("CreateModelCustomizationJob")["clientRequestToken"] == token
    assert wire.body("CreateCustomModelDeployment")["clientRequestToken"] == token
    assert wire.body("CreateProvisionedModelThroughput")["clientRequestToken"] == token
    evaluation = wire.body("CreateEvaluationJob")
    assert evaluation["clientRequestToken"] == evaluation["jobName"]


@pytest.mark.parametrize(
    ("step", "operation", "kind"),
    [
        ("distill", "CreateBucket", "buckets"),
        ("distill", "CreateRole", "roles"),
        ("distill", "CreateModelCustomizationJob", "models"),
        ("deploy", "CreateCustomModelDeployment", "deployments"),
        ("provision", "CreateProvisionedModelThroughput", "provisioned"),
        ("evaluate", "CreateEvaluationJob", "evaluations"),
    ],
)
def test_what_was_done_without_an_answer_is_not_done_again(
    step: str, operation: str, kind: str, folder: Path, steps: Steps, wire: Wire, account: Account
) -> None:
    if step != "distill":
        steps.distill(folder)
    wire.lost.add(operation)
    getattr(steps, step)(folder)
    assert wire.lost == set()
    assert len(account.listing()[kind]) == 1
    assert account.jobs(open_run(folder).id) == ["Completed"]


def test_a_bucket_that_aws_says_is_ours_is_taken_for_made(
    folder: Path, steps: Steps, wire: Wire
) -> None:
    """As it does in every region but one, where an answer was lost."""
    wire.fail("CreateBucket", (409, "BucketAlreadyOwnedByYou", "there"))
    with pytest.raises(AwsError, match="NoSuchBucket"):  # for here it is not there
        steps.distill(folder)
    assert wire.count("PutBucketTagging") == 1
