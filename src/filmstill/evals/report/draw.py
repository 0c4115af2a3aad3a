"""Matplotlib figures as SVG that takes its colours from the page, for light, dark and print."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

from filmstill.errors import require

# Matplotlib knows no CSS variables: each is drawn in a colour of its own that nothing else has,
# and exchanged in the finished SVG.
_MARK = "#fe01{:02x}"
VARIABLES = ("ink", "muted", "grid", "paper", *(f"c{number}" for number in range(8)))
INK, MUTED, GRID, PAPER = (_MARK.format(number) for number in range(4))
SERIES = tuple(_MARK.format(4 + number) for number in range(8))
"""Colours of routers and channels, in order; they repeat after the eighth."""

_SIZE = re.compile(
    r'<svg [^>]*?viewBox="0 0 (?P<width>[\d.]+) (?P<height>[\d.]+)"[^>]*>', re.DOTALL
)


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's settings while figures are made."""
    matplotlib: Any = require("matplotlib", "plot", "a report")
    settings = {
        "svg.fonttype": "none",  # text stays text: it can be selected, searched and read out
        "svg.hashsalt": "filmstill",
        "text.parse_math": False,  # a router's name may hold dollar signs
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": INK,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": MUTED,
        "axes.titlecolor": INK,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
    }
    with matplotlib.rc_context(settings):
        yield


def new_figure(width: float, height: float) -> Any:  # noqa: ANN401 - a matplotlib figure
    """An empty figure of so many inches. Made without pyplot, which keeps global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def logarithmic(axis: Any) -> None:  # noqa: ANN401 - a matplotlib axis
    """Plain numbers at the powers of ten of a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())


def to_svg(figure: Any, title: str) -> str:  # noqa: ANN401 - a matplotlib figure
    """The figure as an SVG element for a page, with `title` for those who cannot see it."""
    buffer = io.StringIO()
    figure.savefig(
        buffer,
        format="svg",
        transparent=True,
        bbox_inches="tight",
        metadata={"Date": None, "Creator": None},
    )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg ") :]
    found = _SIZE.match(svg)
    if found is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    head = (
        f'<svg viewBox="0 0 {found["width"]} {found["height"]}" role="img" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink"><title>{title}</title>'
    )
    svg = head + svg[found.end() :]
    own = f"f{crc32(title.encode()):08x}-"  # several figures share a page, and ids must not clash
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{own}", svg)
    for number, name in enumerate(VARIABLES):
        svg = svg.replace(_MARK.format(number), f"var(--{name})")
    return re.sub(
        r"font: (\d+)",
        r"font: 400 \1",
        re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL),
    )
