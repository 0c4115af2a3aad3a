"""Runs one function over partitions: one after the other here, or as tasks on Ray."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from filmstill.errors import FilmstillError, require

if TYPE_CHECKING:
    from filmstill.bulk.partitions import Partition

LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)
_AHEAD = 2
_SETTINGS = ("AWS_", "FILMSTILL_", "OPENAI_")
Work = Callable[["Partition"], int]


def run_partitions(
    work: Work,
    todo: "Sequence[Partition]",
    *,
    engine: str = LOCAL,
    tasks: int | None = None,
    on_done: "Callable[[Partition, int], None]" = lambda partition, count: None,
) -> int:
    """Do the work on every partition that is not done yet.

    On Ray the tasks go to the cluster that `RAY_ADDRESS` names, or to one on this machine. A task
    whose node dies is run again elsewhere; partitions must lie where all nodes can reach them.

    Args:
        work: takes a partition, returns the number of its queries; it can be pickled.
        todo: the partitions; those that are done are left alone.
        engine: "local", which takes one partition after the other, or "ray".
        tasks: partitions at the same time on Ray; None for as many as it has CPUs.
        on_done: called after each partition with the number of its queries.

    Returns:
        The number of queries.

    Raises:
        FilmstillError: what the work raises; partitions that were done stay done.
        MissingExtraError: ray is not installed.
    """
    left = [partition for partition in todo if not partition.done]
    if engine == RAY:
        return _on_ray(work, left, tasks, on_done)
    total = 0
    for partition in left:
        count = work(partition)
        total += count
        on_done(partition, count)
    return total


def _on_ray(
    work: Work,
    left: "list[Partition]",
    tasks: int | None,
    on_done: "Callable[[Partition, int], None]",
) -> int:
    # Ray reports how it is used to its makers unless told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray: Any = require("ray", "ray", "--engine ray")
    mine = not ray.is_initialized()
    if mine:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        # Ray takes functions, and the work may be any callable.
        remote = ray.remote(num_cpus=1, runtime_env={"env_vars": _settings()})
        task = remote(lambda partition: work(partition))
        # Without a limit there is always a task ready to be placed when a CPU becomes free.
        room = tasks or max(1, int(_AHEAD * ray.cluster_resources().get("CPU", 1)))
        running: dict[Any, Partition] = {}
        waiting, total = list(reversed(left)), 0
        while waiting or running:
            while waiting and len(running) < room:
                partition = waiting.pop()
                running[task.remote(partition)] = partition
            [finished], _ = ray.wait(list(running), num_returns=1)
            partition = running.pop(finished)
            try:
                count = ray.get(finished)
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, FilmstillError):
                    raise error.cause from None
                raise
            total += count
            on_done(partition, count)
        return total
    finally:
        if mine:
            ray.shutdown()


def _settings() -> dict[str, str]:
    """The environment that says where services are and with which keys, for the workers."""
    return {name: value for name, value in os.environ.items() if name.startswith(_SETTINGS)}
