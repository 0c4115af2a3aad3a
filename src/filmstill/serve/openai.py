"""OpenAI's chat completions: every deployment is a model that answers with a label.

The query is the text of the last user message, and the answer is what a language model would be
asked for: JSON text with the weights and the reasoning. What goes before is read by nobody, so a
prompt written for a large model does no harm.
"""

import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import StreamingResponse

from filmstill.serve.openai_schemas import (
    Choice,
    Completion,
    CompletionRequest,
    Message,
    Model,
    Models,
    OpenAIRefused,
    Usage,
)
from filmstill.serve.schemas import refused
from filmstill.serve.service import service_of
from filmstill.serve.tokens import Tokens

router = APIRouter(prefix="/v1", tags=["OpenAI-compatible"])

_STARTED = int(time.time())
_REFUSED = refused(404, model=OpenAIRefused)


@router.post(
    "/chat/completions",
    responses={200: {"content": {"text/event-stream": {}}}, **_REFUSED},
    response_model=Completion,
)
async def chat_completions(asked: CompletionRequest, request: Request) -> Any:  # noqa: ANN401 - streamed or not
    """Route the last user message, in the form of OpenAI's chat completions."""
    asked.check()
    sent, query = asked.texts(), asked.query()
    students = service_of(request).students
    served = await students.find(asked.model)
    (routing,) = await students.route(asked.model, [query], explain=True)
    request.scope["state"]["deployment"] = served.name
    text, reason = _cut(routing.to_label(), asked, served.tokens)
    said = served.tokens.count(*sent)
    answered = served.tokens.count(text)
    completion = Completion(
        id=f"chatcmpl-{uuid4().hex}",
        created=int(time.time()),
        model=asked.model,
        choices=[Choice(message=Message(content=text), finish_reason=reason)],
        usage=Usage(prompt_tokens=said, completion_tokens=answered, total_tokens=said + answered),
    )
    if not asked.stream:
        return completion
    options = asked.stream_options
    events = _events(completion, usage=bool(options and options.include_usage))
    return StreamingResponse(
        events, media_type="text/event-stream", headers={"cache-control": "no-cache"}
    )


@router.get("/models", responses=refused(model=OpenAIRefused))
async def list_models(request: Request) -> Models:
    """All that is served, as OpenAI lists models."""
    return Models(data=[_model(name) for name in service_of(request).students.names()])


@router.get("/models/{name}", responses=_REFUSED)
async def get_model(name: str, request: Request) -> Model:
    """One of them."""
    served = await service_of(request).students.find(name)
    return _model(served.name)


def _model(name: str) -> Model:
    return Model(id=name, created=_STARTED)


def _cut(text: str, asked: CompletionRequest, tokens: Tokens) -> tuple[str, str]:
    """The answer up to where the caller wants it to end, and why it ends there."""
    limit = asked.max_completion_tokens or asked.max_tokens
    cut, reason = text, "stop"
    if limit is not None:
        cut, was_cut = tokens.cut(text, limit)
        reason = "length" if was_cut else "stop"
    for stop in asked.stops():
        head, found, _ = cut.partition(stop)
        if found:
            cut, reason = head, "stop"
    return cut, reason


async def _events(completion: Completion, *, usage: bool) -> AsyncIterator[str]:
    """A completion as server-sent events: who speaks, what is said, why it ends, what it cost."""
    choice = completion.choices[0]
    deltas: tuple[tuple[dict[str, str], str | None], ...] = (
        ({"role": "assistant", "content": ""}, None),
        ({"content": choice.message.content}, None),
        ({}, choice.finish_reason),
    )
    chunk: dict[str, Any] = {
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.model,
    }
    # Whoever asks for the usage gets the field in every chunk, filled in the last one.
    empty = {"usage": None} if usage else {}
    for delta, reason in deltas:
        choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
        yield _event({**chunk, "choices": choices, **empty})
    if usage:
        yield _event({**chunk, "choices": [], "usage": completion.usage.model_dump()})
    yield "data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"
