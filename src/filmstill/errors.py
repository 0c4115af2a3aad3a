"""What can go wrong, sorted by who has to act.

    FilmstillError
    ├── InputError            something handed in is wrong: mend it and try again
    │   ├── QueryError        a query
    │   ├── DataError         a file of examples
    │   ├── TaskError         a task file
    │   ├── UnknownNameError  nothing in the registry is called so
    │   └── TakenNameError    something in the registry is called so already
    ├── ArtefactError         a student folder is missing, incomplete, damaged or for another task
    ├── RoutingError          a router has no valid routing for a query
    ├── ServiceError          a model's service refuses all work: key, model, address
    │   └── AwsError          a call to AWS failed, or what it was to do did
    ├── BudgetError           the next call could cost more than may be spent
    ├── BaseModelError        the base encoder cannot be found or is not the one expected
    ├── TrainingError         the training itself failed or was stopped
    ├── OverloadError         a server has more queries waiting than it takes
    ├── MissingExtraError     an optional dependency is not installed
    └── StorageError          a folder or disk refuses to be read or written

Every message says what is wrong, where, and what to do. The command line prints it in one line and
exits with 1.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filmstill.records import Reply


class FilmstillError(Exception):
    """Base of all errors Filmstill raises on purpose; its text is meant for the user."""


class InputError(FilmstillError):
    """Something handed in is wrong."""


class QueryError(InputError):
    """A query cannot be routed: empty, too long, or with control characters."""


class DataError(InputError):
    """A file of examples cannot be used."""


class TaskError(InputError):
    """A task file is not valid."""


class UnknownNameError(InputError):
    """Nothing in the registry is called so."""


class TakenNameError(InputError):
    """Something in the registry is called so already."""


class ArtefactError(FilmstillError):
    """A student folder is missing, incomplete, damaged or made for another task."""


class RoutingError(FilmstillError):
    """A router has no valid routing for a query; its model failed or answered nonsense.

    Attributes:
        reply: what the model answered, where it did.
        of_service: the service failed, not the router's answer to this query.
        retry_after: seconds that the service asked to wait before the next try, or None.
    """

    def __init__(
        self,
        message: str,
        reply: "Reply | None" = None,
        *,
        of_service: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """Take the message, and what else is known."""
        super().__init__(message)
        self.reply = reply
        self.of_service = of_service
        self.retry_after = retry_after


class ServiceError(FilmstillError):
    """A model's service refuses all work: wrong key, unknown model, nothing at the address.

    Attributes:
        unreachable: nothing answers at the address, which may pass where something did before.
    """

    def __init__(self, message: str, *, unreachable: bool = False) -> None:
        """Take the message, and whether nothing answered."""
        super().__init__(message)
        self.unreachable = unreachable


class AwsError(ServiceError):
    """A call to AWS failed, or what it was to do did.

    Attributes:
        code: AWS's name of the error; empty where AWS did not answer.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        """Take the message and the code."""
        super().__init__(message)
        self.code = code


class BudgetError(FilmstillError):
    """The next call could cost more than may be spent."""


class BaseModelError(FilmstillError):
    """The base encoder cannot be found or is not the one expected."""


class TrainingError(FilmstillError):
    """Training failed or was stopped."""


class OverloadError(FilmstillError):
    """A server has more queries waiting than it takes; it may take some again in a moment."""


class MissingExtraError(FilmstillError):
    """An optional dependency is not installed."""


class StorageError(FilmstillError):
    """A folder or disk refuses to be read or written."""


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional dependency.

    Args:
        module: dotted name of the module.
        extra: the extra of Filmstill that installs it.
        purpose: what needs it, as the subject of a sentence.

    Raises:
        MissingExtraError: it is not installed; the message holds the install line.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{purpose} needs {error.name or module}, which is not installed: "
            f'run pip install "filmstill[{extra}]"'
        ) from error
