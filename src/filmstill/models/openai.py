"""Models behind any server that speaks OpenAI's chat completions."""

import math
import threading
import time
from collections.abc import Callable
from email.utils import mktime_tz, parsedate_tz
from typing import Any

from filmstill.errors import RoutingError, ServiceError, require
from filmstill.models.chat import OPENAI, TIMEOUT_S, ChatModel, Completion, Prompt

RETRIES = 4
# How servers are asked to hold a model to a schema: OpenAI's own way, and that of older ones.
_FORMATS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (
    lambda schema: {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    },
    lambda schema: {"type": "json_object", "schema": schema},
)
_THOUGHTS = 4000  # tokens a reasoning model may spend before it answers


class OpenAIModel(ChatModel):
    """One model of an OpenAI-compatible server."""

    def __init__(self, model: str, *, timeout_s: float = TIMEOUT_S, retry: bool = True) -> None:
        """Make a client; nothing is sent yet.

        Args:
            model: the model's name on the server.
            timeout_s: seconds to wait for one answer.
            retry: try again what may pass (timeouts, throttling, 5xx), `RETRIES` times, with waits
                that grow and follow the server's Retry-After.

        Raises:
            MissingExtraError: the package openai is not installed.
            ServiceError: there is no API key.
        """
        self.address = f"{OPENAI}:{model}"
        self._openai: Any = require("openai", "openai", f"the model {self.address}")
        self._model = model
        self._lock = threading.Lock()
        self._newer = False  # reasoning models: other names, no temperature, room to think
        self._formats = list(_FORMATS)  # ways to ask for a schema that the server may know
        try:
            self._client = self._openai.OpenAI(
                timeout=timeout_s, max_retries=RETRIES if retry else 0
            )
            self.place = str(self._client.base_url.copy_with(userinfo=b""))
        except self._openai.OpenAIError as error:
            raise ServiceError(
                f"{self.address}: no API key; set OPENAI_API_KEY (any text for a local server), "
                f"and OPENAI_BASE_URL for another server than OpenAI's"
            ) from error

    def close(self) -> None:
        """See `ChatModel.close`."""
        self._client.close()

    def ask(self, prompt: Prompt) -> Completion:
        """See `ChatModel.ask`."""
        api = self._openai
        try:
            answer = self._create(prompt)
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
            raise self._connection_error(error) from error
        except api.APIStatusError as error:
            raise RoutingError(
                f"{self.address}: {error.message}",
                of_service=True,
                retry_after=retry_after(error.response.headers.get("retry-after")),
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

    def _connection_error(self, error: Exception) -> RoutingError | ServiceError:
        """Nothing at the address, or a connection that broke while it was used."""
        cause = error.__cause__
        # By its name: the client's HTTP library has changed its own.
        if type(cause).__name__ in ("ConnectError", "ConnectTimeout", "UnsupportedProtocol"):
            return ServiceError(
                f"{self.address}: nothing answers at {self.place} (OPENAI_BASE_URL): {cause}",
                unreachable=True,
            )
        return RoutingError(f"{self.address}: the connection broke ({cause})", of_service=True)

    def _create(self, prompt: Prompt) -> Any:  # noqa: ANN401 - their type
        """Ask; a server that refuses one of our fields is asked without it from then on."""
        while True:
            fields = self._fields(prompt)
            try:
                return self._client.chat.completions.create(**fields)
            except self._openai.APIStatusError as error:
                message = error.message.lower()
                # Some servers call a field that they do not know an error of their own (500).
                if "response_format" in fields and any(
                    word in message for word in ("response_format", "schema", "grammar")
                ):
                    self._drop(fields["response_format"])
                elif (
                    isinstance(error, self._openai.BadRequestError)
                    and "max_tokens" in fields
                    and any(name in message for name in ("max_tokens", "temperature"))
                ):
                    self._newer = True
                else:
                    raise

    def _fields(self, prompt: Prompt) -> dict[str, Any]:
        fields: dict[str, Any] = {"model": self._model, "messages": _messages(prompt)}
        if self._newer:
            fields["max_completion_tokens"] = prompt.max_tokens + _THOUGHTS
        else:
            fields |= {"max_tokens": prompt.max_tokens, "temperature": prompt.temperature}
        formats = self._formats
        if prompt.schema is not None and formats:
            fields["response_format"] = formats[0](dict(prompt.schema))
        return fields

    def _drop(self, refused: dict[str, Any]) -> None:
        """Leave out a way to ask for a schema; other threads may have done so already."""
        with self._lock:
            if self._formats and self._formats[0]({})["type"] == refused["type"]:
                self._formats = self._formats[1:]


def retry_after(header: str | None) -> float | None:
    """Seconds to wait by a Retry-After header: seconds or a date (RFC 9110, 10.2.3); else None."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        date = parsedate_tz(header)
        if date is None:
            return None
        seconds = mktime_tz(date) - time.time()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    turns = [
        {"role": ("user", "assistant")[number % 2], "content": text}
        for number, text in enumerate(prompt.turns)
    ]
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    return [*system, *turns]
