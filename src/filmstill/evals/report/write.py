"""Writes the report's files."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from filmstill.errors import require
from filmstill.evals.report import figures
from filmstill.evals.report.draw import style
from filmstill.evals.report.facts import (
    ReportFacts,
    answer_of,
    before_and_after,
    label_counts,
    rows_of,
    slice_tables,
    to_dict,
)
from filmstill.files import make_folder, write_text

PAGE = "report.html"


def write_report(facts: ReportFacts, folder: Path) -> Path:
    """Write `report.html`, `report.json`, `scores.csv`, `slices.csv` and `answers.csv`.

    Args:
        facts: what to report.
        folder: made if need be; files of an earlier report are replaced.

    Returns:
        The page.

    Raises:
        MissingExtraError: matplotlib or jinja2 is not installed.
        StorageError: a file cannot be written.
    """
    page = render(facts)
    make_folder(folder)
    content = json.dumps(to_dict(facts), indent=1, ensure_ascii=False)
    write_text(folder / "report.json", content + "\n")
    for name, table in (
        ("scores.csv", _scores(facts)),
        ("slices.csv", _slices(facts)),
        ("answers.csv", _answers(facts)),
    ):
        write_text(folder / name, _csv(table))
    write_text(folder / PAGE, page)
    return folder / PAGE


def render(facts: ReportFacts) -> str:
    """The page as HTML."""
    jinja2: Any = require("jinja2", "plot", "a report")
    source = resources.files("filmstill.evals.report") / "page.html.jinja"
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    evaluation, rows = facts.evaluation, rows_of(facts)
    task = evaluation.task
    channels = task.channel_names
    labels = label_counts(facts)
    with style():
        drawn = {
            "side_by_side": figures.side_by_side(rows),
            "scatter": figures.score_against_latency(rows),
            "confusion": figures.confusions(evaluation.results, channels),
            "calibration": figures.calibration(evaluation)
            if any(result.bins for result in evaluation.results)
            else "",
            "distribution": figures.distribution(labels) if labels else "",
        }
    page: str = environment.from_string(source.read_text(encoding="utf-8")).render(
        facts=facts,
        evaluation=evaluation,
        task=task,
        channels=channels,
        rows=rows,
        figures=drawn,
        slices=slice_tables(facts),
        labels=labels,
        samples=before_and_after(facts),
        hardest=[answer_of(facts, index) for index in evaluation.hardest],
    )
    return page


def _scores(facts: ReportFacts) -> Iterable[Sequence[Any]]:
    figures_shown = (
        *("queries", "unasked", "valid", "rubric", "rubric_low", "rubric_high"),
        *("leading", "mean_absolute_error", "within_005", "within_010"),
    )
    times = ("mean", "p50", "p95", "p99", "first", "cpu")
    form = ("is_json", "has_keys", "sums", "consistent")
    yield (
        "router",
        *figures_shown,
        *(f"ms_{name}" for name in times),
        *form,
        "tokens_in",
        "tokens_out",
        "usd_per_million",
    )
    for row in rows_of(facts):
        yield (
            row["router"],
            *(row[name] for name in figures_shown),
            *(row["latency"][name] for name in times),
            *((row["format"] or {}).get(name) for name in form),
            row["tokens_in"],
            row["tokens_out"],
            row["cost"],
        )


def _slices(facts: ReportFacts) -> Iterable[Sequence[Any]]:
    yield "router", "tag", "value", "queries", "rubric", "leading", "mean_absolute_error"
    for result in facts.evaluation.results:
        for item in result.slices:
            yield (
                result.scores.router,
                item.tag,
                item.value,
                item.queries,
                item.rubric,
                item.leading,
                item.mean_absolute_error,
            )


def _answers(facts: ReportFacts) -> Iterable[Sequence[Any]]:
    channels = facts.evaluation.task.channel_names
    yield "query", "router", *channels, "rubric", "failure", "reasoning"
    for index in range(len(facts.evaluation.examples)):
        answer = answer_of(facts, index)
        found = {"reference": {**answer["reference"], "rubric": None, "failure": ""}}
        for name, made in (found | answer["routers"]).items():
            weights = [made["weights"].get(channel) for channel in channels]
            yield (
                answer["query"],
                name,
                *weights,
                made["rubric"],
                made["failure"],
                made["reasoning"],
            )


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in rows:
        writer.writerow([round(value, 6) if isinstance(value, float) else value for value in row])
    return buffer.getvalue()
