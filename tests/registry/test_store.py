"""The registry, against a plain model, several processes, a full disk and `kill -9`."""

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from filmstill.errors import (
    DataError,
    FilmstillError,
    StorageError,
    TakenNameError,
    UnknownNameError,
)
from filmstill.registry import Registry, Resource, home, new_id, store


def python(code: str, *words: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], stdout=subprocess.PIPE, text=True
    )


KINDS = st.sampled_from(["job", "model"])
NAMES = st.sampled_from(["a", "b", "c", "ä\n'; --"])
TOKENS = st.none() | st.sampled_from(["t", "u"])
BODIES = st.dictionaries(st.sampled_from("xy"), st.none() | st.integers() | st.text(), max_size=2)


class AgainstADictionary(RuleBasedStateMachine):
    """Any operations, on either of two connections, leave what a dictionary would hold."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.connections = [Registry(Path(self.folder.name)) for _ in range(2)]
        self.model: dict[str, Resource] = {}
        self.tags: dict[str, dict[str, str]] = {}

    def teardown(self) -> None:
        for connection in self.connections:
            connection.close()
        self.folder.cleanup()

    def of(self, kind: str, **fields: str | None) -> Resource | None:
        for item in self.model.values():
            if item.kind == kind and all(getattr(item, k) == v for k, v in fields.items()):
                return item
        return None

    @rule(number=st.integers(0, 1), kind=KINDS, name=NAMES, token=TOKENS, body=BODIES)
    def add(
        self, number: int, kind: str, name: str, token: str | None, body: dict[str, Any]
    ) -> None:
        again = self.of(kind, token=token) if token else None
        if again is None and self.of(kind, name=name):
            with pytest.raises(TakenNameError, match="choose another"):
                self.connections[number].add(kind, name, "New", body, token=token)
            return
        added = self.connections[number].add(kind, name, "New", body, token=token)
        if again is not None:
            assert added == again
            return
        assert (added.kind, added.name, added.status, added.body) == (kind, name, "New", body)
        assert added.id not in self.model
        self.model[added.id] = added

    @rule(number=st.integers(0, 1), data=st.data(), fields=BODIES, name=st.none() | NAMES)
    def change(
        self, number: int, data: st.DataObject, fields: dict[str, Any], name: str | None
    ) -> None:
        if not self.model:
            return
        item = data.draw(st.sampled_from(list(self.model.values())))
        stale = replace(item, body={}, status="Old")  # what others changed meanwhile must stay
        other = self.of(item.kind, name=name) if name else None
        if other is not None and other.id != item.id:
            with pytest.raises(TakenNameError):
                self.connections[number].change(stale, name=name, **fields)
            return
        changed = self.connections[number].change(stale, name=name, status="Changed", **fields)
        assert changed.body == item.body | fields
        assert (changed.name, changed.status) == (name or item.name, "Changed")
        assert (changed.created, changed.token) == (item.created, item.token)
        assert changed.modified >= item.modified
        self.model[item.id] = changed

    @rule(number=st.integers(0, 1), data=st.data())
    def remove(self, number: int, data: st.DataObject) -> None:
        if not self.model:
            return
        item = data.draw(st.sampled_from(list(self.model.values())))
        self.connections[number].remove(item)
        self.connections[number].remove(item)  # gone already
        del self.model[item.id]
        with pytest.raises(UnknownNameError):
            self.connections[1 - number].change(item, status="Changed")

    @rule(
        number=st.integers(0, 1),
        address=st.sampled_from("pq"),
        tags=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
    )
    def tag(self, number: int, address: str, tags: dict[str, str]) -> None:
        self.connections[number].set_tags(address, tags)
        self.tags[address] = tags

    @rule(number=st.integers(0, 1), kind=KINDS)
    def begin_and_fail(self, number: int, kind: str) -> None:
        connection = self.connections[number]
        with pytest.raises(KeyboardInterrupt), connection.transaction():
            connection.add(kind, "never there", "New", {})
            connection.set_tags("p", {"never": "there"})
            for item in self.model.values():
                connection.remove(item)
            raise KeyboardInterrupt

    @rule(number=st.integers(0, 1))
    def reopen(self, number: int) -> None:
        self.connections[number].close()
        self.connections[number] = Registry(Path(self.folder.name))

    @invariant()
    def the_same(self) -> None:
        for connection in self.connections:
            for kind in ("job", "model"):
                kept = [item for item in self.model.values() if item.kind == kind]
                assert connection.all(kind) == kept
                for item in kept:
                    assert connection.get(kind, item.id) == item == connection.find(kind, item.name)
                with pytest.raises(UnknownNameError, match=f"there is no {kind} 'nobody'"):
                    connection.get(kind, "nobody")
            for address in "pq":
                assert list(connection.tags(address).items()) == sorted(
                    self.tags.get(address, {}).items()
                )


TestAgainstADictionary = AgainstADictionary.TestCase
TestAgainstADictionary.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def test_ids_are_bedrocks() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(one) == 12 and one.isalnum() and one == one.lower() for one in ids)


def test_an_id_can_be_given(registry: Registry) -> None:
    assert registry.add("job", "a", "New", {}, id="abc").id == "abc"
    with pytest.raises(FilmstillError):
        registry.add("job", "b", "New", {}, id="abc")
    assert [item.name for item in registry.all("job")] == ["a"]


def test_where_state_lives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FILMSTILL_HOME", str(tmp_path / "there"))
    assert home() == tmp_path / "there"
    opened = Registry()
    assert opened.path == tmp_path / "there" / "registry.sqlite"
    opened.close()
    for value in ("", None):
        if value is None:
            monkeypatch.delenv("FILMSTILL_HOME")
        else:
            monkeypatch.setenv("FILMSTILL_HOME", value)
        assert home() == Path.home() / ".filmstill"


def test_an_outer_transaction_takes_the_inner_ones_back(registry: Registry) -> None:
    def fail() -> None:
        with registry.transaction():
            registry.add("job", "a", "New", {})
            with registry.transaction():
                registry.add("job", "b", "New", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert registry.all("job") == []
    registry.add("job", "a", "New", {})
    assert len(registry.all("job")) == 1


def test_threads_wait_for_a_transaction(registry: Registry) -> None:
    item = registry.add("job", "a", "New", {"count": 0})

    def count() -> None:
        for _ in range(25):
            with registry.transaction():
                now = registry.get("job", item.id)
                registry.change(now, count=now.body["count"] + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert registry.get("job", item.id).body == {"count": 100}


def test_processes_at_once(tmp_path: Path) -> None:
    """They make the registry at the same moment; every name is one's, and no count is lost."""
    code = """
import sys, time
from pathlib import Path
from typing import Any
from filmstill.errors import TakenNameError
from filmstill.registry import Registry
folder, start = Path(sys.argv[1]), Path(sys.argv[2])
print("here", flush=True)
while not start.exists():
    pass
registry = Registry(folder)
registry.add("counter", "all", "New", {"count": 0}, token="all")
for number in range(20):
    with registry.transaction():
        counter = registry.get("counter", "all")
        registry.change(counter, count=counter.body["count"] + 1)
    try:
        registry.add("job", f"job {number}", "New", {})
    except TakenNameError:
        continue
    print(number, flush=True)
"""
    folder, start = tmp_path / "home", tmp_path / "start"
    processes = [python(code, folder, start) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
    start.touch()
    outputs = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    won = [number for output in outputs for number in output]
    assert sorted(won, key=int) == [str(number) for number in range(20)]
    opened = Registry(folder)
    assert opened.get("counter", "all").body == {"count": 80}
    assert len(opened.all("job")) == 20
    opened.close()


def test_what_was_committed_is_there_after_kill_9(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from typing import Any
from filmstill.registry import Registry
registry, number = Registry(Path(sys.argv[1])), 0
while True:
    number += 1
    with registry.transaction():
        item = registry.add("job", f"{sys.argv[2]}-{number}", "New", {"text": "x" * 5000})
        registry.change(item, second=True)
    print(item.id, flush=True)
"""
    ids: set[str] = set()
    for life, lines in enumerate((1, 20, 50)):
        process = python(code, tmp_path, life)
        assert process.stdout is not None
        ids |= {process.stdout.readline().strip() for _ in range(lines)}
        process.kill()
        ids |= {line.strip() for line in process.stdout if line.endswith("\n")}
        process.communicate()
    opened = Registry(tmp_path)
    kept = opened.all("job")
    assert ids <= {item.id for item in kept}
    assert len(kept) - len(ids) <= 3  # written, but killed before it could say so
    assert all(item.body == {"text": "x" * 5000, "second": True} for item in kept)
    assert opened.add("job", "next", "New", {}).name == "next"
    opened.close()
    with sqlite3.connect(tmp_path / "registry.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_the_version_changes_with_every_change_and_with_nothing_else(registry: Registry) -> None:
    other = Registry(registry.folder)
    seen = [registry.version]

    def differs() -> bool:
        seen.append(registry.version)
        return seen[-1] not in seen[:-1]

    item = other.add("job", "a", "New", {})
    assert differs()
    registry.change(item, status="Changed")
    assert differs()
    other.set_tags("x", {"a": "b"})
    assert differs()
    other.remove(item)
    assert differs()
    registry.all("job")
    other.find("job", "a")
    other.close()
    Registry(registry.folder).close()  # as every command does
    assert not differs()


def test_another_process_that_writes_for_too_long(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_WAIT_S", 0.1)
    other = Registry(registry.folder)
    with registry.transaction():
        registry.add("job", "a", "New", {})
        assert other.all("job") == []  # who reads waits for nobody
        with pytest.raises(StorageError, match=r"is locked; another process writes; try again"):
            other.add("job", "b", "New", {})
    other.add("job", "b", "New", {})
    assert [item.name for item in other.all("job")] == ["a", "b"]
    other.close()


@pytest.mark.parametrize("content", ["text", "SQLite of another program", "damaged"])
def test_a_file_that_is_no_registry_is_left_alone(content: str, tmp_path: Path) -> None:
    path = tmp_path / "registry.sqlite"
    if content == "text":
        path.write_text("my notes, which are long enough to be a database\n" * 100)
    elif content == "damaged":
        opened = Registry(tmp_path)
        for number in range(100):
            opened.add("job", str(number), "New", {"text": "x" * 100})
        opened.close()
        whole = path.read_bytes()
        path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    else:
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE notes (text TEXT)")
        database.close()
    before = path.read_bytes()

    def use() -> None:
        Registry(tmp_path).all("job")

    with pytest.raises(DataError, match=r"registry.sqlite: not a registry.*FILMSTILL_HOME"):
        use()
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="a part of this path is a file"):
        Registry(tmp_path / "file" / "home")
    (tmp_path / "registry.sqlite").mkdir()
    with pytest.raises(StorageError, match="unable to open database file"):
        Registry(tmp_path)


@contextmanager
def only_readable(folder: Path) -> Iterator[None]:
    """A folder and its files cannot be written to; root, who can, becomes somebody else."""
    for path in (folder, *folder.iterdir()):
        path.chmod(0o555)
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)
        folder.chmod(0o755)


def test_a_folder_that_can_only_be_read() -> None:
    # not tmp_path, which nobody else may enter
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Registry(folder).close()
        with (
            only_readable(folder),
            pytest.raises(StorageError, match="permission denied; choose another place"),
        ):
            Registry(folder)


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """As on a disk that is full (EFBIG instead of ENOSPC)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_loses_nothing_and_passes(registry: Registry) -> None:
    kept = registry.add("job", "a", "New", {})
    log = registry.path.with_name("registry.sqlite-wal")

    def two_at_once() -> None:
        with registry.transaction():
            registry.add("job", "b", "New", {})
            registry.add("job", "c", "New", {"text": "x" * 10_000_000})  # more than the cache holds

    with no_file_longer_than(log.stat().st_size):
        for _ in range(2):
            with pytest.raises(StorageError, match=r"disk I/O error; free some space"):
                registry.add("job", "b", "New", {})
            with pytest.raises(StorageError, match=r"disk I/O error; free some space"):
                two_at_once()
        assert registry.all("job") == [kept]
    two_at_once()
    assert [item.name for item in registry.all("job")] == ["a", "b", "c"]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], check=True)
    try:
        opened = Registry(disk)
        names: list[str] = []

        def fill() -> None:
            while True:
                names.append(str(len(names)))
                opened.add("job", names[-1], "New", {"text": "x" * 5000})

        with pytest.raises(StorageError, match="database or disk is full; free some space"):
            fill()
        assert [item.name for item in opened.all("job")] == names[:-1]
        opened.close()
        again = Registry(disk)
        assert [item.name for item in again.all("job")] == names[:-1]
        again.close()
    finally:
        subprocess.run(["umount", disk], check=True)
