"""Distil, deploy, route and evaluate on Amazon Bedrock, with nothing but boto3.

    python examples/bedrock/walkthrough.py TRAINING.jsonl EVALUATION.jsonl

It runs unchanged in two places. Against AWS it needs credentials, a region with distillation, money
and some hours. Against `filmstill serve` and any S3 and IAM (moto's server will do) it needs some
minutes and no account; the environment says where:

    AWS_ENDPOINT_URL_BEDROCK=http://127.0.0.1:8080          filmstill serve
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:8080
    AWS_ENDPOINT_URL_S3=http://127.0.0.1:5000               moto_server
    AWS_ENDPOINT_URL_IAM=http://127.0.0.1:5000
    AWS_ENDPOINT_URL_STS=http://127.0.0.1:5000

TRAINING holds 100 to 15,000 records in the form bedrock-conversation-2024, EVALUATION lines of
{"query", "reference"}. Everything that is made is removed at the end, also after an error.
"""

import argparse
import json
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3

TEACHER = "amazon.nova-pro-v1:0"
STUDENT = "amazon.nova-micro-v1:0:128k"  # the id for training; inference knows another one
JUDGE = "amazon.nova-pro-v1:0"
SOURCE = "distilled-router"  # what the evaluation calls the deployed student
METRIC = "OverallQuality"
SCALE = {5.0: "excellent", 4.0: "good", 3.0: "acceptable", 2.0: "poor", 1.0: "wrong"}
INSTRUCTIONS = """\
You judge how a search engine's router weighed its channels for one query. Compare the predicted \
weights with the reference, then the reasoning.
Query: {{prompt}}
Prediction: {{prediction}}
Reference: {{ground_truth}}"""


def main() -> None:
    """From a file of labelled queries to a judged router, and back to nothing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("training", type=Path)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("--queries", type=int, default=20, help="how many are evaluated")
    parser.add_argument("--poll", type=float, default=10, help="seconds between two looks")
    options = parser.parse_args()
    examples = [json.loads(line) for line in options.evaluation.read_text().splitlines()]
    with ExitStack() as cleanup:
        Walk(options.poll, cleanup).run(options.training, examples[: options.queries])


class Walk:
    """The steps, with what they share."""

    def __init__(self, poll_s: float, cleanup: ExitStack) -> None:
        """Make the clients; nothing is sent yet."""
        self.poll_s = poll_s
        self.cleanup = cleanup
        self.s3 = boto3.client("s3")
        self.iam = boto3.client("iam")
        self.bedrock = boto3.client("bedrock")
        self.runtime = boto3.client("bedrock-runtime")
        self.account = boto3.client("sts").get_caller_identity()["Account"]
        self.region = self.bedrock.meta.region_name
        self.name = f"router-{uuid.uuid4().hex[:8]}"

    def run(self, training: Path, examples: list[dict[str, str]]) -> None:
        """All of it."""
        bucket = self.make_bucket()
        role = self.make_role(bucket)
        self.s3.upload_file(str(training), bucket, "train.jsonl")
        model = self.distil(bucket, role)
        deployment = self.deploy(model)
        replies = [self.route(deployment, example["query"]) for example in examples]
        print(f"{examples[0]['query']!r} -> {replies[0]}")
        print(f"Mean rating of {len(replies)}: {self.judge(bucket, role, examples, replies):.2f}")

    def make_bucket(self) -> str:
        """A private bucket."""
        bucket = f"filmstill-{self.account}-{self.name}"
        # us-east-1 is the one region that must not be named here.
        where = {"LocationConstraint": self.region}
        extra = {} if self.region == "us-east-1" else {"CreateBucketConfiguration": where}
        self.s3.create_bucket(Bucket=bucket, **extra)
        self.cleanup.callback(self.remove_bucket, bucket)
        self.s3.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        return bucket

    def make_role(self, bucket: str) -> str:
        """A role that Bedrock may take for jobs of this account, with rights on this bucket."""
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "bedrock.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": self.account},
                "ArnLike": {
                    "aws:SourceArn": [
                        f"arn:aws:bedrock:{self.region}:{self.account}:{job}/*"
                        for job in ("model-customization-job", "evaluation-job")
                    ]
                },
            },
        }
        rights = [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            },
            {
                "Effect": "Allow",
                "Action": ["bedrock:InvokeModel"],
                "Resource": f"arn:aws:bedrock:*::foundation-model/{JUDGE}",
            },
        ]
        role = self.iam.create_role(
            RoleName=self.name, AssumeRolePolicyDocument=json.dumps(_policy(trust))
        )["Role"]["Arn"]
        self.cleanup.callback(self.iam.delete_role, RoleName=self.name)
        self.iam.put_role_policy(
            RoleName=self.name, PolicyName="data", PolicyDocument=json.dumps(_policy(*rights))
        )
        self.cleanup.callback(self.iam.delete_role_policy, RoleName=self.name, PolicyName="data")
        return role

    def distil(self, bucket: str, role: str) -> str:
        """A distillation job; the ARN of the model it makes."""
        job = self.bedrock.create_model_customization_job(
            jobName=self.name,
            customModelName=self.name,
            roleArn=role,
            baseModelIdentifier=STUDENT,
            customizationType="DISTILLATION",
            customizationConfig={
                "distillationConfig": {
                    "teacherModelConfig": {
                        "teacherModelIdentifier": TEACHER,
                        "maxResponseLengthForInference": 1000,
                    }
                }
            },
            trainingDataConfig={"s3Uri": f"s3://{bucket}/train.jsonl"},
            outputDataConfig={"s3Uri": f"s3://{bucket}/output/"},
        )["jobArn"]
        self.cleanup.callback(self.remove_job, job)

        def look() -> tuple[str, dict[str, Any]]:
            now = self.bedrock.get_model_customization_job(jobIdentifier=job)
            details = now.get("statusDetails", {})
            phases = (f"{key.removesuffix('Details')}: {details[key]['status']}" for key in details)
            return f"{now['status']} ({', '.join(phases)})", now

        done = self.wait(look)
        model: str = done["outputModelArn"]
        print(f"Training loss {done['trainingMetrics']['trainingLoss']:.3f}")
        return model

    def deploy(self, model: str) -> str:
        """An on-demand deployment; its ARN is what Converse takes."""
        deployment: str = self.bedrock.create_custom_model_deployment(
            modelDeploymentName=self.name, modelArn=model
        )["customModelDeploymentArn"]
        self.cleanup.callback(
            self.bedrock.delete_custom_model_deployment,
            customModelDeploymentIdentifier=deployment,
        )

        def look() -> tuple[str, dict[str, Any]]:
            now = self.bedrock.get_custom_model_deployment(
                customModelDeploymentIdentifier=deployment
            )
            return f"Deployment {now['status']}", now

        self.wait(look, unfinished=("Creating",), good="Active")
        return deployment

    def route(self, deployment: str, query: str) -> str:
        """What the student says of a query."""
        answer = self.runtime.converse(
            modelId=deployment,
            messages=[{"role": "user", "content": [{"text": query}]}],
            inferenceConfig={"maxTokens": 300, "temperature": 0.0},
        )
        text: str = answer["output"]["message"]["content"][0]["text"]
        return text

    def judge(
        self, bucket: str, role: str, examples: list[dict[str, str]], replies: list[str]
    ) -> float:
        """The mean rating; evaluation jobs take no deployment's ARN, so its replies go along."""
        lines = [
            {
                "prompt": example["query"],
                "referenceResponse": example["reference"],
                "modelResponses": [{"response": reply, "modelIdentifier": SOURCE}],
            }
            for example, reply in zip(examples, replies, strict=True)
        ]
        body = "".join(json.dumps(line) + "\n" for line in lines)
        self.s3.put_object(Bucket=bucket, Key="responses.jsonl", Body=body.encode())
        evaluator = {"bedrockEvaluatorModels": [{"modelIdentifier": JUDGE}]}
        definition = {
            "name": METRIC,
            "instructions": INSTRUCTIONS,
            "ratingScale": [
                {"definition": meaning, "value": {"floatValue": value}}
                for value, meaning in SCALE.items()
            ],
        }
        job = self.bedrock.create_evaluation_job(
            jobName=self.name,
            roleArn=role,
            applicationType="ModelEvaluation",
            evaluationConfig={
                "automated": {
                    "datasetMetricConfigs": [
                        {
                            "taskType": "General",
                            "dataset": {
                                "name": "held-out",
                                "datasetLocation": {"s3Uri": f"s3://{bucket}/responses.jsonl"},
                            },
                            "metricNames": [METRIC],
                        }
                    ],
                    "evaluatorModelConfig": evaluator,
                    "customMetricConfig": {
                        "customMetrics": [{"customMetricDefinition": definition}],
                        "evaluatorModelConfig": evaluator,
                    },
                }
            },
            inferenceConfig={
                "models": [{"precomputedInferenceSource": {"inferenceSourceIdentifier": SOURCE}}]
            },
            outputDataConfig={"s3Uri": f"s3://{bucket}/evaluation/"},
        )["jobArn"]
        self.cleanup.callback(self.remove_evaluation, job)

        def look() -> tuple[str, dict[str, Any]]:
            now = self.bedrock.get_evaluation_job(jobIdentifier=job)
            return f"Evaluation {now['status']}", now

        self.wait(look)
        ratings = [
            score["result"]
            for line in self.results(bucket, "evaluation/")
            for score in line["automatedEvaluationResult"]["scores"]
            if score["result"] is not None
        ]
        return sum(ratings) / len(ratings)

    def results(self, bucket: str, prefix: str) -> list[dict[str, Any]]:
        """The lines of an evaluation's output, whose key is not documented: it is looked for."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        lines = []
        for key in keys:
            if key.endswith("_output.jsonl"):
                text = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
                lines += [json.loads(line) for line in text.splitlines()]
        return lines

    def wait(
        self,
        look: Callable[[], tuple[str, dict[str, Any]]],
        unfinished: tuple[str, ...] = ("InProgress", "Stopping"),
        good: str = "Completed",
    ) -> dict[str, Any]:
        """Look until it is done; botocore has no waiters for Bedrock."""
        shown = ""
        while True:
            text, now = look()
            if text != shown:
                print(text, flush=True)
                shown = text
            if now["status"] not in unfinished:
                break
            time.sleep(self.poll_s)
        if now["status"] != good:
            reason = now.get("failureMessage") or now.get("failureMessages")
            raise SystemExit(f"{now['status']}: {reason}")
        return now

    def remove_job(self, job: str) -> None:
        """The model that the job made; a job under way is stopped, which costs no more then."""
        now = self.bedrock.get_model_customization_job(jobIdentifier=job)
        if now["status"] == "InProgress":
            self.bedrock.stop_model_customization_job(jobIdentifier=job)
        elif now["status"] == "Completed":
            self.bedrock.delete_custom_model(modelIdentifier=now["outputModelArn"])

    def remove_evaluation(self, job: str) -> None:
        """An evaluation job; one that is under way must be stopped first."""
        while (status := self.bedrock.get_evaluation_job(jobIdentifier=job)["status"]) in (
            "InProgress",
            "Stopping",
        ):
            if status == "InProgress":
                self.bedrock.stop_evaluation_job(jobIdentifier=job)
            time.sleep(self.poll_s)
        self.bedrock.batch_delete_evaluation_job(jobIdentifiers=[job])

    def remove_bucket(self, bucket: str) -> None:
        """The bucket with all that is in it."""
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                self.s3.delete_object(Bucket=bucket, Key=item["Key"])
        self.s3.delete_bucket(Bucket=bucket)


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


if __name__ == "__main__":
    main()
