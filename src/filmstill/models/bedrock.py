"""Models on Amazon Bedrock, asked through Converse."""

import os
from typing import Any

from filmstill.errors import RoutingError, ServiceError, require
from filmstill.models.chat import BEDROCK, ChatModel, Completion

TIMEOUT_S = 60.0
ATTEMPTS = 5
_FATAL = {
    "AccessDeniedException": "access is denied; the identity needs bedrock:InvokeModel",
    "ExpiredTokenException": "the credentials have expired; sign in again",
    "ResourceNotFoundException": "there is no such model or deployment in this region",
    "UnrecognizedClientException": "the credentials are not valid",
}


class BedrockModel(ChatModel):
    """A foundation model, an inference profile or a deployment."""

    def __init__(self, model: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Make a client; nothing is sent yet.

        Args:
            model: a model id, an inference profile's id or ARN, or a deployment's ARN.
            timeout_s: seconds to wait for one answer.

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
                # boto3 itself reads only AWS_DEFAULT_REGION and the profile.
                region_name=os.environ.get("AWS_REGION") or None,
                config=config.Config(
                    # Adaptive: the client slows down by itself when the service throttles.
                    retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
                    read_timeout=timeout_s,
                ),
            )
        except self._errors.NoRegionError as error:
            raise ServiceError(f"{self.address}: no region; set AWS_REGION") from error
        except (self._errors.BotoCoreError, ValueError) as error:
            raise ServiceError(
                f"{self.address}: {error}; look at AWS_REGION and AWS_PROFILE"
            ) from error
        self.place = str(self._client.meta.endpoint_url)

    def ask(self, system: str, user: str, max_tokens: int) -> Completion:
        """See `ChatModel.ask`."""
        errors = self._errors
        try:
            answer = self._client.converse(
                modelId=self._model,
                system=[{"text": system}],
                messages=[{"role": "user", "content": [{"text": user}]}],
                inferenceConfig={"temperature": 0, "maxTokens": max_tokens},
            )
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
        # Reasoning models put other blocks before the text.
        blocks = answer.get("output", {}).get("message", {}).get("content", [])
        usage = answer.get("usage", {})
        return Completion(
            "".join(block.get("text", "") for block in blocks),
            usage.get("inputTokens", 0),
            usage.get("outputTokens", 0),
        )
