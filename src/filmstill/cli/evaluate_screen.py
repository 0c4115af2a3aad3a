"""What `filmstill evaluate` prints."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from filmstill.cli.screen import out
from filmstill.evals.cost import cost_per_million
from filmstill.models.prices import Prices

if TYPE_CHECKING:
    from filmstill.evals.evaluate import Evaluation
    from filmstill.evals.judges import Judgement


def show(
    evaluation: "Evaluation",
    judgements: "Mapping[str, Sequence[Judgement]]",
    prices: Prices,
    title: str,
) -> None:
    """Print the tables, one below the other."""
    console = out()
    console.print(title, style="bold")
    for table in (
        _quality(evaluation),
        _errors(evaluation),
        _speed(evaluation, prices),
        _form(evaluation),
        _judged(judgements),
        _differences(evaluation),
    ):
        if table.row_count:
            console.print()
            console.print(table)
    if evaluation.noise is not None:
        console.print(
            f"\nCeiling: {evaluation.noise.queries} queries have several references, which score "
            f"{evaluation.noise.rubric:.2f} against each other"
        )
    for item in evaluation.scores:
        if item.unasked:
            console.print(
                f"\n{item.router}: {item.unasked} of {item.queries} queries were not asked, since "
                f"the service was gone; run again with --report DIR to ask only those"
            )
    for result in evaluation.results:
        failures = [item.failure for item in result.answers if item.failure and item.asked]
        if failures:
            console.print(f"\n{result.scores.router}: {len(failures)} failed; first: {failures[0]}")


def _table(first: str, *headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _quality(evaluation: "Evaluation") -> Table:
    scores = ("5", "4", "3", "2", "1")
    table = _table("router", "rubric", "95 % interval", *scores, "leading", "valid")
    for item in evaluation.scores:
        table.add_row(
            item.router,
            f"{item.rubric:.2f}",
            f"{item.rubric_low:.2f} to {item.rubric_high:.2f}",
            *(str(count) for count in item.distribution.values()),
            f"{item.leading:.1%}",
            f"{item.valid:.1%}",
        )
    return table


def _errors(evaluation: "Evaluation") -> Table:
    channels = evaluation.task.channel_names
    table = _table("router", "error", *channels, "<=0.05", "<=0.10")
    for item in evaluation.scores:
        table.add_row(
            item.router,
            f"{item.mean_absolute_error:.3f}",
            *(f"{item.channel_errors[name]:.3f}" for name in channels),
            f"{item.within_005:.1%}",
            f"{item.within_010:.1%}",
        )
    return table


def _speed(evaluation: "Evaluation", prices: Prices) -> Table:
    table = _table("router", "ms p50", "p95", "p99", "mean", "first", "USD a million")
    for item in evaluation.scores:
        latency = item.latency
        times = (latency.p50, latency.p95, latency.p99, latency.mean, latency.first)
        cost = cost_per_million(item, prices)
        table.add_row(
            item.router,
            *(
                "-" if not item.timed else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
                for value in times
            ),
            "not known" if cost is None else f"{cost:,.3g}" if cost < 100 else f"{cost:,.0f}",
        )
    return table


def _form(evaluation: "Evaluation") -> Table:
    table = _table(
        "router", "only JSON", "all channels", "sums to 1", "consistent", "tokens in", "out"
    )
    for item in evaluation.scores:
        if item.format is not None:
            shares = (item.format.is_json, item.format.has_keys, item.format.sums)
            table.add_row(
                item.router,
                *(f"{share:.1%}" for share in shares),
                f"{item.format.consistent:.1%}",
                f"{item.tokens_in:.0f}",
                f"{item.tokens_out:.0f}",
            )
    return table


def _judged(judgements: "Mapping[str, Sequence[Judgement]]") -> Table:
    table = _table("router", "judge", "mean", "95 % interval", "scored", "unscored")
    for router, items in judgements.items():
        for item in items:
            low, high = item.interval
            table.add_row(
                router,
                item.judge,
                f"{item.mean:.2f}",
                f"{low:.2f} to {high:.2f}",
                str(len(item.scores)),
                str(item.unscored),
            )
    return table


def _differences(evaluation: "Evaluation") -> Table:
    first = evaluation.results[0].scores.router
    table = _table(f"rubric against {first}", "difference", "95 % interval", "p")
    for item in evaluation.differences:
        table.add_row(
            item.router,
            f"{item.mean:+.2f}",
            f"{item.low:+.2f} to {item.high:+.2f}",
            "< 0.001" if item.p_value < 0.001 else f"{item.p_value:.3f}",
        )
    return table
