"""What a Converse request asks, and what is made of an answer: stop sequences, limits, events."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filmstill.serve.bedrock.errors import validation

MAX_TOKENS = 1000
"""Tokens of an answer where the request sets no limit."""
_PIECE = 24  # characters of a streamed event
_IGNORED = ("cachePoint",)
_UNSUPPORTED = {
    "toolConfig": "This model doesn't support tool use.",
    "guardrailConfig": "This server has no guardrails.",
    "promptVariables": "This server has no managed prompts.",
    "outputConfig": "This model doesn't support the outputConfig field.",
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is asked.

    Attributes:
        system: the system prompt; empty where there is none.
        turns: what was said, user and assistant by turns; the first and the last are the user's.
        max_tokens: of the answer.
        temperature: 0 to 1.
        stops: texts that end the answer.
    """

    system: str
    turns: tuple[str, ...]
    max_tokens: int = MAX_TOKENS
    temperature: float = 0.0
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as it is sent.

    Attributes:
        text: cut where it had to be.
        stop_reason: "end_turn", "max_tokens" or "stop_sequence".
        tokens_in: tokens of the request.
        tokens_out: tokens of the text.
        milliseconds: how long it took.
    """

    text: str
    stop_reason: str
    tokens_in: int
    tokens_out: int
    milliseconds: int

    @property
    def usage(self) -> dict[str, int]:
        """The tokens, as Bedrock counts them up."""
        total = self.tokens_in + self.tokens_out
        return {
            "inputTokens": self.tokens_in,
            "outputTokens": self.tokens_out,
            "totalTokens": total,
        }

    @property
    def message(self) -> dict[str, Any]:
        """The message that holds the text."""
        return {"role": "assistant", "content": [{"text": self.text}]}


def read_conversation(request: Mapping[str, Any]) -> Conversation:
    """What a valid Converse request asks of a model that knows text only.

    Raises:
        ApiError: it asks for something that no model here can do.
    """
    for name, message in _UNSUPPORTED.items():
        if request.get(name):
            raise validation(message)
    config = request.get("inferenceConfig", {})
    return Conversation(
        "\n".join(_texts(request.get("system", ()), "system prompts")),
        _turns(request.get("messages", ())),
        config.get("maxTokens", MAX_TOKENS),
        config.get("temperature", 0.0),
        tuple(config.get("stopSequences", ())),
    )


def shorten(
    text: str, asked: Conversation, cut: Callable[[str, int], tuple[str, bool]]
) -> tuple[str, str]:
    """The text up to the first stop sequence or the last token allowed, and why it ends there."""
    found = [place for stop in asked.stops if stop and (place := text.find(stop)) >= 0]
    kept = text[: min(found)] if found else text
    short, was_cut = cut(kept, asked.max_tokens)
    if was_cut:
        return short, "max_tokens"
    return kept, "stop_sequence" if found else "end_turn"


def events(said: Said) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of ConverseStream, in their order."""
    yield "messageStart", {"role": "assistant"}
    for start in range(0, len(said.text), _PIECE):
        piece = said.text[start : start + _PIECE]
        yield "contentBlockDelta", {"delta": {"text": piece}, "contentBlockIndex": 0}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    yield "messageStop", {"stopReason": said.stop_reason}
    yield "metadata", {"usage": said.usage, "metrics": {"latencyMs": said.milliseconds}}


def since(start: float) -> int:
    """Whole milliseconds since a moment of `time.perf_counter`."""
    return round((time.perf_counter() - start) * 1000)


def _turns(messages: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    if not messages:
        raise validation("The request needs at least one message.")
    for number, message in enumerate(messages):
        expected = ("user", "assistant")[number % 2]
        if message["role"] != expected:
            raise validation(
                f"messages.{number} has the role {message['role']}: a conversation must alternate "
                f"between user and assistant roles, and start with a user message."
            )
    if len(messages) % 2 == 0:
        raise validation("The last message must be the user's.")
    turns = tuple("".join(_texts(message["content"], "messages")) for message in messages)
    if not turns[-1].strip():
        raise validation("The text of the last message is empty.")
    return turns


def _texts(blocks: Sequence[Mapping[str, Any]], place: str) -> list[str]:
    texts = []
    for block in blocks:
        ((kind, content),) = block.items()
        if kind == "text":
            texts.append(content)
        elif kind not in _IGNORED:
            raise validation(f"This model doesn't support {kind} content in {place}; use text.")
    return texts
