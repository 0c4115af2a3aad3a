"""What travels over OpenAI's API; fields that change nothing here are taken and left alone."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from filmstill.query import has_half_surrogate
from filmstill.serve.refusals import ParameterError


class TextPart(BaseModel):
    """A part of a message."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: str | None = None


class SentMessage(BaseModel):
    """A message of the conversation."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[TextPart] | None = None

    def text(self) -> str:
        """The message's text.

        Raises:
            ParameterError: it holds something else.
        """
        text = self.content if isinstance(self.content, str) else self._joined()
        if has_half_surrogate(text):
            raise ParameterError("a message has half a surrogate pair in it", "messages")
        return text

    def _joined(self) -> str:
        parts = self.content if isinstance(self.content, list) else []
        for part in parts:
            if part.type != "text" or part.text is None:
                raise ParameterError(
                    f"a message has a part of type {part.type!r}: only text is read", "messages"
                )
        return "\n".join(part.text or "" for part in parts)


class StreamOptions(BaseModel):
    """How to stream."""

    include_usage: bool | None = None


class CompletionRequest(BaseModel):
    """What to answer, and in which form."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "model": "filmstill",
                    "messages": [{"role": "user", "content": "a dog barking in the rain"}],
                }
            ]
        },
    )

    model: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="Name or id of a deployment."
    )
    messages: Annotated[list[SentMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    logprobs: bool | None = None
    modalities: list[str] | None = None

    def check(self) -> None:
        """See that nothing is asked for that is not done here.

        Raises:
            ParameterError: something is.
        """
        if self.n not in (None, 1):
            raise ParameterError("one choice is made per request: leave n out, or ask again", "n")
        if self.logprobs:
            raise ParameterError("there are no log probabilities: leave logprobs out", "logprobs")
        sent = self.model_extra or {}
        for name in ("tools", "functions"):
            if sent.get(name):
                raise ParameterError(f"{name} are not supported: leave them out", name)
        if set(self.modalities or ()) - {"text"}:
            raise ParameterError("the answer is text: ask for nothing else", "modalities")

    def texts(self) -> list[str]:
        """The text of every message."""
        return [message.text() for message in self.messages]

    def query(self) -> str:
        """The text of the last user message.

        Raises:
            ParameterError: there is none.
        """
        for message in reversed(self.messages):
            if message.role == "user":
                return message.text()
        raise ParameterError("there is no user message, which is the query", "messages")

    def stops(self) -> list[str]:
        """What ends the answer where it comes up."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [stop for stop in stops if stop]


class Message(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: str | None = None


class Choice(BaseModel):
    """The one choice."""

    index: int = 0
    message: Message
    logprobs: None = None
    finish_reason: str = Field(description="stop, or length where max_tokens cut it.")


class Usage(BaseModel):
    """Tokens, counted with the student's own tokenizer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """A chat completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class Model(BaseModel):
    """A model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "filmstill"


class Models(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


class OpenAIFailure(BaseModel):
    """What is wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIRefused(BaseModel):
    """An error, in OpenAI's form."""

    error: OpenAIFailure
