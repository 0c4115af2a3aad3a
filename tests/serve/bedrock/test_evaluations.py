"""Evaluation jobs: as the published walk-through asks for them, and how they fail."""

import json
from typing import Any

import pytest

from tests.services import Service

from .worlds import (
    ARN,
    JUDGE,
    METRIC,
    ROLE,
    SOURCE,
    TEACHER,
    UNFINISHED,
    Cloud,
    Still,
    World,
    evaluation,
    metric,
    refused,
    scale,
    text_of,
    until,
)

REFERENCE = {"visual": 0.6, "audio": 0.3, "transcription": 0.1, "metadata": 0.0}
LINES = [
    # within 0.05 everywhere: 5
    ("exact", REFERENCE),
    ("near", {"visual": 0.56, "audio": 0.34, "transcription": 0.1, "metadata": 0.0}),
    # within 0.10: 4
    ("close", {"visual": 0.52, "audio": 0.38, "transcription": 0.1, "metadata": 0.0}),
    # the right channel leads, mean error (0.15 + 0 + 0 + 0.15) / 4 = 0.075 below 0.15: 3
    ("leads", {"visual": 0.45, "audio": 0.3, "transcription": 0.1, "metadata": 0.15}),
    # another channel leads, none is off by more than 0.3: 2
    ("other", {"visual": 0.4, "audio": 0.5, "transcription": 0.1, "metadata": 0.0}),
    # off by more than 0.3: 1
    ("far", {"visual": 0.0, "audio": 0.0, "transcription": 0.0, "metadata": 1.0}),
    # cannot be read: 1
    ("unread", "I would rather not."),
]
RATINGS = [5.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.0]


def responses(lines: list[tuple[str, Any]], source: str = SOURCE) -> str:
    """A data set that brings its responses."""
    return "".join(
        json.dumps(
            {
                "prompt": prompt,
                "referenceResponse": json.dumps(REFERENCE),
                "category": "Routing",
                "modelResponses": [
                    {
                        "response": answer if isinstance(answer, str) else json.dumps(answer),
                        "modelIdentifier": source,
                    }
                ],
            }
        )
        + "\n"
        for prompt, answer in lines
    )


def shown(world: World, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = world.bedrock.get_evaluation_job(jobIdentifier=arn)
    return found


def ended(world: World, arn: str) -> dict[str, Any]:
    until(lambda: shown(world, arn)["status"] not in UNFINISHED)
    return shown(world, arn)


def results(world: World, prefix: str = "evaluation") -> list[tuple[str, list[dict[str, Any]]]]:
    """Key and lines of every output below a prefix, found as users must find them."""
    return [
        (
            path.relative_to(world.bucket).as_posix(),
            [json.loads(line) for line in path.read_text().splitlines()],
        )
        for path in sorted((world.bucket / prefix).rglob("*_output.jsonl"))
    ]


def test_an_evaluation_as_in_the_walk_through(cloud: Cloud) -> None:
    cloud.put("responses.jsonl", responses(LINES))
    arn = cloud.evaluate(
        "walk",
        jobDescription="how good is it",
        outputDataConfig={"s3Uri": "s3://bucket/walk/"},
        clientRequestToken="walk-token",
    )
    job = ended(cloud, arn)
    assert arn.startswith(f"{ARN}:evaluation-job/")
    created, modified = job.pop("creationTime"), job.pop("lastModifiedTime")
    assert created.utcoffset() is not None
    assert created < modified
    del job["ResponseMetadata"]
    asked = evaluation(
        "walk",
        jobDescription="how good is it",
        outputDataConfig={"s3Uri": "s3://bucket/walk/"},
    )
    assert job == asked | {"jobArn": arn, "status": "Completed", "jobType": "Automated"}
    [(key, lines)] = results(cloud, "walk")
    where, _, file = key.rpartition("/")
    assert where == (f"walk/walk/{arn[-12:]}/models/{SOURCE}/taskTypes/General/datasets/held-out")
    assert len(file) == 36 + len("_output.jsonl")
    assert (cloud.bucket / "walk/walk/amazon-bedrock-evaluations-permission-check").is_file()
    assert [line["inputRecord"]["prompt"] for line in lines] == [prompt for prompt, _ in LINES]
    scores = [line["automatedEvaluationResult"]["scores"] for line in lines]
    assert [score["result"] for [score] in scores] == RATINGS
    [score] = lines[-1]["automatedEvaluationResult"].pop("scores")
    explanation = score["evaluatorDetails"][0].pop("explanation")
    assert "rubric" in explanation
    assert score == {
        "metricName": METRIC,
        "result": 1.0,
        "evaluatorDetails": [{"modelIdentifier": "rubric"}],
    }
    assert lines[-1] == {
        "automatedEvaluationResult": {},
        "inputRecord": {
            "prompt": "unread",
            "referenceResponse": json.dumps(REFERENCE),
            "category": "Routing",
        },
        "modelResponses": [{"response": "I would rather not.", "modelIdentifier": SOURCE}],
    }


def test_provisioned_throughput_answers_itself(cloud: Cloud) -> None:
    arn = cloud.provision("judged", cloud.model)
    until(
        lambda: (
            cloud.bedrock.get_provisioned_model_throughput(provisionedModelId=arn)["status"]
            == "InService"
        )
    )
    prompts = ["red car", "loud bell\twith a control \x01 character", "why"]
    lines = [{"prompt": text, "referenceResponse": json.dumps(REFERENCE)} for text in prompts]
    data = cloud.put("prompts.jsonl", "\n".join(map(json.dumps, lines)))
    job = cloud.evaluate(
        "of-throughput",
        models=[{"bedrockModel": {"modelIdentifier": arn}}],
        data=data,
        outputDataConfig={"s3Uri": "s3://bucket/of-throughput"},
    )
    assert ended(cloud, job)["status"] == "Completed"
    [(key, found)] = results(cloud, "of-throughput")
    assert f"/models/{arn[-12:]}/taskTypes/" in key
    for line, prompt in zip(found, prompts, strict=True):
        [answer] = line["modelResponses"]
        if "\x01" not in prompt:
            assert answer["response"] == text_of(cloud.say(arn, prompt))
        else:
            assert "control character" in answer["response"]
            [score] = line["automatedEvaluationResult"]["scores"]
            assert score["result"] == 1.0
    cloud.bedrock.delete_provisioned_model_throughput(provisionedModelId=arn)


BUILTIN = "Builtin.Correctness"


FAILS: dict[str, tuple[dict[str, Any], str]] = {
    "builtin": (
        {"metrics": (BUILTIN,), "custom": []},
        "Builtin.Correctness needs a language model as judge: start the server with --judge",
    ),
    "builtin-too": (
        {"metrics": (METRIC, BUILTIN)},
        "Builtin.Correctness needs a language model as judge",
    ),
    "numbers": (
        {"custom": [metric(METRIC, scale(0.0, 1.0))]},
        "has another scale than 1 to 5, which is the rubric's",
    ),
    "words": ({"custom": [metric(METRIC, scale("Good", "Bad"))]}, "another scale than 1 to 5"),
    "no-object": (
        {"data": "s3://bucket/nothing.jsonl"},
        "nothing.jsonl: there is no such object",
    ),
    "no-bucket": ({"outputDataConfig": {"s3Uri": "s3://nowhere/x"}}, "there is no such bucket"),
    "broken": ({"data": "s3://bucket/broken.jsonl"}, "broken.jsonl:2: not a line of an evaluation"),
    "many": (
        {"data": "s3://bucket/many.jsonl"},
        "has 1,001 prompts; there must be 1 to 1,000",
    ),
    "empty": ({"data": "s3://bucket/empty.jsonl"}, "has 0 prompts"),
}


@pytest.fixture(scope="module")
def failed(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Jobs that fail, by name; all are asked for before the first has ended."""
    cloud.put("responses.jsonl", responses(LINES))
    cloud.put("broken.jsonl", responses(LINES[:1]) + '{"prompt": 7}\n')
    cloud.put("many.jsonl", responses([LINES[0]] * 1001))
    cloud.put("empty.jsonl", "\n \n")
    arns = {name: cloud.evaluate(f"fails-{name}", **given) for name, (given, _) in FAILS.items()}
    return {name: ended(cloud, arn) for name, arn in arns.items()}


@pytest.mark.parametrize("name", FAILS)
def test_an_evaluation_that_fails(failed: dict[str, dict[str, Any]], name: str) -> None:
    assert failed[name]["status"] == "Failed"
    [message] = failed[name]["failureMessages"]
    assert FAILS[name][1] in message


HUMAN = {
    "human": {
        "datasetMetricConfigs": [
            {
                "taskType": "Custom",
                "dataset": {"name": "a", "datasetLocation": {"s3Uri": "s3://bucket/a"}},
                "metricNames": ["a"],
            }
        ]
    }
}
RAG = {
    "ragConfigs": [
        {"precomputedRagSourceConfig": {"retrieveSourceConfig": {"ragSourceIdentifier": "a"}}}
    ]
}
SET = {"taskType": "General", "dataset": {"name": "a"}, "metricNames": [METRIC]}
NO_PLACE = {
    "automated": {
        "datasetMetricConfigs": [SET],
        "customMetricConfig": {
            "customMetrics": [metric(METRIC, scale())],
            "evaluatorModelConfig": JUDGE,
        },
    }
}
OF_MODEL = {"bedrockModel": {"modelIdentifier": TEACHER}}
NO_ID = "abcdefghijkl"
DEPLOYED = f"{ARN}:custom-model-deployment/{NO_ID}"
PRECOMPUTED = {"precomputedInferenceSource": {"inferenceSourceIdentifier": SOURCE}}


@pytest.mark.parametrize(
    ("given", "code", "match"),
    [
        ({"evaluationConfig": HUMAN}, "", "automated evaluations of one model"),
        ({"inferenceConfig": RAG}, "", "automated evaluations of one model"),
        ({"inferenceConfig": RAG, "applicationType": "RagEvaluation"}, "", "automated"),
        ({"applicationType": "RagEvaluation"}, "", "automated evaluations of one model"),
        ({"models": [PRECOMPUTED, PRECOMPUTED]}, "", "automated evaluations of one model"),
        ({"metrics": ("Quality",)}, "", "has Quality, which customMetricConfig does not define"),
        ({"metrics": (METRIC, "overallQuality")}, "", "has overallQuality, which"),
        ({"custom": []}, "", f"has {METRIC}, which customMetricConfig does not define"),
        ({"custom": [metric(METRIC, scale(1.0, "Good"))]}, "", "mixes texts and numbers"),
        ({"custom": [metric(METRIC, scale())] * 2}, "", f"defines {METRIC} twice"),
        ({"evaluationConfig": NO_PLACE}, "", "data set a needs a datasetLocation"),
        ({"models": [OF_MODEL]}, "AccessDenied", "start the server with --base-model"),
        (
            {"models": [{"bedrockModel": {"modelIdentifier": f"{ARN}:provisioned-model/{NO_ID}"}}]},
            "ResourceNotFound",
            "Could not find provisioned model",
        ),
        (
            {"models": [{"bedrockModel": {"modelIdentifier": DEPLOYED}}]},
            "",
            "modelIdentifier' failed to satisfy constraint",
        ),
        ({"jobName": "Upper"}, "", "'jobName' failed to satisfy constraint"),
        ({"jobTags": [{"key": "a", "value": v} for v in "12"]}, "", "Duplicate tag key: a"),
    ],
)
def test_what_is_refused(still: Still, given: dict[str, Any], code: str, match: str) -> None:
    before = still.snapshot()
    with refused(f"{code or 'Validation'}Exception", match):
        still.evaluate("refused", **given)
    assert still.snapshot() == before


def test_whole_numbers_are_numbers(still: Still) -> None:
    whole: list[Any] = [1, 2, 3.0, 4.0, 5]  # as JSON has them
    steps = [{"definition": "d", "value": {"floatValue": value}} for value in whole]
    still.evaluate("whole", custom=[metric(METRIC, steps)])


def test_a_name_is_given_once_and_a_token_too(still: Still) -> None:
    arn = still.evaluate("job", clientRequestToken="token")
    before = still.snapshot()
    assert still.evaluate("job", clientRequestToken="token") == arn
    with refused("ConflictException", "clientRequestToken was used for another request"):
        still.evaluate("job", clientRequestToken="token", roleArn=ROLE + "2")
    with refused("ConflictException", "name job is already in use by another evaluation job"):
        still.evaluate("job")
    assert still.snapshot() == before


def test_what_is_not_there(still: Still) -> None:
    arn = still.evaluate("job")
    for unknown in (
        arn.replace(arn[-12:], "a" * 12),
        arn.replace("us-east-1", "eu-west-1"),
        arn.replace("123456789012", "210987654321"),
    ):
        with refused("ResourceNotFoundException", "Could not find evaluation job"):
            shown(still, unknown)
        with refused("ResourceNotFoundException", "Could not find evaluation job"):
            still.bedrock.stop_evaluation_job(jobIdentifier=unknown)
    for no_arn in ("job", arn[-12:]):  # these operations take ARNs only
        with refused("ValidationException", "'jobIdentifier' failed to satisfy"):
            shown(still, no_arn)


def test_stop_and_delete(still: Still) -> None:
    going, stopped = still.evaluate("going"), still.evaluate("stopped")
    unknown = going.replace(going[-12:], "a" * 12)
    still.bedrock.stop_evaluation_job(jobIdentifier=stopped)
    assert shown(still, stopped)["status"] == "Stopped"
    assert "failureMessages" not in shown(still, stopped)
    with refused("ConflictException", "is Stopped, so there is nothing to stop"):
        still.bedrock.stop_evaluation_job(jobIdentifier=stopped)
    answer = still.bedrock.batch_delete_evaluation_job(
        jobIdentifiers=[unknown, stopped, going, stopped]
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["evaluationJobs"] == [{"jobIdentifier": stopped, "jobStatus": "Deleting"}]
    errors = [(error["jobIdentifier"], error["code"]) for error in answer["errors"]]
    assert errors == [
        (unknown, "ResourceNotFoundException"),
        (going, "ConflictException"),
        (stopped, "ResourceNotFoundException"),  # by then
    ]
    assert "going is InProgress: stop it first" in answer["errors"][1]["message"]
    with refused("ResourceNotFoundException"):
        shown(still, stopped)
    assert shown(still, going)["status"] == "InProgress"
    still.evaluate("stopped")  # its name is free


def test_a_job_that_is_done_is_deleted(cloud: Cloud) -> None:
    cloud.put("responses.jsonl", responses(LINES))
    arn = cloud.evaluate("deleted", outputDataConfig={"s3Uri": "s3://bucket/deleted"})
    ended(cloud, arn)
    with refused("ConflictException", "'deleted' is Completed"):
        cloud.bedrock.stop_evaluation_job(jobIdentifier=arn)
    answer = cloud.bedrock.batch_delete_evaluation_job(jobIdentifiers=[arn])
    assert answer["errors"] == []
    with refused("ResourceNotFoundException"):
        shown(cloud, arn)
    assert len(results(cloud, "deleted")) == 1  # what it wrote stays


# With language models


def test_a_language_model_rates(modern: Cloud, remote: Service) -> None:
    modern.put("judged.jsonl", responses([("red car", "seen"), ("a bell", "nonsense")]))
    arn = modern.evaluate(
        "judged",
        data="s3://bucket/judged.jsonl",
        metrics=(METRIC, "Tone"),
        custom=[metric(METRIC, scale()), metric("Tone", scale("Good", "Bad"))],
        outputDataConfig={"s3Uri": "s3://bucket/judged"},
    )
    assert ended(modern, arn)["status"] == "Completed"
    [(_, lines)] = results(modern, "judged")
    scores = [line["automatedEvaluationResult"]["scores"] for line in lines]
    found = [{score["metricName"]: score["result"] for score in row} for row in scores]
    # "Bad" is no number of 1 to 5, so that it is no rating at all.
    assert found == [{METRIC: 4.0, "Tone": "Good"}, {METRIC: None, "Tone": "Bad"}]
    detail = scores[0][0]["evaluatorDetails"]
    assert detail == [{"modelIdentifier": "openai:judge", "explanation": "it is so"}]
    asked = [body["messages"][-1]["content"] for _, _, body in remote.requests]
    reference = json.dumps(REFERENCE)
    assert any(text.startswith(f"Q red car A seen R {reference}\n") for text in asked)


def test_a_base_model_answers_and_is_rated(modern: Cloud) -> None:
    modern.put("asked.jsonl", json.dumps({"prompt": "red car"}))
    identifiers = {
        "by-id": TEACHER,
        "by-profile": f"us.{TEACHER}",
        "by-arn": f"arn:aws:bedrock:us-east-1::foundation-model/{TEACHER}",
        "by-arn-of-profile": f"{ARN}:inference-profile/us.{TEACHER}",
    }
    arns = {
        name: modern.evaluate(
            name,
            data="s3://bucket/asked.jsonl",
            models=[{"bedrockModel": {"modelIdentifier": identifier}}],
            outputDataConfig={"s3Uri": f"s3://bucket/{name}"},
        )
        for name, identifier in identifiers.items()
    }
    for name, identifier in identifiers.items():
        assert ended(modern, arns[name])["status"] == "Completed"
        [(key, [line])] = results(modern, name)
        bare = identifier.rpartition("/")[2]
        assert f"/models/{bare}/taskTypes/" in key
        answer = {"response": "You said: red car", "modelIdentifier": bare}
        assert line["modelResponses"] == [answer]
    summaries = modern.bedrock.list_evaluation_jobs(nameContains="by")["jobSummaries"]
    listed = {summary["jobName"]: summary["modelIdentifiers"] for summary in summaries}
    assert listed == {name: [identifier] for name, identifier in identifiers.items()}


def test_a_builtin_metric_fails_with_any_judge(modern: Cloud) -> None:
    modern.put("asked.jsonl", json.dumps({"prompt": "red car"}))
    arn = modern.evaluate("builtin", data="s3://bucket/asked.jsonl", metrics=(BUILTIN,), custom=[])
    job = ended(modern, arn)
    assert job["status"] == "Failed"
    assert "its instructions are not public: use a custom metric" in job["failureMessages"][0]
