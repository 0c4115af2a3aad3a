"""Customization jobs and the models that they make."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from filmstill import Router
from filmstill.jobs.job import DISTILLATION, MODEL
from filmstill.registry.students import student_folder

from .worlds import (
    ARN,
    BASE,
    ROLE,
    TEACHER,
    Cloud,
    Still,
    pages,
    refused,
    statuses_of,
    taught_by,
    until,
)

PHASES = ("validationDetails", "dataProcessingDetails", "trainingDetails")
PREMIER = "amazon.nova-premier-v1:0"


def test_the_phases_come_one_after_the_other(cloud: Cloud) -> None:
    order = ["NotStarted", "InProgress", "Completed"]
    steps = [[order.index(status) for status in statuses_of(job)[1:]] for job in cloud.seen]
    assert [job["status"] for job in cloud.seen[:-1]] == ["InProgress"] * (len(steps) - 1)
    assert steps[0] < steps[-1] == [2, 2, 2]
    for before, after in pairwise(steps):
        assert all(a <= b for a, b in zip(before, after, strict=True))
    for validation, processing, training in steps:
        # None begins before the one before it has ended.
        assert not (processing and validation < 2)
        assert not (training and processing < 2)
    assert any(1 in step for step in steps)


def test_what_is_not_known_yet_is_not_shown(cloud: Cloud) -> None:
    for job in cloud.seen[:-1]:
        assert {"outputModelArn", "endTime", "trainingMetrics", "failureMessage"} & set(
            job
        ) == set()
        for name in PHASES:
            details = job["statusDetails"][name]
            assert ("creationTime" in details) == (details["status"] != "NotStarted")


def test_the_times_of_a_job(cloud: Cloud) -> None:
    job = cloud.seen[-1]
    times = [job["creationTime"]]
    for name in PHASES:
        times += [job["statusDetails"][name][key] for key in ("creationTime", "lastModifiedTime")]
    times += [job["endTime"]]
    assert all(time.utcoffset() is not None for time in times)
    assert times == sorted(times)
    assert job["lastModifiedTime"] >= job["endTime"]
    assert (datetime.now(UTC) - times[0]).total_seconds() < 600


def test_what_a_finished_job_shows(cloud: Cloud) -> None:
    job = without_times(cloud.job(cloud.job_arn))
    loss = job.pop("trainingMetrics")
    assert list(loss) == ["trainingLoss"]
    assert 0 < loss["trainingLoss"] < 2
    assert cloud.job_arn.startswith(f"{ARN}:model-customization-job/{BASE}/")
    assert cloud.model.startswith(f"{ARN}:custom-model/{BASE}/")
    done = {"status": "Completed"}
    asked = {key: cloud.asked[key] for key in SHOWN}
    assert job == asked | {
        "jobArn": cloud.job_arn,
        "outputModelName": "first",
        "outputModelArn": cloud.model,
        "status": "Completed",
        "statusDetails": dict.fromkeys(PHASES, done),
        "baseModelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{BASE}",
        # what was asked, and what the recipe says
        "hyperParameters": {"epochCount": "2", "batchSize": "16", "learningRate": "0.001"},
    }


SHOWN = (
    "jobName",
    "clientRequestToken",
    "roleArn",
    "trainingDataConfig",
    "validationDataConfig",
    "outputDataConfig",
    "customizationType",
    "customizationConfig",
    "vpcConfig",
)


def without_times(shown: dict[str, Any]) -> dict[str, Any]:
    """What is the same each time, without what boto3 adds."""
    return {
        key: without_times(value) if isinstance(value, dict) else value
        for key, value in shown.items()
        if not isinstance(value, datetime) and key != "ResponseMetadata"
    }


def test_a_job_is_found_by_its_name(cloud: Cloud) -> None:
    by_name, by_arn = cloud.job("first"), cloud.job(cloud.job_arn)
    del by_name["ResponseMetadata"], by_arn["ResponseMetadata"]
    assert by_name == by_arn


def test_the_artefacts_lie_below_the_output_prefix(cloud: Cloud) -> None:
    folder = cloud.bucket / "out"
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    job = f"model-customization-job-{cloud.job_arn.rpartition('/')[2]}"
    training = f"{job}/training_artifacts/step_wise_training_metrics.csv"
    validation = f"{job}/validation_artifacts/post_fine_tuning_validation/validation_metrics.csv"
    report = f"{job}/input_data_report/manifest.report.csv"
    assert {".write_access_check_file.temp", training, validation, report} <= found
    assert all(name.startswith(("model-customization-job-", ".write")) for name in found)
    lines = (folder / training).read_text().splitlines()
    assert lines[0] == "step_number,epoch_number,training_loss,perplexity"
    assert lines[-1].split(",")[1] == "2"  # two epochs
    assert (folder / report).read_text().splitlines() == [
        "fileName,totalProcessedRecordCount,acceptedRecordCount,partiallyAcceptedRecordCount,"
        "rejectedRecordCount",
        "s3://bucket/train.jsonl,120,120,0,0",
    ]


@pytest.mark.parametrize("by", ["arn", "name"])
def test_the_model_that_a_job_made(cloud: Cloud, by: str) -> None:
    shown = cloud.bedrock.get_custom_model(modelIdentifier=cloud.model if by == "arn" else "first")
    job = cloud.job(cloud.job_arn)
    assert job["creationTime"] < shown["creationTime"] <= job["lastModifiedTime"]
    same = (
        "jobName jobArn baseModelArn customizationType hyperParameters trainingDataConfig "
        "validationDataConfig outputDataConfig trainingMetrics customizationConfig"
    )
    assert without_times(shown) == {key: job[key] for key in same.split()} | {
        "modelArn": cloud.model,
        "modelName": "first",
        "modelStatus": "Active",
    }


def test_the_model_is_a_student_that_routes(cloud: Cloud) -> None:
    item = cloud.registry.get(MODEL, "first")
    router = Router.load(str(student_folder(cloud.registry, item.body["student"])))
    assert sum(router.route("red car").weights.values()) == pytest.approx(1)


def test_a_key_is_shown_as_an_arn(still: Still) -> None:
    key = "12345678-1234-1234-1234-123456789012"
    arn = f"arn:aws:kms:us-east-1:123456789012:key/{key}"
    for number, (given, shown) in enumerate([(key, arn), (arn, arn), ("alias/mine", None)]):
        job = still.job(still.distil(f"job-{number}", customModelKmsKeyId=given))
        assert job.get("outputModelKmsKeyArn") == shown


# What is refused


def test_the_same_token_gives_the_first_job_back(still: Still) -> None:
    order = still.order("again", clientRequestToken="token-1", jobTags=[{"key": "a", "value": ""}])
    first = still.bedrock.create_model_customization_job(**order)["jobArn"]
    before = still.snapshot()
    assert still.bedrock.create_model_customization_job(**order)["jobArn"] == first
    assert still.snapshot() == before
    for changes in ({"jobName": "other"}, {"customModelName": "other"}, {"roleArn": ROLE + "2"}):
        with refused("ConflictException", "clientRequestToken was used for another request"):
            still.bedrock.create_model_customization_job(**(order | changes))
    assert still.snapshot() == before
    # The token of one operation means nothing to another.
    model = still.model("m")
    still.deploy("again", model, clientRequestToken="token-1")


def test_a_name_is_given_once(still: Still) -> None:
    still.model("made")
    still.distil("busy", customModelName="promised")
    before = still.snapshot()
    with refused("ConflictException", "name busy is already in use by another model customization"):
        still.distil("busy", customModelName="other")
    with refused("ConflictException", "name made is already in use by another custom model"):
        still.distil("other", customModelName="made")
    with refused("ConflictException", "name promised is already in use by another custom model"):
        still.distil("other", customModelName="promised")
    assert still.snapshot() == before
    still.bedrock.stop_model_customization_job(jobIdentifier="busy")
    still.distil("other", customModelName="promised")  # which nobody will make now


LOGS = {"invocationLogSource": {"s3Uri": "s3://bucket/logs/"}}
CUSTOM = f"{ARN}:custom-model/{BASE}/abcdefghijkl"


@pytest.mark.parametrize(
    ("changes", "code", "match"),
    [
        ({"baseModelIdentifier": "amazon.nova-micro-v1:0"}, "", "model identifier is invalid"),
        ({"baseModelIdentifier": "amazon.nova-lite-v9:0:300k"}, "", f"recipes for .*{BASE}"),
        ({"baseModelIdentifier": CUSTOM}, "", "model identifier is invalid"),
        ({"customizationConfig": taught_by("amazon.nova-lite-v1:0")}, "", "cannot teach"),
        ({"customizationConfig": taught_by("anthropic.claude-v2:1")}, "", f"{TEACHER}.* can"),
        ({"customizationConfig": taught_by(PREMIER)}, "ResourceNotFound", "end of its life"),
        ({"customizationConfig": taught_by(f"us.{PREMIER}")}, "ResourceNotFound", "2026-09-14"),
        (
            {
                "customizationConfig": taught_by(
                    f"arn:aws:bedrock:us-east-1::foundation-model/{PREMIER}"
                )
            },
            "ResourceNotFound",
            "end of its life",
        ),
        ({"customizationType": None}, "", "customizationType must be DISTILLATION"),
        ({"customizationType": "FINE_TUNING"}, "", "customizationType must be DISTILLATION"),
        ({"customizationType": "IMPORTED"}, "", "customizationType must be DISTILLATION"),
        ({"customizationConfig": None}, "", "needs customizationConfig.distillationConfig"),
        ({"customizationConfig": {"rftConfig": {}}}, "", "needs .*distillationConfig"),
        ({"trainingDataConfig": {}}, "", "either s3Uri or invocationLogsConfig"),
        (
            {"trainingDataConfig": {"s3Uri": "s3://bucket/a", "invocationLogsConfig": LOGS}},
            "",
            "either s3Uri or invocationLogsConfig",
        ),
        ({"hyperParameters": {"epochs": "3"}}, "", "knows epochCount, batchSize, learningRate"),
        ({"hyperParameters": {"epochCount": "many"}}, "", "epochCount cannot be 'many'"),
        ({"hyperParameters": {"epochCount": "2.5"}}, "", "epochCount cannot be '2.5'"),
        ({"hyperParameters": {"epochCount": "-1"}}, "", "epochs is -1; it must lie between"),
        ({"hyperParameters": {"batchSize": "0"}}, "", "batch_size is 0; it must lie between"),
        ({"hyperParameters": {"learningRate": "nan"}}, "", "learning_rate is nan"),
        ({"hyperParameters": {"learningRate": "1e999"}}, "", "learning_rate is inf"),
        ({"hyperParameters": {"learningRate": ""}}, "", "learningRate cannot be ''"),
        ({"jobTags": [{"key": "a", "value": str(n)} for n in "12"]}, "", "Duplicate tag key: a"),
        ({"customModelTags": [{"key": "b", "value": ""}] * 2}, "", "Duplicate tag key: b"),
        ({"jobTags": [{"key": str(n), "value": ""} for n in range(201)]}, "", "equal to 200"),
        ({"jobName": "under_score"}, "", "'jobName' failed to satisfy constraint"),
        ({"customModelName": "a__b"}, "", "'customModelName' failed to satisfy constraint"),
        ({"outputDataConfig": {"s3Uri": "s3://Bucket/x"}}, "", "'outputDataConfig.s3Uri'"),
    ],
)
def test_what_is_refused(still: Still, changes: dict[str, Any], code: str, match: str) -> None:
    before = still.snapshot()
    with refused(f"{code or 'Validation'}Exception", match):
        still.distil("refused", **changes)
    assert still.snapshot() == before


@pytest.mark.parametrize(
    "teacher",
    [
        TEACHER,
        f"us.{TEACHER}",
        f"arn:aws:bedrock:us-east-1::foundation-model/{TEACHER}",
        f"{ARN}:inference-profile/us.{TEACHER}",
    ],
)
def test_a_teacher_goes_by_several_names(still: Still, teacher: str) -> None:
    job = still.job(still.distil("job", customizationConfig=taught_by(teacher)))
    assert job["customizationConfig"] == taught_by(teacher)


def test_a_base_goes_by_its_arn_too(still: Still) -> None:
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{BASE}"
    assert still.job(still.distil("job", baseModelIdentifier=arn))["baseModelArn"] == arn


def test_what_is_not_there(still: Still) -> None:
    model, job = still.model("made"), still.distil("busy")
    item = still.registry.get(DISTILLATION, "busy")
    still.distil(f"{item.id}-2")
    for unknown in (
        "nobody",
        "bus",
        item.id,  # an id is neither a name nor an ARN
        job.replace(item.id, "abcdefghijkl"),
        job.replace("us-east-1", "eu-west-1"),
        job.replace("123456789012", "210987654321"),
        job.replace("nova-micro", "nova-lite"),
        job.replace("arn:aws:", "arn:aws-cn:"),
    ):
        with refused("ResourceNotFoundException", "Could not find model customization job"):
            still.job(unknown)
        with refused("ResourceNotFoundException"):
            still.bedrock.stop_model_customization_job(jobIdentifier=unknown)
    for unknown in ("nobody", model.replace("us-east-1", "eu-west-1"), model[-12:]):
        with refused("ResourceNotFoundException", "Could not find custom model"):
            still.bedrock.get_custom_model(modelIdentifier=unknown)
        with refused("ResourceNotFoundException"):
            still.bedrock.delete_custom_model(modelIdentifier=unknown)
    assert still.job(job)["status"] == "InProgress"


def test_a_job_may_be_called_by_the_id_of_another(still: Still) -> None:
    first = still.distil("first")
    second = still.distil(first.rpartition("/")[2], customModelName="second")
    assert still.job(first)["jobName"] == "first"
    assert still.job(second)["outputModelName"] == "second"
    assert still.job(first.rpartition("/")[2])["jobArn"] == second


def test_what_was_made_without_bedrock_is_not_its(still: Still) -> None:
    still.registry.add(MODEL, "native", "Active", {"student": "x", "job": "y", "bedrock": {}})
    with refused("ResourceNotFoundException"):
        still.bedrock.get_custom_model(modelIdentifier="native")
    assert pages(still, "list_custom_models") == []
    with refused("ConflictException", "name native is already in use"):
        still.distil("job", customModelName="native")


# The end of jobs and models


def test_a_job_that_waits_is_stopped_at_once(still: Still) -> None:
    arn = still.distil("waiting")
    answer = still.bedrock.stop_model_customization_job(jobIdentifier="waiting")
    assert set(answer) == {"ResponseMetadata"}
    job = still.job(arn)
    assert statuses_of(job) == ("Stopped", "NotStarted", "NotStarted", "NotStarted")
    assert job["endTime"] >= job["creationTime"]
    assert "outputModelArn" not in job
    assert "failureMessage" not in job
    with refused("ConflictException", "is Stopped, so there is nothing to stop"):
        still.bedrock.stop_model_customization_job(jobIdentifier=arn)


def test_a_job_at_work_is_stopped(cloud: Cloud) -> None:
    arn = cloud.distil("stopped")
    until(lambda: cloud.job(arn)["statusDetails"]["trainingDetails"]["status"] == "InProgress")
    cloud.bedrock.stop_model_customization_job(jobIdentifier=arn)
    at_once = cloud.job(arn)
    assert at_once["status"] in ("Stopping", "Stopped")
    assert at_once["statusDetails"]["trainingDetails"]["status"] == at_once["status"]
    assert statuses_of(cloud.ended(arn)) == ("Stopped", "Completed", "Completed", "Stopped")
    with refused("ResourceNotFoundException"):
        cloud.bedrock.get_custom_model(modelIdentifier="stopped")


def test_a_job_that_is_done_cannot_be_stopped(cloud: Cloud) -> None:
    with refused("ConflictException", "'first' is Completed"):
        cloud.bedrock.stop_model_customization_job(jobIdentifier="first")
    assert cloud.job("first")["status"] == "Completed"


def test_a_model_is_deleted_and_its_job_stays(still: Still) -> None:
    model, other = still.model("made"), still.model("other")
    still.bedrock.delete_custom_model(modelIdentifier="made")
    with refused("ResourceNotFoundException"):
        still.bedrock.delete_custom_model(modelIdentifier=model)
    assert [item["modelArn"] for item in pages(still, "list_custom_models")] == [other]
    assert still.job("job-of-made")["outputModelArn"] == model
    assert student_folder(
        still.registry, still.registry.get(MODEL, "other").body["student"]
    ).is_dir()
    still.bedrock.delete_custom_model(modelIdentifier=other)
    assert list((still.registry.folder / "students").iterdir()) == []
    still.distil("again", customModelName="made")  # its name is free


@pytest.mark.parametrize("use", ["deploy", "provision"])
def test_a_model_in_use_stays(still: Still, use: str) -> None:
    model, other = still.model("made"), still.model("other", folder=still.other)
    getattr(still, use)("user", model)
    with refused("ConflictException", "made is in use by the .* user: delete that first"):
        still.bedrock.delete_custom_model(modelIdentifier=model)
    still.settle()
    if use == "deploy":
        still.bedrock.update_custom_model_deployment(
            customModelDeploymentIdentifier="user", modelArn=other
        )
    else:
        still.bedrock.update_provisioned_model_throughput(
            provisionedModelId="user", desiredModelId=other
        )
    for one in (model, other):  # both, until the update is done
        with refused("ConflictException"):
            still.bedrock.delete_custom_model(modelIdentifier=one)
    still.settle()
    still.bedrock.delete_custom_model(modelIdentifier=model)
    with refused("ConflictException"):
        still.bedrock.delete_custom_model(modelIdentifier=other)
