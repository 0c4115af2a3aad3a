"""Evaluation jobs: responses are really rated, by the rubric or by a language model."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filmstill.errors import InputError
from filmstill.jobs.evaluation import Dataset, Evaluation
from filmstill.jobs.job import EVALUATION, IN_PROGRESS, UNFINISHED, Job, job_of, new_body
from filmstill.jobs.rating import BUILTIN, Metric
from filmstill.jobs.runner import delete, stop
from filmstill.registry import Resource
from filmstill.registry.deployments import PROVISIONED
from filmstill.registry.students import student_folder
from filmstill.serve.bedrock.backend import Backend
from filmstill.serve.bedrock.errors import ApiError, access_denied, conflict, validation
from filmstill.serve.bedrock.http import Handler
from filmstill.serve.bedrock.listing import listed

MODELS = "ModelEvaluation"

_ECHOED = (
    "jobDescription",
    "roleArn",
    "customerEncryptionKeyId",
    "evaluationConfig",
    "inferenceConfig",
    "outputDataConfig",
)


def operations(backend: Backend) -> dict[str, Handler]:
    """What the operations on evaluation jobs do."""
    return {
        "CreateEvaluationJob": lambda request: _create(backend, request),
        "GetEvaluationJob": lambda request: _get(backend, request),
        "ListEvaluationJobs": lambda request: listed(
            request,
            backend.all(EVALUATION),
            "jobSummaries",
            lambda item: _summary(backend, item),
            equals={"statusEquals": "status", "applicationTypeEquals": "applicationType"},
        ),
        "StopEvaluationJob": lambda request: _stop(backend, request),
        "BatchDeleteEvaluationJob": lambda request: _delete(backend, request),
    }


def _create(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    automated = request["evaluationConfig"].get("automated")
    models = request["inferenceConfig"].get("models")
    of_models = request.get("applicationType", MODELS) == MODELS
    if automated is None or models is None or len(models) != 1 or not of_models:
        raise validation(
            "This server runs automated evaluations of one model: give evaluationConfig.automated "
            "and one entry of inferenceConfig.models."
        )
    responder, router = _responder(backend, models[0])
    metrics = _metrics(automated)
    order = Evaluation(
        name=request["jobName"],
        datasets=tuple(_dataset(config, metrics) for config in automated["datasetMetricConfigs"]),
        metrics=tuple(metrics.values()),
        judge=backend.judge,
        responder=responder,
        router=router,
        output=request["outputDataConfig"]["s3Uri"],
        task=backend.task,
        places=backend.places,
    )
    made = backend.add(
        EVALUATION,
        request["jobName"],
        IN_PROGRESS,
        # Named, so that the student stays until the job has ended.
        {**new_body(asdict(order)), "student": Path(router).name},
        request,
        request.get("jobTags", ()),
    )
    return {"jobArn": backend.arn(made)}


def _get(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    item = backend.find(EVALUATION, request["jobIdentifier"])
    job, asked = job_of(item), item.body["bedrock"]["request"]
    return {
        **{key: asked.get(key) for key in _ECHOED},
        "jobName": item.name,
        "jobArn": backend.arn(item),
        "status": job.status,
        "jobType": "Automated",
        "applicationType": _application(item),
        "creationTime": job.created,
        "lastModifiedTime": job.modified,
        "failureMessages": [job.failure[:2048]] if job.failure else None,
    }


def _summary(backend: Backend, item: Resource) -> dict[str, Any]:
    job: Job = job_of(item)
    request = item.body["bedrock"]["request"]
    automated = request["evaluationConfig"]["automated"]
    ((_, named),) = request["inferenceConfig"]["models"][0].items()
    model, source = named.get("modelIdentifier"), named.get("inferenceSourceIdentifier")
    models, sources = [model] if model else None, [source] if source else None
    custom = automated.get("customMetricConfig", {}).get("evaluatorModelConfig")
    return {
        "jobArn": backend.arn(item),
        "jobName": item.name,
        "status": job.status,
        "creationTime": job.created,
        "jobType": "Automated",
        "evaluationTaskTypes": [config["taskType"] for config in automated["datasetMetricConfigs"]],
        "modelIdentifiers": models,
        "inferenceConfigSummary": {
            "modelConfigSummary": {
                "bedrockModelIdentifiers": models,
                "precomputedInferenceSourceIdentifiers": sources,
            }
        },
        "evaluatorModelIdentifiers": _identifiers(automated.get("evaluatorModelConfig")),
        "customMetricsEvaluatorModelIdentifiers": _identifiers(custom),
        "applicationType": _application(item),
    }


def _stop(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    item = backend.find(EVALUATION, request["jobIdentifier"])
    try:
        stop(backend.registry, job_of(item))
    except InputError as error:
        raise conflict(str(error)) from error
    return {}


def _delete(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    deleted, errors = [], []
    for identifier in request["jobIdentifiers"]:
        try:
            item = backend.find(EVALUATION, identifier)
            if item.status in UNFINISHED:
                raise conflict(f"The evaluation job {item.name} is {item.status}: stop it first.")
        except ApiError as error:
            errors.append(
                {"jobIdentifier": identifier, "code": error.code, "message": error.message}
            )
            continue
        delete(backend.registry, job_of(item))
        backend.registry.set_tags(backend.arn(item), {})
        deleted.append({"jobIdentifier": identifier, "jobStatus": "Deleting"})
    return {"errors": errors, "evaluationJobs": deleted}


def _responder(backend: Backend, model: Mapping[str, Any]) -> tuple[str, str]:
    """Who answers the prompts, as the results name it, and the address of the router."""
    if "precomputedInferenceSource" in model:
        return model["precomputedInferenceSource"]["inferenceSourceIdentifier"], ""
    identifier = model["bedrockModel"]["modelIdentifier"]
    if ":provisioned-model/" in identifier:
        item = backend.find(PROVISIONED, identifier)
        return item.id, str(student_folder(backend.registry, item.body["student"]))
    if not backend.base_model:
        raise access_denied(no_base_model(identifier))
    return identifier.rpartition("/")[2], backend.base_model


def no_base_model(identifier: str) -> str:
    """Why a base model is not answered for."""
    return (
        f"You don't have access to the model {identifier}: this server has distilled students "
        f"only. Deploy one and use its ARN, or start the server with --base-model openai:MODEL to "
        f"let an OpenAI-compatible server answer for base models."
    )


def _metrics(automated: Mapping[str, Any]) -> dict[str, Metric]:
    """The custom metrics by name."""
    found = {}
    for entry in automated.get("customMetricConfig", {}).get("customMetrics", ()):
        given = entry["customMetricDefinition"]
        if given["name"] in found:
            raise validation(f"customMetricConfig defines {given['name']} twice.")
        scale = []
        for step in given.get("ratingScale", ()):
            ((_, value),) = step["value"].items()
            scale.append((value, step["definition"]))
        if len({type(value) for value, _ in scale}) > 1:
            raise validation(f"The rating scale of {given['name']} mixes texts and numbers.")
        found[given["name"]] = Metric(given["name"], given["instructions"], tuple(scale))
    return found


def _dataset(config: Mapping[str, Any], metrics: Mapping[str, Metric]) -> Dataset:
    unknown = [
        name
        for name in config["metricNames"]
        if name not in metrics and not name.startswith(BUILTIN)
    ]
    if unknown:
        raise validation(
            f"metricNames has {', '.join(unknown)}, which customMetricConfig does not define."
        )
    location = config["dataset"].get("datasetLocation", {}).get("s3Uri")
    if location is None:
        raise validation(f"The data set {config['dataset']['name']} needs a datasetLocation.")
    return Dataset(
        config["dataset"]["name"], location, config["taskType"], tuple(config["metricNames"])
    )


def _application(item: Resource) -> str:
    return str(item.body["bedrock"]["request"].get("applicationType", MODELS))


def _identifiers(config: Mapping[str, Any] | None) -> list[str] | None:
    if not config:
        return None
    return [model["modelIdentifier"] for model in config["bedrockEvaluatorModels"]]
