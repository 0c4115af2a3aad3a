"""What tests of the server share: a registry, students, servers in and out of this process."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from filmstill.config import ServeConfig
from filmstill.registry import Registry
from filmstill.serve.app import create_app
from filmstill.serve.assemble import Options, assemble
from filmstill.serve.guard import Guard
from filmstill.serve.keys import Keys
from filmstill.serve.service import Service
from tests.registry.conftest import MakeStudent, make_student, registry

__all__ = ["MakeStudent", "make_student", "registry"]

ADDRESS = "http://127.0.0.1"
LABEL = {"visual", "audio", "transcription", "metadata"}


@contextmanager
def client_of(app: Guard) -> Iterator[TestClient]:
    """A client of an application in this process, whose students are loaded."""
    with TestClient(app, ADDRESS, raise_server_exceptions=False) as made:
        until(lambda: app.service.ready)
        yield made


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    """The whole server with nothing deployed and no job ever started."""
    with closing(Registry(tmp_path_factory.mktemp("served"))) as opened:
        yield assemble(opened, Options(), ServeConfig(jobs=0))


@pytest.fixture(scope="session")
def client(app: Guard) -> Iterator[TestClient]:
    """A client of `app`, for tests that change nothing there."""
    with client_of(app) as made:
        yield made


Started = Callable[..., TestClient]


@pytest.fixture
def start(registry: Registry) -> Iterator[Started]:
    """Starts servers in this process over `registry`."""
    with contextlib.ExitStack() as stack:

        def started(
            config: ServeConfig | None = None, keys: tuple[str, ...] = (), **options: Any
        ) -> TestClient:
            config = config or ServeConfig(jobs=0)
            made = assemble(registry, Options(**options), config, Keys(keys))
            return stack.enter_context(client_of(made))

        yield started


@pytest.fixture
def service(registry: Registry) -> Iterator[Service]:
    """The parts of a server without the HTTP."""
    made = Service(registry)
    made.students.refresh()
    yield made
    made.students.close()


@pytest.fixture
def core(service: Service) -> Guard:
    """The native and OpenAI's API over `service`; nobody keeps house."""
    return create_app(service)


@dataclass
class Running:
    """A server in a process of its own.

    Attributes:
        process: the process.
        url: its address.
        err: file with what it wrote to stderr.
    """

    process: "subprocess.Popen[bytes]"
    url: str
    err: Path

    def connect(self) -> http.client.HTTPConnection:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return http.client.HTTPConnection(host, int(port), timeout=20)

    def log(self) -> list[dict[str, Any]]:
        """What it logged; the first line of stderr is for people."""
        lines = self.err.read_text(encoding="utf-8").splitlines()[1:]
        return [json.loads(line) for line in lines]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def running(home: Path, *words: str, **environment: str) -> Iterator[Running]:
    """`filmstill serve`, ready for requests."""
    home.mkdir(exist_ok=True)
    err = home / "stderr.txt"
    command = [sys.executable, "-m", "filmstill.cli.main", "serve", "--port", "0", *words]
    with err.open("wb") as file:
        process = subprocess.Popen(
            command,
            env={**os.environ, "FILMSTILL_HOME": str(home), **environment},
            stdin=subprocess.DEVNULL,
            stderr=file,
        )
    try:
        until(lambda: b"Listening at" in err.read_bytes() or process.poll() is not None)
        url = err.read_text().partition("Listening at ")[2].partition(";")[0]
        made = Running(process, url, err)
        until(lambda: ask(made, "GET", "/ready")[0] == 200)
        yield made
    finally:
        process.kill()
        process.wait()


def ask(
    server: Running | http.client.HTTPConnection, method: str, path: str, body: Any = None, **h: str
) -> tuple[int, dict[str, str], Any]:
    """Status, headers (names in lower case) and body of an answer."""
    connection = server.connect() if isinstance(server, Running) else server
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"} if body is not None else {}
    connection.request(method, path, content, headers | {k.replace("_", "-"): h[k] for k in h})
    answer = connection.getresponse()
    text = answer.read()
    kind = answer.headers.get("content-type", "")
    if connection is not server:
        connection.close()
    found = json.loads(text) if kind == "application/json" else text
    return answer.status, {name.lower(): value for name, value in answer.headers.items()}, found


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that no test changes or stops."""
    with running(tmp_path_factory.mktemp("server") / "home", "--jobs", "0") as made:
        yield made


def until(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.005)
