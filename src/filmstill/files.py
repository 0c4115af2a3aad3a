"""Files written whole or not at all, and read with errors a user can act on."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filmstill.errors import InputError, StorageError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "the disk quota is used up; free some space and run again",
    errno.EACCES: "permission denied; choose another place or change its permissions",
    errno.EPERM: "permission denied; choose another place or change its permissions",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.ENOTDIR: "a part of this path is a file, not a folder; choose another place",
    errno.EISDIR: "this is a folder, and a file is needed",
    errno.ENOENT: "no such file or folder",
}


@contextmanager
def storage_errors(action: str, path: Path) -> Iterator[None]:
    """Turn the operating system's errors into one sentence: "cannot ACTION PATH: reason; advice".

    Raises:
        StorageError: any OSError inside the block.
    """
    try:
        yield
    except OSError as error:
        reason = _ADVICE.get(error.errno or 0, error.strerror or str(error))
        raise StorageError(f"cannot {action} {path}: {reason}") from error


def is_there(path: Path) -> bool:
    """Whether a file or folder exists.

    Raises:
        StorageError: the system will not say, as for a forbidden folder or a name too long.
    """
    with storage_errors("look for", path):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
    return True


@contextmanager
def only_one(path: Path, work: Path) -> Iterator[None]:
    """Hold a lock file, so that no second process does the same work in the same folder.

    The system frees it when the process ends, however it ends. Where the platform has no `flock`
    nothing is locked. Errors inside the block are left as they are.

    Args:
        path: the lock file; made if need be.
        work: the folder that is worked on, for the message.

    Raises:
        StorageError: another process holds it, or it cannot be written.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with ExitStack() as held:
        with storage_errors("write", path):
            file = held.enter_context(path.open("w"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StorageError(
                    f"{work}: another process is at work here; wait for it, or choose another "
                    f"folder"
                ) from error
        yield


def make_folder(path: Path) -> None:
    """Make a folder and its parents, and make sure that it can be written to.

    Raises:
        StorageError: it cannot be made or written to.
    """
    with storage_errors("write to folder", path):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that replaces it when the block ends without an error.

    The bytes are on the disk before the name changes: a crash leaves the old file or the new one.

    Raises:
        StorageError: the disk is full or the folder cannot be written to; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with storage_errors("write", path):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def read_text(path: Path) -> str:
    """A UTF-8 text file's content, without a byte-order mark.

    Raises:
        StorageError: the file cannot be read.
        InputError: it is not UTF-8.
    """
    with storage_errors("read", path):
        content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 text (byte {error.start}): save it as UTF-8"
        ) from error


def write_text(path: Path, text: str) -> None:
    r"""Write a UTF-8 text file atomically, with `\\n` line ends on every system."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        StorageError: the file cannot be read.
    """
    with storage_errors("read", path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
