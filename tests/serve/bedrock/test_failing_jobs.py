"""Customization jobs that fail, and what they say; training data from logs of invocations."""

import gzip
import json
from typing import Any

import pytest

from tests.conftest import record

from .worlds import TEACHER, UNFINISHED, Cloud, refused, statuses_of


def log_entry(query: str, model: str, team: str) -> dict[str, Any]:
    """An entry of the logs of a model's invocations, as Bedrock writes them."""
    label = json.loads(json.loads(record(query))["messages"][1]["content"][0]["text"])
    message = {"role": "assistant", "content": [{"text": json.dumps(label)}]}
    return {
        "schemaType": "ModelInvocationLog",
        "modelId": model,
        "requestMetadata": {"team": team},
        "input": {"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": query}]}]}},
        "output": {"outputBodyJson": {"output": {"message": message}}},
    }


def unlabelled(query: str) -> str:
    whole = json.loads(record(query))
    return json.dumps(whole | {"messages": whole["messages"][:1]})


@pytest.fixture(scope="module")
def failed(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Jobs that fail, by name; all are asked for before the first has ended."""
    entries = [log_entry(f"red car {n}", f"us.{TEACHER}", "search") for n in range(60)]
    others = [log_entry(f"loud bell {n}", "amazon.nova-lite-v1:0", "ads") for n in range(40)]
    for name, part in (("logs/2026/a.json.gz", entries), ("logs/2026/b.json.gz", others)):
        cloud.put(name, gzip.compress("\n".join(map(json.dumps, part)).encode()))
    few = "\n".join(record(f"red car {number}") for number in range(99))
    many = "\n".join(unlabelled(f"red car {number}") for number in range(15_001))
    logs = {"invocationLogSource": {"s3Uri": "s3://bucket/logs/"}}
    ads = {"andAll": [{"equals": {"team": "ads"}}, {"notEquals": {"team": "search"}}]}

    def of_logs(**more: Any) -> dict[str, Any]:
        return {"trainingDataConfig": {"invocationLogsConfig": {**logs, **more}}}

    def of(name: str, content: str) -> dict[str, Any]:
        return {"trainingDataConfig": {"s3Uri": cloud.put(name, content)}}

    orders: dict[str, dict[str, Any]] = {
        "few": of("few.jsonl", f"{few}\nnot a record\n"),
        "unlabelled": of("most.jsonl", many.rpartition("\n")[0]),
        "many": of("many.jsonl", many),
        "no-object": {"trainingDataConfig": {"s3Uri": "s3://bucket/nothing.jsonl"}},
        "no-bucket": {"outputDataConfig": {"s3Uri": "s3://nowhere/out/"}},
        "logs": of_logs(),
        "logs-no-answers": of_logs(usePromptResponse=False),
        "logs-answers": of_logs(usePromptResponse=True),
        "logs-filtered": of_logs(requestMetadataFilters=ads),
        "logs-empty": {
            "trainingDataConfig": {
                "invocationLogsConfig": {"invocationLogSource": {"s3Uri": "s3://bucket/none/"}}
            }
        },
    }
    arns = {name: cloud.distil(f"fails-{name}", **order) for name, order in orders.items()}
    return {name: cloud.ended(arn) for name, arn in arns.items()}


@pytest.mark.parametrize(
    ("name", "completed", "message"),
    [
        ("few", 1, "has 99 valid prompts; the minimum is 100 valid prompts"),
        ("unlabelled", 1, "15,000 of 15,000 records have no label, and no teacher"),
        ("many", 1, "has 15,001 prompts; the maximum is 15,000"),
        ("no-object", 0, "s3://bucket/nothing.jsonl: there is no such object"),
        ("no-bucket", 0, "there is no such bucket"),
        ("logs", 1, "100 of 100 records have no label"),  # the questions only
        ("logs-no-answers", 1, "100 of 100 records have no label"),
        ("logs-answers", 1, "has 60 valid prompts; the minimum is 100"),  # the teacher's only
        ("logs-filtered", 1, "has 40 valid prompts; the minimum is 100"),
        ("logs-empty", 0, "there are no logs"),
    ],
)
def test_a_job_that_fails(
    cloud: Cloud, failed: dict[str, dict[str, Any]], name: str, completed: int, message: str
) -> None:
    job = failed[name]
    phases = ["Completed"] * completed + ["Failed"] + ["NotStarted"] * (2 - completed)
    assert statuses_of(job) == ("Failed", *phases)
    assert message in job["failureMessage"]
    assert {"outputModelArn", "trainingMetrics"} & set(job) == set()
    assert job["endTime"] >= job["statusDetails"]["validationDetails"]["creationTime"]
    with refused("ResourceNotFoundException"):
        cloud.bedrock.get_custom_model(modelIdentifier=f"fails-{name}")


def test_how_logs_are_shown(failed: dict[str, dict[str, Any]]) -> None:
    shown = failed["logs-filtered"]["trainingDataConfig"]["invocationLogsConfig"]
    assert shown == {
        "invocationLogSource": {"s3Uri": "s3://bucket/logs/"},
        "requestMetadataFilters": {
            "andAll": [{"equals": {"team": "ads"}}, {"notEquals": {"team": "search"}}]
        },
    }


def test_the_model_name_of_a_job_that_failed_is_free(
    cloud: Cloud, failed: dict[str, dict[str, Any]]
) -> None:
    assert failed["few"]["status"] not in UNFINISHED
    arn = cloud.distil("second-try", customModelName="fails-few")
    cloud.bedrock.stop_model_customization_job(jobIdentifier=arn)
    assert cloud.ended(arn)["status"] == "Stopped"
