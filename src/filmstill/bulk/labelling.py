"""Labelling one partition: the same run as for a single file, with a journal of its own."""

import threading
from dataclasses import replace

from filmstill.bulk.partitions import Partition
from filmstill.errors import RoutingError
from filmstill.teachers.order import Order
from filmstill.teachers.prepare import prepare


class _Silent:
    """Watches a run on another machine, where nobody looks."""

    def begin(self, what: str, total: int | None) -> None:
        """See `Watcher.begin`."""

    def step(self, done: int, spent: float, rejected: int = 0) -> None:
        """See `Watcher.step`."""


def label_partition(partition: Partition, order: Order) -> int:
    """Label the queries of a partition.

    Args:
        partition: the queries, and the file that is made of them.
        order: everything else, as it holds for one partition.

    Returns:
        The number of labelled queries.

    Raises:
        FilmstillError: why the run ended early; what was answered is in the partition's journal.
    """
    one = replace(order, queries=partition.source, out=partition.out)
    prepared = prepare(one, _Silent(), threading.Event())
    if prepared.stopped is not None:
        raise prepared.stopped
    if prepared.pending and not order.finish:
        raise RoutingError(f"{partition.source}: the service failed {prepared.pending} queries")
    return prepared.examples
