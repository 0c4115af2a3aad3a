"""The process that works on one job: `python -m filmstill.jobs.worker KIND ID`."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from filmstill.errors import FilmstillError, StorageError
from filmstill.jobs.job import (
    COMPLETED,
    DISTILLATION,
    FAILED,
    IN_PROGRESS,
    STOPPED,
    STOPPING,
    job_folder,
)
from filmstill.jobs.runner import Runner, clear_folder, end_job
from filmstill.registry import Registry, Resource

_EVERY_S = 0.5  # how often progress is written at most

log = logging.getLogger("filmstill.jobs")


class JobStopped(BaseException):
    """Somebody asked the job to stop; no library may take it for an error of its own."""


class Report:
    """What a worker tells the registry while it works."""

    def __init__(self, registry: Registry, item: Resource) -> None:
        """Take the registry and the job."""
        self.registry = registry
        self.item = item
        self._written = 0.0

    def phase(self, name: str) -> None:
        """The phase before is completed, and this one begins."""
        now = time.time()
        with self.registry.transaction():
            phases = self.registry.get(self.item.kind, self.item.id).body.get("phases", {})
            done = {
                key: {**phase, "status": COMPLETED, "modified": now}
                if phase["status"] == IN_PROGRESS
                else phase
                for key, phase in phases.items()
            }
            begun = {"status": IN_PROGRESS, "created": now, "modified": now}
            self.registry.change(self.item, phases={**done, name: begun}, progress={})
        log.info("Phase %s", name.replace("_", " "))

    def progress(self, **facts: Any) -> None:  # noqa: ANN401 - JSON data
        """How far the phase is; written down twice a second at most."""
        now = time.monotonic()
        if now - self._written >= _EVERY_S:
            self._written = now
            # Hours of training are worth more than a line of progress.
            with suppress(StorageError):
                self.registry.change(self.item, progress=facts)

    def say(self, text: str) -> None:
        """One line for the log."""
        log.info("%s", text)


def main(kind: str, job_id: str) -> int:
    """Do a job; the exit code is 0 even where the job failed, since that is written down."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    logging.captureWarnings(True)
    signal.signal(signal.SIGTERM, _stop)
    registry = Registry()
    with registry.transaction():
        item = registry.find(kind, job_id)
        if item is None or item.status != IN_PROGRESS or item.body.get("pid") is not None:
            return 0  # deleted, stopped or ended before its turn came
        item = registry.change(item, pid=os.getpid())
    status, failure = FAILED, ""
    try:
        publish = _work(Report(registry, item))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # whether to stop, the registry says now
        with registry.transaction():
            now = registry.get(kind, job_id)
            if now.status == STOPPING:
                raise JobStopped
            publish(now)
            end_job(registry, now, COMPLETED)
            status = COMPLETED
    except JobStopped:
        status = STOPPED
    except FilmstillError as error:
        failure = str(error)
        log.error("%s", error)
    except Exception as error:
        failure = f"unexpected {type(error).__name__}: {error}"
        log.exception("This is a bug in Filmstill")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if status != COMPLETED:
        with registry.transaction():
            end_job(registry, registry.get(kind, job_id), status, failure)
    log.info("%s", status)
    clear_folder(job_folder(registry, job_id), completed=status == COMPLETED)
    registry.close()
    return 0


def _work(report: Report) -> Callable[[Resource], None]:
    """Do the work; what it gives back publishes the result, together with the job's end."""
    # Each loads what it needs, a training stack among it.
    if report.item.kind == DISTILLATION:
        from filmstill.jobs.distillation import distil

        return distil(report)
    from filmstill.jobs.evaluation import run_evaluation

    return run_evaluation(report)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    raise JobStopped


if __name__ == "__main__":
    code = main(*sys.argv[1:3])
    registry = Registry()
    Runner(registry).tick(wait=True)  # whoever waits need not wait for a server
    sys.exit(code)
