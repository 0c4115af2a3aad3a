"""Model customization jobs: here, distillations that really run."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

from filmstill.config import DistillConfig
from filmstill.errors import InputError, TakenNameError
from filmstill.jobs.job import (
    COMPLETED,
    DATA_PROCESSING,
    DISTILLATION,
    IN_PROGRESS,
    MODEL,
    STOPPING,
    TRAINING,
    VALIDATION,
    Job,
    check_model_name,
    job_of,
    new_body,
)
from filmstill.jobs.order import Distillation
from filmstill.jobs.recipes import Recipe, model_id
from filmstill.jobs.runner import stop
from filmstill.registry import Resource, new_id
from filmstill.serve.bedrock.backend import Backend, as_dict, taken
from filmstill.serve.bedrock.errors import ApiError, conflict, not_found, validation
from filmstill.serve.bedrock.http import Handler
from filmstill.serve.bedrock.listing import listed

LEAST, MOST = 100, 15_000
"""How many prompts a distillation takes."""
DISTILL = "DISTILLATION"

_PARAMETERS = {"epochCount": "epochs", "batchSize": "batch_size", "learningRate": "learning_rate"}
"""Hyperparameters of Bedrock, and the settings of a student that they are."""
_DETAILS = {
    "validationDetails": VALIDATION,
    "dataProcessingDetails": DATA_PROCESSING,
    "trainingDetails": TRAINING,
}
_ECHOED = ("roleArn", "trainingDataConfig", "outputDataConfig", "customizationConfig", "vpcConfig")
_DECIMALS = 4


def operations(backend: Backend) -> dict[str, Handler]:
    """What the operations on customization jobs do."""
    return {
        "CreateModelCustomizationJob": lambda request: _create(backend, request),
        "GetModelCustomizationJob": lambda request: _get(backend, request),
        "ListModelCustomizationJobs": lambda request: listed(
            request,
            backend.all(DISTILLATION),
            "modelCustomizationJobSummaries",
            lambda item: _summary(backend, item),
            equals={"statusEquals": "status"},
        ),
        "StopModelCustomizationJob": lambda request: _stop(backend, request),
    }


def trained(backend: Backend, item: Resource) -> dict[str, Any]:
    """What a job and the model that it made have both to show of how it was made."""
    request = item.body["bedrock"]["request"]
    shown = {key: request.get(key) for key in _ECHOED}
    return {
        **shown,
        "baseModelArn": backend.foundation_arn(item.body["bedrock"]["base"]),
        "customizationType": DISTILL,
        "hyperParameters": item.body["bedrock"]["hyperParameters"],
        "validationDataConfig": request.get("validationDataConfig", {"validators": []}),
        "trainingMetrics": _training_metrics(item.body.get("metrics", {})),
    }


def _create(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    recipe = _recipe(backend, request)
    settings, parameters = _settings(recipe, request.get("hyperParameters", {}))
    order = Distillation(
        training="",
        model=request["customModelName"],
        model_id=new_id(),
        task=backend.task,
        settings=settings,
        teacher=backend.teacher,
        output=request["outputDataConfig"]["s3Uri"],
        least=LEAST,
        most=MOST,
        places=backend.places,
    )
    registry = backend.registry
    with registry.transaction():
        token = request.get("clientRequestToken")
        known = token is not None and registry.by_token(DISTILLATION, token) is not None
        if not known:
            try:
                check_model_name(registry, request["customModelName"])
            except TakenNameError as error:
                raise taken(MODEL, request["customModelName"]) from error
        made = backend.add(
            DISTILLATION,
            request["jobName"],
            IN_PROGRESS,
            new_body({**asdict(order), **_training(request)}),
            request,
            request.get("jobTags", ()),
            base=recipe.model,
            hyperParameters=parameters,
        )
        if not known and request.get("customModelTags"):
            registry.set_tags(_model_arn(backend, made), as_dict(request["customModelTags"]))
    return {"jobArn": backend.arn(made)}


def _get(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    item = backend.find(DISTILLATION, request["jobIdentifier"])
    job, asked = job_of(item), item.body["bedrock"]["request"]
    return {
        **trained(backend, item),
        "jobArn": backend.arn(item),
        "jobName": item.name,
        "outputModelName": asked["customModelName"],
        "outputModelArn": _model_arn(backend, item) if job.status == COMPLETED else None,
        "clientRequestToken": item.token,
        "outputModelKmsKeyArn": backend.key_arn(asked.get("customModelKmsKeyId")),
        "status": job.status,
        "statusDetails": _status_details(job),
        "failureMessage": job.failure[:2048] or None,
        "creationTime": job.created,
        "lastModifiedTime": job.modified,
        "endTime": job.ended,
    }


def _summary(backend: Backend, item: Resource) -> dict[str, Any]:
    job = job_of(item)
    done = job.status == COMPLETED
    return {
        "jobArn": backend.arn(item),
        "baseModelArn": backend.foundation_arn(item.body["bedrock"]["base"]),
        "jobName": item.name,
        "status": job.status,
        "statusDetails": _status_details(job),
        "lastModifiedTime": job.modified,
        "creationTime": job.created,
        "endTime": job.ended,
        "customModelArn": _model_arn(backend, item) if done else None,
        "customModelName": item.body["bedrock"]["request"]["customModelName"],
        "customizationType": DISTILL,
    }


def _stop(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    item = backend.find(DISTILLATION, request["jobIdentifier"])
    try:
        stop(backend.registry, job_of(item))
    except InputError as error:
        raise conflict(str(error)) from error
    return {}


def _recipe(backend: Backend, request: Mapping[str, Any]) -> Recipe:
    if request.get("customizationType") != DISTILL:
        raise validation(
            f"This server distils and does nothing else: customizationType must be {DISTILL}."
        )
    config = request.get("customizationConfig", {}).get("distillationConfig")
    if config is None:
        raise validation("A distillation needs customizationConfig.distillationConfig.")
    base = model_id(request["baseModelIdentifier"])
    recipe = backend.recipes.by_model.get(base)
    if recipe is None:
        known = ", ".join(backend.recipes.by_model)
        raise validation(
            f"The provided model identifier is invalid: {request['baseModelIdentifier']} has no "
            f"recipe. There are recipes for {known}; --recipes adds others."
        )
    teacher = model_id(config["teacherModelConfig"]["teacherModelIdentifier"])
    retired = backend.recipes.retired.get(teacher)
    if retired is not None and retired <= datetime.now(UTC).date():
        raise _end_of_life(teacher, retired)
    if teacher not in recipe.teachers:
        raise validation(
            f"The teacher model {teacher} cannot teach {recipe.model}; "
            f"{', '.join(recipe.teachers)} can."
        )
    return recipe


def _end_of_life(model: str, day: date) -> ApiError:
    return not_found(f"This model version has reached the end of its life: {model}, on {day}.")


def _settings(recipe: Recipe, given: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings of the student, and the hyperparameters as they are shown."""
    settings = dict(recipe.settings)
    defaults = DistillConfig()
    for name, text in given.items():
        setting = _PARAMETERS.get(name)
        if setting is None:
            raise validation(
                f"Unknown hyperparameter {name}; a distillation knows {', '.join(_PARAMETERS)}."
            )
        try:
            settings[setting] = type(getattr(defaults, setting))(text)
            DistillConfig(**settings)
        except (ValueError, InputError) as error:
            raise validation(f"The hyperparameter {name} cannot be {text!r}: {error}.") from error
    config = DistillConfig(**settings)
    shown = {name: getattr(config, setting) for name, setting in _PARAMETERS.items()}
    # The number of epochs follows the number of examples where none is given.
    return settings, {name: str(value) for name, value in shown.items() if value}


def _training(request: Mapping[str, Any]) -> dict[str, Any]:
    """Where the training data is: a file, or logs of invocations."""
    data = request["trainingDataConfig"]
    logs = data.get("invocationLogsConfig")
    if (logs is None) == ("s3Uri" not in data):
        raise validation("trainingDataConfig must have either s3Uri or invocationLogsConfig.")
    if logs is None:
        return {"training": data["s3Uri"]}
    config = request["customizationConfig"]["distillationConfig"]["teacherModelConfig"]
    return {
        "training": logs["invocationLogSource"]["s3Uri"],
        "logs": True,
        "responses_of": config["teacherModelIdentifier"] if logs.get("usePromptResponse") else "",
        "filters": logs.get("requestMetadataFilters", {}),
    }


def _model_arn(backend: Backend, item: Resource) -> str:
    base, name = item.body["bedrock"]["base"], item.body["order"]["model_id"]
    return backend.arn_of(MODEL, f"{base}/{name}")


def _status_details(job: Job) -> dict[str, Any]:
    stopping = job.status == STOPPING
    return {
        member: {
            "status": STOPPING if stopping and phase.status == IN_PROGRESS else phase.status,
            "creationTime": phase.created,
            "lastModifiedTime": phase.modified,
        }
        for member, name in _DETAILS.items()
        for phase in (job.phases[name],)
    }


def _training_metrics(metrics: Mapping[str, Any]) -> dict[str, float] | None:
    history = metrics.get("training")
    return {"trainingLoss": round(history[-1]["loss"], _DECIMALS)} if history else None
