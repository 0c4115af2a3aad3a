"""What all parts of a running server share."""

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import Message, Receive

from filmstill.config import ServeConfig
from filmstill.registry import Registry
from filmstill.serve.keys import Keys
from filmstill.serve.observe import Metrics
from filmstill.serve.students import Students


@dataclass(slots=True)
class Service:
    """A server's parts and its state.

    Attributes:
        registry: jobs, models and deployments.
        config: limits.
        keys: who is let in.
        metrics: what is counted.
        students: what is served.
        any_host: requests may be sent to any name, not to this machine's addresses alone.
        draining: the server was asked to stop; every answer closes its connection.
    """

    registry: Registry
    config: ServeConfig = field(default_factory=ServeConfig)
    keys: Keys = field(default_factory=Keys)
    metrics: Metrics = field(default_factory=Metrics)
    students: Students = field(init=False)
    any_host: bool = False
    draining: bool = False

    def __post_init__(self) -> None:
        self.students = Students(self.registry, self.config, self.metrics)

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""
        return self.students.loaded and not self.draining


def service_of(request: Request) -> Service:
    """The service that a request of the FastAPI application came to."""
    service: Service = request.app.state.service
    return service


def replay(message: Message, receive: Receive) -> Receive:
    """A `receive` that gives a message which was received already, then what the real one gives."""
    first = [message]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed
