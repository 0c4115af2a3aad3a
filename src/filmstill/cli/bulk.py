"""What `filmstill route` and `filmstill prepare` share for files in bulk."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from filmstill.bulk.engine import run_partitions
from filmstill.cli.screen import progress_bar

if TYPE_CHECKING:
    from filmstill.bulk.partitions import Partition


def run_bulk(
    work: "Callable[[Partition], int]",
    todo: "list[Partition]",
    *,
    engine: str,
    what: str,
    tasks: int | None = None,
) -> None:
    """Work on partitions with a progress bar, and say what was done."""
    done = sum(partition.done for partition in todo)
    with progress_bar(what, len(todo) - done) as shown:
        total = run_partitions(
            work, todo, engine=engine, tasks=tasks, on_done=lambda partition, count: shown.step()
        )
    before = f"; {done:,} were done before" if done else ""
    click.echo(f"{total:,} queries in {len(todo) - done:,} files{before}")
