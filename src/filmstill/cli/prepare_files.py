"""`filmstill prepare` for a folder of files."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from filmstill.bulk.engine import RAY
from filmstill.bulk.labelling import label_partition
from filmstill.bulk.partitions import partitions
from filmstill.cli.bulk import run_bulk
from filmstill.errors import InputError

if TYPE_CHECKING:
    from filmstill.teachers.order import Order


def label_files(order: "Order", folder: Path, engine: str, tasks: int, *, dry_run: bool) -> None:
    """Label every file of a folder; the limits are shared by those at work at the same time.

    Raises:
        InputError: a dry run was asked for, which is for single files.
    """
    if dry_run:
        raise InputError("--dry-run is for a single file: name one of the folder's")
    todo = partitions(folder, order.out, kind=".jsonl")
    together = min(tasks, len(todo)) if engine == RAY else 1
    config = replace(
        order.config,
        requests_per_minute=order.config.requests_per_minute / together,
        tokens_per_minute=order.config.tokens_per_minute / together,
    )
    cost = None if order.max_cost is None else order.max_cost / len(todo)
    work = partial(label_partition, order=replace(order, config=config, max_cost=cost))
    run_bulk(work, todo, engine=engine, what="Labelling files", tasks=together)
