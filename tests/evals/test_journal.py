"""What a journal of model answers survives."""

from pathlib import Path

import pytest

from filmstill.errors import DataError, RoutingError
from filmstill.models import ChatModel, Completion
from filmstill.models.journal import Journal, JournaledModel


class Counting(ChatModel):
    """Answers with the number of its calls."""

    address = "openai:counting"

    def __init__(self) -> None:
        self.calls = 0

    def ask(self, system: str, user: str, max_tokens: int) -> Completion:
        self.calls += 1
        if user == "bad":
            raise RoutingError("no answer in time")
        return Completion(f"{self.calls}: {user} \ud800", 7, 3)


def test_nothing_is_asked_twice_even_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.jsonl"
    model = Counting()
    first = JournaledModel(model, Journal(path)).complete("system", "question")
    assert first.text.startswith("1: question")
    assert first.milliseconds > 0
    again = JournaledModel(model, Journal(path))
    assert again.address == "openai:counting"
    assert again.complete("system", "question").milliseconds == first.milliseconds
    assert model.calls == 1
    again.complete("another system", "question")
    again.complete("system", "question", max_tokens=5)
    assert model.calls == 3
    assert len(Journal(path)) == 3


def test_a_failure_is_asked_again(tmp_path: Path) -> None:
    model = Counting()
    asked = JournaledModel(model, Journal(tmp_path / "journal.jsonl"))
    for _ in range(2):
        with pytest.raises(RoutingError):
            asked.complete("system", "bad")
    assert model.calls == 2


def test_a_line_cut_short_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.put("a", Completion("one"))
    whole = path.read_bytes()
    journal.put("b", Completion("two"))
    for cut in range(len(whole), len(path.read_bytes())):
        path.write_bytes((whole + path.read_bytes()[len(whole) :])[:cut])
        mended = Journal(path)
        assert (mended.get("a"), mended.get("b")) == (Completion("one"), None)
        mended.put("b", Completion("two"))
        assert len(Journal(path)) == 2


@pytest.mark.parametrize(
    "content", ['{"query": "mine"}\n', '{"query": "mine"}', "text", '{"query": 1}\n{"query": 2}']
)
def test_another_file_is_not_touched(content: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"journal\.jsonl.*not a (line of a )?journal"):
        Journal(path)
    assert path.read_text(encoding="utf-8") == content


def test_the_same_model_elsewhere_is_asked_anew(tmp_path: Path) -> None:
    model, journal = Counting(), Journal(tmp_path / "journal.jsonl")
    for place, calls in (
        ("https://a.example/v1", 1),
        ("https://b.example/v1", 2),
        ("http://127.0.0.1:8001/v1", 3),
        ("http://127.0.0.1:8002/v1", 3),  # a local server's port is an accident
    ):
        model.place = place
        JournaledModel(model, journal).complete("system", "question")
        assert model.calls == calls
