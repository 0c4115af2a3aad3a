"""Tags of everything that has an ARN here."""

from typing import Any

from filmstill.serve.bedrock.backend import MAX_TAGS, Backend, as_dict
from filmstill.serve.bedrock.errors import ApiError
from filmstill.serve.bedrock.http import Handler


def operations(backend: Backend) -> dict[str, Handler]:
    """What the operations on tags do."""
    return {
        "TagResource": lambda request: _tag(backend, request),
        "UntagResource": lambda request: _untag(backend, request),
        "ListTagsForResource": lambda request: _list(backend, request),
    }


def _tag(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    arn, registry = request["resourceARN"], backend.registry
    backend.by_arn(arn)
    with registry.transaction():
        tags = {**registry.tags(arn), **as_dict(request["tags"])}
        if len(tags) > MAX_TAGS:
            raise ApiError(
                "TooManyTagsException",
                f"A resource can have {MAX_TAGS} tags, and this would be {len(tags)}.",
                resourceName=arn,
            )
        registry.set_tags(arn, tags)
    return {}


def _untag(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    arn, registry = request["resourceARN"], backend.registry
    backend.by_arn(arn)
    with registry.transaction():
        left = {
            key: value for key, value in registry.tags(arn).items() if key not in request["tagKeys"]
        }
        registry.set_tags(arn, left)
    return {}


def _list(backend: Backend, request: dict[str, Any]) -> dict[str, Any]:
    backend.by_arn(request["resourceARN"])
    tags = backend.registry.tags(request["resourceARN"])
    return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
