"""The client examples, run as users run them, against a server in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

CLIENTS = Path(__file__).parent.parent / "examples" / "clients"
CHANNELS = {"visual", "audio", "transcription", "metadata"}
RECIPE = """\
[[recipes]]
model = "amazon.nova-micro-v1:0:128k"
teachers = ["amazon.nova-pro-v1:0"]
settings = {{ base = '{base}', epochs = 1, max_tokens = 32 }}
"""


@pytest.fixture(scope="module")
def environment(
    tmp_path_factory: pytest.TempPathFactory, tiny_base: Path, training_file: Path
) -> Iterator[dict[str, str]]:
    """What points clients at a server, which has training data in a bucket."""
    folder = tmp_path_factory.mktemp("serving")
    (folder / "s3" / "bucket").mkdir(parents=True)
    shutil.copy(training_file, folder / "s3" / "bucket" / "train.jsonl")
    (folder / "recipes.toml").write_text(RECIPE.format(base=tiny_base))
    words = ["--port", "0", "--s3-root", folder / "s3", "--recipes", folder / "recipes.toml"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "filmstill.cli.main", "serve", *map(str, words)],
            env=plain | {"FILMSTILL_HOME": str(folder / "home")},
            stdout=log,
            stderr=log,
        )
    try:
        url = address(server, folder / "log")
        yield plain | {
            "FILMSTILL_URL": url,
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_API_KEY": "any",
            "AWS_ENDPOINT_URL_BEDROCK": url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.terminate()
        assert server.wait(60) == 0


def address(server: "subprocess.Popen[bytes]", log: Path) -> str:
    """Where a server listens, as its log says."""
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("Listening at "):
                return line.removeprefix("Listening at ").partition(";")[0]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def deployment(environment: dict[str, str]) -> str:
    """The name of a deployment that was made through Bedrock's API."""
    bedrock = boto3.client(
        "bedrock",
        endpoint_url=environment["AWS_ENDPOINT_URL_BEDROCK"],
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}),
    )
    teacher = {"teacherModelConfig": {"teacherModelIdentifier": "amazon.nova-pro-v1:0"}}
    job = bedrock.create_model_customization_job(
        jobName="router",
        customModelName="router",
        roleArn="arn:aws:iam::123456789012:role/bedrock",
        baseModelIdentifier="amazon.nova-micro-v1:0:128k",
        customizationType="DISTILLATION",
        customizationConfig={"distillationConfig": teacher},
        trainingDataConfig={"s3Uri": "s3://bucket/train.jsonl"},
        outputDataConfig={"s3Uri": "s3://bucket/output/"},
    )["jobArn"]
    done = finished(bedrock.get_model_customization_job, "InProgress", jobIdentifier=job)
    assert done["status"] == "Completed", done.get("failureMessage")
    made = bedrock.create_custom_model_deployment(
        modelDeploymentName="search", modelArn=done["outputModelArn"]
    )["customModelDeploymentArn"]
    ready = finished(
        bedrock.get_custom_model_deployment, "Creating", customModelDeploymentIdentifier=made
    )
    assert ready["status"] == "Active"
    bedrock.close()
    return "search"


def finished(look: Any, unfinished: str, **which: str) -> Any:
    """What it looks like when it is no longer under way."""
    end = time.monotonic() + 120
    while (now := look(**which))["status"] == unfinished:
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.1)
    return now


def run(environment: dict[str, str], *words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(word) for word in words], env=environment, capture_output=True, text=True, timeout=60
    )


def is_routing(found: dict[str, Any]) -> bool:
    weights = {name: weight for name, weight in found.items() if name != "reasoning"}
    return set(weights) == CHANNELS and sum(weights.values()) == pytest.approx(1)


def test_boto3_asks_a_deployment(environment: dict[str, str], deployment: str) -> None:
    done = run(environment, sys.executable, CLIENTS / "route_boto3.py", deployment, "red car")
    assert done.returncode == 0, done.stderr
    assert is_routing(json.loads(done.stdout))
    assert done.stderr.endswith(" ms\n")


def test_boto3_says_that_there_is_no_such_deployment(environment: dict[str, str]) -> None:
    done = run(environment, sys.executable, CLIENTS / "route_boto3.py", "other", "red car")
    assert done.returncode == 1
    assert done.stderr == "There is no active deployment 'other'.\n"


@pytest.mark.parametrize("deployed", [False, True], ids=["shipped", "deployment"])
def test_openai_answers_whole_and_in_parts(
    environment: dict[str, str], deployed: bool, request: pytest.FixtureRequest
) -> None:
    more = [request.getfixturevalue("deployment")] if deployed else []
    done = run(environment, sys.executable, CLIENTS / "route_openai.py", "a dog barking", *more)
    assert done.returncode == 0, done.stderr
    whole, _, streamed = done.stdout.strip().rpartition("\n")
    assert is_routing(json.loads(whole))
    assert json.loads(streamed) == json.loads(whole)


needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


@needs_curl
def test_curl_asks_in_every_way(environment: dict[str, str], deployment: str) -> None:
    done = run(environment, "sh", CLIENTS / "route_curl.sh", deployment)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith("#")]
    one, many, explained, deployments = map(json.loads, lines)
    assert [len(answer["routings"]) for answer in (one, many, explained)] == [1, 2, 1]
    for answer in (one, many, explained):
        assert answer["deployment"] == deployment
        assert all(is_routing(item["weights"]) for item in answer["routings"])
    assert explained["routings"][0]["reasoning"]
    assert [item["name"] for item in deployments["deployments"]] == [deployment]


@needs_curl
def test_curl_fails_where_the_server_refuses(environment: dict[str, str]) -> None:
    done = run(environment, "sh", CLIENTS / "route_curl.sh", "other")
    assert done.returncode != 0
    assert "other" in done.stdout
