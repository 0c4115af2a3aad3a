"""`filmstill distill --on bedrock`."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from filmstill.cli.screen import err, out

if TYPE_CHECKING:
    from filmstill.bedrock.job import Look
    from filmstill.bedrock.order import Checked, Settings
    from filmstill.task import Task


def distill_on_bedrock(
    train: Path | None, folder: Path, settings: "Settings", task: "Task", *, dry_run: bool
) -> None:
    """Check, then show what would be done, or do it."""
    from filmstill.bedrock.order import check
    from filmstill.bedrock.pipeline import distill_on_bedrock as run_it
    from filmstill.errors import AwsError

    talk = err()
    with talk.status("Checking data, models and credentials"):
        checked = check(settings, train, task)
    if dry_run:
        _show_plan(settings, checked, task)
        return
    try:
        with talk.status("Preparing") as status:

            def look(now: "Look") -> None:
                phases = ", ".join(f"{name} {word}" for name, word in now.phases.items())
                elapsed = timedelta(seconds=round(now.elapsed_s))
                status.update(f"{now.status} after {elapsed}: {phases}")

            run = run_it(folder, settings, checked, task, say=talk.print, on_look=look)
    except KeyboardInterrupt:
        talk.print(
            f"Stopped looking. What was begun goes on: run the same command again to wait, "
            f"`filmstill status {folder}` to look, `filmstill cleanup {folder}` to remove it",
            soft_wrap=True,
        )
        raise
    except AwsError as error:
        if error.code:
            talk.print(
                f"What was made is in {folder}/run.json; the same command goes on", soft_wrap=True
            )
        raise
    plot = _plot(folder / "metrics")
    out().print(
        f"Distilled: {run.name}{f'; loss by step: {plot}' if plot else ''}. Next: "
        f"`filmstill deploy {folder}`",
        soft_wrap=True,
    )


def _show_plan(settings: "Settings", checked: "Checked", task: "Task") -> None:
    from rich.table import Table

    from filmstill.bedrock.cost import estimate
    from filmstill.bedrock.pipeline import plan
    from filmstill.models.prices import load_prices

    calls = Table("call", "for", box=None, pad_edge=False)
    for item in plan(settings, checked):
        calls.add_row(item.call, item.why)
    costs = Table("cost, about", "USD", "by", box=None, pad_edge=False)
    for part in estimate(settings, checked, task, load_prices()):
        shown = "unknown" if part.dollars is None else f"{part.dollars:.2f}"
        costs.add_row(part.what, shown, part.basis)
    screen = out()
    screen.print(f"Account {checked.aws.account}, {checked.aws.region}. Nothing is done.")
    screen.print(calls)
    screen.print()
    screen.print(costs)


def _plot(folder: Path) -> Path | None:
    """A picture of the training loss; None without matplotlib or metrics."""
    from importlib.util import find_spec

    table = folder / "step_wise_training_metrics.csv"
    if find_spec("matplotlib") is None or not table.is_file():
        return None
    from filmstill.bedrock.figure import draw_loss

    path = folder / "loss.png"
    draw_loss(table, path)
    return path
