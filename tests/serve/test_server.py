"""The process: how it starts, what it logs, and how it stops without losing a request."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from filmstill import Task
from filmstill.data.corpus import student_path
from filmstill.errors import InputError
from filmstill.serve.server import IDLE_S, listen

from .conftest import Running, ask, running, until

QUERY = {"query": "a dog barking in the rain"}
LONG = {"queries": ["a dog barking in the rain at night"] * 256, "explain": True}


class Load(threading.Thread):
    """A client that keeps asking over connections that it keeps, until it is refused one.

    Attributes:
        answers: how many it got.
        failures: what went wrong with a request; a refused connection is no failure.
    """

    def __init__(self, server: Running, body: Any = QUERY) -> None:
        super().__init__(daemon=True)
        self.answers = 0
        self.failures: list[str] = []
        self._server = server
        self._body = body

    def run(self) -> None:
        while True:
            connection = self._server.connect()
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
            with closing(connection):
                if not self._use(connection):
                    return

    def _use(self, connection: http.client.HTTPConnection) -> bool:
        """Ask until the server closes the connection; whether all went well."""
        while True:
            try:
                status, headers, _ = ask(connection, "POST", "/v1/route", self._body)
            except Exception as error:
                self.failures.append(repr(error))
                return False
            if status != 200:
                self.failures.append(str(status))
                return False
            self.answers += 1
            if headers.get("connection") == "close":
                return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_loses_no_request(tmp_path: Path, number: int) -> None:
    with running(tmp_path, "--jobs", "0") as server:
        load = [Load(server) for _ in range(8)]
        load.append(Load(server, {**LONG, "queries": LONG["queries"][:20]}))
        for client in load:
            client.start()
        until(lambda: all(client.answers > 2 for client in load))
        assert server.stop(number) == 0
        for client in load:
            client.join(10)
        assert [failure for client in load for failure in client.failures] == []
        assert not any(client.is_alive() for client in load)
        requests = [line for line in server.log() if line["message"] == "request"]
        routed = [line for line in requests if line["path"] == "/v1/route"]
        assert len(routed) == sum(client.answers for client in load)


def test_connections_that_are_kept_get_a_last_answer(tmp_path: Path) -> None:
    with running(tmp_path, "--jobs", "0") as server, contextlib.ExitStack() as connections:
        kept = [connections.enter_context(closing(server.connect())) for _ in range(3)]
        for connection in kept:
            assert ask(connection, "GET", "/ready")[0::2] == (200, {"status": "ready"})
        busy = threading.Thread(target=lambda: found.append(ask(server, "POST", "/v1/route", LONG)))
        found: list[Any] = []
        busy.start()
        until(lambda: b"queries_waiting 2" in ask(kept[0], "GET", "/metrics")[2])
        server.process.send_signal(signal.SIGTERM)
        until(lambda: is_refused(server))
        status, headers, body = ask(kept[1], "GET", "/ready")
        assert (status, headers["connection"], body) == (503, "close", {"status": "draining"})
        status, headers, body = ask(kept[2], "POST", "/v1/route", QUERY)
        assert (status, headers["connection"]) == (200, "close")
        assert body["routings"][0]["weights"]
        start = time.monotonic()
        assert server.process.wait(20) == 0  # though one connection was never used again
        assert time.monotonic() - start < IDLE_S + 10
        busy.join()
        assert found[0][0] == 200
        assert len(found[0][2]["routings"]) == 256


def is_refused(server: Running) -> bool:
    connection = server.connect()
    try:
        connection.connect()
    except ConnectionRefusedError:
        return True
    finally:
        connection.close()
    return False


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with running(tmp_path, "--jobs", "0") as server:
        load = threading.Thread(target=ask_in_vain, args=(server,), daemon=True)
        load.start()
        until(lambda: b"queries_waiting 2" in ask(server, "GET", "/metrics")[2])
        server.process.send_signal(signal.SIGTERM)
        until(lambda: is_refused(server))
        start = time.monotonic()
        assert server.stop(signal.SIGTERM) == 1
        assert time.monotonic() - start < 1.5  # the request takes three seconds
        load.join(10)
        assert all(isinstance(line, dict) for line in server.log())
        assert "Traceback" not in server.err.read_text()


def ask_in_vain(server: Running) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        ask(server, "POST", "/v1/route", LONG)


def test_requests_are_given_so_long_and_no_longer(tmp_path: Path) -> None:
    with running(tmp_path, "--jobs", "0", "--shutdown-seconds", "0") as server:
        load = threading.Thread(target=ask_in_vain, args=(server,), daemon=True)
        load.start()
        until(lambda: b"queries_waiting 2" in ask(server, "GET", "/metrics")[2])
        start = time.monotonic()
        server.stop()
        assert time.monotonic() - start < 1.5


def test_updates_by_another_process_lose_no_request(tmp_path: Path, quick_student: Path) -> None:
    def command(*words: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "filmstill.cli.main", *words],
            env={**os.environ, "FILMSTILL_HOME": str(tmp_path)},
            check=True,
            capture_output=True,
        )

    command("deploy", str(quick_student), "--name", "search")
    with running(tmp_path, "--jobs", "0") as server:
        load = [Load(server, {**QUERY, "deployment": "search", "raw": True}) for _ in range(4)]
        for client in load:
            client.start()
        first = ask(server, "POST", "/v1/route", {**QUERY, "deployment": "search"})[2]
        answers = load[0].answers
        command("deployments", "update", "search", str(student_path(Task.builtin())))
        shipped = {**ask(server, "POST", "/v1/route", QUERY)[2], "deployment": "search"}
        assert first != shipped
        until(
            lambda: (
                ask(server, "POST", "/v1/route", {**QUERY, "deployment": "search"})[2] == shipped
            )
        )
        until(lambda: load[0].answers > answers + 5)
        assert server.stop() == 0
        for client in load:
            client.join(10)
        assert [failure for client in load for failure in client.failures] == []


def test_its_log_is_lines_of_json(tmp_path: Path) -> None:
    with running(tmp_path, "--jobs", "0") as server:
        assert ask(server, "POST", "/v1/route", QUERY, x_request_id="mine")[0] == 200
        assert server.stop() == 0
        (line,) = [line for line in server.log() if line.get("request_id") == "mine"]
        assert (line["path"], line["status"], line["client"]) == ("/v1/route", 200, "127.0.0.1")
        greeting = server.err.read_text().splitlines()[0]
        assert f"Listening at {server.url};" in greeting
        assert f"AWS_ENDPOINT_URL_BEDROCK={server.url} " in greeting
        assert list(tmp_path.glob("*.tmp")) == []


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1:{port} .*in use.*--port"):
            listen("127.0.0.1", port)
    with pytest.raises(InputError, match=r"cannot listen at 203.0.113.1:0 .*another --host"):
        listen("203.0.113.1", 0)
    with listen("127.0.0.1", 0) as first, listen("localhost", 0) as second:
        assert first.getsockname()[1] != second.getsockname()[1] > 0
