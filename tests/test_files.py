import errno
import os
import subprocess
from pathlib import Path

import pytest

from filmstill import DistillConfig, distill
from filmstill.errors import StorageError
from filmstill.files import make_folder, only_one, replacing, write_text


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_text(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        StorageError, match=r"cannot write .*file: the disk is full; free some space"
    ):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_inside_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        StorageError, match=r"cannot write to folder .*/file/sub: a part of this path"
    ):
        make_folder(tmp_path / "file" / "sub")
    with pytest.raises(StorageError, match=r"cannot write .*no such file or folder"):
        write_text(tmp_path / "none" / "file", "x")


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path, *args: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(StorageError, match="permission denied; choose another place"):
        make_folder(tmp_path / "x")


def test_an_unwritable_out_folder_stops_before_training(
    tmp_path: Path, training_file: Path, tiny_config: DistillConfig
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="a part of this path is a file"):
        distill(training_file, tmp_path / "file" / "student", config=tiny_config)


def test_one_lock_for_one_folder(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    lock, work = tmp_path / "lock", tmp_path / "work"
    with (
        only_one(lock, work),
        pytest.raises(StorageError, match=r"/work: another process is at work here; wait for it"),
        only_one(lock, work),
    ):
        raise AssertionError
    with only_one(lock, work):  # it is free again
        pass
    with (
        pytest.raises(StorageError, match=r"cannot write .*none/lock: no such file or folder"),
        only_one(tmp_path / "none" / "lock", work),
    ):
        raise AssertionError


def test_what_goes_wrong_under_a_lock_is_not_the_locks_fault(tmp_path: Path) -> None:
    with (
        pytest.raises(ConnectionError, match="the hub hung up"),
        only_one(tmp_path / "l", tmp_path),
    ):
        raise ConnectionError("the hub hung up")
    with only_one(tmp_path / "l", tmp_path):
        pass


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("kilobytes", [64, 250, 400, 500, 600])
def test_a_disk_that_fills_up_while_distilling(
    tmp_path: Path, training_file: Path, tiny_config: DistillConfig, kilobytes: int
) -> None:
    """At every stage: the state, the export, the model."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = f"size={kilobytes}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], check=True)
    try:
        with pytest.raises(StorageError, match="the disk is full; free some space"):
            distill(training_file, disk / "student", config=tiny_config)
        assert not (disk / "student" / "manifest.json").exists()
        assert not list(disk.rglob("*.tmp"))
    finally:
        subprocess.run(["umount", disk], check=True)
