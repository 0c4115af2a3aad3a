"""The outermost layer: who may come in, how much may be sent, how long it may take, what is logged.

Plain ASGI, since all requests pay for it. It reads every body whole before the application sees the
request: all there are are small JSON texts, and so their limit is kept in one place.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from filmstill.errors import FilmstillError
from filmstill.serve.keys import MISSING, RIGHT
from filmstill.serve.observe import LOG
from filmstill.serve.refusals import BEDROCK, Refusal, family_of, refusal_of
from filmstill.serve.service import Service, replay

OPEN_PATHS = frozenset({"/", "/health", "/ready", "/docs", "/redoc", "/openapi.json"})
"""What needs no key: nothing here tells more than the documentation."""
STATIC_PATHS = "/static-offline-docs/"

_REQUEST_ID = re.compile(rb"[0-9A-Za-z][0-9A-Za-z._:/+=@-]{0,127}")
_DISCARDED = 8  # times the limit are read and thrown away, so that the refusal is heard
_LONGEST_PATH = 200
_KEY_REFUSALS = {
    (BEDROCK, True): Refusal(
        403,
        "The request has no API key: sign it with one as the access key id.",
        "MissingAuthenticationTokenException",
    ),
    (BEDROCK, False): Refusal(
        403,
        "The security token included in the request is invalid.",
        "UnrecognizedClientException",
    ),
}


class _RefusedError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class _Answer:
    """Passes an answer on, with our headers, and keeps what the log wants to know of it."""

    def __init__(self, send: Send, request_id: str, service: Service) -> None:
        self.status = 0
        self.size = 0
        self._send = send
        self._request_id = request_id
        self._service = service

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self._request_id.encode())]
            if self._service.draining:
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        await self._send(message)

    async def refuse(self, refusal: Refusal, family: str) -> None:
        """Say no, unless something was said already."""
        if self.status:
            return
        status, headers, body = refusal.written(family, self._request_id)
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        if status == 401:
            pairs.append((b"www-authenticate", b"Bearer"))
        if status == 413:  # the rest of the request may still be on its way
            pairs.append((b"connection", b"close"))
        pairs.append((b"content-length", str(len(body)).encode()))
        await self.send({"type": "http.response.start", "status": status, "headers": pairs})
        await self.send({"type": "http.response.body", "body": body})


class Guard:
    """Stands before the application.

    It sets `scope["state"]`: "request_id" and "family", the family of errors. An application may
    set "route" (a path template, for metrics) and "deployment" there.
    """

    def __init__(self, app: ASGIApp, service: Service, bedrock: Any = None) -> None:  # noqa: ANN401 - see `create_app`
        """Take the application, and what tells requests of Bedrock's API from others."""
        self._app = app
        self._bedrock = bedrock
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = _request_id(headers)
        state = scope.setdefault("state", {})
        family = self._family(scope)
        state.update(request_id=request_id, family=family)
        answer = _Answer(send, request_id, self.service)
        try:
            async with asyncio.timeout(self.service.config.request_seconds) as limit:
                self._check_origin(headers)
                self._check_key(scope, headers, family)
                body = await self._body(receive, headers)
                first = {"type": "http.request", "body": body, "more_body": False}
                await self._app(scope, replay(first, receive), answer.send)
        except _RefusedError as error:
            await answer.refuse(error.refusal, family)
        except FilmstillError as error:
            await answer.refuse(refusal_of(error), family)
        except Exception:
            if limit.expired():
                seconds = self.service.config.request_seconds
                late = Refusal(
                    504, f"no answer within {seconds:g} seconds: send less, or try again"
                )
                await answer.refuse(late, family)
            else:
                LOG.exception("unexpected error", extra={"fields": {"request_id": request_id}})
                await answer.refuse(Refusal(500, "an unexpected error; the log has it"), family)
        finally:
            self._tell(scope, answer, time.perf_counter() - start)

    def _family(self, scope: Scope) -> str:
        # Bedrock has no such paths, and to look takes as long as all else here.
        ours = self._bedrock is None or scope["path"].startswith("/v1/")
        return family_of(scope["path"]) if ours or not self._bedrock.handles(scope) else BEDROCK

    def _check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        """Keep web pages out where no key does: a browser sends requests for any page.

        A name that a page's owner can let point to this machine is none of ours, and what a page of
        somebody else sends says so itself.
        """
        if self.service.keys:
            return
        host = headers.get(b"host", b"").decode("latin-1")
        if not (self.service.any_host or is_local_name(host)):
            raise _RefusedError(
                Refusal(421, f"{host[:_LONGEST_PATH]!r} is not this server: use its address")
            )
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site", b"none")
        foreign = origin is not None and origin.partition(b"://")[2] != host.encode("latin-1")
        if foreign or site not in (b"none", b"same-origin"):
            raise _RefusedError(
                Refusal(403, "pages of other sites may not ask here; give the server API keys")
            )

    def _check_key(self, scope: Scope, headers: Mapping[bytes, bytes], family: str) -> None:
        path = scope["path"]
        if path in OPEN_PATHS or path.startswith(STATIC_PATHS):
            return
        found = self.service.keys.check(headers)
        if found == RIGHT:
            return
        words = "no API key: send one" if found == MISSING else "the API key is not known: send one"
        usual = Refusal(401, f"{words} as Authorization: Bearer KEY or as x-api-key: KEY")
        raise _RefusedError(_KEY_REFUSALS.get((family, found == MISSING), usual))

    async def _body(self, receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
        limit = self.service.config.request_kib * 1024
        declared = headers.get(b"content-length", b"0")
        size = int(declared) if declared.isdigit() else 0
        parts: list[bytes] = []
        received = 0
        while max(size, received) <= _DISCARDED * limit:
            message = await receive()
            if message["type"] != "http.request":  # they hung up: nobody hears an answer
                raise _RefusedError(Refusal(400, "the request is not complete"))
            part = message.get("body", b"")
            received += len(part)
            if received <= limit:
                parts.append(part)
            if not message.get("more_body", False):
                break
        if max(size, received) > limit:
            kib = self.service.config.request_kib
            raise _RefusedError(Refusal(413, f"the request is larger than {kib:,} KiB: split it"))
        return b"".join(parts)

    def _tell(self, scope: Scope, answer: _Answer, seconds: float) -> None:
        state = scope["state"]
        known = state.get("route") or getattr(scope.get("route"), "path", None)
        self.service.metrics.answered(scope["method"], known or "unknown", answer.status, seconds)
        fields = {
            "request_id": state["request_id"],
            "method": scope["method"],
            "path": known or scope["path"][:_LONGEST_PATH],
            "status": answer.status,
            "ms": round(seconds * 1000, 2),
            "bytes": answer.size,
            "client": (scope.get("client") or ("",))[0],
        }
        if "deployment" in state:
            fields["deployment"] = state["deployment"]
        LOG.info("request", extra={"fields": fields})


def is_local_name(host: str) -> bool:
    """Whether a Host header holds an IP address or "localhost", which no page can make its own."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return name in ("", "localhost") or name.endswith(".localhost")
    return True


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    """The caller's own id where it is a sane one, else a new one."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else uuid4().hex
