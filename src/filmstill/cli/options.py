"""Options that several verbs share, and how settings become options."""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import click

from filmstill.bulk.engine import ENGINES, LOCAL
from filmstill.task import BUILTIN, Task

PATH = click.Path(path_type=Path)
ADDRESSES = (
    "A student's folder; the name of a deployment; filmstill (the shipped student); mean, tfidf or "
    "base (the encoder before distillation); recorded:FILE; openai:MODEL; "
    "bedrock:MODEL_ID_OR_ARN."
)

task_option = click.option(
    "--task",
    "task_file",
    type=PATH,
    metavar="FILE",
    help=f"Task file with the channels.  [default: the built-in {BUILTIN}]",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


engine_option = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default=LOCAL,
    show_default=True,
    help="How a folder's files are worked on: one after the other, or as tasks on Ray.",
)


def read_task(task_file: Path | None) -> Task | None:
    """The task of `--task`, or None where it was not given."""
    return None if task_file is None else Task.load(task_file)


def settings_options(config: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add an option for every setting of a configuration, with its default and range."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for item in reversed(fields(config)):
            if item.metadata:
                command = _setting_option(item)(command)
        return command

    return decorate


def _setting_option(item: "Field[Any]") -> Callable[..., Any]:
    low, high = item.metadata["low"], item.metadata["high"]
    if item.default is MISSING:
        raise TypeError(f"setting {item.name} has no default")
    flag = item.name.replace("_", "-")
    kind: click.ParamType[Any] | None = click.FloatRange(low, high)
    if isinstance(item.default, bool):
        flag, kind = f"{flag}/--no-{flag}", None
    elif isinstance(item.default, int):
        kind = click.IntRange(low, high)
    return click.option(
        f"--{flag}",
        item.name,
        type=kind,
        default=item.default,
        show_default=True,
        help=item.metadata["help"],
    )
