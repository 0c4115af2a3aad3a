"""What operators ask a server: is it alive, is it ready, how does it do."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from filmstill import __version__
from filmstill.serve.schemas import refused
from filmstill.serve.service import service_of

router = APIRouter(tags=["operations"])


class Status(BaseModel):
    """How the server is."""

    status: str


class About(BaseModel):
    """What this server is, and where things are."""

    name: str
    version: str
    documentation: str
    openapi: str
    route: str
    chat_completions: str
    metrics: str


@router.get("/")
async def about() -> About:
    """What this is, and where things are."""
    return About(
        name="filmstill",
        version=__version__,
        documentation="/docs",
        openapi="/openapi.json",
        route="/v1/route",
        chat_completions="/v1/chat/completions",
        metrics="/metrics",
    )


@router.get("/health")
async def health() -> Status:
    """Whether the process is alive."""
    return Status(status="alive")


@router.get("/ready", responses={503: {"model": Status, "description": "Send nothing here now."}})
async def ready(request: Request, response: Response) -> Status:
    """Whether requests should be sent here: students are loaded, and no stop was asked for."""
    service = service_of(request)
    if service.ready:
        return Status(status="ready")
    response.status_code = 503
    return Status(status="draining" if service.draining else "loading")


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **refused()},
)
def metrics(request: Request) -> Response:
    """Metrics in the format of Prometheus."""
    text = generate_latest(service_of(request).metrics.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
