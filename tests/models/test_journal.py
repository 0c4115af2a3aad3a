"""What a journal of model answers survives."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from filmstill.errors import DataError, RoutingError, StorageError
from filmstill.models import ChatModel, Completion, Prompt
from filmstill.models.journal import Journal, JournaledModel


class Counting(ChatModel):
    """Answers with the number of its calls."""

    address = "openai:counting"

    def __init__(self) -> None:
        self.calls = 0

    def ask(self, prompt: Prompt) -> Completion:
        self.calls += 1
        if prompt.turns[-1] == "bad":
            raise RoutingError("no answer in time", of_service=True)
        if prompt.turns[-1] == "filtered":
            raise RoutingError("the prompt is filtered \ud800")
        return Completion(f"{self.calls}: {prompt.turns[-1]} \ud800", 7, 3)


QUESTION = Prompt("system", ("question",))


def test_nothing_is_asked_twice_even_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.sqlite"
    model = Counting()
    first = JournaledModel(model, Journal(path)).complete(QUESTION)
    assert first.text == "1: question \ud800"
    assert first.milliseconds > 0
    again = JournaledModel(model, Journal(path))
    assert again.address == "openai:counting"
    assert again.complete(QUESTION) == first
    assert model.calls == 1


@pytest.mark.parametrize(
    "other",
    [
        Prompt("another system", ("question",)),
        Prompt("system", ("another question",)),
        Prompt("system", ("question", "answer", "back")),
        Prompt("system", ("question",), max_tokens=5),
        Prompt("system", ("question",), temperature=0.5),
        Prompt("system", ("question",), schema={"type": "object"}),
        Prompt("system", ("question",), sample=1),
    ],
)
def test_another_prompt_is_asked(other: Prompt, tmp_path: Path) -> None:
    model, journal = Counting(), Journal(tmp_path / "journal.sqlite")
    asked = JournaledModel(model, journal)
    for prompt in (QUESTION, other, QUESTION, other):
        asked.complete(prompt)
    assert model.calls == len(journal) == 2
    assert journal.tokens("openai:counting") == (14, 6)
    assert journal.tokens("openai:other") == (0, 0)


def test_a_failure_is_asked_again(tmp_path: Path) -> None:
    model = Counting()
    asked = JournaledModel(model, Journal(tmp_path / "journal.sqlite"))
    for _ in range(2):
        with pytest.raises(RoutingError, match="no answer in time"):
            asked.complete(Prompt("system", ("bad",)))
    assert model.calls == 2


def test_a_refusal_is_remembered(tmp_path: Path) -> None:
    model = Counting()
    asked = JournaledModel(model, Journal(tmp_path / "journal.sqlite"))
    for _ in range(2):
        with pytest.raises(RoutingError, match="the prompt is filtered"):
            asked.complete(Prompt("system", ("filtered",)))
    assert model.calls == 1


def test_what_was_put_is_there_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    program = f"""
import os, signal
from pathlib import Path
from filmstill.models.journal import Journal
from filmstill.models import Completion
journal = Journal(Path({str(path)!r}))
for number in range(50):
    journal.put(str(number), "openai:m", Completion(f"answer {{number}}"))
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -9
    journal = Journal(path)
    assert [journal.get(str(number)) for number in (0, 49)] == [
        Completion("answer 0"),
        Completion("answer 49"),
    ]
    journal.put("0", "openai:m", Completion("another"))
    assert journal.get("0") == Completion("answer 0")


@pytest.mark.parametrize("content", [b'{"query": "mine"}\n', b"text" * 300, b"\x00" * 4096])
def test_another_file_is_not_touched(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"journal\.sqlite.*not a journal"):
        Journal(path)
    assert path.read_bytes() == content


def test_another_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (one)")
    other.close()
    content = path.read_bytes()
    with pytest.raises(DataError, match="not a journal; name another folder"):
        Journal(path)
    assert path.read_bytes() == content


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot use"):
        Journal(tmp_path)


def test_the_same_model_elsewhere_is_asked_anew(tmp_path: Path) -> None:
    model, journal = Counting(), Journal(tmp_path / "journal.sqlite")
    for place, calls in (
        ("https://a.example/v1", 1),
        ("https://b.example/v1", 2),
        ("http://127.0.0.1:8001/v1", 3),
        ("http://127.0.0.1:8002/v1", 3),  # a local server's port is an accident
    ):
        model.place = place
        JournaledModel(model, journal).complete(QUESTION)
        assert model.calls == calls
