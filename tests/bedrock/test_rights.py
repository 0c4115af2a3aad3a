"""The rights of a run's role: as few as will do."""

from pathlib import Path

import pytest

from filmstill.bedrock import role

from .runs import PRO, make_run


def test_the_trust_is_in_bedrock_for_jobs_of_this_account(tmp_path: Path) -> None:
    assert role.trust_policy(make_run(tmp_path)) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "bedrock.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": "123456789012"},
                    "ArnLike": {
                        "aws:SourceArn": [
                            "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/*",
                            "arn:aws:bedrock:us-east-1:123456789012:evaluation-job/*",
                        ]
                    },
                },
            }
        ],
    }


def test_rights_of_a_distillation(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    bucket, prefix = f"arn:aws:s3:::{run.name}-123456789012", run.name
    assert role.data_policy(run) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": [f"{bucket}/{prefix}/training.jsonl"],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": [f"{bucket}/{prefix}/output/*"],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [bucket],
                "Condition": {"StringLike": {"s3:prefix": [f"{prefix}/*"]}},
            },
        ],
    }


def test_rights_of_a_distillation_from_logs_by_a_profile(tmp_path: Path) -> None:
    run = make_run(tmp_path, logs="s3://logs/bedrock/", teacher=f"us.{PRO}", bucket="mine")
    *_, objects, listing, teacher = role.data_policy(run)["Statement"]
    assert objects["Resource"] == ["arn:aws:s3:::logs/bedrock/*"]
    assert objects["Action"] == ["s3:GetObject"]
    assert (listing["Resource"], listing["Action"]) == (["arn:aws:s3:::logs"], ["s3:ListBucket"])
    assert teacher == {
        "Effect": "Allow",
        "Action": ["bedrock:InvokeModel", "bedrock:GetInferenceProfile"],
        "Resource": [
            f"arn:aws:bedrock:us-east-1::foundation-model/{PRO}",
            f"arn:aws:bedrock:us-east-2::foundation-model/{PRO}",
            f"arn:aws:bedrock:us-west-2::foundation-model/{PRO}",
            f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{PRO}",
        ],
    }


def test_rights_of_an_evaluation(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    bucket = f"arn:aws:s3:::{run.name}-123456789012"
    judge = [f"arn:aws:bedrock:us-east-1::foundation-model/{PRO}"]
    assert [
        (item["Action"], item["Resource"]) for item in role.evaluation_policy(run, PRO)["Statement"]
    ] == [
        (
            ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
            [f"{bucket}/{run.name}/evaluation/*"],
        ),
        (["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], [bucket]),
        (["bedrock:InvokeModel", "bedrock:GetInferenceProfile"], judge),
        (["bedrock:CreateModelInvocationJob", "bedrock:StopModelInvocationJob"], judge),
    ]


@pytest.mark.parametrize(
    ("judge", "arns"),
    [
        (
            f"global.{PRO}",
            [
                f"arn:aws:bedrock:*::foundation-model/{PRO}",
                f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.{PRO}",
            ],
        ),
        (
            f"arn:aws:bedrock:us-east-1::foundation-model/{PRO}",
            [f"arn:aws:bedrock:us-east-1::foundation-model/{PRO}"],
        ),
    ],
)
def test_rights_to_ask_a_judge(judge: str, arns: list[str], tmp_path: Path) -> None:
    *_, ask, batch = role.evaluation_policy(make_run(tmp_path), judge)["Statement"]
    assert ask["Resource"] == batch["Resource"] == arns
