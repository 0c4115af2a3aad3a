"""A task: what is routed. The channels, the grid of the weights and the prompts, read from TOML."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from filmstill import prompts
from filmstill.errors import TaskError
from filmstill.files import read_text

BUILTIN = "video-search"
MIN_CHANNELS, MAX_CHANNELS = 2, 12
MAX_STEPS = 1000
_FINEST = Decimal("0.000001")
_CHANNEL_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TASK_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_RESERVED = {"reasoning"}  # a label's JSON object holds the reasoning beside the channels


@dataclass(frozen=True, slots=True)
class Channel:
    """One signal that can be searched.

    Attributes:
        name: lower-case word, the key in every file.
        description: what it holds, as a noun phrase that ends the sentence "the query asks for".
        guidance: when it weighs much or little; for the teacher.
        examples: queries that this channel leads; for the teacher.
    """

    name: str
    description: str
    guidance: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """Channels, weight grid and prompts.

    Attributes:
        name: the task's name, lower case with hyphens.
        description: what is being searched, as a noun phrase ("a library of videos").
        channels: 2 to 12 channels; their order is the order of weights everywhere.
        steps: how many grid steps make up 1.0 (10 for a grid of tenths).
        prompt_templates: templates of the task's own, by role ("teacher", "student").
    """

    name: str
    description: str
    channels: tuple[Channel, ...]
    steps: int = 10
    prompt_templates: Mapping[str, str] | None = None

    @cached_property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels, in order."""
        return tuple(channel.name for channel in self.channels)

    @property
    def grid_step(self) -> float:
        """Distance between neighbouring weights."""
        return 1 / self.steps

    @cached_property
    def fingerprint(self) -> str:
        """What a student depends on: SHA-256 over the channel names in order and the grid.

        Wording may change without making a trained student stale; channels may not.
        """
        facts = json.dumps([list(self.channel_names), self.steps])
        return hashlib.sha256(facts.encode()).hexdigest()

    @cached_property
    def teacher_prompt(self) -> str:
        """System prompt that explains the task to a large model."""
        return prompts.render("teacher", self)

    @cached_property
    def student_prompt(self) -> str:
        """System prompt of training records and distilled language models: one line."""
        return prompts.render("student", self)

    @staticmethod
    def builtin(name: str = BUILTIN) -> "Task":
        """A task that ships with the package.

        Raises:
            TaskError: there is no task of that name.
        """
        source = resources.files("filmstill") / "tasks" / name / "task.toml"
        if not source.is_file():
            raise TaskError(f"there is no built-in task {name!r}; there is {BUILTIN!r}")
        return parse_task(source.read_text(encoding="utf-8"), f"built-in task {name}")

    @staticmethod
    def load(path: str | Path) -> "Task":
        """Read a task file.

        Raises:
            TaskError: the file is not a valid task; the message names the field.
            InputError: it is not UTF-8 text.
            StorageError: it cannot be read.
        """
        return parse_task(read_text(Path(path)), str(path))

    def to_toml(self) -> str:
        """The task as TOML text that `load` reads back to an equal task."""
        lines = [
            f"name = {_quote(self.name)}",
            f"description = {_quote(self.description)}",
            f"grid_step = {self.grid_step}",
        ]
        if self.prompt_templates:
            lines += ["", "[prompts]"]
            lines += [f"{role} = {_quote(text)}" for role, text in self.prompt_templates.items()]
        for channel in self.channels:
            lines += [
                "",
                "[[channels]]",
                f"name = {_quote(channel.name)}",
                f"description = {_quote(channel.description)}",
                f"guidance = {_quote(channel.guidance)}",
                f"examples = [{', '.join(map(_quote, channel.examples))}]",
            ]
        return "\n".join(lines) + "\n"


def parse_task(text: str, source: str) -> Task:
    """Parse and check the text of a task file.

    Args:
        text: TOML.
        source: where the text is from, for messages.

    Raises:
        TaskError: not TOML, or a field is missing, unknown or out of range.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TaskError(f"{source}: not valid TOML: {error}") from error
    _known_keys(document, {"name", "description", "grid_step", "channels", "prompts"}, source)
    name = _text(document, "name", source)
    if not _TASK_NAME.fullmatch(name):
        raise TaskError(f"{source}: name {name!r} must be lower-case letters, digits and hyphens")
    templates = document.get("prompts", {})
    if not isinstance(templates, dict):
        raise TaskError(f"{source}: [prompts] must be a table of templates")
    _known_keys(templates, set(prompts.TEMPLATES), f"{source}: [prompts]")
    for role in templates:
        _text(templates, role, f"{source}: [prompts]")
    channels = document.get("channels")
    if not isinstance(channels, list) or not MIN_CHANNELS <= len(channels) <= MAX_CHANNELS:
        raise TaskError(
            f"{source}: a task has {MIN_CHANNELS} to {MAX_CHANNELS} [[channels]] tables"
        )
    parsed = tuple(
        _parse_channel(channel, f"{source}: channel {number}")
        for number, channel in enumerate(channels, start=1)
    )
    names = [channel.name for channel in parsed]
    for name_seen in names:
        if names.count(name_seen) > 1:
            raise TaskError(f"{source}: channel {name_seen!r} is defined twice")
    return Task(
        name=name,
        description=_text(document, "description", source),
        channels=parsed,
        steps=_steps(document.get("grid_step", 0.1), source),
        prompt_templates=dict(templates) or None,
    )


def _parse_channel(table: object, source: str) -> Channel:
    if not isinstance(table, dict):
        raise TaskError(f"{source}: must be a [[channels]] table")
    _known_keys(table, {"name", "description", "guidance", "examples"}, source)
    name = _text(table, "name", source)
    if not _CHANNEL_NAME.fullmatch(name) or name in _RESERVED:
        raise TaskError(
            f"{source}: name {name!r} must be a lower-case word of letters, digits and "
            f"underscores, and not {' or '.join(map(repr, sorted(_RESERVED)))}"
        )
    examples = table.get("examples", [])
    if not isinstance(examples, list) or not all(isinstance(item, str) for item in examples):
        raise TaskError(f"{source} ({name}): examples must be a list of texts")
    guidance = table.get("guidance", "")
    if not isinstance(guidance, str):
        raise TaskError(f"{source} ({name}): guidance must be text")
    return Channel(
        name, _text(table, "description", f"{source} ({name})"), guidance.strip(), tuple(examples)
    )


def _steps(grid_step: object, source: str) -> int:
    if isinstance(grid_step, bool) or not isinstance(grid_step, int | float):
        raise TaskError(f"{source}: grid_step must be a number such as 0.1")
    step = Decimal(str(grid_step))
    # Six decimals are what weights are rounded to when they are read and shown.
    if (
        not step.is_finite()
        or not 0 < step < 1
        or 1 % step
        or 1 / step > MAX_STEPS
        or step % _FINEST
    ):
        raise TaskError(
            f"{source}: grid_step {grid_step} must divide 1 without remainder and lie between "
            f"{1 / MAX_STEPS} and 0.5, for example 0.1, 0.05 or 0.25"
        )
    return int(1 / step)


def _text(table: Mapping[str, Any], key: str, source: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise TaskError(f"{source}: {key} is missing or empty; it must be text")
    return value.strip()


def _known_keys(table: Mapping[str, Any], known: set[str], source: str) -> None:
    for key in table:
        if key not in known:
            raise TaskError(f"{source}: unknown key {key!r}; known are {', '.join(sorted(known))}")


def _quote(text: str) -> str:
    # JSON escapes are a subset of those of TOML's basic strings, but for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
