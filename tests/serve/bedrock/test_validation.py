"""What is said about values that break constraints, worked out by hand."""

from typing import Any

import pytest

from filmstill.serve.bedrock.errors import ApiError
from filmstill.serve.bedrock.operations import operations
from filmstill.serve.bedrock.validation import check_input, violations

from .requests_from_model import model

JOB = model("CreateModelCustomizationJob").input_shape
CONVERSE = model("Converse").input_shape


def member(name: str) -> Any:
    return JOB.members[name]


@pytest.mark.parametrize(
    ("shape", "value", "path", "expected"),
    [
        (member("jobName"), "distil-1", "jobName", []),
        (
            member("jobName"),
            "a" * 64,
            "jobName",
            [
                f"Value '{'a' * 64}' at 'jobName' failed to satisfy constraint: "
                "Member must have length less than or equal to 63"
            ],
        ),
        (
            member("jobName"),
            "under_score",
            "jobName",
            [
                "Value 'under_score' at 'jobName' failed to satisfy constraint: Member must "
                r"satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9\+\-\.])*"
            ],
        ),
        (  # a pattern must match to the very end
            member("jobName"),
            "distil\n",
            "jobName",
            [
                "Value 'distil\n' at 'jobName' failed to satisfy constraint: Member must "
                r"satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9\+\-\.])*"
            ],
        ),
        (
            member("customizationType"),
            "DISTIL",
            "customizationType",
            [
                "Value 'DISTIL' at 'customizationType' failed to satisfy constraint: Member must "
                "satisfy enum value set: [FINE_TUNING, CONTINUED_PRE_TRAINING, DISTILLATION, "
                "REINFORCEMENT_FINE_TUNING, IMPORTED]"
            ],
        ),
        (
            member("jobTags"),
            [{"key": "a", "value": "1"}, {"key": "", "value": "2"}, {"value": "3"}],
            "jobTags",
            [
                "Value '' at 'jobTags.2.member.key' failed to satisfy constraint: Member must "
                "have length greater than or equal to 1",
                "Value null at 'jobTags.3.member.key' failed to satisfy constraint: Member must "
                "not be null",
            ],
        ),
        (
            member("vpcConfig"),
            {"subnetIds": [], "securityGroupIds": ["a", None]},
            "vpcConfig",
            [
                "Value '[]' at 'vpcConfig.subnetIds' failed to satisfy constraint: Member must "
                "have length greater than or equal to 1",
                "Value null at 'vpcConfig.securityGroupIds.2.member' failed to satisfy "
                "constraint: Member must not be null",
            ],
        ),
        (
            CONVERSE.members["inferenceConfig"],
            {"temperature": 1.5, "topP": -0.5, "maxTokens": 0},
            "inferenceConfig",
            [
                "Value '1.5' at 'inferenceConfig.temperature' failed to satisfy constraint: "
                "Member must have value less than or equal to 1",
                "Value '-0.5' at 'inferenceConfig.topP' failed to satisfy constraint: "
                "Member must have value greater than or equal to 0",
                "Value '0' at 'inferenceConfig.maxTokens' failed to satisfy constraint: "
                "Member must have value greater than or equal to 1",
            ],
        ),
        (
            CONVERSE.members["messages"],
            [{"role": "user", "content": [{"text": "a"}, {"text": "b", "image": None}, {}]}],
            "messages",
            [
                "Value '{}' at 'messages.1.member.content.3.member' failed to satisfy constraint: "
                "Member must have exactly one of its members set, of: [text, image, document, "
                "video, audio, toolUse, toolResult, guardContent, cachePoint, reasoningContent, "
                "citationsContent, searchResult, toolAddition, toolRemoval]"
            ],
        ),
        (
            CONVERSE.members["requestMetadata"],
            {"k": "v" * 257, "!": "v"},
            "requestMetadata",
            [
                f"Value '{'v' * 200}...' at 'requestMetadata.k.member' failed to satisfy "
                "constraint: Member must have length less than or equal to 256",
                "Value '!' at 'requestMetadata' failed to satisfy constraint: Map keys must "
                "satisfy constraint: [Member must satisfy regular expression pattern: "
                "[a-zA-Z0-9\\s:_@$#=/+,-.]{1,256}]",
            ],
        ),
    ],
)
def test_violations(shape: Any, value: Any, path: str, expected: list[str]) -> None:
    assert violations(shape, value, path) == expected


def test_what_is_sensitive_is_not_repeated() -> None:
    description = model("CreateEvaluationJob").input_shape.members["jobDescription"]
    assert violations(description, "secret\n", "jobDescription") == [
        "Value at 'jobDescription' failed to satisfy constraint: Member must satisfy regular "
        "expression pattern: .+"
    ]


def test_lengths_are_of_characters_not_bytes() -> None:
    description = model("CreateCustomModelDeployment").input_shape.members["description"]
    assert violations(description, "\N{CLAPPER BOARD}" * 2048) == []
    (found,) = violations(description, "\N{CLAPPER BOARD}" * 2049, "description")
    assert "less than or equal to 2048" in found
    assert len(found) < 400  # the value is cut


def test_a_pattern_that_backtracks_for_ever_in_re_does_not() -> None:
    summary = model("ListProvisionedModelThroughputs").input_shape.members["modelArnEquals"]
    assert violations(summary, "a-" * 1000)
    provisioned = model("GetProvisionedModelThroughput").input_shape.members["provisionedModelId"]
    assert violations(provisioned, "a" * 2000 + "!")  # ([0-9a-zA-Z][_-]?)+, and no maximum


def test_a_pattern_too_large_for_re2_is_checked_all_the_same() -> None:
    source = model("CreateEvaluationJob").input_shape.members["inferenceConfig"]
    shape = source.members["ragConfigs"].member.members["knowledgeBaseConfig"]
    shape = shape.members["retrieveAndGenerateConfig"].members["externalSourcesConfiguration"]
    uri = shape.members["sources"].member.members["s3Location"].members["uri"]
    assert violations(uri, "s3://bucket/key") == []
    assert "regular expression" in violations(uri, "s3://bucket/", "uri")[0]


def test_the_message_counts() -> None:
    with pytest.raises(ApiError) as one:
        check_input(member("outputDataConfig"), {})
    assert one.value.message == (
        "1 validation error detected: Value null at 's3Uri' failed to satisfy constraint: "
        "Member must not be null"
    )
    with pytest.raises(ApiError) as three:
        check_input(member("vpcConfig").members["subnetIds"], ["?", "b", "!", " "])
    assert three.value.message.startswith("3 validation errors detected: Value '?' at '1.member'")
    assert three.value.message.count("; Value ") == 2
    assert (three.value.code, three.value.status) == ("ValidationException", 400)


def test_a_million_violations_are_not_all_reported() -> None:
    assert len(violations(CONVERSE.members["messages"], [None] * 1_000_000, "messages")) == 10


def test_shapes_that_hold_themselves_are_made_once() -> None:
    shape = operations()["CreateEvaluationJob"]._input.members["inferenceConfig"]
    for name in ("ragConfigs", "knowledgeBaseConfig", "retrieveConfig"):
        shape = (shape.member if shape.type_name == "list" else shape).members[name]
    shape = shape.members["knowledgeBaseRetrievalConfiguration"]
    shape = shape.members["vectorSearchConfiguration"].members["filter"]
    deeper = shape.members["andAll"].member.members["orAll"].member
    assert deeper.members is deeper.members["andAll"].member.members
