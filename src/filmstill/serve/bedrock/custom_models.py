"""Custom models: the students that distillation jobs made."""

from typing import Any

from filmstill.jobs.job import DISTILLATION, MODEL
from filmstill.registry import Resource
from filmstill.registry.deployments import DEPLOYMENT, PROVISIONED
from filmstill.registry.students import tidy_students
from filmstill.serve.bedrock.backend import Backend
from filmstill.serve.bedrock.customization import DISTILL, trained
from filmstill.serve.bedrock.errors import conflict
from filmstill.serve.bedrock.http import Handler
from filmstill.serve.bedrock.listing import listed

_SHOWN_OF_JOB = (
    "baseModelArn",
    "customizationType",
    "customizationConfig",
    "hyperParameters",
    "trainingDataConfig",
    "validationDataConfig",
    "outputDataConfig",
    "trainingMetrics",
)


def operations(backend: Backend) -> dict[str, Handler]:
    """What the operations on custom models do."""
    return {
        "GetCustomModel": lambda request: _get(backend, request),
        "ListCustomModels": lambda request: _list(backend, request),
        "DeleteCustomModel": lambda request: _delete(backend, request),
    }


def _get(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    item = backend.find(MODEL, request["modelIdentifier"])
    job = backend.registry.get(DISTILLATION, item.body["job"])
    made = trained(backend, job)
    return {
        **{key: made[key] for key in _SHOWN_OF_JOB},
        "modelArn": backend.arn(item),
        "modelName": item.name,
        "jobName": job.name,
        "jobArn": backend.arn(job),
        "modelKmsKeyArn": backend.key_arn(
            item.body["bedrock"]["request"].get("customModelKmsKeyId")
        ),
        "creationTime": item.created,
        "modelStatus": item.status,
    }


def _list(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    owned = request.get("isOwned", True)  # nothing here belongs to anybody else
    return listed(
        request,
        backend.all(MODEL) if owned else [],
        "modelSummaries",
        lambda item: _summary(backend, item),
        equals={
            "baseModelArnEquals": "baseModelArn",
            "foundationModelArnEquals": "baseModelArn",
            "modelStatus": "modelStatus",
        },
    )


def _summary(backend: Backend, item: Resource) -> dict[str, Any]:
    base = item.body["bedrock"]["base"]
    return {
        "modelArn": backend.arn(item),
        "modelName": item.name,
        "creationTime": item.created,
        "baseModelArn": backend.foundation_arn(base),
        "baseModelName": base.partition(":")[0],  # by its pattern, a name has no version
        "customizationType": DISTILL,
        "ownerAccountId": backend.account,
        "modelStatus": item.status,
    }


def _delete(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    registry = backend.registry
    with registry.transaction():
        item = backend.find(MODEL, request["modelIdentifier"])
        for kind in (DEPLOYMENT, PROVISIONED):
            for used in registry.all(kind):
                update = used.body.get("update") or {}
                coming = update.get("model") if update.get("status") == "Updating" else None
                if item.id in (used.body.get("model"), coming):
                    raise conflict(
                        f"The model {item.name} is in use by the {kind} {used.name}: delete that "
                        f"first."
                    )
        registry.remove(item)
        registry.set_tags(backend.arn(item), {})
    tidy_students(registry)
    return {}
