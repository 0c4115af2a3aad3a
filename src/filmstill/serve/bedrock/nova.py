"""The body of InvokeModel in the form of Amazon's Nova models."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from filmstill.serve.bedrock.conversation import Said, events
from filmstill.serve.bedrock.errors import ApiError, validation
from filmstill.serve.bedrock.operations import operations
from filmstill.serve.bedrock.shapes import parse_json

SCHEMA = "messages-v1"
_NAMES = {"max_new_tokens": "maxTokens", "top_p": "topP"}  # older names of two settings
_SETTINGS = ("maxTokens", "temperature", "topP", "stopSequences")


def converse_request(body: bytes) -> dict[str, Any]:
    """The Converse request that says the same as a Nova body; satisfies the same constraints.

    Raises:
        ApiError: the body is not one.
    """
    try:
        content = parse_json(body)
    except ApiError as error:
        raise _malformed(error.message) from error
    if content.get("schemaVersion", SCHEMA) != SCHEMA:
        raise _malformed(f"schemaVersion must be {SCHEMA}")
    if "messages" not in content:
        raise _malformed("messages is missing")
    given = content.get("inferenceConfig") or {}
    if not isinstance(given, Mapping):
        raise _malformed("inferenceConfig must be an object")
    settings = {_NAMES.get(key, key): value for key, value in given.items()}
    request = {
        "messages": content["messages"],
        "system": content.get("system") or [],
        "inferenceConfig": {key: settings[key] for key in _SETTINGS if key in settings},
        "toolConfig": content.get("toolConfig"),  # refused later, as Converse's is
    }
    try:
        return operations()["Converse"].read(
            {"modelId": "amazon.nova-micro-v1:0"}, {}, {}, json.dumps(request).encode()
        )
    except ApiError as error:
        raise _malformed(error.message) from error


def nova_response(said: Said) -> bytes:
    """The body of the response."""
    body = {
        "output": {"message": said.message},
        "stopReason": said.stop_reason,
        "usage": said.usage,
    }
    return json.dumps(body, ensure_ascii=False).encode()


def nova_chunks(said: Said) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of InvokeModelWithResponseStream: Converse's, each as a chunk of bytes."""
    for name, payload in events(said):
        content: dict[str, Any] = {name: payload}
        if name == "metadata":
            content["amazon-bedrock-invocationMetrics"] = {
                "inputTokenCount": said.tokens_in,
                "outputTokenCount": said.tokens_out,
                "invocationLatency": said.milliseconds,
                "firstByteLatency": said.milliseconds,
            }
        yield "chunk", {"bytes": json.dumps(content, ensure_ascii=False).encode()}


def _malformed(reason: str) -> ApiError:
    return validation(
        f"Malformed input request: {reason}, please reformat your input and try again."
    )
