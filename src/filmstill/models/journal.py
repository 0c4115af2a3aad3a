"""Remembers what a model answered, so that a run that was stopped pays for nothing twice."""

import hashlib
import json
import re
import threading
from dataclasses import asdict
from pathlib import Path

from filmstill.errors import DataError
from filmstill.files import make_folder, storage_errors
from filmstill.models.chat import ChatModel, Completion

_START = b'{"key": "'


class Journal:
    """An append-only file of answers, one JSON record a line, written out answer by answer.

    A line that was cut short by a crash, which only the last can be, is dropped.
    """

    def __init__(self, path: Path) -> None:
        """Read what the file holds; it is made with the first answer.

        Raises:
            DataError: the file is not a journal.
            StorageError: the file cannot be read.
        """
        self.path = path
        self._lock = threading.Lock()
        self._answers: dict[str, Completion] = {}
        with storage_errors("read", path):
            content = path.read_bytes() if path.exists() else b""
        whole, _, torn = content.rpartition(b"\n")
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                record = json.loads(line)
                key = record.pop("key")
                self._answers[key] = Completion(**record)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise DataError(
                    f"{path}:{number}: not a line of a journal; remove the line, or the "
                    f"file if it is none"
                ) from error

        if not torn:
            return
        if not torn.startswith(_START[: len(torn)]):
            raise DataError(f"{path}: not a journal; name another folder or remove the file")
        with storage_errors("mend", path), path.open("r+b") as file:
            file.truncate(len(content) - len(torn))

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str) -> Completion | None:
        """The answer under a key, or None."""
        return self._answers.get(key)

    def put(self, key: str, answer: Completion) -> None:
        """Keep an answer; safe to call from several threads.

        Raises:
            StorageError: it cannot be written.
        """
        line = json.dumps({"key": key, **asdict(answer)}, ensure_ascii=False) + "\n"
        with self._lock, storage_errors("write", self.path):
            make_folder(self.path.parent)
            with self.path.open("ab") as file:
                file.write(line.encode("utf-8", "backslashreplace"))
            self._answers[key] = answer


class JournaledModel(ChatModel):
    """A model that is asked only what the journal does not know."""

    def __init__(self, model: ChatModel, journal: Journal) -> None:
        """Take the model and the journal to look answers up in."""
        self.address = model.address
        self.place = model.place
        self._model = model
        self._journal = journal

    def complete(self, system: str, user: str, *, max_tokens: int = 300) -> Completion:
        """The answer in the journal, with the time it took then, or else the model's."""
        question = json.dumps([self.address, _lasting(self.place), system, user, max_tokens])
        key = hashlib.sha256(question.encode()).hexdigest()
        known = self._journal.get(key)
        if known is not None:
            return known
        answer = self._model.complete(system, user, max_tokens=max_tokens)
        self._journal.put(key, answer)
        return answer

    def ask(self, system: str, user: str, max_tokens: int) -> Completion:
        """See `ChatModel.ask`."""
        return self.complete(system, user, max_tokens=max_tokens)


def _lasting(place: str) -> str:
    """A service's address without the port that a server on this machine happens to have."""
    return re.sub(r"(//(?:127\.0\.0\.1|localhost|\[::1\])):\d+", r"\1", place)
