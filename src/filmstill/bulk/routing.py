"""Routing one partition."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from filmstill.bulk.partitions import Partition
from filmstill.data.formats import to_line
from filmstill.data.parquet import SUFFIX, write_parquet
from filmstill.data.reading import Reject, iter_examples
from filmstill.files import make_folder, replacing
from filmstill.records import Routing
from filmstill.router import Router
from filmstill.task import Task

CHUNK = 256  # queries that a student reads together


def route_partition(
    partition: Partition, address: str | None, task_file: Path | None, *, raw: bool = False
) -> int:
    """Route the queries of a partition, in order, and write one record per line of it.

    A line that is no query gives a record with an `error`. Memory does not grow with the number
    of queries.

    Args:
        partition: the queries, and where their routings go: Parquet where its ending says so, else
            JSONL.
        address: the router; see `Router.load`.
        task_file: the task; None for the router's own.
        raw: leave the weights off the grid.

    Returns:
        The number of queries.

    Raises:
        DataError, StorageError: a file cannot be read or written.
    """
    router = _router(address, task_file)
    make_folder(partition.out.parent)
    counted = 0

    def rows() -> Iterator[list[dict[str, Any]]]:
        nonlocal counted
        for batch in _batches(partition.source, router, raw=raw):
            counted += len(batch)
            yield batch

    with replacing(partition.out) as temporary:
        if partition.out.suffix == SUFFIX:
            write_parquet(temporary, rows(), [*router.task.channel_names, "confidence"])
        else:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                for batch in rows():
                    file.writelines(to_line(_plain(row, router.task)) + "\n" for row in batch)
    return counted


@lru_cache(maxsize=1)
def _router(address: str | None, task_file: Path | None) -> Router:
    """A worker's router, loaded once for all its partitions."""
    return Router.load(address, task=None if task_file is None else Task.load(task_file))


def _batches(source: Path, router: Router, *, raw: bool) -> Iterator[list[dict[str, Any]]]:
    """Rows of a file: the query, and its weights or an error."""
    waiting: list[str] = []
    for item in iter_examples(source, router.task):
        if isinstance(item, Reject):
            yield _routed(router, waiting, raw=raw)
            waiting = []
            yield [{"query": item.raw, "error": item.reason}]
        else:
            waiting.append(item.query)
            if len(waiting) == CHUNK:
                yield _routed(router, waiting, raw=raw)
                waiting = []
    yield _routed(router, waiting, raw=raw)


def _routed(router: Router, queries: list[str], *, raw: bool) -> list[dict[str, Any]]:
    routings = router.route_many(queries, raw=raw) if queries else []
    return [_row(query, routing) for query, routing in zip(queries, routings, strict=True)]


def _row(query: str, routing: Routing) -> dict[str, Any]:
    return {"query": query, **routing.weights, "confidence": routing.confidence}


def _plain(row: dict[str, Any], task: Task) -> dict[str, Any]:
    """A row as `filmstill route` prints it: the weights in an object of their own."""
    if "error" in row:
        return row
    weights = {name: row[name] for name in task.channel_names}
    confidence = {} if row["confidence"] is None else {"confidence": row["confidence"]}
    return {"query": row["query"], "weights": weights, **confidence}
