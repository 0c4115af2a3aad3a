"""`filmstill check`: validate and describe a file of examples."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from filmstill.cli.options import PATH, json_option, read_task, task_option

if TYPE_CHECKING:
    from rich.console import Console

    from filmstill.data.description import Description
    from filmstill.data.reading import ExampleFile
    from filmstill.data.variety import Variety
    from filmstill.evals.noise import TeacherNoise

_SHOWN_REJECTS = 10
_SHOWN_VALUES = 14


@click.command()
@click.argument("file", type=PATH)
@click.option(
    "--plot", type=PATH, metavar="PICTURE", help="Draw the weights to a .svg or .png file."
)
@click.option(
    "--rejects",
    "rejects_path",
    type=PATH,
    metavar="FILE",
    help="Where rejected lines go.  [default: FILE.rejects.jsonl beside FILE]",
)
@json_option
@task_option
def check(
    file: Path,
    plot: Path | None,
    rejects_path: Path | None,
    as_json: bool,
    task_file: Path | None,
) -> int:
    """Validate FILE and describe what it holds; the exit code is 1 if a line was rejected.

    FILE holds examples in the conversation or the evaluation format, or one query a line.

    \b
    Examples:
      filmstill check train.jsonl
      filmstill check train.jsonl --plot weights.svg
    """
    from filmstill.data.description import describe
    from filmstill.data.plots import plot_weights
    from filmstill.data.reading import load_examples, write_rejects
    from filmstill.data.variety import tag_counts, variety
    from filmstill.evals.noise import teacher_noise
    from filmstill.task import Task

    task = read_task(task_file) or Task.builtin()
    read = load_examples(file, task)
    facts = describe(read, task)
    noise = teacher_noise(read.examples, task)
    wording, tags = variety(read.examples), tag_counts(read.examples)
    if as_json:
        both = {
            "file": str(file),
            "sha256": read.sha256,
            **facts.to_dict(),
            "variety": asdict(wording),
            "tags": tags,
            "teacher_noise": noise and asdict(noise),
            "rejects": [{"line": item.line, "reason": item.reason} for item in read.rejects],
        }
        click.echo(json.dumps(both, indent=2, ensure_ascii=False))
    else:
        _show(read, facts, wording)
        _show_tags(tags, facts.examples)
        if noise:
            _show_noise(noise)
    if read.rejects:
        kept = rejects_path or file.with_name(file.name + ".rejects.jsonl")
        write_rejects(read, kept)
        click.echo(f"The rejected lines are in {kept}", err=True)
    if plot is not None:
        plot_weights(facts, file.name, plot)
        click.echo(f"Plot in {plot}", err=True)
    return 1 if read.rejects else 0


def _show(read: "ExampleFile", facts: "Description", wording: "Variety") -> None:
    from filmstill.cli.screen import out

    console = out()
    console.print(str(read.path), style="bold")
    repeated = facts.examples - facts.distinct
    rows = [
        ("examples", f"{facts.examples:,}, {facts.labelled:,} of them labelled"),
        ("distinct queries", f"{facts.distinct:,} ({repeated:,} lines repeat another)"),
        ("words a query", f"median {facts.median_words:g}, longest {facts.longest_words}"),
        ("with reasoning", f"{facts.with_reasoning:,}"),
        ("off the grid", f"{facts.off_grid:,}"),
        ("rejected lines", f"{facts.rejected:,}"),
        ("distinct n-grams", _ngram_text(wording)),
        ("longest template", _template_text(wording)),
    ]
    for name, value in rows:
        console.print(f"  {name:<17} {value}")
    for reject in read.rejects[:_SHOWN_REJECTS]:
        console.print(
            f"    {read.path}:{reject.line}: {reject.reason}",
            style="red",
            soft_wrap=True,
        )
    if len(read.rejects) > _SHOWN_REJECTS:
        console.print(f"    ... and {len(read.rejects) - _SHOWN_REJECTS:,} more")
    if facts.labelled:
        _show_weights(console, facts)


def _ngram_text(wording: "Variety") -> str:
    names = {1: "words", 2: "pairs", 3: "triples"}
    return ", ".join(f"{share:.0%} of {names[order]}" for order, share in wording.distinct.items())


def _template_text(wording: "Variety") -> str:
    if not wording.template:
        return "none"
    return f'"{wording.template}" in {wording.template_queries} of {wording.queries:,} queries'


def _show_tags(tags: dict[str, dict[str, int]], total: int) -> None:
    from filmstill.cli.screen import out

    console = out()
    for name, counts in tags.items():
        shown = list(counts.items())[:_SHOWN_VALUES]
        text = ", ".join(f"{value} {count / total:.0%}" for value, count in shown)
        more = f", and {len(counts) - len(shown)} more" if len(counts) > len(shown) else ""
        console.print(f"{name}: {text}{more}", style="dim", soft_wrap=True)


def _show_noise(noise: "TeacherNoise") -> None:
    from filmstill.cli.screen import out

    out().print(
        f"Teacher's noise: {noise.queries:,} queries are labelled more than once. Two labels of "
        f"one query differ by {noise.mean_absolute_error:.3f} a weight and score "
        f"{noise.rubric:.2f} against each other: that is the ceiling, not 5.",
        soft_wrap=True,
    )


def _show_weights(console: "Console", facts: "Description") -> None:
    from rich.table import Table

    from filmstill.cli.screen import columns

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("channel", "mean", "leads", f"weights {facts.bins[0]:g} to {facts.bins[-1]:g}"):
        table.add_column(heading, justify="left" if heading.startswith(("c", "w")) else "right")
    for name, counts in facts.histogram.items():
        table.add_row(
            name,
            f"{facts.mean_weights[name]:.2f}",
            f"{facts.leading[name]:.0%}",
            " ".join(columns(counts)),
        )
    console.print()
    console.print(table)
    total = sum(facts.balance.values())
    shares = ", ".join(f"{name} {count / total:.0%}" for name, count in facts.balance.items())
    console.print(f"Balance: {shares}\n", soft_wrap=True)
