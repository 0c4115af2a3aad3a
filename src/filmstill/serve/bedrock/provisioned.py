"""Provisioned throughput: the other way to serve a custom model, with a status of its own."""

from datetime import UTC, datetime, timedelta
from typing import Any

from filmstill.errors import TakenNameError
from filmstill.registry import Resource
from filmstill.registry.deployments import PROVISIONED, begin_update
from filmstill.registry.students import tidy_students
from filmstill.serve.bedrock.backend import Backend, taken
from filmstill.serve.bedrock.deployments import served_body
from filmstill.serve.bedrock.errors import conflict
from filmstill.serve.bedrock.http import Handler
from filmstill.serve.bedrock.listing import listed

_TERMS = {"OneMonth": timedelta(days=30), "SixMonths": timedelta(days=180)}


def operations(backend: Backend) -> dict[str, Handler]:
    """What the operations on provisioned throughput do."""
    return {
        "CreateProvisionedModelThroughput": lambda request: _create(backend, request),
        "GetProvisionedModelThroughput": lambda request: _shown(
            backend, backend.find(PROVISIONED, request["provisionedModelId"])
        ),
        "ListProvisionedModelThroughputs": lambda request: listed(
            request,
            backend.all(PROVISIONED),
            "provisionedModelSummaries",
            lambda item: _summary(backend, item),
            equals={"statusEquals": "status", "modelArnEquals": "modelArn"},
        ),
        "UpdateProvisionedModelThroughput": lambda request: _update(backend, request),
        "DeleteProvisionedModelThroughput": lambda request: _delete(backend, request),
    }


def _create(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    with backend.registry.transaction():
        made = backend.add(
            PROVISIONED,
            request["provisionedModelName"],
            "Creating",
            served_body(backend, request["modelId"]),
            request,
            request.get("tags", ()),
        )
    return {"provisionedModelArn": backend.arn(made)}


def _shown(backend: Backend, item: Resource) -> dict[str, Any]:
    return {**_summary(backend, item), "failureMessage": item.body.get("failure") or None}


def _summary(backend: Backend, item: Resource) -> dict[str, Any]:
    request, update = item.body["bedrock"]["request"], item.body.get("update") or {}
    updating = update.get("status") == "Updating"
    model_arn = item.body["model_arn"]
    base = model_arn.split("/")[1]
    return {
        "provisionedModelName": item.name,
        "provisionedModelArn": backend.arn(item),
        "modelArn": model_arn,
        "desiredModelArn": update["model_arn"] if updating else model_arn,
        "foundationModelArn": backend.foundation_arn(base),
        "modelUnits": request["modelUnits"],
        "desiredModelUnits": request["modelUnits"],
        "status": "Updating" if updating else item.status,
        "commitmentDuration": request.get("commitmentDuration"),
        "commitmentExpirationTime": _end_of_term(item),
        "creationTime": item.created,
        "lastModifiedTime": item.modified,
    }


def _end_of_term(item: Resource) -> datetime | None:
    term = item.body["bedrock"]["request"].get("commitmentDuration")
    return item.created + _TERMS[term] if term else None


def _update(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    registry = backend.registry
    with registry.transaction():
        item = backend.find(PROVISIONED, request["provisionedModelId"])
        name = request.get("desiredProvisionedModelName")
        if name is not None:
            try:
                item = registry.change(item, name=name)
            except TakenNameError as error:
                raise taken(PROVISIONED, name) from error
        if "desiredModelId" in request:
            begin_update(registry, item, served_body(backend, request["desiredModelId"]))
    return {}


def _delete(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    item = backend.find(PROVISIONED, request["provisionedModelId"])
    end = _end_of_term(item)
    if end is not None and datetime.now(UTC) < end:
        raise conflict(
            f"{item.name} has a commitment and cannot be deleted before {end:%F %T} UTC."
        )
    backend.registry.remove(item)
    backend.registry.set_tags(backend.arn(item), {})
    backend.changed()
    tidy_students(backend.registry)
    return {}
