"""The errors that clients see: AWS's codes, with the HTTP status of the service model."""

import logging
from functools import cache
from typing import Any

from filmstill.errors import FilmstillError, InputError, StorageError
from filmstill.serve.bedrock.model import Value, service_models

logger = logging.getLogger(__name__)

# Errors of all AWS services, which no service's model lists.
_COMMON = {
    "ExpiredTokenException": 403,
    "IncompleteSignatureException": 403,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "RequestEntityTooLargeException": 413,
    "SerializationException": 400,
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 403,
}


class ApiError(Exception):
    """A request that is refused or has failed, as the client is told.

    Attributes:
        code: AWS's name of the error, such as `ValidationException`.
        message: what is wrong and what to do.
        status: of the HTTP response.
        fields: more members of the response's body, such as `resourceName`.
    """

    def __init__(
        self, code: str, message: str, *, status: int | None = None, **fields: Value
    ) -> None:
        """Take the code and the message; the status is the model's where none is given."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or _statuses().get(code, 400)
        self.fields = fields

    @property
    def body(self) -> dict[str, Any]:
        """What the response's body holds."""
        return {**self.fields, "message": self.message, "__type": self.code}


def validation(message: str) -> ApiError:
    """The request is well formed, and wrong."""
    return ApiError("ValidationException", message)


def serialization(message: str) -> ApiError:
    """The request cannot be read."""
    return ApiError("SerializationException", message)


def not_found(message: str) -> ApiError:
    """There is no such thing."""
    return ApiError("ResourceNotFoundException", message)


def conflict(message: str) -> ApiError:
    """What is there, or the state that it is in, does not allow this."""
    return ApiError("ConflictException", message)


def access_denied(message: str) -> ApiError:
    """The caller may not do this."""
    return ApiError("AccessDeniedException", message)


def throttled(message: str) -> ApiError:
    """Too many requests; the client tries again by itself."""
    return ApiError("ThrottlingException", message)


def unavailable(message: str) -> ApiError:
    """The server cannot do this now."""
    return ApiError("ServiceUnavailableException", message)


def unknown_operation(message: str, status: int | None = None) -> ApiError:
    """No operation is at this path, or none that this server implements."""
    return ApiError("UnknownOperationException", message, status=status)


def as_api_error(error: Exception, request_id: str) -> ApiError:
    """What a client is told of an error; one that was not raised on purpose is logged."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, InputError):
        return validation(str(error))
    if isinstance(error, FilmstillError):
        logger.warning("request %s: %s", request_id, error)
        if isinstance(error, StorageError):
            return unavailable(str(error))
        return ApiError("InternalServerException", str(error))
    logger.error("request %s failed", request_id, exc_info=error)
    return ApiError(
        "InternalServerException",
        f"An internal error happened; the server's log says more under request {request_id}.",
    )


@cache
def _statuses() -> dict[str, int]:
    found = dict(_COMMON)
    for model in service_models():
        for shape in model.error_shapes:
            found[shape.name] = shape.metadata["error"]["httpStatusCode"]
    return found
