"""One protocol for every large language model: a system prompt and a question in, text out."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from filmstill.errors import InputError

OPENAI, BEDROCK = "openai", "bedrock"
KINDS = (OPENAI, BEDROCK)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered.

    Attributes:
        text: the answer; empty where it gave none.
        tokens_in: tokens of the prompt, as the service counted them; 0 where it did not say.
        tokens_out: tokens of the answer.
        milliseconds: how long the call took, retries included.
    """

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    milliseconds: float = 0.0


class ChatModel(ABC):
    """A model behind a service.

    Attributes:
        address: how it is named, such as "openai:gpt-4o-mini".
        place: where the service is; the same model elsewhere may answer otherwise.
    """

    address: str
    place: str = ""

    def complete(self, system: str, user: str, *, max_tokens: int = 300) -> Completion:
        """Ask once, at temperature 0; the service's library retries what may be retried.

        Safe to call from several threads.

        Raises:
            RoutingError, ServiceError: see `ask`.
        """
        start = time.perf_counter()
        answer = self.ask(system, user, max_tokens)
        return replace(answer, milliseconds=(time.perf_counter() - start) * 1000)

    @abstractmethod
    def ask(self, system: str, user: str, max_tokens: int) -> Completion:
        """What `complete` times.

        Raises:
            RoutingError: this call failed (timeout, throttled to the end, server error); another
                may succeed.
            ServiceError: no call can succeed: wrong key, unknown model, nothing at the address.
        """


def is_model(address: str) -> bool:
    """Whether an address names a large language model."""
    kind, colon, model = address.partition(":")
    return bool(colon and model) and kind in KINDS


def open_model(address: str) -> ChatModel:
    """Open a model by its address.

    Args:
        address: "openai:MODEL" for any OpenAI-compatible server (`OPENAI_BASE_URL` and
            `OPENAI_API_KEY` say which), or "bedrock:ID" for Amazon Bedrock's Converse (a model id,
            an inference profile or a deployment ARN; region and credentials as boto3 finds them).

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

        return OpenAIModel(model)
    from filmstill.models.bedrock import BedrockModel

    return BedrockModel(model)


def printable(text: str) -> str:
    """A model's text without halves of surrogate pairs, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
