"""`filmstill distill`: from labelled queries to a student."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from filmstill.cli.options import PATH, read_task, settings_options, task_option
from filmstill.config import DEFAULT_BASE, DistillConfig

if TYPE_CHECKING:
    from filmstill.student.train import Progress


@click.command()
@click.argument("train", type=PATH)
@click.option("--out", type=PATH, required=True, metavar="DIR", help="Folder of the student.")
@click.option(
    "--base",
    default=DEFAULT_BASE,
    show_default=True,
    metavar="NAME",
    help="Sentence encoder to start from: a folder, a Hugging Face id, or the default.",
)
@click.option(
    "--assistant",
    "assistants",
    multiple=True,
    type=PATH,
    metavar="DIR",
    help="A student whose judgement is mixed into what is learned; repeatable.",
)
@settings_options(DistillConfig)
@click.option(
    "--resume", is_flag=True, help="Go on after the last finished epoch of a stopped run."
)
@click.option("--force", is_flag=True, help="Replace a student or a stopped run in DIR.")
@task_option
def distill(
    train: Path,
    out: Path,
    assistants: tuple[Path, ...],
    resume: bool,
    force: bool,
    task_file: Path | None,
    **settings: float,
) -> None:
    """Distil the labelled queries in TRAIN into a student.

    TRAIN holds one JSON record a line, in the conversation or the evaluation format. Lines that
    cannot be used are reported and kept in DIR/rejects.jsonl.

    With --assistant, half of what is learned is the mean of other students, distilled from the
    same TRAIN with other seeds: the student then comes close to all of them together.

    \b
    Examples:
      filmstill distill train.jsonl --out student
      filmstill distill train.jsonl --out student --resume
    """
    # The training stack takes seconds to load: say why nothing happens, and not before --help.
    from filmstill.cli.screen import err, progress_bar
    from filmstill.cli.screen import out as stdout
    from filmstill.student.artefact import Layout

    talk = err()
    with talk.status("Loading the training stack"):
        from filmstill.student.train import distill as run

    config = DistillConfig(**settings)  # type: ignore[arg-type]
    try:
        with progress_bar("Training", 1) as shown:

            def draw(now: "Progress") -> None:
                error = "" if now.error is None else f"  error {now.error:.4f}"
                shown.update(
                    now.step,
                    now.steps,
                    description=f"Epoch {now.epoch}/{now.epochs}",
                    extra=f"loss {now.loss:.4f}{error}",
                )

            made = run(
                train,
                out,
                task=read_task(task_file),
                config=config,
                assistants=assistants,
                resume=resume,
                force=force,
                progress=draw,
                say=talk.print,
            )
    except KeyboardInterrupt:
        kept = (
            f"What the finished epochs learnt is kept in {out}: run the same command with --resume "
            f"to go on."
            if Layout(out).state.is_file()
            else "No epoch was finished, so nothing is kept."
        )
        talk.print(f"Stopped. {kept}", soft_wrap=True)
        raise
    scores = made.manifest["validation_scores"]
    stdout().print(
        f"Student in {made.folder}: rubric {scores['rubric']:.2f} of 5, leading channel "
        f"{scores['leading']:.1%}, mean error {scores['mean_absolute_error']:.3f} on "
        f"{scores['queries']:,} held-out queries; {made.manifest['seconds']:.0f} s",
        soft_wrap=True,
    )
