"""What AWS refuses: each with one sentence that says what to do, and then the run goes on."""

from pathlib import Path
from typing import Any

import pytest

from filmstill.bedrock.role import TRIES, wait_for_role
from filmstill.errors import AwsError
from tests.cli.test_cli import Run as Cli

from .account import Account
from .runs import Steps, make_run, sentence
from .wire import THROTTLED, Wire


@pytest.mark.parametrize(
    ("operation", "status", "code", "action"),
    [
        ("HeadBucket", 403, "Forbidden", "s3:ListBucket"),
        ("CreateBucket", 403, "AccessDenied", "s3:CreateBucket"),
        ("PutBucketTagging", 403, "AccessDenied", "s3:PutBucketTagging"),
        ("PutPublicAccessBlock", 403, "AccessDenied", "s3:PutBucketPublicAccessBlock"),
        ("PutBucketEncryption", 403, "AccessDenied", "s3:PutEncryptionConfiguration"),
        ("PutObject", 403, "AccessDenied", "s3:PutObject"),
        ("GetRole", 403, "AccessDenied", "iam:GetRole"),
        ("CreateRole", 403, "AccessDenied", "iam:CreateRole"),
        ("PutRolePolicy", 403, "AccessDenied", "iam:PutRolePolicy"),
        (
            "CreateModelCustomizationJob",
            403,
            "AccessDeniedException",
            "bedrock:CreateModelCustomizationJob",
        ),
        ("ListObjectsV2", 403, "AccessDenied", "s3:ListBucket"),
        ("GetObject", 403, "AccessDenied", "s3:GetObject"),
    ],
)
def test_a_denied_permission_is_named_and_granted_it_goes_on(
    operation: str,
    status: int,
    code: str,
    action: str,
    account: Account,
    steps: Steps,
    wire: Wire,
    folder: Path,
) -> None:
    before = account.listing()
    wire.fail(operation, (status, code, "User x is not allowed"))
    with pytest.raises(AwsError, match=f"needs the action {action}, or a policy forbids it"):
        steps.distill(folder)
    wire.faults.clear()
    steps.distill(folder)
    steps.clean(folder)
    assert account.listing() == before


def test_the_action_that_aws_names_is_told(
    run: Cli, words: Any, wire: Wire, account: Account, folder: Path
) -> None:
    """And nobody waits a minute for a role that is not the problem."""
    before = account.listing()
    said = "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: iam:PassRole on r"
    wire.fail("CreateModelCustomizationJob", (403, "AccessDeniedException", said))
    ran = run(*words)
    assert "needs the action iam:PassRole," in sentence(ran)
    assert "the same command goes on" in ran.err
    assert wire.count("CreateModelCustomizationJob") == 1
    assert run("cleanup", folder).code == 0
    assert account.listing() == before


def test_a_role_that_bedrock_does_not_know_yet(wire: Wire, steps: Steps, folder: Path) -> None:
    young = (400, "ValidationException", "The role cannot be assumed by Bedrock")
    wire.fail("CreateModelCustomizationJob", young, young, None)
    steps.distill(folder)
    assert wire.count("CreateModelCustomizationJob") == 3


NEW = "User: arn:aws:sts::1:assumed-role/{name}/b is not authorized to perform: s3:GetObject"
OLD = NEW.replace("{name}", "mine")


@pytest.mark.parametrize(
    ("code", "message", "tries", "own", "again"),
    [
        ("AccessDeniedException", NEW, 1, "", True),
        ("AccessDeniedException", NEW, TRIES + 1, "", False),
        ("AccessDeniedException", NEW, 1, "arn:aws:iam::123456789012:role/mine", False),
        ("AccessDeniedException", OLD, 1, "", False),
        ("ValidationException", "The role cannot be assumed", 1, "", True),
        ("ValidationException", "The name is too long", 1, "", False),
        ("ThrottlingException", "The role cannot be assumed", 1, "", False),
    ],
)
def test_only_a_new_role_of_the_run_is_waited_for(
    code: str, message: str, tries: int, own: str, again: bool,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("FILMSTILL_POLL_SECONDS", "0")
    run = make_run(tmp_path, role=own)
    error = AwsError(message.format(name=run.name), code=code)
    assert wait_for_role(run, error, tries) is again


def test_throttling_that_passes(wire: Wire, steps: Steps, folder: Path) -> None:
    wire.fail("CreateModelCustomizationJob", *[THROTTLED] * 5, None)
    wire.fail("PutObject", *[(503, "SlowDown", "Reduce your request rate")] * 3, None)
    assert steps.distill(folder).find("model")


def test_throttling_that_does_not_pass(wire: Wire, run: Cli, words: Any) -> None:
    wire.fail("CreateModelCustomizationJob", THROTTLED)
    found = sentence(run(*words))
    assert "AWS throttles this account; run the same command later to go on" in found


@pytest.mark.parametrize(
    ("operation", "code", "message"),
    [
        ("CreateModelCustomizationJob", "ServiceQuotaExceededException", "Service Quotas"),
        ("CreateRole", "LimitExceeded", "Service Quotas"),
        ("CreateBucket", "TooManyBuckets", "name one with --bucket"),
    ],
)
def test_quotas(operation: str, code: str, message: str, wire: Wire, run: Cli, words: Any) -> None:
    wire.fail(operation, (400, code, "No more than 7 of account 1."))
    found = sentence(run(*words))
    assert message in found
    assert f"({code}: No more than 7 of account 1.)" in found
