"""Cleaning up: all that the run made and nothing else, and what fails is told."""

from pathlib import Path

import pytest

from filmstill.bedrock import cleanup
from filmstill.bedrock.run import open_run
from filmstill.bedrock.storage import bucket_of
from tests.cli.test_cli import Run as Cli

from .account import NUMBER, Account
from .runs import Steps, sentence
from .wire import Answer, Wire


def test_a_removal_that_fails_in_part_is_told_and_repeated(
    run: Cli, distilled: Path, account: Account, wire: Wire
) -> None:
    assert run("deploy", distilled).code == 0
    denied = (403, "AccessDeniedException", "no")
    wire.fail("DeleteCustomModelDeployment", denied)
    wire.fail("DeleteRole", (403, "AccessDenied", "no"))
    ran = run("cleanup", distilled)
    assert ran.code == 1
    told = ran.err.splitlines()
    assert any("bedrock:DeleteCustomModelDeployment" in line for line in told)
    assert any("model" in line and "the deployment must go first" in line for line in told)
    assert any("iam:DeleteRole" in line for line in told)
    assert "run the same command again for the others" in ran.out
    left = {kind: names for kind, names in account.listing().items() if names}
    assert {"deployments", "models", "roles"} <= left.keys()
    assert not {"buckets", "objects"} & left.keys()
    wire.faults.clear()
    assert run("cleanup", distilled).code == 0
    assert not any(account.listing().values())


def test_nothing_that_a_running_job_needs_is_removed(
    account: Account, steps: Steps, wire: Wire, folder: Path, run: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    account.worker.waits.add("job")
    monkeypatch.setattr("filmstill.bedrock.pipeline.wait_for_job", lambda *_, **__: {})
    steps.distill(folder)
    wire.fail("StopModelCustomizationJob", (403, "AccessDeniedException", "no"))
    ran = run("cleanup", folder)
    assert ran.code == 1
    assert ran.err.count("must go first") == 4  # role, data, output, bucket
    assert account.listing()["buckets"]
    wire.faults.clear()
    assert run("cleanup", folder).code == 0
    assert not any(account.listing().values())


def test_a_model_whose_deployment_is_on_its_way_out(
    distilled: Path, steps: Steps, wire: Wire, account: Account
) -> None:
    used = (400, "ConflictException", "in use")
    wire.fail("DeleteCustomModel", used, used, None)
    steps.clean(distilled)
    assert not any(account.listing().values())


def test_a_model_that_stays_in_use(
    distilled: Path, run: Cli, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "TRIES", 2)
    wire.fail("DeleteCustomModel", (400, "ConflictException", "in use"))
    ran = run("cleanup", distilled)
    assert ran.code == 1
    assert "in use" in ran.err


def test_versions_that_are_kept_only_after_the_upload_go_too(
    run: Cli, distilled: Path, account: Account
) -> None:
    account.client("s3").put_bucket_versioning(
        Bucket=bucket_of(open_run(distilled)), VersioningConfiguration={"Status": "Enabled"}
    )
    ran = run("cleanup", distilled)
    assert ran.code == 0, ran.err
    assert not any(account.listing().values())


def refused(code: str) -> Answer:
    error = f"<Error><Key>k</Key><Code>{code}</Code><Message>It stays</Message></Error>"
    return 200, "", f"<DeleteResult>{error}</DeleteResult>"


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([refused("InternalError")], "/k: It stays\n"),
        (
            [refused("AccessDenied")],
            "/k: It stays; the identity needs the action s3:DeleteObject\n",
        ),
        pytest.param(
            [(200, "", "<DeleteResult/>"), refused("AccessDenied")],
            "/k: It stays; the identity needs the action s3:DeleteObjectVersion\n",
            id="versions",
        ),
    ],
)
def test_an_object_that_cannot_be_removed(
    answers: list[Answer], told: str, run: Cli, distilled: Path, wire: Wire
) -> None:
    wire.fail("DeleteObjects", *answers)
    ran = run("cleanup", distilled)
    assert ran.code == 1
    assert told in ran.err
    wire.faults.clear()
    assert run("cleanup", distilled).code == 0


SERVING = [
    ("deploy", "deployment", "GetCustomModelDeployment"),
    ("provision", "provisioned", "GetProvisionedModelThroughput"),
]
THERE = (200, "", '{"status": "Active"}')


@pytest.mark.parametrize(("step", "kind", "look"), SERVING)
def test_what_serves_is_looked_at_until_it_is_gone(
    step: str, kind: str, look: str, run: Cli, distilled: Path, steps: Steps, wire: Wire
) -> None:
    getattr(steps, step)(distilled)
    wire.calls.clear()
    wire.fail(look, THERE, THERE, None)
    assert run("cleanup", distilled, "--only", kind).code == 0
    assert wire.count(look) == 3


@pytest.mark.parametrize(("step", "kind", "look"), SERVING)
def test_what_serves_and_does_not_go_is_told(
    step: str, kind: str, look: str, run: Cli, distilled: Path, steps: Steps, wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(cleanup, "TRIES", 2)
    getattr(steps, step)(distilled)
    wire.fail(look, THERE)
    ran = run("cleanup", distilled)
    assert ran.code == 1
    assert "is being removed still; run the same command again in a while" in ran.err
    assert open_run(distilled).find(kind)
    wire.faults.clear()
    assert run("cleanup", distilled).code == 0


def test_what_lost_its_tag_is_left_alone(run: Cli, distilled: Path, account: Account) -> None:
    """Whoever takes it off wants to keep the thing, or it is another's."""
    record_, s3, iam = open_run(distilled), account.client("s3"), account.client("iam")
    bedrock, name = account.client("bedrock"), open_run(distilled).name
    bucket, model = record_.find("bucket"), record_.find("model")
    assert bucket
    assert model
    s3.delete_bucket_tagging(Bucket=bucket.name)
    iam.untag_role(RoleName=name, TagKeys=["filmstill-run"])
    bedrock.untag_resource(resourceARN=model.arn, tagKeys=["filmstill-run"])
    before = account.listing()
    ran = run("cleanup", distilled)
    assert ran.code == 1
    assert ran.err.count("does not carry this run's tag; it is left alone") >= 3
    after = account.listing()
    for kind in ("buckets", "objects", "roles", "models"):
        assert after[kind] == before[kind] != []
    tag = {"Key": "filmstill-run", "Value": record_.id}
    s3.put_bucket_tagging(Bucket=bucket.name, Tagging={"TagSet": [tag]})
    iam.tag_role(RoleName=name, Tags=[tag])
    bedrock.tag_resource(
        resourceARN=model.arn, tags=[{"key": "filmstill-run", "value": record_.id}]
    )
    assert run("cleanup", distilled).code == 0
    assert not any(account.listing().values())


def test_credentials_of_another_account_remove_nothing(
    run: Cli, distilled: Path, wire: Wire, account: Account
) -> None:
    """Nothing of the run is there, and so it would all be taken for removed."""
    before = account.listing()
    result = "<GetCallerIdentityResult><Account>999999999999</Account></GetCallerIdentityResult>"
    answer = f"<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>"
    wire.fail("GetCallerIdentity", (200, "", answer))
    for verb in ("cleanup", "deploy", "status"):
        found = sentence(run(verb, distilled))
        assert f"the run is in account {NUMBER}, and these credentials" in found
    wire.faults.clear()
    assert account.listing() == before
    assert run("cleanup", distilled).code == 0
