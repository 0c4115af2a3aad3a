"""The runtime: students, and a language model for base models, answer as Bedrock's models do."""

import time
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.to_thread
from starlette.concurrency import run_in_threadpool

from filmstill.errors import (
    OverloadError,
    QueryError,
    RoutingError,
    ServiceError,
    UnknownNameError,
)
from filmstill.jobs.recipes import model_id
from filmstill.models import ChatModel, Prompt
from filmstill.models.chat import CONNECTIONS, printable
from filmstill.registry.deployments import DEPLOYMENT, PROVISIONED, SERVING
from filmstill.serve.bedrock.backend import Backend
from filmstill.serve.bedrock.conversation import (
    Conversation,
    Said,
    events,
    read_conversation,
    shorten,
    since,
)
from filmstill.serve.bedrock.errors import (
    ApiError,
    access_denied,
    not_found,
    throttled,
    unavailable,
    validation,
)
from filmstill.serve.bedrock.evaluations import no_base_model
from filmstill.serve.bedrock.http import Answer, Handler
from filmstill.serve.bedrock.nova import converse_request, nova_chunks, nova_response
from filmstill.serve.students import Students, id_key

_KINDS = {":custom-model-deployment/": DEPLOYMENT, ":provisioned-model/": PROVISIONED}


class Runtime:
    """Answers for deployments and base models."""

    def __init__(self, backend: Backend, students: Students, base: ChatModel | None) -> None:
        """Take what is served, and the language model that answers for base models, or None."""
        self._backend = backend
        self._students = students
        self._base = base
        # Of their own, so that a slow model holds up nothing else.
        self._limiter = anyio.CapacityLimiter(CONNECTIONS)

    def operations(self) -> dict[str, Handler]:
        """What the operations of the runtime do."""
        return {
            "Converse": self._converse,
            "ConverseStream": self._converse_stream,
            "InvokeModel": self._invoke,
            "InvokeModelWithResponseStream": self._invoke_stream,
        }

    async def _converse(self, request: dict[str, Any]) -> Answer:
        said = await self._answer(request["modelId"], request)
        output = {
            "output": {"message": said.message},
            "stopReason": said.stop_reason,
            "usage": said.usage,
            "metrics": {"latencyMs": said.milliseconds},
        }
        return Answer(output, _counts(said))

    async def _converse_stream(self, request: dict[str, Any]) -> Answer:
        said = await self._answer(request["modelId"], request)
        return Answer({"stream": list(events(said))})

    async def _invoke(self, request: dict[str, Any]) -> Answer:
        said = await self._answer(request["modelId"], converse_request(request.get("body", b"")))
        output = {"body": nova_response(said), "contentType": "application/json"}
        return Answer(output, _counts(said))

    async def _invoke_stream(self, request: dict[str, Any]) -> Answer:
        said = await self._answer(request["modelId"], converse_request(request.get("body", b"")))
        output = {"body": list(nova_chunks(said)), "contentType": "application/json"}
        return Answer(output, _counts(said))

    async def _answer(self, model: str, request: Mapping[str, Any]) -> Said:
        asked = read_conversation(request)
        for part, kind in _KINDS.items():
            if part in model:
                return await self._student(kind, model, asked)
        return await self._large_model(model, asked)

    def _check_ready(self, kind: str, arn: str) -> None:
        item = self._backend.find(kind, arn)
        if item.status == "Failed":
            raise validation(f"{item.name} has failed and answers nothing: {item.body['failure']}")
        # One that is updated goes on serving what it served.
        if item.status != SERVING[kind]:
            raise ApiError(
                "ModelNotReadyException", f"{item.name} is {item.status}; wait until it is ready."
            )

    async def _student(self, kind: str, arn: str, asked: Conversation) -> Said:
        start = time.perf_counter()
        query, item_id = asked.turns[-1], arn.rpartition("/")[2]
        key = id_key(kind, item_id)
        if arn != self._backend.arn_of(kind, item_id) or not self._students.serves(key):
            # The registry may have to wait for another process, which the event loop may not.
            await run_in_threadpool(self._check_ready, kind, arn)
        try:
            served = await self._students.find(key)
            (routing,) = await self._students.route(key, [query], explain=True)
        except UnknownNameError as error:  # ready, and not loaded for a moment yet
            raise ApiError(
                "ModelNotReadyException", f"{arn} is being loaded; try again."
            ) from error
        except QueryError as error:
            raise validation(str(error)) from error
        except OverloadError as error:
            raise throttled(str(error)) from error
        text, reason = shorten(routing.to_label(), asked, served.tokens.cut)
        count = served.tokens.count
        tokens_in = count(asked.system, *asked.turns)
        return Said(text, reason, tokens_in, count(text), since(start))

    async def _large_model(self, model: str, asked: Conversation) -> Said:
        if model_id(model).count(":") > 1:
            raise not_found(f"Model not found: {model} is an id for training, not for inference.")
        if self._base is None:
            raise access_denied(no_base_model(model))
        prompt = Prompt(asked.system, asked.turns, asked.max_tokens, asked.temperature)
        try:
            answer = await anyio.to_thread.run_sync(
                self._base.complete, prompt, limiter=self._limiter, abandon_on_cancel=True
            )
        except RoutingError as error:
            if not error.of_service:
                raise validation(str(error)) from error
            raise ApiError(
                "ModelErrorException", str(error), originalStatusCode=500, resourceName=model
            ) from error
        except ServiceError as error:
            raise unavailable(str(error)) from error
        # The limit on tokens was the large model's to keep.
        text, reason = shorten(printable(answer.text), asked, lambda text, _: (text, False))
        return Said(text, reason, answer.tokens_in, answer.tokens_out, round(answer.milliseconds))


def _counts(said: Said) -> dict[str, str]:
    return {
        "X-Amzn-Bedrock-Input-Token-Count": str(said.tokens_in),
        "X-Amzn-Bedrock-Output-Token-Count": str(said.tokens_out),
        "X-Amzn-Bedrock-Invocation-Latency": str(said.milliseconds),
    }
