"""The server as one ASGI application, built from its parts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp, Receive, Scope, Send

from filmstill import __version__
from filmstill.serve import native, openai, operations
from filmstill.serve.failures import add_handlers
from filmstill.serve.guard import Guard
from filmstill.serve.housekeeping import Housekeeping
from filmstill.serve.refusals import BEDROCK
from filmstill.serve.service import Service

_DESCRIPTION = """\
Gives every query of a video search engine its channel weights: how far to trust what is seen,
heard, said and known. It is done by students, small models that were distilled from a large one.

Where the server has API keys, send one as `Authorization: Bearer KEY` or as `x-api-key: KEY`.
"""


class BedrockApi(Protocol):
    """Bedrock's HTTP API, which stands beside ours at the same address."""

    def handles(self, scope: Scope) -> bool:
        """Whether a request is one of Bedrock's."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""


def create_app(
    service: Service,
    *,
    bedrock: BedrockApi | None = None,
    routers: Iterable[APIRouter] = (),
    tick: Callable[[], None] = lambda: None,
) -> Guard:
    """The whole server.

    Args:
        service: its parts; whoever opened the registry closes it.
        bedrock: Bedrock's API, where it is served.
        routers: more routes of the native API.
        tick: called a few times a second, in a thread of housekeeping; it must not take long.
    """
    app: FastAPI = FastAPIOffline(
        title="Filmstill",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=_lifespan(service, tick),
        redirect_slashes=False,
    )
    app.state.service = service
    add_handlers(app)
    for router in (operations.router, native.router, openai.router, *routers):
        app.include_router(router)
    quick = native.QuickRoute(app, service)
    return Guard(_fork(quick, bedrock) if bedrock else quick, service, bedrock)


def _fork(app: ASGIApp, bedrock: BedrockApi) -> ASGIApp:
    async def forked(scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] != "http" or scope["state"]["family"] != BEDROCK
        await (app if ours else bedrock)(scope, receive, send)

    return forked


def _lifespan(
    service: Service, tick: Callable[[], None]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        housekeeping = Housekeeping(service, tick)
        housekeeping.start()
        yield
        await asyncio.to_thread(housekeeping.stop)
        await asyncio.to_thread(service.students.close)

    return lifespan
