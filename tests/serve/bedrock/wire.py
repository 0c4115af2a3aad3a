"""A BedrockApp in this process, spoken to over HTTP, with handlers that only remember."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin

import httpx2

from filmstill.serve.bedrock.http import Answer, BedrockApp, Handler

from .requests_from_model import OPERATIONS, Request, model
from .valid_values import minimal


class Wire:
    """An application and its client; `calls` are the handlers' (operation, input)."""

    def __init__(
        self, handlers: Mapping[str, Handler] | None = None, *, app: BedrockApp | None = None
    ) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        made = {name: self._stub(name) for name in OPERATIONS}
        self.app = app or BedrockApp(made if handlers is None else handlers, "us-east-1")
        self._runner = asyncio.Runner()
        self._client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app), base_url="http://127.0.0.1"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def send(self, request: Request) -> httpx2.Response:
        """The response to a request."""
        return self._runner.run(
            self._client.request(
                request.method,
                urljoin("http://127.0.0.1", request.target),
                headers=request.headers,
                content=request.body,
            )
        )

    def _stub(self, operation: str) -> Handler:
        shape = model(operation).output_shape
        output = {} if shape is None else minimal(shape, python=True)

        async def handler(values: dict[str, Any]) -> Answer:
            self.calls.append((operation, values))
            return Answer({"stream": [], **output} if operation == "ConverseStream" else output)

        return handler
