"""The native API: routing, and deployments."""

from pathlib import Path

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from filmstill.data.corpus import student_path
from filmstill.errors import UnknownNameError
from filmstill.registry import Registry
from filmstill.registry import deployments as registered
from filmstill.registry.students import student_folder
from filmstill.routers import SHIPPED
from filmstill.serve.schemas import (
    CreateDeployment,
    DeploymentItem,
    Deployments,
    RouteRequest,
    RouteResponse,
    RoutingItem,
    UpdateDeployment,
    refused,
)
from filmstill.serve.service import Service, replay, service_of
from filmstill.task import Task

router = APIRouter(prefix="/v1")

_ROUTE = "/v1/route"
_JSON = (b"content-type", b"application/json")


@router.post("/route", response_model_exclude_none=True, responses=refused(404), tags=["routing"])
async def route(asked: RouteRequest, request: Request) -> RouteResponse:
    """Give queries their channel weights."""
    return await _routed(asked, service_of(request), request.scope)


class QuickRoute:
    """The same route without FastAPI, which alone takes a tenth of the time of a query.

    What is not in order goes to FastAPI, and is refused there as everything else is.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        """Take the FastAPI application, for all other requests, and the server's parts."""
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["path"] != _ROUTE or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        message = await receive()  # the whole body: see the guard
        try:
            asked = _read(scope, message["body"])
        except ValidationError:
            await self._app(scope, replay(message, receive), send)
            return
        scope["state"]["route"] = _ROUTE
        answer = await _routed(asked, self._service, scope)
        body = answer.model_dump_json(exclude_none=True).encode()
        length = (b"content-length", str(len(body)).encode())
        start = {"type": "http.response.start", "status": 200, "headers": [_JSON, length]}
        await send(start)
        await send({"type": "http.response.body", "body": body})


def _read(scope: Scope, body: bytes) -> RouteRequest:
    # Browsers send other types than this one to any server without asking.
    return RouteRequest.model_validate_json(body if _JSON in scope["headers"] else b"")


async def _routed(asked: RouteRequest, service: Service, scope: Scope) -> RouteResponse:
    queries = asked.all()
    routings = await service.students.route(
        asked.deployment, queries, explain=asked.explain, raw=asked.raw
    )
    scope["state"]["deployment"] = asked.deployment
    items = [RoutingItem.of(query, item) for query, item in zip(queries, routings, strict=True)]
    return RouteResponse(deployment=asked.deployment, routings=items)


@router.get(
    "/deployments",
    response_model_exclude_none=True,
    responses=refused(),
    tags=["deployments"],
)
def list_deployments(request: Request) -> Deployments:
    """All deployments; the student that ships with the package, `filmstill`, is none of them."""
    found = registered.deployments(service_of(request).registry)
    return Deployments(deployments=[DeploymentItem.of(item) for item in found])


@router.post(
    "/deployments",
    status_code=201,
    response_model_exclude_none=True,
    responses=refused(404, 409),
    tags=["deployments"],
)
def create_deployment(asked: CreateDeployment, request: Request) -> DeploymentItem:
    """Deploy a distilled model; it is served when the answer comes."""
    service = service_of(request)
    folder = _student_of(service.registry, asked.model)
    made = registered.deploy(service.registry, asked.name, folder, source=asked.model)
    service.students.refresh()
    return DeploymentItem.of(made)


@router.get(
    "/deployments/{name}",
    response_model_exclude_none=True,
    responses=refused(404),
    tags=["deployments"],
)
def get_deployment(name: str, request: Request) -> DeploymentItem:
    """One deployment."""
    registry = service_of(request).registry
    found = registry.get(registered.DEPLOYMENT, name)
    return DeploymentItem.of(registered.deployment_of(registry, found))


@router.put(
    "/deployments/{name}",
    response_model_exclude_none=True,
    responses=refused(404),
    tags=["deployments"],
)
def update_deployment(name: str, asked: UpdateDeployment, request: Request) -> DeploymentItem:
    """Let a deployment serve another model; the old one answers until the new one can."""
    service = service_of(request)
    folder = _student_of(service.registry, asked.model)
    made = registered.update(service.registry, name, folder, source=asked.model)
    service.students.refresh()
    return DeploymentItem.of(made)


@router.delete("/deployments/{name}", status_code=204, responses=refused(404), tags=["deployments"])
def delete_deployment(name: str, request: Request) -> None:
    """Delete a deployment; the model stays."""
    service = service_of(request)
    registered.delete(service.registry, name)
    service.students.refresh()


def _student_of(registry: Registry, model: str) -> Path:
    """The student of a model; never a path that a client names."""
    found = registry.find("model", model)
    if found is not None and "student" in found.body:
        return student_folder(registry, found.body["student"])
    if model == SHIPPED:
        return student_path(Task.builtin())
    raise UnknownNameError(f"there is no distilled model {model!r}")
