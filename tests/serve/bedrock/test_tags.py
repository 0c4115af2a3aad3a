"""Tags of everything that has an ARN."""

from collections.abc import Callable
from typing import Any

import pytest

from .worlds import ARN, BASE, Still, refused

A, B = {"key": "a", "value": "1"}, {"key": "b", "value": ""}


def job(still: Still, tags: list[Any]) -> str:
    return still.distil("thing", jobTags=tags)


def model(still: Still, tags: list[Any]) -> str:
    return still.model("thing", customModelTags=tags)


def deployment(still: Still, tags: list[Any]) -> str:
    return still.deploy("thing", still.model("base"), tags=tags)


def provisioned(still: Still, tags: list[Any]) -> str:
    return still.provision("thing", still.model("base"), tags=tags)


def evaluation(still: Still, tags: list[Any]) -> str:
    return still.evaluate("thing", jobTags=tags)


Make = Callable[[Still, list[Any]], str]
kinds = pytest.mark.parametrize("make", [job, model, deployment, provisioned, evaluation])


def tags_of(still: Still, arn: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = still.bedrock.list_tags_for_resource(resourceARN=arn)["tags"]
    return found


@kinds
def test_tags_come_and_go(still: Still, make: Make) -> None:
    arn = make(still, [B, A])
    assert tags_of(still, arn) == [A, B]
    tag, untag = still.bedrock.tag_resource, still.bedrock.untag_resource
    tag(resourceARN=arn, tags=[{"key": "a", "value": "2"}, {"key": "c d", "value": "e@x"}])
    assert tags_of(still, arn) == [{"key": "a", "value": "2"}, B, {"key": "c d", "value": "e@x"}]
    untag(resourceARN=arn, tagKeys=["a", "not there"])
    assert tags_of(still, arn) == [B, {"key": "c d", "value": "e@x"}]
    untag(resourceARN=arn, tagKeys=["b", "c d"])
    assert tags_of(still, arn) == []


@kinds
def test_a_resource_without_tags(still: Still, make: Make) -> None:
    assert tags_of(still, make(still, [])) == []


@kinds
def test_two_hundred_tags_and_no_more(still: Still, make: Make) -> None:
    arn = make(still, [])
    many = [{"key": f"key-{number:03}", "value": "x"} for number in range(200)]
    still.bedrock.tag_resource(resourceARN=arn, tags=many[:150])
    too_many = still.bedrock.exceptions.TooManyTagsException
    with pytest.raises(too_many, match="this would be 201") as caught:
        still.bedrock.tag_resource(resourceARN=arn, tags=[*many[100:], A])
    assert caught.value.response["resourceName"] == arn
    assert tags_of(still, arn) == many[:150]
    still.bedrock.tag_resource(resourceARN=arn, tags=many[100:])
    still.bedrock.tag_resource(resourceARN=arn, tags=many)  # new values of old keys
    assert tags_of(still, arn) == many


@kinds
def test_a_key_that_comes_twice(still: Still, make: Make) -> None:
    arn = make(still, [A])
    with refused("ValidationException", "Duplicate tag key: b"):
        still.bedrock.tag_resource(resourceARN=arn, tags=[B, {"key": "b", "value": "2"}])
    assert tags_of(still, arn) == [A]


def test_tags_of_a_job_and_of_its_model(still: Still) -> None:
    arn = still.model("m", jobTags=[A], customModelTags=[B])
    assert tags_of(still, arn) == [B]
    assert tags_of(still, still.bedrock.get_custom_model(modelIdentifier="m")["jobArn"]) == [A]


def delete(still: Still, make: Make, arn: str) -> None:
    if make is model:
        still.bedrock.delete_custom_model(modelIdentifier=arn)
    elif make is deployment:
        still.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=arn)
    elif make is provisioned:
        still.bedrock.delete_provisioned_model_throughput(provisionedModelId=arn)
    else:
        still.bedrock.stop_evaluation_job(jobIdentifier=arn)
        still.bedrock.batch_delete_evaluation_job(jobIdentifiers=[arn])


@pytest.mark.parametrize("make", [model, deployment, provisioned, evaluation])
def test_tags_go_with_what_has_them(still: Still, make: Make) -> None:
    arn = make(still, [A])
    delete(still, make, arn)
    with refused("ResourceNotFoundException"):
        tags_of(still, arn)
    assert still.registry.tags(arn) == {}


UNKNOWN = [
    f"{ARN}:model-customization-job/{BASE}/abcdefghijkl",
    f"{ARN}:custom-model/{BASE}/abcdefghijkl",
    f"{ARN}:custom-model-deployment/abcdefghijkl",
    f"{ARN}:provisioned-model/abcdefghijkl",
    f"{ARN}:evaluation-job/abcdefghijkl",
    f"{ARN}:guardrail/abcdefghijkl",
    f"{ARN}:model-invocation-job/abcdefghijkl",
    "arn:aws:bedrock:us-east-1:123456789012:custom-model/imported/abcdefghijkl",
    "just-a-name-that-is-long-enough",
]


@pytest.mark.parametrize("arn", UNKNOWN)
def test_an_unknown_resource(still: Still, arn: str) -> None:
    before = still.snapshot()
    with refused("ResourceNotFoundException"):
        tags_of(still, arn)
    with refused("ResourceNotFoundException"):
        still.bedrock.tag_resource(resourceARN=arn, tags=[A])
    with refused("ResourceNotFoundException"):
        still.bedrock.untag_resource(resourceARN=arn, tagKeys=["a"])
    assert still.snapshot() == before


@kinds
def test_an_arn_of_another_place(still: Still, make: Make) -> None:
    arn = make(still, [A])
    for other in (
        arn.replace("us-east-1", "eu-west-1"),
        arn.replace("123456789012", "210987654321"),
        arn.replace("arn:aws:", "arn:aws-cn:"),
    ):
        with refused("ResourceNotFoundException"):
            tags_of(still, other)
    assert tags_of(still, arn) == [A]
