"""The HTTP server, and how it stops without losing a request.

Asked to stop, it takes no new connections, and every answer tells its client to close the one it
came over. Clients with an idle connection get a moment for a request that may be on its way; what
is under way is finished. uvicorn alone closes idle connections at once, and with them now and then
one on which a request is just arriving.
"""

import asyncio
import gc
import os
import socket
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

from filmstill.errors import InputError
from filmstill.serve.guard import Guard

IDLE_S = 2.0
"""Seconds in which the next request may come over a connection when the server is stopped."""
KEEP_ALIVE_S = 75
"""Longer than clients and load balancers keep idle connections, so that they close them, not us."""
FORCED = 1
"""Exit code after a second signal."""
_BACKLOG = 2048
_POLL_S = 0.02


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address; port 0 takes a free one.

    Raises:
        InputError: the address cannot be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"cannot listen at {host}:{port} ({error}): choose another --host or --port"
        ) from error


def serve(app: Guard, listener: socket.socket, *, started: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends at once.

    Args:
        app: what to serve.
        listener: the socket to serve at; it is closed.
        started: called when requests are taken.
    """
    _Server(app, started).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, app: Guard, started: Callable[[], None]) -> None:
        self._service = app.service
        self._tell = started
        self._frozen = False
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                ws="none",
                lifespan="on",
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=round(self._service.config.shutdown_seconds),
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()

    async def on_tick(self, counter: int) -> bool:
        if self._service.students.loaded and not self._frozen:
            # What is there by now stays: looking through it for garbage would take 13 ms each time.
            gc.collect()
            gc.freeze()
            self._frozen = True
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would raise the signal again when all is done; who stops as asked exits with 0.
        if self.should_exit:
            os._exit(FORCED)  # threads at work would abort an orderly end, and nothing is lost
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.draining = True
        for server in self.servers:
            server.close()
        until = time.monotonic() + min(IDLE_S, self._service.config.shutdown_seconds)
        while self.server_state.connections and time.monotonic() < until:
            await asyncio.sleep(_POLL_S)
        await super().shutdown(sockets)
