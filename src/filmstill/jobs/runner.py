"""Starts jobs, each in a process of its own, and notices those that died.

A job is its worker's for as long as the worker lives: the worker inherits a locked file, which the
system unlocks when the process ends, however it ends. So any process that looks, at any time, can
tell a job that is worked on from one whose worker is gone, and nothing has to be cleaned up after a
server or a worker was killed.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filmstill.errors import InputError
from filmstill.files import make_folder, storage_errors
from filmstill.jobs.job import (
    CARRIED,
    DISTILLATION,
    FAILED,
    IN_PROGRESS,
    KINDS,
    STOPPED,
    STOPPING,
    UNFINISHED,
    Job,
    job_folder,
    job_of,
    log_path,
)
from filmstill.registry import Registry, Resource

GRACE_S = 20.0
"""How long a worker may take to stop before it is killed."""
STARTS = 3
"""How often a worker is started that ends before it takes up its job."""
KEPT = ("lock", "log.txt", "rejects.jsonl")
"""What stays of a job's folder when it has ended."""

LABELLED = "labelled"
"""How the files with a teacher's labels are called, from the start."""

_LAST = 400  # characters of the log that a failure quotes


class Runner:
    """Keeps jobs going; any number of processes may have one."""

    def __init__(self, registry: Registry, at_once: int = 1) -> None:
        """Take the registry, and how many jobs may be worked on at the same time."""
        self._registry = registry
        self._at_once = at_once
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def tick(self, *, start: bool = True, wait: bool = False) -> None:
        """Bury dead workers, end jobs that will not stop, and start jobs whose turn it is.

        Args:
            start: False only to notice what has ended.
            wait: where another process is at it, wait for it and look again; else do nothing.

        Raises:
            StorageError: the registry cannot be written.
        """
        folder = job_folder(self._registry, "")
        make_folder(folder)
        with _held(folder / "runner.lock", wait=wait) as lock:
            if lock is None:
                return
            waiting, running = [], 0
            unfinished = self._unfinished()
            self._reap({item.id for item in unfinished})
            for item in unfinished:
                if self._is_alive(item):
                    running += 1
                    self._end_the_slow(item)
                elif item.body.get("pid") is not None:
                    self._bury(item)
                elif item.status == STOPPING:
                    self._registry.change(item, status=STOPPED, ended=time.time())
                else:
                    waiting.append(item)
            for item in waiting[: max(0, self._at_once - running)] if start else ():
                self._start(item)

    def _unfinished(self) -> list[Resource]:
        found = [item for kind in KINDS for item in self._registry.all(kind, UNFINISHED)]
        return sorted(found, key=lambda item: item.created)

    def _reap(self, unfinished: set[str]) -> None:
        """Let go of workers that have ended, so that no zombies are left."""
        for job_id, child in list(self._children.items()):
            if child.poll() is not None and job_id not in unfinished:
                del self._children[job_id]

    def _is_alive(self, item: Resource) -> bool:
        path = job_folder(self._registry, item.id) / "lock"
        if not path.exists():
            return False
        with _held(path) as lock:
            return lock is None

    def _end_the_slow(self, item: Resource) -> None:
        pid = item.body.get("pid")  # None while it is being started
        if item.status == STOPPING and pid and time.time() - item.body["stopping"] > GRACE_S:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _bury(self, item: Resource) -> None:
        child = self._children.pop(item.id, None)
        code = None
        if child is not None:
            with suppress(subprocess.TimeoutExpired):
                code = child.wait(1)  # its lock is free, so it is ending at least
        with self._registry.transaction():
            now = self._registry.get(item.kind, item.id)
            if now.status not in UNFINISHED:
                return  # it ended as it should between our two looks
            end_job(self._registry, now, STOPPED if now.status == STOPPING else FAILED, _why(code))
        clear_folder(job_folder(self._registry, item.id), completed=False)

    def _start(self, item: Resource) -> None:
        registry = self._registry
        starts = item.body.get("starts", 0) + 1
        if starts > STARTS:
            log = log_path(registry, item.id)
            end_job(registry, item, FAILED, f"its worker ends before it begins: {_end_of(log)}")
            return
        folder = job_folder(registry, item.id)
        make_folder(folder)
        with (
            storage_errors("start a worker in", folder),
            _held(folder / "lock") as lock,
            log_path(registry, item.id).open("ab") as log_file,
        ):
            if lock is None:  # a worker that was started by a process that then was killed
                return
            registry.change(item, starts=starts)
            self._children[item.id] = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "filmstill.jobs.worker", item.kind, item.id],
                env=_environment(registry, item),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                pass_fds=[lock],
                # A signal for the server, such as Ctrl-C, is none for its workers.
                start_new_session=True,
            )


def stop(registry: Registry, job: Job) -> Job:
    """Ask a job to stop; it is "Stopping" until its worker has ended.

    Raises:
        InputError: it is not in progress.
    """
    with registry.transaction():
        item = registry.get(job.kind, job.id)
        if item.status not in UNFINISHED:
            raise InputError(f"job {item.name!r} is {item.status}, so there is nothing to stop")
        if item.status == IN_PROGRESS:
            item = registry.change(item, status=STOPPING, stopping=time.time())
    pid = item.body.get("pid")
    if pid is not None and Runner(registry)._is_alive(item):  # else the number may be another's
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    Runner(registry).tick(start=False)
    return job_of(registry.get(job.kind, job.id))


def delete(registry: Registry, job: Job) -> None:
    """Forget a job that has ended, and remove its folder.

    Raises:
        InputError: it has not ended.
    """
    with registry.transaction():
        item = registry.get(job.kind, job.id)
        if item.status in UNFINISHED:
            raise InputError(f"job {item.name!r} is {item.status}: stop it first")
        if item.body["bedrock"] and item.kind == DISTILLATION:
            raise InputError(f"job {item.name!r} was made through Bedrock's API, which keeps jobs")
        registry.remove(item)
    shutil.rmtree(job_folder(registry, job.id), ignore_errors=True)


def end_job(registry: Registry, item: Resource, status: str, failure: str = "") -> Resource:
    """Write down that a job has ended, and with it the phase that was under way."""
    now = time.time()
    phases = {
        name: {**phase, "status": status, "modified": now}
        if phase["status"] in UNFINISHED
        else phase
        for name, phase in item.body.get("phases", {}).items()
    }
    reason = failure if status == FAILED else ""
    return registry.change(item, status=status, ended=now, failure=reason, phases=phases)


def clear_folder(folder: Path, *, completed: bool) -> None:
    """Remove what a job worked on.

    Where it did not complete, the labels that a teacher was paid for stay, and a finished student:
    what a completed one made is in the registry.
    """
    finished = {"student"} if (folder / "student" / "manifest.json").exists() else set()
    for path in folder.iterdir():
        paid = path.name.startswith(LABELLED) or path.name in finished
        if path.name in KEPT or (paid and not completed):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _environment(registry: Registry, item: Resource) -> dict[str, str]:
    """A worker's environment: ours, with the services of the one who asked for the job."""
    ours = {name: value for name, value in os.environ.items() if name not in CARRIED}
    home = {"FILMSTILL_HOME": str(registry.folder.resolve())}
    # Threads that spin while they wait take the cores from the server, and from each other.
    return {"OMP_WAIT_POLICY": "PASSIVE", **ours, **item.body.get("environment", {}), **home}


def _why(code: int | None) -> str:
    """Why a worker is gone, by the exit code where it is known."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; the machine may be short of memory" if -code == signal.SIGKILL else ""
        return f"its process was ended by {name}{hint}"
    if code:
        return f"its process ended with exit code {code}; see the log"
    return "its process is gone: it was killed, or the machine was restarted"


def _end_of(log: Path) -> str:
    try:
        text = log.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "there is no log"
    return text[-_LAST:].rpartition("\n")[2] or "the log is empty"


@contextmanager
def _held(path: Path, *, wait: bool = False) -> Iterator[int | None]:
    """The descriptor of a lock file that is ours inside the block, or None where it is another's.

    A child process that inherits the descriptor keeps the lock.
    """
    import fcntl  # not on Windows, where everything but jobs works

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)
