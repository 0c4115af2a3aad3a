"""Options of runs on Amazon Bedrock, which a configuration file may give too."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from filmstill.cli.options import PATH

if TYPE_CHECKING:
    from filmstill.bedrock.order import Settings

SECTION = "bedrock"
_OPTIONS = (
    click.option(
        "--teacher",
        metavar="ID",
        help="Bedrock: the model that teaches.  [default: "
        "amazon.nova-pro-v1:0; Nova Premier has reached the end of its life]",
    ),
    click.option(
        "--student",
        metavar="ID",
        help="Bedrock: the model that learns.  [default: amazon.nova-micro-v1:0:128k]",
    ),
    click.option("--region", metavar="NAME", help="Bedrock: the AWS region."),
    click.option("--profile", metavar="NAME", help="Bedrock: a profile of the AWS configuration."),
    click.option(
        "--bucket", metavar="NAME", help="Bedrock: a bucket of yours.  [default: one is made]"
    ),
    click.option("--role", metavar="ARN", help="Bedrock: a role of yours.  [default: one is made]"),
    click.option(
        "--logs",
        metavar="S3URI",
        help="Bedrock: learn from logs of the teacher's invocations instead of TRAIN.",
    ),
    click.option(
        "--config",
        "config_file",
        type=PATH,
        metavar="FILE",
        help="Bedrock: TOML file whose table [bedrock] gives these options.",
    ),
    click.option(
        "--dry-run",
        is_flag=True,
        help="Bedrock: show every call and what it will cost, and do nothing.",
    ),
)
NAMES = (
    "teacher",
    "student",
    "region",
    "profile",
    "bucket",
    "role",
    "logs",
    "config_file",
    "dry_run",
)


def bedrock_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def settings_of(given: Mapping[str, Any], config_file: Path | None) -> "Settings":
    """The settings: as given, else as the file says, else the defaults.

    Raises:
        InputError: the file is not such a file.
    """
    from filmstill.bedrock.order import Settings
    from filmstill.errors import InputError
    from filmstill.files import read_text

    table: dict[str, Any] = {}
    if config_file is not None:
        try:
            table = tomllib.loads(read_text(config_file)).get(SECTION, {})
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{config_file}: not valid TOML: {error}") from error
    if not isinstance(table, dict):
        raise InputError(f"{config_file}: [{SECTION}] must be a table")
    known = {item.name: item.type for item in fields(Settings)}
    for name, value in table.items():
        if name not in known:
            raise InputError(
                f"{config_file}: [{SECTION}] has the unknown key {name!r}; known are "
                f"{', '.join(known)}"
            )
        if type(value) is not known[name]:
            raise InputError(f"{config_file}: [{SECTION}] {name} has a value of the wrong kind")
    chosen = {name: value for name, value in given.items() if value is not None}
    return Settings(**{**table, **chosen})
