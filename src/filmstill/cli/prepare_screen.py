"""What `filmstill prepare` prints."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import click
from rich.progress import Progress, TaskID

from filmstill.cli.estimates import show_estimates
from filmstill.cli.screen import err, out, progress
from filmstill.data.reading import iter_examples, tags_path
from filmstill.errors import InputError
from filmstill.models.chat import is_model
from filmstill.models.estimate import Estimate
from filmstill.records import Example
from filmstill.teachers.estimate import estimate_labelling, estimate_writing, kinds
from filmstill.teachers.labelling import Unasked
from filmstill.teachers.order import journal_path
from filmstill.teachers.output import card_path, rejects_path
from filmstill.teachers.teacher import ChatTeacher

if TYPE_CHECKING:
    from filmstill.teachers.order import Order, Prepared

_SHOWN = 16
KEPT = (
    "All answers are kept in {journal}: run the same command again to go on, or with --finish to "
    "write what is there."
)
BEDROCK_MIN, BEDROCK_MAX = 100, 15_000
"""Records that a distillation job on Amazon Bedrock takes."""


class Bars:
    """Progress on stderr: one bar per part of the run, with rate and spending."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._id: TaskID | None = None

    def begin(self, what: str, total: int | None) -> None:
        """See `Watcher.begin`."""
        self._id = self._bars.add_task(what, total=total, extra="")

    def step(self, done: int, spent: float, rejected: int = 0) -> None:
        """See `Watcher.step`."""
        if self._id is None:
            return
        speed = self._bars.tasks[-1].speed
        parts = [f"{speed:.1f}/s"] if speed else []
        parts += [f"{spent:.2f} USD"] if spent else []
        parts += [f"{rejected:,} rejected"] if rejected else []
        self._bars.update(self._id, completed=done, extra="  ".join(parts))


@contextmanager
def watching() -> Iterator[Bars]:
    """Bars that go away when done; nothing where stderr is not a terminal."""
    with progress() as bars:
        yield Bars(bars)


def show_prepared(prepared: "Prepared", order: "Order") -> int:
    """Say what a run came to; its exit code."""
    cost = f"; {prepared.spent:.4f} USD spent in all" if prepared.spent else ""
    if not prepared.examples:
        reason = prepared.stopped or f"{prepared.pending:,} calls failed"
        err().print(
            f"Stopped: {reason}. {prepared.calls:,} answers came in this run{cost}. "
            f"{KEPT.format(journal=journal_path(order.out))}"
        )
        return 1
    click.echo(f"{prepared.examples:,} examples in {order.out}{cost}")
    click.echo(f"Tags: {tags_path(order.out).name}  Card: {card_path(order.out).name}")
    written = prepared.written
    if written is not None and (written.duplicates or written.forbidden):
        click.echo(
            f"{written.duplicates:,} near-duplicates and {written.forbidden:,} queries near an "
            f"evaluation query were dropped and written anew"
        )
    if written is not None and written.missing:
        click.echo(f"{written.missing:,} of the planned queries are missing", err=True)
    if prepared.noise is not None:
        click.echo(
            f"Teacher's noise: two labels of one query score {prepared.noise.rubric:.2f} of 5 "
            f"against each other"
        )
    if prepared.rejected:
        click.echo(f"{prepared.rejected:,} rejected, in {rejects_path(order.out)}", err=True)
    if not BEDROCK_MIN <= prepared.examples <= BEDROCK_MAX:
        click.echo(
            f"Amazon Bedrock distils from {BEDROCK_MIN:,} to {BEDROCK_MAX:,} records", err=True
        )
    if prepared.pending:
        click.echo(f"{prepared.pending:,} are not labelled yet", err=True)
    return 0


def show_estimate(order: "Order") -> None:
    """Print the plan, and what it will take."""
    console = out()
    slots = list(order.slots)
    if slots:
        console.print(f"Plan: {len(slots):,} queries, written by {order.writer}", style="bold")
        for name, counts in kinds(slots).items():
            first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
            shown = ", ".join(f"{kind} {count:,}" for kind, count in first)
            more = f", and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else ""
            if counts:
                console.print(f"  {name}: {shown}{more}", soft_wrap=True)
    show_estimates(console, _estimates(order), order.prices)


def _estimates(order: "Order") -> list[Estimate]:
    found = []
    slots = list(order.slots)
    if order.writer is not None:
        found.append(estimate_writing(order.writer, slots, order.task, order.prices))
    if order.label and order.teacher and is_model(order.teacher):
        teacher = ChatTeacher(Unasked(order.teacher), order.task)
        found.append(
            estimate_labelling(teacher, _queries(order), order.config.samples, order.prices)
        )
    return found


def _queries(order: "Order") -> Iterator[str]:
    """The queries, or as many of a usual length."""
    if order.queries is None:
        usual = "a query of a usual length with ten words in it"
        return (usual for _ in range(order.config.count))
    items = iter_examples(order.queries, order.task)
    queries = (item.query for item in items if isinstance(item, Example))
    first = list(islice(queries, 1))
    if not first:
        raise InputError(f"{order.queries}: there is no query in it")
    return (query for part in (first, queries) for query in part)
