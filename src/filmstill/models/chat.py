"""One protocol for every large language model: a prompt in, text out."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from filmstill.errors import InputError

OPENAI, BEDROCK = "openai", "bedrock"
KINDS = (OPENAI, BEDROCK)
TIMEOUT_S = 60.0
CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked.

    Attributes:
        system: the system prompt.
        turns: what was said, user and model by turns; the first and the last are the user's.
        max_tokens: of the answer.
        temperature: 0 for the likeliest answer; above, answers vary.
        schema: JSON schema of the answer, for services that can hold a model to one.
        sample: number of this answer among several to the same question; never sent.
    """

    system: str
    turns: tuple[str, ...]
    max_tokens: int = 300
    temperature: float = 0.0
    schema: Mapping[str, Any] | None = None
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered.

    Attributes:
        text: the answer; empty where it gave none.
        tokens_in: tokens of the prompt, as the service counted them; 0 where it did not say.
        tokens_out: tokens of the answer.
        milliseconds: how long the call took, retries included.
        refusal: why the service will not answer this prompt. Only journals hold such answers;
            everywhere else it is an error.
    """

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    milliseconds: float = 0.0
    refusal: str = ""


class ChatModel(ABC):
    """A model behind a service.

    Attributes:
        address: how it is named, such as "openai:gpt-4o-mini".
        place: where the service is; the same model elsewhere may answer otherwise.
    """

    address: str
    place: str = ""

    def complete(self, prompt: Prompt) -> Completion:
        """Ask once; safe to call from several threads.

        Raises:
            RoutingError, ServiceError: see `ask`.
        """
        start = time.perf_counter()
        answer = self.ask(prompt)
        return replace(answer, milliseconds=(time.perf_counter() - start) * 1000)

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Close the connections to the service; the model cannot be asked any more."""

    @abstractmethod
    def ask(self, prompt: Prompt) -> Completion:
        """What `complete` times.

        Raises:
            RoutingError: this call failed (timeout, throttled to the end, server error); another
                may succeed.
            ServiceError: no call can succeed: wrong key, unknown model, nothing at the address.
        """


class Wrapper(ChatModel):
    """A model that does something more around another one; it is called like the other."""

    def __init__(self, model: ChatModel) -> None:
        """Take the model inside."""
        self.address = model.address
        self.place = model.place
        self.model = model

    def close(self) -> None:
        """See `ChatModel.close`."""
        self.model.close()


def is_model(address: str) -> bool:
    """Whether an address names a large language model."""
    kind, colon, model = address.partition(":")
    return bool(colon and model) and kind in KINDS


def open_model(
    address: str,
    *,
    timeout_s: float = TIMEOUT_S,
    connections: int = CONNECTIONS,
    retry: bool = True,
) -> ChatModel:
    """Open a model by its address.

    Args:
        address: "openai:MODEL" for any OpenAI-compatible server (`OPENAI_BASE_URL` and
            `OPENAI_API_KEY` say which), or "bedrock:ID" for Amazon Bedrock's Converse (a model id,
            an inference profile or a deployment ARN; region and credentials as boto3 finds them).
        timeout_s: seconds to wait for one answer.
        connections: calls at the same time.
        retry: let an OpenAI client try again by itself what may pass. Bedrock's always does: it
            also learns from throttling how fast it may go.

    Raises:
        InputError: the address is of another kind.
        MissingExtraError: the service's library is not installed.
        ServiceError: key, region or credentials are missing.
    """
    kind, _, model = address.partition(":")
    if not is_model(address):
        raise InputError(f"{address!r} is no model: give openai:MODEL or bedrock:MODEL_ID_OR_ARN")
    # Each pulls in its service's library.
    if kind == OPENAI:
        from filmstill.models.openai import OpenAIModel

        return OpenAIModel(model, timeout_s=timeout_s, retry=retry)
    from filmstill.models.bedrock import BedrockModel

    return BedrockModel(model, timeout_s=timeout_s, connections=connections)


def printable(text: str) -> str:
    """A model's text without halves of surrogate pairs, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
