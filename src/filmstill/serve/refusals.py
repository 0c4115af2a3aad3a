"""Errors in the words of the API that was called: ours, OpenAI's or Bedrock's."""

import json
from dataclasses import dataclass
from typing import Any

from filmstill.errors import (
    FilmstillError,
    InputError,
    OverloadError,
    StorageError,
    TakenNameError,
    UnknownNameError,
)

NATIVE, OPENAI, BEDROCK = "native", "openai", "bedrock"
"""The families of errors."""

_OPENAI_PATHS = ("/v1/chat/", "/v1/models")
_LONGEST = 1000  # characters of a message: it may quote what was sent
_RETRY_S = 1
_STATUSES: tuple[tuple[type[FilmstillError], int], ...] = (
    (UnknownNameError, 404),
    (TakenNameError, 409),
    (OverloadError, 503),
    (StorageError, 503),
    (FilmstillError, 400),
)
_NATIVE_TYPES = {
    400: "invalid_request",
    403: "forbidden",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    421: "misdirected",
    500: "internal_error",
    503: "unavailable",
    504: "timeout",
}
_OPENAI_CODES = {401: "invalid_api_key", 404: "not_found"}
_BEDROCK_TYPES = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    405: "UnknownOperationException",
    409: "ConflictException",
    413: "RequestEntityTooLargeException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
    408: "ModelTimeoutException",
}
_BEDROCK_STATUSES = {401: 403, 504: 408}  # where Bedrock has another one


class ParameterError(InputError):
    """A field of a request is wrong.

    Attributes:
        param: the field.
    """

    def __init__(self, message: str, param: str) -> None:
        """Take the message and the field."""
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that says no, before it is written in the words of a family.

    Attributes:
        status: HTTP status.
        message: what is wrong and what to do, for people.
        code: what is wrong in one word, in the family's own words; the status's word where empty.
        param: the field that is wrong, or None.
    """

    status: int
    message: str
    code: str = ""
    param: str | None = None

    def written(self, family: str, request_id: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body in the words of a family."""
        status, message = self.status, self.message[:_LONGEST]
        headers = {"content-type": "application/json"}
        if family == BEDROCK:
            status = _BEDROCK_STATUSES.get(status, status)
            kind = self.code or _BEDROCK_TYPES.get(status, "ValidationException")
            headers |= {"x-amzn-errortype": kind, "x-amzn-requestid": request_id}
            body: dict[str, Any] = {"message": message, "__type": kind}
        elif family == OPENAI:
            kind = "server_error" if status >= 500 else "invalid_request_error"
            code = self.code or _OPENAI_CODES.get(status)
            body = {"message": message, "type": kind, "param": self.param, "code": code}
            body = {"error": body}
        else:
            kind = self.code or _NATIVE_TYPES.get(status, "invalid_request")
            body = {"error": {"type": kind, "message": message, "request_id": request_id}}
        if status in (429, 503):
            headers["retry-after"] = str(_RETRY_S)
        return status, headers, json.dumps(body).encode()


def refusal_of(error: FilmstillError) -> Refusal:
    """What an error is to the one who called, by who has to act."""
    status = next(status for kind, status in _STATUSES if isinstance(error, kind))
    return Refusal(status, str(error), param=getattr(error, "param", None))


def family_of(path: str) -> str:
    """The family of a path that is not Bedrock's."""
    return OPENAI if path.startswith(_OPENAI_PATHS) else NATIVE
