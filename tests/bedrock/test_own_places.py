"""A bucket, a role or logs of the user's own: looked at first, used, and left as they were."""

from pathlib import Path
from typing import Any

from filmstill import Task
from filmstill.bedrock.order import Settings, check
from filmstill.prompts import render
from tests.cli.test_cli import Run as Cli

from .account import REGION, Account
from .runs import sentence
from .wire import Wire


def test_no_such_bucket(run: Cli, words: Any) -> None:
    found = sentence(run(*words, "--bucket", "not-there"))
    assert found == "--bucket not-there: there is no such bucket; make it, or leave --bucket out"


def test_no_such_role(run: Cli, words: Any) -> None:
    arn = "arn:aws:iam::123456789012:role/not-there"
    found = sentence(run(*words, "--role", arn))
    assert found == f"--role {arn}: there is no such role; make it, or leave --role out"


def test_a_name_that_was_mistyped_begins_no_run(
    run: Cli, words: Any, folder: Path, bucket: str, role: str
) -> None:
    """Or the right one would be another run's setting."""
    assert run(*words, "--bucket", f"{bucket}s", "--role", role).code == 1
    assert run(*words, "--bucket", bucket, "--role", f"{role}s").code == 1
    assert not folder.exists()
    assert run(*words, "--bucket", bucket, "--role", role).code == 0


def test_a_role_that_may_not_be_looked_at_is_used(
    run: Cli, words: Any, role: str, wire: Wire
) -> None:
    wire.fail("GetRole", (403, "AccessDenied", "no"))
    assert run(*words, "--role", role).code == 0
    assert wire.body("CreateModelCustomizationJob")["roleArn"] == role


def test_a_bucket_of_somebody_else(run: Cli, words: Any, wire: Wire) -> None:
    wire.fail("HeadBucket", (403, "Forbidden", ""))
    assert "s3:ListBucket" in sentence(run(*words, "--bucket", "theirs"))


def test_a_bucket_in_another_region(run: Cli, words: Any, bucket: str, wire: Wire) -> None:
    body = "<LocationConstraint>eu-west-1</LocationConstraint>"
    wire.fail("GetBucketLocation", (200, "", body))
    found = sentence(run(*words, "--bucket", bucket))
    assert "--bucket mine is in eu-west-1 and the job would run in us-east-1" in found


def test_a_bucket_and_a_role_of_the_user_stay(
    run: Cli, words: Any, account: Account, folder: Path, bucket: str, role: str
) -> None:
    """Of a bucket that keeps versions, no version of the run's objects stays."""
    s3 = account.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="filmstill-of-another-run/x", Body=b"")
    before = account.listing()
    done = run(*words, "--bucket", bucket, "--role", role)
    assert done.code == 0, done.err
    assert run("cleanup", folder).code == 0
    assert account.listing() == before
    versions = s3.list_object_versions(Bucket=bucket)
    assert [item["Key"] for item in versions["Versions"]] == ["filmstill-of-another-run/x"]
    assert "DeleteMarkers" not in versions


def test_versions_that_are_kept_only_after_the_upload_go_too(
    run: Cli, words: Any, account: Account, folder: Path, bucket: str
) -> None:
    s3 = account.client("s3")
    assert run(*words, "--bucket", bucket).code == 0
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert run("cleanup", folder).code == 0
    left = s3.list_object_versions(Bucket=bucket)
    assert not {"Versions", "DeleteMarkers"} & left.keys()


def test_logs_instead_of_a_file(run: Cli, account: Account, folder: Path, logs: str) -> None:
    """What the job wrote goes, too, though nothing was uploaded."""
    before = account.listing()
    done = run("distill", "--on", "bedrock", "--out", folder, "--logs", logs)
    assert done.code == 0, done.err
    assert run("cleanup", folder).code == 0
    assert account.listing() == before


def test_a_student_of_logs_is_asked_as_its_teacher_was(wire: Wire, task: Task) -> None:
    found = check(Settings(region=REGION, logs="s3://logs/bedrock"), None, task)
    assert found.prompt == render("teacher", task)
