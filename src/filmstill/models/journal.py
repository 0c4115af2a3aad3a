"""Remembers what a model answered, so that a run that was stopped pays for nothing twice."""

import hashlib
import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from filmstill.errors import DataError, RoutingError, StorageError
from filmstill.files import make_folder
from filmstill.models.chat import ChatModel, Completion, Prompt, Wrapper, printable

_MARK = 0x46537431  # "FSt1", which tells a journal from other SQLite files
_TABLE = """\
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, text TEXT NOT NULL, tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL, milliseconds REAL NOT NULL, refusal TEXT NOT NULL
) WITHOUT ROWID"""


class Journal:
    """Answers in an SQLite file; rows are only ever added, and each is on the disk when `put` ends.

    So neither a killed process nor a power cut loses an answer that was put, and memory does not
    grow with their number. Safe to use from several threads; one process at a time.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            DataError: the file is not a journal.
            StorageError: it cannot be read or written.
        """
        self.path = path
        self._lock = threading.Lock()
        make_folder(path.parent)
        with self._errors():
            # Without an isolation level every statement is a transaction of its own.
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            (mark,) = self._database.execute("PRAGMA application_id").fetchone()
            (tables,) = self._database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            if tables and mark != _MARK:
                raise DataError(f"{path}: not a journal; name another folder or remove the file")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(f"PRAGMA application_id={_MARK}")
            self._database.execute(_TABLE)

    def __len__(self) -> int:
        with self._errors():
            (count,) = self._database.execute("SELECT COUNT(*) FROM answers").fetchone()
        return int(count)

    def get(self, key: str) -> Completion | None:
        """The answer under a key, or None.

        Raises:
            StorageError: the file cannot be read.
        """
        with self._lock, self._errors():
            row = self._database.execute(
                "SELECT text, tokens_in, tokens_out, milliseconds, refusal FROM answers "
                "WHERE key = ?",
                (key,),
            ).fetchone()
        return None if row is None else Completion(json.loads(row[0]), *row[1:])

    def put(self, key: str, model: str, answer: Completion) -> None:
        """Keep a model's answer; the first one under a key stays.

        Raises:
            StorageError: it cannot be written.
        """
        # As JSON, since a model's text may hold half a surrogate pair.
        row = {"key": key, "model": model, **asdict(answer), "text": json.dumps(answer.text)}
        with self._lock, self._errors():
            self._database.execute(
                "INSERT OR IGNORE INTO answers "
                "VALUES (:key, :model, :text, :tokens_in, :tokens_out, :milliseconds, :refusal)",
                row,
            )

    def tokens(self, model: str) -> tuple[int, int]:
        """Tokens of all prompts and answers of a model.

        Raises:
            StorageError: the file cannot be read.
        """
        with self._lock, self._errors():
            row = self._database.execute(
                "SELECT SUM(tokens_in), SUM(tokens_out) FROM answers WHERE model = ?", (model,)
            ).fetchone()
        return row[0] or 0, row[1] or 0

    def close(self) -> None:
        """Close the file; the journal cannot be used any more."""
        self._database.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"cannot use {self.path}: {error}; free some space, or choose another place"
            ) from error
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"{self.path}: not a journal, or damaged ({error}); name another folder or "
                f"remove the file"
            ) from error


class JournaledModel(Wrapper):
    """A model that is asked only what the journal does not know."""

    def __init__(self, model: ChatModel, journal: Journal) -> None:
        """Take the model and the journal to look answers up in."""
        super().__init__(model)
        self.journal = journal

    def complete(self, prompt: Prompt) -> Completion:
        """The answer in the journal, with the time it took then, or else the model's.

        That a service refuses a prompt is remembered too; that it failed is not.

        Raises:
            RoutingError, ServiceError: see `ChatModel.ask`.
            StorageError, DataError: the journal cannot be used.
        """
        key = self.key(prompt)
        known = self.journal.get(key)
        if known is None:
            try:
                known = self.model.complete(prompt)
            except RoutingError as error:
                if not error.of_service:
                    known = Completion("", refusal=printable(str(error)))
                    self.journal.put(key, self.address, known)
                raise
            self.journal.put(key, self.address, known)
        if known.refusal:
            raise RoutingError(known.refusal)
        return known

    def ask(self, prompt: Prompt) -> Completion:
        """See `ChatModel.ask`."""
        return self.complete(prompt)

    def knows(self, prompt: Prompt) -> bool:
        """Whether the answer is in the journal."""
        return self.journal.get(self.key(prompt)) is not None

    def key(self, prompt: Prompt) -> str:
        """What the answer is kept under: the same for the same prompt, model and place only."""
        question = json.dumps([self.address, _lasting(self.place), asdict(prompt)], sort_keys=True)
        return hashlib.sha256(question.encode()).hexdigest()


def _lasting(place: str) -> str:
    """A service's address without the port that a server on this machine happens to have."""
    return re.sub(r"(//(?:127\.0\.0\.1|localhost|\[::1\])):\d+", r"\1", place)
