"""The report's figures, each as an SVG."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from filmstill.evals.evaluate import Evaluation, Result
from filmstill.evals.report.draw import (
    GRID,
    INK,
    MUTED,
    PAPER,
    SERIES,
    logarithmic,
    new_figure,
    to_svg,
)
from filmstill.weights import FloatArray

_ROW = 0.42  # inches a router takes in a bar chart
_LONGEST = 26  # letters of a router's name
_SMALLEST = 1e-3  # the least that a logarithmic axis shows


def distribution(channels: Sequence[dict[str, Any]]) -> str:
    """One histogram of the training labels per channel; see `label_counts`."""
    figure = new_figure(9.6, 2.4)
    axes = figure.subplots(1, len(channels), sharey=True, squeeze=False)[0]
    for index, (panel, channel) in enumerate(zip(axes, channels, strict=True)):
        weights, counts = channel["weights"], np.array(channel["counts"])
        shares = 100 * counts / counts.sum()
        width = 0.8 * (weights[1] - weights[0])
        panel.bar(weights, shares, width=width, color=SERIES[index % len(SERIES)])
        panel.axvline(channel["mean"], color=INK, linewidth=1, linestyle=(0, (3, 3)))
        panel.set_title(f"{channel['channel']}  {channel['mean']:.2f}")
        panel.set_xlabel("weight (dashed: mean)")
        panel.grid(axis="x", visible=False)
    axes[0].set_ylabel("labels, %")
    return to_svg(figure, "How often each weight occurs per channel in the training labels")


def side_by_side(rows: Sequence[dict[str, Any]]) -> str:
    """Score, latency and cost of every router, one bar each."""
    figure = new_figure(9.6, 1.1 + _ROW * len(rows))
    left, middle, right = figure.subplots(1, 3, sharey=True)
    places = np.arange(len(rows))[::-1]
    colours = [SERIES[index % len(SERIES)] for index in range(len(rows))]
    scores = [row["rubric"] for row in rows]
    low = [max(0.0, row["rubric"] - row["rubric_low"]) for row in rows]
    high = [max(0.0, row["rubric_high"] - row["rubric"]) for row in rows]
    left.barh(places, scores, height=0.6, color=colours)
    left.errorbar(scores, places, xerr=[low, high], fmt="none", ecolor=INK, elinewidth=1, capsize=2)
    left.set_xlim(1, 5.6)
    left.set_xticks([1, 2, 3, 4, 5])
    left.set_title("rubric score, 1 to 5")
    left.set_yticks(places, [_short(row["router"]) for row in rows])
    for place, row in zip(places, rows, strict=True):
        left.text(row["rubric_high"] + 0.06, place, f"{row['rubric']:.2f}", va="center", fontsize=9)
    times = [row["p50"] if row["timed"] else None for row in rows]
    _log_bars(middle, places, times, colours, "latency p50, ms", "{:,.3g}")
    costs = [row["cost"] for row in rows]
    _log_bars(right, places, costs, colours, "USD a million queries", "{:,.3g}")
    for panel in (left, middle, right):
        panel.grid(axis="y", visible=False)
        panel.tick_params(axis="y", length=0)
    return to_svg(figure, "Score, latency and cost of every router")


def _log_bars(
    panel: Any,  # noqa: ANN401 - matplotlib axes
    places: npt.NDArray[Any],
    values: Sequence[float | None],
    colours: Sequence[str],
    title: str,
    shown: str,
) -> None:
    known = [max(value, _SMALLEST) for value in values if value is not None]
    start = 10 ** np.floor(np.log10(min(known, default=1))) / 2
    panel.set_xscale("log")
    panel.set_xlim(start, max(known, default=1) * 12)
    logarithmic(panel.xaxis)
    panel.set_title(title)
    for place, value, colour in zip(places, values, colours, strict=True):
        end = start if value is None else max(value, _SMALLEST)
        panel.barh(place, end - start, left=start, height=0.6, color=colour)
        panel.text(
            end * 1.15,
            place,
            "not known" if value is None else shown.format(value),
            va="center",
            fontsize=9,
            color=MUTED if value is None else INK,
        )


def score_against_latency(rows: Sequence[dict[str, Any]]) -> str:
    """A dot per router: further left is faster, further up is better."""
    figure = new_figure(6.4, 3.6)
    panel = figure.subplots()
    panel.set_xscale("log")
    for index, row in enumerate(rows):
        if not row["timed"]:
            continue
        colour = SERIES[index % len(SERIES)]
        panel.errorbar(
            max(row["p50"], _SMALLEST),
            row["rubric"],
            yerr=[
                [max(0.0, row["rubric"] - row["rubric_low"])],
                [max(0.0, row["rubric_high"] - row["rubric"])],
            ],
            fmt="o",
            color=colour,
            markersize=9,
            elinewidth=1.2,
            capsize=3,
        )
        panel.annotate(
            _short(row["router"]),
            (max(row["p50"], _SMALLEST), row["rubric"]),
            xytext=(9, 5),
            textcoords="offset points",
            fontsize=9,
        )
    times = [max(row["p50"], _SMALLEST) for row in rows if row["timed"]] or [1.0]
    panel.set_xlim(min(times) / 3, max(times) * 12)
    logarithmic(panel.xaxis)
    panel.set_ylim(0.9, 5.1)
    panel.set_xlabel("latency p50, ms (logarithmic)")
    panel.set_ylabel("rubric score")
    return to_svg(figure, "Rubric score against latency")


def confusions(results: Sequence[Result], channels: Sequence[str]) -> str:
    """Leading channel of the reference (rows) against that of the router (columns), in percent."""
    columns = min(4, len(results))
    rows = -(-len(results) // columns)
    figure = new_figure(2.5 * columns + 1.1, 3.0 * rows + 0.2)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for index, panel in enumerate(panels.flat):
        if index >= len(results):
            panel.set_visible(False)
            continue
        table = results[index].confusion
        shares = 100 * table / np.maximum(table.sum(axis=1, keepdims=True), 1e-9)
        _heat(panel, shares, SERIES[index % len(SERIES)])
        panel.set_title(_short(results[index].scores.router), pad=8)
        panel.set_xticks(range(len(channels)), channels, rotation=35, ha="right", fontsize=8)
        panel.set_yticks(range(len(channels)), channels, fontsize=8)
        if index % columns == 0:
            panel.set_ylabel("should lead")
        if index // columns == rows - 1:
            panel.set_xlabel("leads")
    return to_svg(figure, "Which channel leads where another should, in percent")


def _heat(panel: Any, shares: FloatArray, colour: str) -> None:  # noqa: ANN401 - matplotlib axes
    from matplotlib.patches import Rectangle

    count = len(shares)
    for row in range(count):
        for column in range(count):
            share = float(shares[row, column])
            panel.add_patch(
                Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=GRID, linewidth=0)
            )
            panel.add_patch(
                Rectangle(
                    (column - 0.48, row - 0.48),
                    0.96,
                    0.96,
                    facecolor=colour,
                    alpha=min(1.0, share / 100),
                    linewidth=0,
                )
            )
            panel.text(
                column,
                row,
                f"{share:.0f}",
                ha="center",
                va="center",
                fontsize=9,
                color=PAPER if share > 55 else INK,
            )
    panel.set_xlim(-0.5, count - 0.5)
    panel.set_ylim(count - 0.5, -0.5)
    panel.set_aspect("equal")
    panel.grid(visible=False)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def calibration(evaluation: Evaluation) -> str:
    """Confidence against how often it was right; on the diagonal it is what it says."""
    figure = new_figure(4.6, 3.6)
    panel = figure.subplots()
    panel.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
    for index, result in enumerate(evaluation.results):
        if not result.bins:
            continue
        colour = SERIES[index % len(SERIES)]
        panel.plot(
            [item.confidence for item in result.bins],
            [item.leading for item in result.bins],
            color=colour,
            linewidth=1.5,
            label=_short(result.scores.router),
        )
        panel.scatter(
            [item.confidence for item in result.bins],
            [item.leading for item in result.bins],
            s=[12 + 300 * item.queries / len(evaluation.examples) for item in result.bins],
            color=colour,
        )
    panel.set_xlim(0, 1.02)
    panel.set_ylim(0, 1.04)
    panel.set_xlabel("confidence (dots: larger holds more queries)")
    panel.set_ylabel("share with the right leading channel")
    panel.legend(frameon=False, loc="lower right")
    return to_svg(figure, "Confidence against how often it was right")


def _short(name: str) -> str:
    """A router's name that leaves room for the figure: its beginning and its end."""
    return (
        name if len(name) <= _LONGEST else f"{name[: _LONGEST // 2 - 1]}…{name[-_LONGEST // 2 :]}"
    )
