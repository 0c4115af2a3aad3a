"""What calls of models will cost, as `--dry-run` shows it."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from filmstill.models.estimate import Estimate
from filmstill.models.prices import Prices


def show_estimates(console: Console, estimates: Sequence[Estimate], prices: Prices) -> None:
    """Print a table of them, with where the prices are from."""
    if not estimates:
        console.print("Nothing is asked of any model: this costs nothing.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("model")
    table.add_column("to")
    for heading in ("calls", "tokens in", "out", "USD"):
        table.add_column(heading, justify="right")
    for item in estimates:
        cost = "not known" if item.dollars is None else f"{item.dollars:,.4f}"
        tokens = (f"{item.tokens_in:,.0f}", f"{item.tokens_out:,.0f}")
        table.add_row(item.model, item.what, f"{item.calls:,}", *tokens, cost)
    console.print()
    console.print(table)
    console.print(
        f"\nTokens are estimated, prices of {prices.as_of} ({prices.source}); retries, repaired "
        f"answers and queries written anew come on top.",
        soft_wrap=True,
    )


def in_short(estimates: Sequence[Estimate]) -> str:
    """What all of them come to, in a few words."""
    calls = sum(item.calls for item in estimates)
    listed = [item.dollars for item in estimates if item.dollars is not None]
    about = f", about ${sum(listed):,.2f}" if listed else ""
    unknown = sum(item.calls for item in estimates if item.dollars is None)
    unlisted = f"; of {unknown:,} the price is not known" if unknown else ""
    return f"up to {calls:,} calls of models{about}{unlisted}"
