"""Models behind any server that speaks OpenAI's chat completions."""

from typing import Any

from filmstill.errors import RoutingError, ServiceError, require
from filmstill.models.chat import OPENAI, ChatModel, Completion

TIMEOUT_S = 60.0
RETRIES = 4
_THOUGHTS = 4000  # tokens a reasoning model may spend before it answers


class OpenAIModel(ChatModel):
    """One model of an OpenAI-compatible server."""

    def __init__(
        self, model: str, *, timeout_s: float = TIMEOUT_S, max_retries: int = RETRIES
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            model: the model's name on the server.
            timeout_s: seconds to wait for one answer.
            max_retries: tries after the first for what may pass: timeouts, throttling, 5xx. The
                waits between them grow, and follow the server's Retry-After.

        Raises:
            MissingExtraError: the package openai is not installed.
            ServiceError: there is no API key.
        """
        self.address = f"{OPENAI}:{model}"
        self._openai: Any = require("openai", "openai", f"the model {self.address}")
        self._model = model
        self._newer = False
        try:
            self._client = self._openai.OpenAI(timeout=timeout_s, max_retries=max_retries)
            self.place = str(self._client.base_url.copy_with(userinfo=b""))
        except self._openai.OpenAIError as error:
            raise ServiceError(
                f"{self.address}: no API key; set OPENAI_API_KEY (any text for a local server), "
                f"and OPENAI_BASE_URL for another server than OpenAI's"
            ) from error

    def ask(self, system: str, user: str, max_tokens: int) -> Completion:
        """See `ChatModel.ask`."""
        api = self._openai
        try:
            answer = self._create(system, user, max_tokens)
            text = answer.choices[0].message.content or ""
        except (api.AuthenticationError, api.PermissionDeniedError) as error:
            raise ServiceError(f"{self.address}: the key is refused ({error.message})") from error
        except api.NotFoundError as error:
            raise ServiceError(f"{self.address}: {error.message}") from error
        except api.BadRequestError as error:  # this query: too long, or a content filter
            raise RoutingError(f"{self.address}: {error.message}") from error
        except api.APITimeoutError as error:
            raise RoutingError(f"{self.address}: no answer in time", of_service=True) from error
        except api.APIConnectionError as error:
            raise ServiceError(
                f"{self.address}: nothing answers at {self.place} (OPENAI_BASE_URL): "
                f"{error.__cause__}"
            ) from error
        except (api.APIError, ValueError) as error:
            raise RoutingError(f"{self.address}: {error}", of_service=True) from error
        except (AttributeError, IndexError, TypeError) as error:
            raise RoutingError(
                f"{self.address}: not the answer of a chat completion", of_service=True
            ) from error
        usage = answer.usage
        return Completion(
            text,
            getattr(usage, "prompt_tokens", 0) or 0,
            getattr(usage, "completion_tokens", 0) or 0,
        )

    def _create(self, system: str, user: str, max_tokens: int) -> Any:  # noqa: ANN401 - their type
        """Ask, in the newer form where the model refuses the older one."""
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ]
        create = self._client.chat.completions.create
        if not self._newer:
            try:
                return create(
                    model=self._model, messages=messages, temperature=0, max_tokens=max_tokens
                )
            except self._openai.BadRequestError as error:
                if not any(name in error.message for name in ("max_tokens", "temperature")):
                    raise
                self._newer = True  # reasoning models: other names, no temperature, room to think
        return create(
            model=self._model, messages=messages, max_completion_tokens=max_tokens + _THOUGHTS
        )
