"""What a server does besides answering: a thread looks after deployments, students and jobs."""

import threading
from collections.abc import Callable

from filmstill.registry.deployments import settle_all
from filmstill.serve.observe import LOG
from filmstill.serve.service import Service

PAUSE_S = 0.25


class Housekeeping:
    """A thread that makes its round a few times a second until it is stopped."""

    def __init__(self, service: Service, tick: Callable[[], None]) -> None:
        """Take the server's parts, and what else each round does; nothing starts yet."""
        self._service = service
        self._tick = tick
        self._stopping = threading.Event()
        self._failures: dict[Callable[[], None], str] = {}
        self._thread = threading.Thread(target=self._work, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Start the thread; its first act is to load the students."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the round it is in."""
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        registry, students = self._service.registry, self._service.students
        duties = (students.refresh, lambda: settle_all(registry), students.refresh, self._tick)
        while not self._stopping.is_set():
            for duty in duties:
                self._do(duty)
            self._stopping.wait(PAUSE_S)

    def _do(self, duty: Callable[[], None]) -> None:
        try:
            duty()
        except Exception as error:  # such as a full disk: it may pass, and requests go on
            if self._failures.get(duty) != repr(error):  # not four times a second
                LOG.exception("housekeeping failed; it is tried again")
            self._failures[duty] = repr(error)
        else:
            self._failures.pop(duty, None)
