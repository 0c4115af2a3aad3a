"""What can go wrong with an account, each with one clear sentence."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from filmstill.bedrock import cleanup, job
from filmstill.bedrock.run import open_run
from filmstill.errors import AwsError
from tests.cli.test_cli import Run as Cli
from tests.conftest import record

from .account import NUMBER, Account, Wire
from .conftest import Steps

pytestmark = pytest.mark.usefixtures("no_waits")


@pytest.fixture
def run(command_line: Cli) -> Cli:
    return command_line


@pytest.fixture
def words(prepared: Path, tmp_path: Path) -> tuple[object, ...]:
    return ("distill", prepared, "--on", "bedrock", "--out", tmp_path / "run")


def sentence(ran: Any) -> str:
    """The one line of an error; nothing was printed and no traceback shown."""
    assert ran.code == 1, (ran.out, ran.err)
    (line,) = (text for text in ran.err.splitlines() if text.startswith("Error: "))
    assert "bug in Filmstill" not in line
    return str(line.removeprefix("Error: "))


# Before anything is sent


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


def test_the_extra_is_not_installed(
    run: Cli, words: Any, distilled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    for command in (words, ("deploy", distilled), ("status", distilled), ("cleanup", distilled)):
        found = sentence(run(*command))
        assert found.startswith("Amazon Bedrock needs boto3, which is not installed")
        assert 'pip install "filmstill[bedrock]"' in found


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


def test_logs_of_a_form_that_bedrock_refuses(run: Cli, tmp_path: Path) -> None:
    logs = ("--logs", "s3://logs/date=2026/")
    found = sentence(run("distill", "--on", "bedrock", "--out", tmp_path / "run", *logs))
    assert "Bedrock allows letters, digits" in found


def test_options_of_the_other_place(run: Cli, words: Any, prepared: Path, tmp_path: Path) -> None:
    assert run(*words, "--epochs", "3").code == 2
    assert run("distill", prepared, "--out", tmp_path / "x", "--bucket", "mine").code == 2


# Answers of AWS


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "ExpiredToken", "the credentials have expired; sign in again"),
        (403, "InvalidClientTokenId", "the credentials are not valid; look at AWS_PROFILE"),
        (403, "SignatureDoesNotMatch", "the secret key is not the right one"),
    ],
)
def test_credentials_that_do_not_work(
    status: int, code: str, message: str, run: Cli, words: Any, wire: Wire, tmp_path: Path
) -> None:
    wire.fail("GetCallerIdentity", (status, code, "no"))
    found = sentence(run(*words))
    assert message in found
    assert not (tmp_path / "run").exists()


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
    tmp_path: Path,
) -> None:
    before, folder = account.listing(), tmp_path / "run"
    wire.fail(operation, (status, code, "User x is not allowed"))
    with pytest.raises(AwsError, match=f"needs the action {action}, or a policy forbids it"):
        steps.distill(folder)
    wire.faults.clear()
    steps.distill(folder)
    steps.clean(folder)
    assert account.listing() == before


def test_the_action_that_aws_names_is_told(
    run: Cli, words: Any, wire: Wire, account: Account, tmp_path: Path
) -> None:
    """And nobody waits a minute for a role that is not the problem."""
    before = account.listing()
    said = "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: iam:PassRole on r"
    wire.fail("CreateModelCustomizationJob", (403, "AccessDeniedException", said))
    ran = run(*words)
    assert "needs the action iam:PassRole," in sentence(ran)
    assert "the same command goes on" in ran.err
    assert wire.count("CreateModelCustomizationJob") == 1
    assert run("cleanup", tmp_path / "run").code == 0
    assert account.listing() == before


def test_a_role_that_bedrock_does_not_know_yet(
    wire: Wire, steps: Steps, account: Account, tmp_path: Path
) -> None:
    young = (400, "ValidationException", "The role cannot be assumed by Bedrock")
    wire.fail("CreateModelCustomizationJob", young, young, None)
    steps.distill(tmp_path / "run")
    assert wire.count("CreateModelCustomizationJob") == 3
    steps.clean(tmp_path / "run")


THROTTLED = (429, "ThrottlingException", "Rate exceeded")


def test_throttling_that_passes(wire: Wire, steps: Steps, tmp_path: Path) -> None:
    wire.fail("CreateModelCustomizationJob", *[THROTTLED] * 5, None)
    wire.fail("PutObject", *[(503, "SlowDown", "Reduce your request rate")] * 3, None)
    run = steps.distill(tmp_path / "run")
    assert run.find("model")
    steps.clean(tmp_path / "run")


def test_throttling_that_does_not_pass(wire: Wire, run: Cli, words: Any, tmp_path: Path) -> None:
    wire.fail("CreateModelCustomizationJob", THROTTLED)
    found = sentence(run(*words))
    assert "AWS throttles this account; run the same command later to go on" in found
    assert run("cleanup", tmp_path / "run").code == 0


@pytest.mark.parametrize(
    ("operation", "code", "message"),
    [
        ("CreateModelCustomizationJob", "ServiceQuotaExceededException", "Service Quotas"),
        ("CreateRole", "LimitExceeded", "Service Quotas"),
        ("CreateBucket", "TooManyBuckets", "name one with --bucket"),
    ],
)
def test_quotas(
    operation: str, code: str, message: str, wire: Wire, run: Cli, words: Any, tmp_path: Path
) -> None:
    wire.fail(operation, (400, code, "limit"))
    assert message in sentence(run(*words))
    wire.faults.clear()
    assert run("cleanup", tmp_path / "run").code == 0


def test_a_lost_answer_is_no_second_thing(
    wire: Wire, steps: Steps, account: Account, tmp_path: Path
) -> None:
    """boto3 tries again what was done, and is told that it is there."""
    before = account.listing()
    steps.distill(tmp_path / "one")
    wire.fail("CreateRole", (409, "EntityAlreadyExists", "there"))
    wire.fail("CreateBucket", (409, "BucketAlreadyOwnedByYou", "there"))
    with pytest.raises(AwsError, match="NoSuchBucket"):  # for here it is not there
        steps.distill(tmp_path / "two")
    wire.faults.clear()
    for folder in ("one", "two"):
        steps.clean(tmp_path / folder)
    assert account.listing() == before


# Buckets


def test_no_such_bucket(run: Cli, words: Any) -> None:
    found = sentence(run(*words, "--bucket", "not-there"))
    assert found == "--bucket not-there: there is no such bucket; make it, or leave --bucket out"


def test_a_bucket_of_somebody_else(run: Cli, words: Any, wire: Wire) -> None:
    wire.fail("HeadBucket", (403, "Forbidden", ""))
    assert "s3:ListBucket" in sentence(run(*words, "--bucket", "theirs"))


def test_a_bucket_in_another_region(run: Cli, words: Any, account: Account, wire: Wire) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="mine")
    body = "<LocationConstraint>eu-west-1</LocationConstraint>"
    wire.fail("GetBucketLocation", (200, "", body))
    found = sentence(run(*words, "--bucket", "mine"))
    assert "--bucket mine is in eu-west-1 and the job would run in us-east-1" in found
    s3.delete_bucket(Bucket="mine")


def test_a_bucket_and_a_role_of_the_user_stay(
    run: Cli, words: Any, account: Account, tmp_path: Path
) -> None:
    """Of a bucket that keeps versions, no version of the run's objects stays."""
    s3, iam = account.client("s3"), account.client("iam")
    s3.create_bucket(Bucket="mine")
    s3.put_bucket_versioning(Bucket="mine", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="mine", Key="filmstill-of-another-run/x", Body=b"")
    role = iam.create_role(RoleName="mine", AssumeRolePolicyDocument='{"Statement": []}')
    before = account.listing()
    done = run(*words, "--bucket", "mine", "--role", role["Role"]["Arn"])
    assert done.code == 0, done.err
    assert run("cleanup", tmp_path / "run").code == 0
    assert account.listing() == before
    versions = s3.list_object_versions(Bucket="mine")
    assert [item["Key"] for item in versions["Versions"]] == ["filmstill-of-another-run/x"]
    assert "DeleteMarkers" not in versions
    s3.delete_object(
        Bucket="mine", Key=versions["Versions"][0]["Key"],
        VersionId=versions["Versions"][0]["VersionId"],
    )  # fmt: skip
    s3.delete_bucket(Bucket="mine")
    iam.delete_role(RoleName="mine")


def test_logs_instead_of_a_file(run: Cli, account: Account, tmp_path: Path) -> None:
    """What the job wrote goes, too, though nothing was uploaded."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket="logs")
    logged = []
    for number in range(101):
        label = json.loads(record())["messages"][1]["content"]
        logged.append(
            {
                "modelId": "amazon.nova-pro-v1:0",
                "operation": "Converse",
                "input": {
                    "inputBodyJson": {
                        "messages": [{"role": "user", "content": [{"text": f"car {number}"}]}]
                    }
                },
                "output": {
                    "outputBodyJson": {
                        "output": {"message": {"role": "assistant", "content": label}}
                    }
                },
            }
        )
    body = "\n".join(map(json.dumps, logged))
    s3.put_object(Bucket="logs", Key="bedrock/log.json", Body=body.encode())
    before, words = account.listing(), ("--logs", "s3://logs/bedrock/")
    done = run("distill", "--on", "bedrock", "--out", tmp_path / "run", *words)
    assert done.code == 0, done.err
    assert run("cleanup", tmp_path / "run").code == 0
    assert account.listing() == before
    s3.delete_object(Bucket="logs", Key="bedrock/log.json")
    s3.delete_bucket(Bucket="logs")


# Jobs and deployments


@pytest.mark.parametrize("phase", ["validation", "data_processing"])
def test_a_job_that_fails(
    phase: str, run: Cli, words: Any, account: Account, wire: Wire, tmp_path: Path, prepared: Path
) -> None:
    before, data = account.listing(), prepared
    if phase == "data_processing":  # records without a label, and nobody here to label them
        data = tmp_path / "unlabelled.jsonl"
        turn = {"role": "user", "content": [{"text": "red car"}]}
        system = [{"text": "Weigh the channels."}]
        data.write_text((record(messages=[turn], system=system) + "\n") * 100)
    else:
        account.worker.fails["job"] = "The provided role has no permission to read the data"
    words = ("distill", data, *words[2:])
    found = sentence(run(*words))
    assert "is Failed" in found
    if phase == "data_processing":
        assert "is Failed in dataProcessing: 100 of 100 records have no label" in found
    else:
        assert "no permission to read the data; look at the role's trust and rights" in found
    assert f"`filmstill cleanup {tmp_path / 'run'}` removes what it left" in found
    assert sentence(run(*words)) == found  # no second job
    assert wire.count("CreateModelCustomizationJob") == 1
    assert run("cleanup", tmp_path / "run").code == 0
    assert account.listing() == before


def test_a_job_that_never_trains(
    account: Account, steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.worker.waits.add("job")
    monkeypatch.setattr(job.wait_for_job, "__kwdefaults__", {
        **(job.wait_for_job.__kwdefaults__ or {}), "stalled_h": 0.1 / 3600,
    })  # fmt: skip
    before, folder = account.listing(), tmp_path / "run"
    with pytest.raises(AwsError, match=r"has not moved for .*never start to train") as told:
        steps.distill(folder)
    assert "training NotStarted" in str(told.value)
    steps.clean(folder)  # stops it
    assert account.jobs(open_run(folder).id) == ["Stopped"]
    assert account.listing() == before


def test_a_job_that_ends_after_the_last_look(
    account: Account, steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its model is in no record, and goes all the same."""
    before, folder = account.listing(), tmp_path / "run"

    def give_up(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("filmstill.bedrock.pipeline.wait_for_job", give_up)
        with pytest.raises(KeyboardInterrupt):
            steps.distill(folder)
    run = open_run(folder)
    while account.jobs(run.id) != ["Completed"]:
        pass
    assert run.find("model") is None
    steps.clean(folder)
    assert account.listing() == before


def test_a_deployment_that_fails(
    run: Cli, distilled: Path, account: Account, wire: Wire, steps: Steps
) -> None:
    failed = {
        "customModelDeploymentArn": f"arn:aws:bedrock:us-east-1:{NUMBER}:"
        "custom-model-deployment/abcdefghijkl",
        "status": "Failed",
        "failureMessage": "no capacity",
    }
    wire.fail("GetCustomModelDeployment", (200, "", json.dumps(failed)))
    found = sentence(run("deploy", distilled))
    assert "failed: no capacity; `filmstill cleanup" in found
    assert "--only deployment` removes it, then deploy again" in found
    wire.faults.clear()
    assert run("cleanup", distilled, "--only", "deployment").code == 0
    assert account.listing()["deployments"] == []
    assert run("deploy", distilled).code == 0
    assert wire.count("CreateCustomModelDeployment") == 2


def test_deploy_without_a_model(run: Cli, wire: Wire, words: Any, tmp_path: Path) -> None:
    wire.fail("CreateModelCustomizationJob", (400, "ValidationException", "no"))
    assert run(*words).code == 1
    assert "its job has not made a model" in sentence(run("deploy", tmp_path / "run"))
    assert "nothing is deployed" in sentence(run("route", "red", "--router", tmp_path / "run"))
    assert run("cleanup", tmp_path / "run").code == 0


def test_an_evaluation_job_that_fails(
    distilled: Path, account: Account, steps: Steps, wire: Wire
) -> None:
    account.worker.fails["evaluation"] = "the judge is not available"
    for _ in range(2):
        with pytest.raises(
            AwsError, match=r"is Failed: the judge is not available.*--only evaluation"
        ):
            steps.evaluate(distilled)
    assert wire.count("CreateEvaluationJob") == 1
    account.worker.fails.clear()
    steps.clean(distilled, "evaluation")
    assert [verdict.score for verdict in steps.evaluate(distilled)] == [5, 1, 1]


def test_an_evaluation_job_that_is_stopped_by_cleanup(
    distilled: Path, account: Account, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.worker.waits.add("evaluation")
    monkeypatch.setattr("filmstill.bedrock.evaluation._wait", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        steps.evaluate(distilled)
    steps.clean(distilled)
    assert account.listing()["evaluations"] == []


def test_a_judge_that_is_retired(run: Cli, distilled: Path, prepared: Path) -> None:
    judge = "bedrock-job:amazon.nova-premier-v1:0"
    words = ("--router", "mean", "--train", prepared, "--set", prepared, "--judge", judge)
    assert "end of its life" in sentence(run("evaluate", *words, "--run", distilled))


# Cleaning up


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
    account: Account, steps: Steps, wire: Wire, tmp_path: Path, run: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    account.worker.waits.add("job")
    monkeypatch.setattr("filmstill.bedrock.pipeline.wait_for_job", lambda *_, **__: {})
    steps.distill(tmp_path / "run")
    wire.fail("StopModelCustomizationJob", (403, "AccessDeniedException", "no"))
    ran = run("cleanup", tmp_path / "run")
    assert ran.code == 1
    assert ran.err.count("must go first") == 4  # role, data, output, bucket
    assert account.listing()["buckets"]
    wire.faults.clear()
    assert run("cleanup", tmp_path / "run").code == 0
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
    wire.faults.clear()


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


# The run's folder


def test_a_run_that_is_worked_on(run: Cli, words: Any, distilled: Path) -> None:
    with open_run(distilled).alone():
        assert "another process is at work here" in sentence(run("cleanup", distilled))
        assert "another process is at work here" in sentence(run("deploy", distilled))


def test_a_folder_without_a_run_or_with_a_damaged_one(run: Cli, tmp_path: Path) -> None:
    assert "there is no run here (no run.json)" in sentence(run("cleanup", tmp_path))
    (tmp_path / "run.json").write_text("{")
    assert "not the record of a run, or damaged" in sentence(run("cleanup", tmp_path))
    assert "not the record of a run, or damaged" in sentence(run("status", tmp_path))


def test_a_run_of_other_settings_or_data(
    run: Cli, distilled: Path, prepared: Path, tmp_path: Path
) -> None:
    words = ("distill", "--on", "bedrock", "--out", distilled, "--region", "us-east-1")
    teacher = ("--teacher", "us.amazon.nova-pro-v1:0")
    assert "begun with another teacher;" in sentence(run(*words, prepared, *teacher))
    other = tmp_path / "other.jsonl"
    shutil.copy(prepared, other)
    assert run(*words, other).code == 0  # the same data by another name
    first, *_ = prepared.read_text().splitlines(keepends=True)
    other.write_text(prepared.read_text() + first)
    assert "begun with another data;" in sentence(run(*words, other))


def test_verbs_load_boto3_only_when_it_is_needed() -> None:
    code = (
        "import sys\nfrom filmstill.cli import cleanup, deploy, distill, status\n"
        "import filmstill.bedrock.cleanup, filmstill.bedrock.pipeline\n"
        "sys.exit('boto3' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
