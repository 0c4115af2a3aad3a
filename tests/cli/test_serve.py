"""`filmstill serve`: what it refuses to start with, one sentence each."""

import socket
from pathlib import Path
from typing import Any

import pytest

from filmstill.cli import serve as command
from filmstill.cli.main import main
from filmstill.serve import server


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FILMSTILL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FILMSTILL_API_KEYS", raising=False)
    (tmp_path / "empty.txt").write_text("# none\n")
    (tmp_path / "keys.txt").write_text("one\n")
    (tmp_path / "bad.toml").write_text("= nonsense")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been served, at which address."""
    found: list[Any] = []

    def serve(app: Any, listener: socket.socket, **_: Any) -> None:
        found.append((app, listener.getsockname()))
        listener.close()

    monkeypatch.setattr(server, "serve", serve)
    monkeypatch.setattr("filmstill.serve.observe.log_to_stderr", lambda: None)
    return found


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["serve", *words])
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--host", "0.0.0.0"], 2, "lets other machines in and there are no API keys: give"),
        (["--host", ""], 2, "lets other machines in and there are no API keys"),
        (["--host", "::"], 2, "lets other machines in and there are no API keys"),
        (["--host", "example.org"], 2, "lets other machines in and there are no API keys"),
        (["--host", "0.0.0.0", "--api-key-file", "empty.txt"], 1, "empty.txt: holds no API key"),
        (["--api-key-file", "gone.txt"], 1, "gone.txt: the API keys cannot be read"),
        (["--port", "65536"], 2, "'--port': 65536 is not in the range"),
        (["--port", "http"], 2, "'--port': 'http' is not a valid integer"),
        (["--host", "203.0.113.1", "--insecure"], 1, "choose another --host or --port"),
        (["--queue", "1"], 2, "'--queue': 1 is not in the range"),
        (["--request-kib", "0"], 2, "'--request-kib': 0 is not in the range"),
        (["--request-seconds", "nan"], 1, "request_seconds is nan; it must lie between"),
        (["--shutdown-seconds", "inf"], 2, "'--shutdown-seconds'"),
        (["--jobs", "-1"], 2, "'--jobs': -1 is not in the range"),
        (["--s3-root", "gone"], 1, "gone: there is no such folder; make it"),
        (["--teacher", "me"], 1, "--teacher 'me' is no model: give openai:MODEL or"),
        (["--judge", "me"], 1, "--judge 'me' is no model"),
        (["--base-model", "me"], 1, "--base-model 'me' is no model"),
        (["--recipes", "gone.toml"], 1, "gone.toml"),
        (["--recipes", "bad.toml"], 1, "bad.toml"),
        (["--task", "gone.toml"], 1, "gone.toml"),
        (["extra"], 2, "unexpected extra argument"),
    ],
)
def test_usage_errors(
    served: list[Any],
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    message: str,
) -> None:
    words = words if "--port" in words else [*words, "--port", "0"]
    assert run(*words) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in " ".join(printed.err.split())
    assert "Traceback" not in printed.err
    assert served == []
    sentences = printed.err.split("Error: ")[1:]
    assert len(sentences) == 1


def test_a_taken_port(served: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run("--port", str(taken.getsockname()[1])) == 1
    assert "in use" in capsys.readouterr().err
    assert served == []


@pytest.mark.parametrize(
    ("words", "environment", "host"),
    [
        ([], "", "127.0.0.1"),
        (["--host", "localhost"], "", "127.0.0.1"),
        (["--host", "127.0.0.2"], "", "127.0.0.2"),
        (["--host", "0.0.0.0", "--insecure"], "", "0.0.0.0"),
        (["--host", "0.0.0.0", "--api-key-file", "keys.txt"], "", "0.0.0.0"),
        (["--host", "0.0.0.0"], "two", "0.0.0.0"),
    ],
)
def test_who_is_let_in(
    served: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    environment: str,
    host: str,
) -> None:
    monkeypatch.setenv("FILMSTILL_API_KEYS", environment)
    assert run("--port", "0", *words) == 0
    ((app, address),) = served
    assert address[0] == host
    assert address[1] > 0
    keys = app.service.keys
    assert bool(keys) == ("--api-key-file" in words or bool(environment))
    assert keys.check({b"x-api-key": (environment or "one").encode()}) == "right"


@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "http://127.0.0.1:8"), ("::", "http://[::1]:8"), ("::1", "http://[::1]:8")],
)
def test_the_address_that_is_shown(host: str, shown: str) -> None:
    assert command._address(host, 8) == shown
