"""`filmstill distill --on bedrock`."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from filmstill.cli.screen import err, out

if TYPE_CHECKING:
    from filmstill.bedrock.job import Look
    from filmstill.bedrock.order import Settings
    from filmstill.task import Task


def distill_on_bedrock(
    train: Path | None, folder: Path, settings: "Settings", task: "Task", *, dry_run: bool
) -> None:
    """Check, then show what would be done, or do it."""
    from filmstill.bedrock.cost import distillation_costs, in_words, serving_costs
    from filmstill.bedrock.order import check
    from filmstill.bedrock.pipeline import distill_on_bedrock as run_it
    from filmstill.bedrock.plan import distill_plan
    from filmstill.cli.bedrock_plan import show_calls, show_costs
    from filmstill.errors import AwsError
    from filmstill.models.prices import load_prices

    talk = err()
    with talk.status("Checking data, models and credentials"):
        checked = check(settings, train, task)
    prices = load_prices()
    costs = distillation_costs(settings, checked, task, prices)
    if dry_run:
        show_calls(checked.aws, distill_plan(settings, checked))
        show_costs(costs + serving_costs(checked.student, task, prices))
        return
    seen = ("", "")
    talk.print(f"Costs, about: {in_words(costs)}; --dry-run shows how")
    try:
        with talk.status("Preparing") as status:

            def look(now: "Look") -> None:
                nonlocal seen
                phases = ", ".join(f"{name} {word}" for name, word in now.phases.items())
                elapsed = timedelta(seconds=round(now.elapsed_s))
                line = f"{now.status} after {elapsed}: {phases}"
                status.update(line)
                if (now.status, phases) != seen:  # also for logs, where no status line is seen
                    seen = (now.status, phases)
                    talk.print(line)

            run = run_it(folder, settings, checked, task, say=talk.print, on_look=look)
    except KeyboardInterrupt:
        talk.print(
            f"Stopped looking. What was begun goes on: run the same command again to wait, "
            f"`filmstill status {folder}` to look, `filmstill cleanup {folder}` to remove it"
        )
        raise
    except AwsError as error:
        if error.code:
            talk.print(f"What was made is in {folder}/run.json; the same command goes on")
        raise
    plot = _plot(folder / "metrics")
    profile = f" --profile {settings.profile}" if settings.profile else ""
    out().print(
        f"Distilled: {run.name}{f'; loss by step: {plot}' if plot else ''}. Next: "
        f"`filmstill deploy {folder}{profile}`",
        soft_wrap=True,
    )


def _plot(folder: Path) -> Path | None:
    """A picture of the training loss; None without matplotlib or metrics."""
    from importlib.util import find_spec

    table = folder / "step_wise_training_metrics.csv"
    if find_spec("matplotlib") is None or not table.is_file():
        return None
    from filmstill.bedrock.figure import draw_loss
    from filmstill.errors import DataError

    path = folder / "loss.png"
    try:
        draw_loss(table, path)
    except DataError as error:  # the model is there all the same
        err().print(f"No picture of the loss: {error}")
        return None
    return path
