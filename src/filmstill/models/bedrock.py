"""Models on Amazon Bedrock, asked through Converse."""

import json
import os
from collections.abc import Mapping
from typing import Any

from filmstill.errors import RoutingError, ServiceError, require
from filmstill.models.chat import (
    BEDROCK,
    CONNECTIONS,
    TIMEOUT_S,
    ChatModel,
    Completion,
    Prompt,
)

ATTEMPTS = 5
_TOOL = "answer"
_FATAL = {
    "AccessDeniedException": "access is denied; the identity needs bedrock:InvokeModel",
    "ExpiredTokenException": "the credentials have expired; sign in again",
    "ResourceNotFoundException": "there is no such model or deployment in this region",
    "UnrecognizedClientException": "the credentials are not valid",
}


class BedrockModel(ChatModel):
    """A foundation model, an inference profile or a deployment."""

    def __init__(
        self, model: str, *, timeout_s: float = TIMEOUT_S, connections: int = CONNECTIONS
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            model: a model id, an inference profile's id or ARN, or a deployment's ARN.
            timeout_s: seconds to wait for one answer.
            connections: calls at the same time.

        Raises:
            MissingExtraError: boto3 is not installed.
            ServiceError: no region is set.
        """
        self.address = f"{BEDROCK}:{model}"
        boto3 = require("boto3", "bedrock", f"the model {self.address}")
        config: Any = require("botocore.config", "bedrock", f"the model {self.address}")
        self._errors: Any = require("botocore.exceptions", "bedrock", "Bedrock")
        self._model = model
        try:
            self._client: Any = boto3.client(
                "bedrock-runtime",
                region_name=_region_of(model),
                config=config.Config(
                    # Adaptive: the client slows down by itself when the service throttles.
                    retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
                    read_timeout=timeout_s,
                    max_pool_connections=connections,
                ),
            )
        except self._errors.NoRegionError as error:
            raise ServiceError(f"{self.address}: no region; set AWS_REGION") from error
        except (self._errors.BotoCoreError, ValueError) as error:
            raise ServiceError(
                f"{self.address}: {error}; look at AWS_REGION and AWS_PROFILE"
            ) from error
        self.place = str(self._client.meta.endpoint_url)

    def close(self) -> None:
        """See `ChatModel.close`."""
        self._client.close()

    def ask(self, prompt: Prompt) -> Completion:
        """See `ChatModel.ask`."""
        errors = self._errors
        try:
            answer = self._client.converse(modelId=self._model, **converse_body(prompt))
        except errors.ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            if code in _FATAL:
                raise ServiceError(f"{self.address}: {_FATAL[code]} ({message})") from error
            refused = code == "ValidationException"  # this query: too long, say
            raise RoutingError(
                f"{self.address}: {code} ({message})", of_service=not refused
            ) from error
        except (errors.NoCredentialsError, errors.PartialCredentialsError) as error:
            raise ServiceError(f"{self.address}: no credentials ({error})") from error
        except errors.ReadTimeoutError as error:
            raise RoutingError(f"{self.address}: no answer in time", of_service=True) from error
        except errors.BotoCoreError as error:
            raise ServiceError(f"{self.address}: {error}") from error
        return converse_answer(answer)


def _region_of(model: str) -> str | None:
    """The region of a model named by its ARN; else that of the environment, if it has one."""
    parts = model.split(":")
    if model.startswith("arn:") and len(parts) > 3 and parts[3]:
        return parts[3]
    # boto3 itself reads only AWS_DEFAULT_REGION and the profile.
    return os.environ.get("AWS_REGION") or None


def converse_body(prompt: Prompt) -> dict[str, Any]:
    """The body of a Converse call; a schema is requested by a tool that the model must call.

    `outputConfig` would be shorter, but the Nova models are not among those that know it.
    """
    body: dict[str, Any] = {
        **({"system": [{"text": prompt.system}]} if prompt.system else {}),
        "messages": [
            {"role": ("user", "assistant")[number % 2], "content": [{"text": text}]}
            for number, text in enumerate(prompt.turns)
        ],
        "inferenceConfig": {"temperature": prompt.temperature, "maxTokens": prompt.max_tokens},
    }
    if prompt.schema is not None:
        tool = {"name": _TOOL, "inputSchema": {"json": dict(prompt.schema)}}
        tool["description"] = "Takes the answer."
        body["toolConfig"] = {
            "tools": [{"toolSpec": tool}],
            "toolChoice": {"tool": {"name": _TOOL}},
        }
    return body


def converse_answer(answer: Mapping[str, Any]) -> Completion:
    """The text of a Converse response; what a tool was called with, as JSON, where one was."""
    # Reasoning models put other blocks before the text.
    blocks = answer.get("output", {}).get("message", {}).get("content", [])
    called = [block["toolUse"]["input"] for block in blocks if "toolUse" in block]
    usage = answer.get("usage", {})
    return Completion(
        json.dumps(called[0], ensure_ascii=False)
        if called
        else "".join(block.get("text", "") for block in blocks),
        usage.get("inputTokens", 0),
        usage.get("outputTokens", 0),
    )
