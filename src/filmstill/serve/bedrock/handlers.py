"""Bedrock's API, put together."""

from filmstill.models import ChatModel
from filmstill.serve.bedrock import (
    custom_models,
    customization,
    deployments,
    evaluations,
    provisioned,
    tags,
)
from filmstill.serve.bedrock.backend import Backend
from filmstill.serve.bedrock.http import BedrockApp
from filmstill.serve.bedrock.runtime import Runtime
from filmstill.serve.students import Students


def bedrock_app(backend: Backend, students: Students, base: ChatModel | None = None) -> BedrockApp:
    """Bedrock's API over a registry.

    Args:
        backend: the registry and the settings.
        students: what is served.
        base: the language model that answers for base models; None refuses to.
    """
    handlers = Runtime(backend, students, base).operations()
    for part in (customization, custom_models, deployments, provisioned, evaluations, tags):
        handlers |= part.operations(backend)
    return BedrockApp(handlers, backend.region)
