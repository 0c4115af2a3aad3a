"""The registry: named resources in one SQLite file, which several processes may use at once."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filmstill.errors import DataError, StorageError, TakenNameError, UnknownNameError
from filmstill.registry.home import home, make_home, registry_path
from filmstill.registry.resource import Resource, new_id

_MARK = 0x46537472  # "FStr", which tells a registry from other SQLite files
_WAIT_S = 20.0  # for another process that writes
_TABLES = (
    """CREATE TABLE IF NOT EXISTS resources (
        number INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
        status TEXT NOT NULL, created REAL NOT NULL, modified REAL NOT NULL, token TEXT,
        body TEXT NOT NULL, UNIQUE (kind, id), UNIQUE (kind, name), UNIQUE (kind, token)
    )""",
    "CREATE INDEX IF NOT EXISTS by_status ON resources (kind, status)",
    """CREATE TABLE IF NOT EXISTS tags (
        resource TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (resource, key)
    ) WITHOUT ROWID""",
)
_COLUMNS = "kind, id, name, status, created, modified, token, body"


class Registry:
    """Resources and their tags; every change is on the disk when its call ends.

    Safe to use from several threads and several processes. What must be read and changed as one is
    put into a `transaction`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Open the registry, or make it.

        Args:
            folder: where state lives; see `home` where None.

        Raises:
            DataError: the file there is not a registry.
            StorageError: it cannot be read or written.
        """
        self.folder = folder or home()
        self.path = registry_path(self.folder)
        self._lock = threading.RLock()
        self._depth = 0
        self._changes = 0
        make_home(self.folder)
        with self._errors():
            # Without an isolation level sqlite3 begins no transaction by itself.
            self._database = sqlite3.connect(
                self.path, timeout=_WAIT_S, check_same_thread=False, isolation_level=None
            )
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all that is in the block, or nothing of it; no other process writes meanwhile.

        Raises:
            StorageError: the file cannot be written, or another process holds it for too long.
        """
        with self._lock, self._errors():
            if self._depth == 0:
                self._database.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self._database.execute("COMMIT")
                    self._changes += 1
            except BaseException:
                # SQLite rolls back by itself where the disk is full.
                if self._depth == 1 and self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    @property
    def version(self) -> tuple[int, int]:
        """Changes with every change of the registry, by this process or another."""
        with self._lock, self._errors():
            (others,) = self._database.execute("PRAGMA data_version").fetchone()
            return others, self._changes

    def add(
        self,
        kind: str,
        name: str,
        status: str,
        body: Mapping[str, Any],
        *,
        id: str | None = None,  # noqa: A002 - the column's name
        token: str | None = None,
    ) -> Resource:
        """Add a resource; the one that a request with the same token made is given back instead.

        Raises:
            TakenNameError: another one of its kind is called so.
            StorageError: see `transaction`.
        """
        now = time.time()
        with self.transaction():
            if token is not None:
                row = self._one("kind = ? AND token = ?", kind, token)
                if row is not None:
                    return row
            if self._one("kind = ? AND name = ?", kind, name) is not None:
                raise TakenNameError(f"there is a {kind} called {name!r} already; choose another")
            row_id = id or new_id()
            self._database.execute(
                f"INSERT INTO resources ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (kind, row_id, name, status, now, now, token, json.dumps(dict(body))),
            )
            return self.get(kind, row_id)

    def find(self, kind: str, key: str) -> Resource | None:
        """The resource with this id or name, or None."""
        with self._lock, self._errors():
            return self._one("kind = ? AND id = ?", kind, key) or self._one(
                "kind = ? AND name = ?", kind, key
            )

    def get(self, kind: str, key: str) -> Resource:
        """The resource with this id or name.

        Raises:
            UnknownNameError: there is none.
        """
        found = self.find(kind, key)
        if found is None:
            raise UnknownNameError(f"there is no {kind} {key!r}")
        return found

    def by_token(self, kind: str, token: str) -> Resource | None:
        """The resource that a request with this token made, or None."""
        with self._lock, self._errors():
            return self._one("kind = ? AND token = ?", kind, token)

    def all(self, kind: str, statuses: Sequence[str] = ()) -> list[Resource]:
        """All resources of a kind, in the order in which they were added.

        Args:
            kind: their kind.
            statuses: only those with one of these statuses; all of them where none is given.
        """
        condition = f" AND status IN ({', '.join('?' * len(statuses))})" if statuses else ""
        with self._lock, self._errors():
            rows = self._database.execute(
                f"SELECT {_COLUMNS} FROM resources WHERE kind = ?{condition} "  # noqa: S608
                f"ORDER BY number",
                (kind, *statuses),
            ).fetchall()
        return [_resource(row) for row in rows]

    def change(
        self,
        resource: Resource,
        *,
        name: str | None = None,
        status: str | None = None,
        **fields: Any,  # noqa: ANN401 - JSON data
    ) -> Resource:
        """Change a resource: its name, its status, and these fields of its body.

        What others changed in the meantime stays, but for what is given here.

        Raises:
            UnknownNameError: it is no longer there.
            TakenNameError: another one of its kind is called so.
            StorageError: see `transaction`.
        """
        with self.transaction():
            now = self.get(resource.kind, resource.id)
            if name is not None and name != now.name and self.find(now.kind, name) is not None:
                raise TakenNameError(f"there is a {now.kind} called {name!r} already")
            self._database.execute(
                "UPDATE resources SET name = ?, status = ?, modified = ?, body = ? "
                "WHERE kind = ? AND id = ?",
                (
                    name or now.name,
                    status or now.status,
                    time.time(),
                    json.dumps({**now.body, **fields}),
                    now.kind,
                    now.id,
                ),
            )
            return self.get(now.kind, now.id)

    def remove(self, resource: Resource) -> None:
        """Remove a resource; nothing happens where it is gone already."""
        with self.transaction():
            self._database.execute(
                "DELETE FROM resources WHERE kind = ? AND id = ?", (resource.kind, resource.id)
            )

    def tags(self, resource: str) -> dict[str, str]:
        """The tags of what has this address, by key, in the order of the keys."""
        with self._lock, self._errors():
            rows = self._database.execute(
                "SELECT key, value FROM tags WHERE resource = ? ORDER BY key", (resource,)
            ).fetchall()
        return dict(rows)

    def set_tags(self, resource: str, tags: Mapping[str, str]) -> None:
        """Replace all tags of what has this address."""
        with self.transaction():
            self._database.execute("DELETE FROM tags WHERE resource = ?", (resource,))
            self._database.executemany(
                "INSERT INTO tags VALUES (?, ?, ?)",
                [(resource, key, value) for key, value in tags.items()],
            )

    def close(self) -> None:
        """Close the file; the registry cannot be used any more."""
        with self._lock:
            self._database.close()

    def _prepare(self) -> None:
        """Make the tables, unless they are there; other processes may be at it, too."""
        if self._mark() != _MARK:
            with self.transaction():
                if self._mark() != _MARK:
                    self._database.execute(f"PRAGMA application_id={_MARK}")
                    for table in _TABLES:
                        self._database.execute(table)
        self._database.execute("PRAGMA synchronous=FULL")
        started = time.monotonic()
        while True:
            try:
                self._database.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError:  # SQLite does not wait for others here
                if time.monotonic() - started > _WAIT_S:
                    raise
                time.sleep(0.01)

    def _mark(self) -> int:
        """What marks the file; in one look, since another process may be making it."""
        mark, tables = self._database.execute(
            "SELECT application_id, (SELECT COUNT(*) FROM sqlite_master) FROM pragma_application_id"
        ).fetchone()
        if tables and mark != _MARK:
            raise DataError(f"{self.path}: not a registry; set FILMSTILL_HOME to another folder")
        return int(mark)

    def _one(self, condition: str, *values: str) -> Resource | None:
        row = self._database.execute(
            f"SELECT {_COLUMNS} FROM resources WHERE {condition}",  # noqa: S608 - our own words
            values,
        ).fetchone()
        return None if row is None else _resource(row)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            locked = "locked" in str(error)
            advice = "another process writes; try again" if locked else "free some space"
            raise StorageError(
                f"cannot use {self.path}: {error}; {advice}, or set FILMSTILL_HOME to another "
                f"folder"
            ) from error
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"{self.path}: not a registry, or damaged ({error}); set FILMSTILL_HOME to another "
                f"folder"
            ) from error


def _resource(row: tuple[Any, ...]) -> Resource:
    kind, name_id, name, status, created, modified, token, body = row
    return Resource(
        kind,
        name_id,
        name,
        status,
        datetime.fromtimestamp(created, UTC),
        datetime.fromtimestamp(modified, UTC),
        token,
        json.loads(body),
    )
