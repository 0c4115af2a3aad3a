"""Deployments and provisioned throughput: both ways to serve a custom model."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from filmstill.registry.deployments import DEPLOYMENT, PROVISIONED, settle_all
from filmstill.registry.students import student_folder

from .worlds import ARN, BASE, Cloud, Still, World, pages, refused, text_of, until

QUERY = "red car"


def test_the_life_of_a_deployment(cloud: Cloud, still: Still) -> None:
    other = cloud.copy("another", still.other)
    arn = cloud.deploy("life", cloud.model, description="the first")
    shown = until(lambda: (now := cloud.deployment(arn))["status"] == "Active" and now)
    assert arn.startswith(f"{ARN}:custom-model-deployment/")
    created, updated = shown.pop("createdAt"), shown.pop("lastUpdatedAt")
    assert created.utcoffset() is not None
    assert created < updated < datetime.now(UTC)
    del shown["ResponseMetadata"]
    assert shown == {
        "customModelDeploymentArn": arn,
        "modelDeploymentName": "life",
        "modelArn": cloud.model,
        "status": "Active",
        "description": "the first",
    }
    first = text_of(cloud.say(arn, QUERY))

    answer = cloud.bedrock.update_custom_model_deployment(
        customModelDeploymentIdentifier="life", modelArn=other
    )
    assert answer["customModelDeploymentArn"] == arn
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    done = {"modelArn": other, "updateStatus": "UpdateCompleted"}
    until(lambda: cloud.deployment(arn)["updateDetails"] == done)
    assert cloud.deployment(arn)["modelArn"] == other
    until(lambda: text_of(cloud.say(arn, QUERY)) != first)

    with refused("ConflictException", "another is in use by the deployment life"):
        cloud.bedrock.delete_custom_model(modelIdentifier=other)
    cloud.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=arn)
    cloud.bedrock.delete_custom_model(modelIdentifier=other)
    with refused("ResourceNotFoundException", "Could not find custom model deployment"):
        cloud.say(arn, QUERY)
    with refused("ResourceNotFoundException"):
        cloud.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier="life")
    assert cloud.deployed("life", cloud.model) != arn


def test_the_statuses_of_a_deployment(still: Still) -> None:
    first, second = still.model("one"), still.model("two", folder=still.other)
    arn = still.deploy("d", first)
    assert still.deployment(arn)["status"] == "Creating"
    assert "updateDetails" not in still.deployment(arn)
    with refused("ModelNotReadyException", "d is Creating"):
        still.say(arn, QUERY)
    settle_all(still.registry)
    assert still.deployment(arn)["status"] == "Active"
    before = text_of(still.say(arn, QUERY))  # though nothing told the server to load it

    still.bedrock.update_custom_model_deployment(
        customModelDeploymentIdentifier=arn, modelArn=second
    )
    shown = still.deployment(arn)
    assert shown["updateDetails"] == {"modelArn": second, "updateStatus": "Updating"}
    assert (shown["status"], shown["modelArn"]) == ("Active", first)
    assert text_of(still.say(arn, QUERY)) == before
    still.settle()
    assert still.deployment(arn)["modelArn"] == second
    assert text_of(still.say(arn, QUERY)) != before


def damage(still: Still, kind: str, name: str) -> None:
    item = still.registry.get(kind, name)
    wanted = (item.body.get("update") or item.body)["student"]
    (student_folder(still.registry, wanted) / "manifest.json").write_text("{}")


def test_a_deployment_that_fails(still: Still) -> None:
    arn = still.deploy("d", still.model("one"))
    damage(still, DEPLOYMENT, "d")
    still.settle()
    shown = still.deployment(arn)
    assert shown["status"] == "Failed"
    assert "manifest" in shown["failureMessage"]
    [summary] = pages(still, "list_custom_model_deployments")
    assert summary["failureMessage"] == shown["failureMessage"]
    # Not ModelNotReadyException, after which clients would go on trying.
    with refused("ValidationException", "d has failed and answers nothing: .*manifest"):
        still.say(arn, QUERY)


def test_an_update_that_fails_leaves_what_was_served(still: Still) -> None:
    first, second = still.model("one"), still.model("two", folder=still.other)
    arn = still.deploy("d", first)
    still.settle()
    before = text_of(still.say(arn, QUERY))
    still.bedrock.update_custom_model_deployment(
        customModelDeploymentIdentifier=arn, modelArn=second
    )
    damage(still, DEPLOYMENT, "d")
    still.settle()
    shown = still.deployment(arn)
    assert shown["updateDetails"] == {"modelArn": second, "updateStatus": "UpdateFailed"}
    assert (shown["status"], shown["modelArn"]) == ("Active", first)
    assert "manifest" in shown["failureMessage"]
    assert text_of(still.say(arn, QUERY)) == before


def test_what_a_deployment_cannot_be_made_of(still: Still) -> None:
    model = still.model("one")
    still.deploy("d", model)
    before = still.snapshot()
    for unknown in (
        f"{ARN}:custom-model/{BASE}/abcdefghijkl",
        model.replace("us-east-1", "eu-west-1"),
        model.replace("123456789012", "210987654321"),
        model.replace("nova-micro", "nova-lite"),
    ):
        with refused("ResourceNotFoundException", "Could not find custom model"):
            still.deploy("new", unknown)
        with refused("ResourceNotFoundException", "Could not find custom model"):
            still.bedrock.update_custom_model_deployment(
                customModelDeploymentIdentifier="d", modelArn=unknown
            )
    for no_model in (
        "a-custom-model-by-its-name",
        still.deployment("d")["customModelDeploymentArn"],
    ):
        with refused("ValidationException", "'modelArn' failed to satisfy"):
            still.deploy("new", no_model)
    # The operation declares no ConflictException.
    with refused("ValidationException", "name d is already in use by another custom model depl"):
        still.deploy("d", model)
    with refused("ValidationException", "Duplicate tag key: a"):
        still.deploy("new", model, tags=[{"key": "a", "value": ""}, {"key": "a", "value": "b"}])
    assert still.snapshot() == before


@pytest.mark.parametrize("make", ["deploy", "provision"])
def test_the_same_token_makes_one(still: Still, make: str) -> None:
    model, other = still.model("one"), still.model("two")
    create = getattr(still, make)
    arn = create("d", model, clientRequestToken="token", tags=[{"key": "a", "value": "1"}])
    before = still.snapshot()
    same = {"clientRequestToken": "token", "tags": [{"key": "a", "value": "1"}]}
    assert create("d", model, **same) == arn
    for changed in ({"model": other}, {"name": "e"}, {"tags": []}):
        given = {"name": "d", "model": model, **same, **changed}
        with refused("ValidationException", "clientRequestToken was used for another request"):
            create(**given)
    assert still.snapshot() == before


def test_deployments_that_are_not_there(still: Still) -> None:
    arn = still.deploy("d", still.model("one"))
    item = arn.rpartition("/")[2]
    still.deploy(f"{item}-2", still.model("two"))
    for unknown in (
        "nobody",
        item,
        arn.replace(item, "abcdefghijkl"),
        arn.replace("us-east-1", "us-west-2"),
        arn.replace("123456789012", "210987654321"),
    ):
        for operation in ("get", "delete"):
            with refused("ResourceNotFoundException", "Could not find custom model deployment"):
                getattr(still.bedrock, f"{operation}_custom_model_deployment")(
                    customModelDeploymentIdentifier=unknown
                )
        if unknown.startswith("arn:"):
            with refused("ResourceNotFoundException", "Could not find custom model deployment"):
                still.say(unknown, QUERY)
    assert len(pages(still, "list_custom_model_deployments")) == 2


def test_one_that_is_called_by_the_id_of_another(still: Still) -> None:
    model = still.model("one")
    first = still.deploy("first", model)
    name = first.rpartition("/")[2]
    second = still.deploy(name, model)
    assert still.deployment(name)["customModelDeploymentArn"] == second
    assert still.deployment(first)["modelDeploymentName"] == "first"
    still.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=name)
    assert still.deployment(first)["modelDeploymentName"] == "first"


@pytest.mark.parametrize("make", ["deploy", "provision"])
def test_one_that_is_called_by_the_id_of_another_answers(still: Still, make: str) -> None:
    create = getattr(still, make)
    first = create("first", still.model("one"))
    second = create(first.rpartition("/")[2], still.model("two", folder=still.other))
    still.settle()
    assert text_of(still.say(first, QUERY)) != text_of(still.say(second, QUERY))


def test_what_was_deployed_without_bedrock_has_no_arn(still: Still) -> None:
    still.registry.add(DEPLOYMENT, "native", "Active", {"student": "x"})
    item = still.registry.get(DEPLOYMENT, "native")
    for identifier in ("native", f"{ARN}:custom-model-deployment/{item.id}"):
        with refused("ResourceNotFoundException"):
            still.deployment(identifier)
    assert pages(still, "list_custom_model_deployments") == []
    with refused("ValidationException", "name native is already in use"):
        still.deploy("native", still.model("one"))


# Provisioned throughput


def provisioned(still: World, identifier: str) -> dict[str, Any]:
    shown: dict[str, Any] = still.bedrock.get_provisioned_model_throughput(
        provisionedModelId=identifier
    )
    del shown["ResponseMetadata"]
    return shown


def test_the_life_of_provisioned_throughput(still: Still) -> None:
    first, second = still.model("one"), still.model("two", folder=still.other)
    arn = still.provision("p", first, commitmentDuration="OneMonth")
    assert arn.startswith(f"{ARN}:provisioned-model/")
    shown = provisioned(still, arn)
    created, modified = shown.pop("creationTime"), shown.pop("lastModifiedTime")
    assert created == modified
    assert created.utcoffset() is not None
    assert shown == {
        "provisionedModelName": "p",
        "provisionedModelArn": arn,
        "modelArn": first,
        "desiredModelArn": first,
        "foundationModelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{BASE}",
        "modelUnits": 1,
        "desiredModelUnits": 1,
        "status": "Creating",
        "commitmentDuration": "OneMonth",
        "commitmentExpirationTime": created + timedelta(days=30),
    }
    with refused("ModelNotReadyException", "p is Creating"):
        still.say(arn, QUERY)
    still.settle()
    assert provisioned(still, "p")["status"] == "InService"
    before = text_of(still.say(arn, QUERY))

    still.bedrock.update_provisioned_model_throughput(
        provisionedModelId="p", desiredProvisionedModelName="q", desiredModelId="two"
    )
    with refused("ResourceNotFoundException", "Could not find provisioned model p"):
        provisioned(still, "p")
    shown = provisioned(still, "q")
    assert shown["provisionedModelArn"] == arn
    assert (shown["status"], shown["modelArn"]) == ("Updating", first)
    assert shown["desiredModelArn"] == second
    [summary] = still.bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"]
    assert summary == shown
    assert text_of(still.say(arn, QUERY)) == before  # it goes on meanwhile
    still.settle()
    shown = provisioned(still, "q")
    assert (shown["status"], shown["modelArn"], shown["desiredModelArn"]) == (
        "InService",
        second,
        second,
    )
    assert shown["lastModifiedTime"] > created
    assert text_of(still.say(arn, QUERY)) != before


def test_a_commitment_is_kept(still: Still) -> None:
    model = still.model("one")
    still.provision("hourly", model)
    still.bedrock.delete_provisioned_model_throughput(provisionedModelId="hourly")
    for name, term, days in (("month", "OneMonth", 30), ("six", "SixMonths", 180)):
        arn = still.provision(name, model, commitmentDuration=term)
        for identifier in (name, arn):
            with refused("ConflictException", f"{name} has a commitment and cannot be deleted"):
                still.bedrock.delete_provisioned_model_throughput(provisionedModelId=identifier)
        still.registry._database.execute(
            "UPDATE resources SET created = created - ? WHERE kind = ?",
            (days * 86_400, PROVISIONED),
        )
        still.bedrock.delete_provisioned_model_throughput(provisionedModelId=name)
        with refused("ResourceNotFoundException"):
            provisioned(still, arn)


def test_provisioned_throughput_is_refused(still: Still) -> None:
    model = still.model("one")
    arn = still.provision("p", model)
    still.provision("q", model)
    before = still.snapshot()
    update = still.bedrock.update_provisioned_model_throughput
    with refused("ValidationException", "name p is already in use by another provisioned model"):
        still.provision("p", model)
    with refused("ValidationException", "name q is already in use by another provisioned model"):
        update(provisionedModelId="p", desiredProvisionedModelName="q")
    with refused("ResourceNotFoundException", "Could not find custom model nobody"):
        # not even the name is changed
        update(provisionedModelId="p", desiredProvisionedModelName="r", desiredModelId="nobody")
    for unknown in ("nobody", arn[-12:], arn.replace("us-east-1", "eu-west-1")):
        for operation in ("get", "delete"):
            with refused("ResourceNotFoundException", "Could not find provisioned model"):
                getattr(still.bedrock, f"{operation}_provisioned_model_throughput")(
                    provisionedModelId=unknown
                )
        with refused("ResourceNotFoundException", "Could not find provisioned model"):
            update(provisionedModelId=unknown, desiredProvisionedModelName="r")
    with refused("ResourceNotFoundException", "Could not find custom model"):
        still.provision("new", BASE)
    assert still.snapshot() == before
    update(provisionedModelId="p", desiredProvisionedModelName="p")  # as it is called already


def test_provisioned_throughput_that_fails(still: Still) -> None:
    arn = still.provision("p", still.model("one"))
    damage(still, PROVISIONED, "p")
    still.settle()
    shown = provisioned(still, "p")
    assert shown["status"] == "Failed"
    assert "manifest" in shown["failureMessage"]
    with refused("ValidationException", "p has failed"):
        still.say(arn, QUERY)


def test_both_ways_side_by_side(cloud: Cloud) -> None:
    """One name for both, on the whole server."""
    arn = cloud.deployed("both", cloud.model)
    other = cloud.provision("both", cloud.model)
    until(lambda: provisioned(cloud, other)["status"] == "InService")
    assert text_of(cloud.say(arn, QUERY)) == text_of(cloud.say(other, QUERY))
    cloud.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=arn)
    assert text_of(cloud.say(other, QUERY))
    cloud.bedrock.delete_provisioned_model_throughput(provisionedModelId=other)
