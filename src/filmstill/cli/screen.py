"""What the verbs print with: tables and bars on stdout, progress and talk on stderr."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_REDRAW_S = 0.1
_BLOCKS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = " ▁▂▃▄▅▆▇█"


def out() -> Console:
    """Console on stdout; wide where stdout is a file, so that no table is cut."""
    width = None if Console().is_terminal else 140
    return Console(highlight=False, markup=False, emoji=False, width=width)


def err() -> Console:
    """Console on stderr; what it says is not broken into lines, so that paths stay whole."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def bar(share: float, width: int) -> str:
    """A horizontal bar: `share` (0..1) of `width` characters, in eighths of one."""
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_BLOCKS[rest] if rest else "")


def columns(counts: list[int]) -> str:
    """A row of vertical bars, one character each, the highest count filling it; 0 stays empty."""
    top = max(counts, default=0) or 1
    return "".join(_HEIGHTS[-(-8 * count // top)] for count in counts)


@contextmanager
def progress_bar(description: str, total: int, *, extra: str = "") -> Iterator["Bar"]:
    """A progress bar on stderr that goes away when done; nothing where stderr is not a terminal."""
    with progress() as bars:
        yield Bar(bars, bars.add_task(description, total=total, extra=extra))


@contextmanager
def progress_bars(names: list[str], total: int) -> Iterator[dict[str, "Bar"]]:
    """Several such bars below each other, by name, each with so much to do.

    They are drawn by those who step them, not by a thread beside them, which would slow down
    what is being timed.
    """
    with progress(auto_refresh=False) as bars:
        yield {name: Bar(bars, bars.add_task(name, total=total, extra="")) for name in names}


def progress(*, auto_refresh: bool = True) -> Progress:
    """Bars on stderr that go away when done; nothing where stderr is not a terminal."""
    bar_columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[extra]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = err()
    return Progress(
        *bar_columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        auto_refresh=auto_refresh,
    )


class Bar:
    """A running progress bar."""

    def __init__(self, progress: Progress, task_id: TaskID) -> None:
        self._progress = progress
        self._id = task_id
        self._drawn = 0.0

    def update(self, done: int, total: int, *, description: str, extra: str) -> None:
        """Show so much done, with these texts."""
        self._progress.update(
            self._id,
            completed=done,
            total=total,
            description=description,
            extra=extra,
        )

    def step(self) -> None:
        """One more done."""
        self._progress.advance(self._id)
        if not self._progress.live.auto_refresh and time.monotonic() - self._drawn > _REDRAW_S:
            self._progress.refresh()
            self._drawn = time.monotonic()
