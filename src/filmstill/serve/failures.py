"""Turns what fails in the FastAPI application into refusals."""

from collections.abc import Sequence
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from filmstill.errors import FilmstillError, UnknownNameError
from filmstill.serve.refusals import OPENAI, Refusal, refusal_of

_SHOWN = 3  # mistakes of one request that are named


def add_handlers(app: FastAPI) -> None:
    """Let every failure of an application be answered in the words of the API that was called."""
    app.add_exception_handler(FilmstillError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _known(request: Request, error: Exception) -> Response:
    refusal = refusal_of(cast("FilmstillError", error))
    if isinstance(error, UnknownNameError) and request.scope["state"]["family"] == OPENAI:
        refusal = Refusal(404, refusal.message, "model_not_found", "model")
    return _answer(request, refusal)


async def _invalid(request: Request, error: Exception) -> Response:
    # What was sent is not repeated: it may be long, secret, or no text at all.
    mistakes = cast("RequestValidationError", error).errors()
    text = "; ".join(f"{_place(item['loc'])}: {item['msg']}" for item in mistakes[:_SHOWN])
    if mistakes[0]["type"] == "model_attributes_type" and not _is_json(request):
        text += "; send JSON, with content-type: application/json"
    field = str(mistakes[0]["loc"][1]) if len(mistakes[0]["loc"]) > 1 else None
    return _answer(request, Refusal(400, text, param=field))


async def _http(request: Request, error: Exception) -> Response:
    known = cast("HTTPException", error)
    message = known.detail
    if known.status_code == 404:
        message = f"nothing is at {request.scope['path']}; see /docs"
    answer = _answer(request, Refusal(known.status_code, message))
    answer.headers.update(known.headers or {})
    return answer


async def _unexpected(request: Request, error: Exception) -> Response:
    return _answer(request, Refusal(500, "an unexpected error; the log has it"))


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _place(location: Sequence[Any]) -> str:
    return ".".join(str(part) for part in location)


def _answer(request: Request, refusal: Refusal) -> Response:
    state = request.scope["state"]
    status, headers, body = refusal.written(state["family"], state["request_id"])
    return Response(body, status, headers)
