"""What a command would do on Amazon Bedrock, as `--dry-run` shows it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table

from filmstill.cli.screen import out

if TYPE_CHECKING:
    from filmstill.bedrock.aws import Aws
    from filmstill.bedrock.cost import Cost
    from filmstill.bedrock.plan import Call


def show_calls(aws: "Aws", calls: "Iterable[Call]") -> None:
    """Print whose account it is, and a table of calls."""
    table = Table("call", "for", box=None, pad_edge=False)
    for item in calls:
        table.add_row(item.call, item.why)
    screen = out()
    screen.print(f"Account {aws.account}, {aws.region}. Nothing is done.")
    screen.print(table)


def show_costs(costs: "Iterable[Cost]") -> None:
    """Print a table of costs."""
    table = Table("cost, about", box=None, pad_edge=False)
    table.add_column("USD", justify="right")
    table.add_column("by")
    for part in costs:
        amount = "unknown" if part.dollars is None else f"{part.dollars:,.2f}"
        table.add_row(part.what, amount, part.basis)
    screen = out()
    screen.print()
    screen.print(table)
