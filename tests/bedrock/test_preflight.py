"""What is told before anything is made."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import Run as Cli

from .runs import sentence
from .wire import Wire


def test_no_credentials(run: Cli, words: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert sentence(run(*words)) == "no AWS credentials: sign in, or set AWS_PROFILE"


def test_half_of_the_credentials(run: Cli, words: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert sentence(run(*words)) == "no AWS credentials: sign in, or set AWS_PROFILE"


def test_no_region(run: Cli, words: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    assert sentence(run(*words)) == "no AWS region: give --region, or set AWS_REGION"


@pytest.mark.parametrize("by", ["option", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_an_unknown_profile(by: str, run: Cli, words: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if by != "option":
        monkeypatch.setenv(by, "nobody")
    more = ("--profile", "nobody") if by == "option" else ()
    found = sentence(run(*words, *more))
    assert found.startswith("there is no AWS profile 'nobody'; `aws configure list-profiles`")


def test_a_broken_configuration(
    run: Cli, words: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[default\nnonsense")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert "the AWS configuration cannot be read" in sentence(run(*words))


def test_a_sign_in_that_has_ended(
    run: Cli, words: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[profile work]\ncredential_process = false\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    found = sentence(run(*words, "--profile", "work"))
    assert found.startswith("the credentials have expired or cannot be had; sign in again")


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "ExpiredToken", "the credentials have expired; sign in again"),
        (403, "ExpiredTokenException", "the credentials have expired; sign in again"),
        (403, "RequestExpired", "the credentials have expired, or this machine's clock is wrong"),
        (403, "InvalidClientTokenId", "the credentials are not valid; look at AWS_PROFILE"),
        (403, "SignatureDoesNotMatch", "the secret key is not the right one"),
        (403, "InvalidSignatureException", "the secret key is not the right one"),
    ],
)
def test_credentials_that_do_not_work(
    status: int, code: str, message: str, run: Cli, words: Any, wire: Wire, folder: Path
) -> None:
    wire.fail("GetCallerIdentity", (status, code, "no"))
    assert message in sentence(run(*words))
    assert not folder.exists()


@pytest.mark.parametrize(
    "message",
    [
        "Signature expired: 20261123T100000Z is now earlier than 20261123T110000Z",
        "Signature not yet current: 20261123T110000Z is still later than 20261123T100000Z",
    ],
)
def test_a_clock_that_is_wrong(message: str, run: Cli, words: Any, wire: Wire) -> None:
    wire.fail("GetCallerIdentity", (403, "SignatureDoesNotMatch", message))
    found = sentence(run(*words))
    assert "this machine's clock is wrong" in found
    assert message in found
    assert "secret key" not in found


def test_the_extra_is_not_installed(
    run: Cli, words: Any, distilled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    for command in (words, ("deploy", distilled), ("status", distilled), ("cleanup", distilled)):
        found = sentence(run(*command))
        assert found.startswith("Amazon Bedrock needs boto3, which is not installed")
        assert 'pip install "filmstill[bedrock]"' in found


def test_verbs_load_boto3_only_when_it_is_needed() -> None:
    code = (
        "import sys\nfrom filmstill.cli import cleanup, deploy, distill, status\n"
        "import filmstill.bedrock.cleanup, filmstill.bedrock.pipeline\n"
        "sys.exit('boto3' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_another_region(run: Cli, words: Any) -> None:
    assert "give --region us-east-1" in sentence(run(*words, "--region", "eu-west-1"))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--bucket", "My_Bucket", "--bucket My_Bucket: not of the form my-bucket"),
        ("--role", "mine", "--role mine: not of the form arn:aws:iam::"),
        ("--teacher", "amazon.nova-premier-v1:0", "end of its life on 2026-09-14"),
        ("--student", "amazon.nova-micro-v1:0", "amazon.nova-micro-v1:0:128k"),
        ("--logs", "s3://logs", "give a file of training data, or --logs; one of them"),
    ],
)
def test_a_wrong_option(option: str, value: str, message: str, run: Cli, words: Any) -> None:
    assert message in sentence(run(*words, option, value))


@pytest.mark.parametrize("logs", ["s3://logs/date=2026/", "s3://logs//july/", "s3://logs/july//"])
def test_logs_of_a_form_that_bedrock_refuses(logs: str, run: Cli, folder: Path) -> None:
    found = sentence(run("distill", "--on", "bedrock", "--out", folder, "--logs", logs))
    assert "Bedrock allows letters, digits" in found


def test_options_of_the_other_place(run: Cli, words: Any, prepared: Path, tmp_path: Path) -> None:
    assert run(*words, "--epochs", "3").code == 2
    assert run("distill", prepared, "--out", tmp_path / "x", "--bucket", "mine").code == 2


def test_a_dry_run_changes_nothing(run: Cli, words: Any, wire: Wire, folder: Path) -> None:
    planned = run(*words, "--dry-run")
    assert planned.code == 0, planned.err
    assert "CreateModelCustomizationJob" in planned.out
    assert wire.changes() == []
    assert not folder.exists()
