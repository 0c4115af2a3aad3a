"""`filmstill distill`: from labelled queries to a student."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from filmstill.cli.bedrock_options import NAMES, bedrock_options, settings_of
from filmstill.cli.options import PATH, read_task, settings_options, task_option
from filmstill.config import DEFAULT_BASE, DistillConfig

if TYPE_CHECKING:
    from filmstill.student.train import Progress

PLACES = ("local", "bedrock")


@click.command()
@click.argument("train", type=PATH, required=False)
@click.option(
    "--out", type=PATH, required=True, metavar="DIR", help="Folder of the student, or of the run."
)
@click.option(
    "--on",
    "place",
    type=click.Choice(PLACES),
    default=PLACES[0],
    show_default=True,
    help="Where: on this machine, or on Amazon Bedrock.",
)
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
@bedrock_options
@task_option
def distill(
    train: Path | None,
    out: Path,
    place: str,
    assistants: tuple[Path, ...],
    resume: bool,
    force: bool,
    task_file: Path | None,
    **options: Any,  # noqa: ANN401 - of several kinds
) -> None:
    """Distil the labelled queries in TRAIN into a student.

    TRAIN holds one JSON record a line, in the conversation or the evaluation format. Lines that
    cannot be used are reported and kept in DIR/rejects.jsonl.

    With --assistant, half of what is learned is the mean of other students, distilled from the
    same TRAIN with other seeds: the student then comes close to all of them together.

    With --on bedrock, Bedrock's own distillation runs in your AWS account, and costs money: a
    private bucket and a role with few rights are made, the data is checked and uploaded, a job is
    begun and waited for. What is made is written down in DIR/run.json, and the same command goes on
    after any stop.

    \b
    Examples:
      filmstill distill train.jsonl --out student
      filmstill distill train.jsonl --out student --resume
      filmstill distill train.jsonl --on bedrock --out runs/july --dry-run
    """
    bedrock = {name: options.pop(name) for name in NAMES}
    if place == PLACES[1]:
        _refuse_local(bedrock)
        _on_bedrock(train, out, bedrock, task_file)
        return
    _refuse_foreign(train, bedrock)
    if train is not None:
        _on_this_machine(train, out, assistants, options, task_file, resume=resume, force=force)


def _on_this_machine(
    train: Path,
    out: Path,
    assistants: tuple[Path, ...],
    settings: dict[str, Any],
    task_file: Path | None,
    *,
    resume: bool,
    force: bool,
) -> None:
    # The training stack takes seconds to load: say why nothing happens, and not before --help.
    from filmstill.cli.screen import err, progress_bar
    from filmstill.cli.screen import out as stdout
    from filmstill.student.artefact import Layout

    talk = err()
    with talk.status("Loading the training stack"):
        from filmstill.student.train import distill as run

    config = DistillConfig(**settings)
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
        talk.print(f"Stopped. {kept}")
        raise
    scores = made.manifest["validation_scores"]
    stdout().print(
        f"Student in {made.folder}: rubric {scores['rubric']:.2f} of 5, leading channel "
        f"{scores['leading']:.1%}, mean error {scores['mean_absolute_error']:.3f} on "
        f"{scores['queries']:,} held-out queries; {made.manifest['seconds']:.0f} s",
        soft_wrap=True,
    )


def _on_bedrock(
    train: Path | None, out: Path, given: dict[str, Any], task_file: Path | None
) -> None:
    from filmstill.cli.distill_bedrock import distill_on_bedrock
    from filmstill.task import Task

    config_file, dry_run = given.pop("config_file"), given.pop("dry_run")
    settings = settings_of(given, config_file)
    task = read_task(task_file) or Task.builtin()
    distill_on_bedrock(train, out, settings, task, dry_run=dry_run)


def _refuse_local(bedrock: dict[str, Any]) -> None:
    """Settings of a student trained here mean nothing to Bedrock: say so instead of nothing."""
    context = click.get_current_context()
    shared = {"out", "place", "train", "task_file", *bedrock}
    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in shared and source is click.core.ParameterSource.COMMANDLINE:
            flag = name.replace("_", "-")
            raise click.UsageError(f"--{flag} is for --on {PLACES[0]}; Bedrock chooses by itself")


def _refuse_foreign(train: Path | None, bedrock: dict[str, Any]) -> None:
    for name, value in bedrock.items():
        if value:
            flag = name.removesuffix("_file").replace("_", "-")
            raise click.UsageError(f"--{flag} is for --on {PLACES[1]}")
    if train is None:
        raise click.UsageError("name the file of labelled queries: filmstill distill TRAIN ...")
