"""Custom model deployments: students under an ARN that Converse takes."""

from typing import Any

from filmstill.jobs.job import MODEL
from filmstill.registry import Resource
from filmstill.registry.deployments import DEPLOYMENT, begin_update
from filmstill.registry.students import tidy_students
from filmstill.serve.bedrock.backend import Backend
from filmstill.serve.bedrock.http import Handler
from filmstill.serve.bedrock.listing import listed

_IDENTIFIER = "customModelDeploymentIdentifier"


def operations(backend: Backend) -> dict[str, Handler]:
    """What the operations on deployments do."""
    return {
        "CreateCustomModelDeployment": lambda request: _create(backend, request),
        "GetCustomModelDeployment": lambda request: _get(backend, request),
        "ListCustomModelDeployments": lambda request: listed(
            request,
            backend.all(DEPLOYMENT),
            "modelDeploymentSummaries",
            lambda item: _summary(backend, item),
            after="createdAfter",
            before="createdBefore",
            equals={"statusEquals": "status", "modelArnEquals": "modelArn"},
        ),
        "UpdateCustomModelDeployment": lambda request: _update(backend, request),
        "DeleteCustomModelDeployment": lambda request: _delete(backend, request),
    }


def served_body(backend: Backend, identifier: str) -> dict[str, Any]:
    """What a deployment's body holds of the custom model that it serves.

    Raises:
        ApiError: there is no such model.
    """
    model = backend.find(MODEL, identifier)
    return {
        "student": model.body["student"],
        "source": model.body["source"],
        "model": model.id,
        "model_arn": backend.arn(model),
    }


def _create(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    with backend.registry.transaction():
        body = served_body(backend, request["modelArn"])
        made = backend.add(
            DEPLOYMENT,
            request["modelDeploymentName"],
            "Creating",
            body,
            request,
            request.get("tags", ()),
        )
    return {"customModelDeploymentArn": backend.arn(made)}


def _get(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    item = backend.find(DEPLOYMENT, request[_IDENTIFIER])
    update = item.body.get("update")
    return {
        "customModelDeploymentArn": backend.arn(item),
        "modelDeploymentName": item.name,
        "modelArn": item.body["model_arn"],
        "createdAt": item.created,
        "status": item.status,
        "description": item.body["bedrock"]["request"].get("description"),
        "updateDetails": update
        and {"modelArn": update["model_arn"], "updateStatus": update["status"]},
        "failureMessage": item.body.get("failure") or None,
        "lastUpdatedAt": item.modified,
    }


def _summary(backend: Backend, item: Resource) -> dict[str, Any]:
    return {
        "customModelDeploymentArn": backend.arn(item),
        "customModelDeploymentName": item.name,
        "modelArn": item.body["model_arn"],
        "createdAt": item.created,
        "status": item.status,
        "lastUpdatedAt": item.modified,
        "failureMessage": item.body.get("failure") or None,
    }


def _update(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    with backend.registry.transaction():
        item = backend.find(DEPLOYMENT, request[_IDENTIFIER])
        begin_update(backend.registry, item, served_body(backend, request["modelArn"]))
    return {"customModelDeploymentArn": backend.arn(item)}


def _delete(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    item = backend.find(DEPLOYMENT, request[_IDENTIFIER])
    backend.registry.remove(item)
    backend.registry.set_tags(backend.arn(item), {})
    backend.changed()
    tidy_students(backend.registry)
    return {}
