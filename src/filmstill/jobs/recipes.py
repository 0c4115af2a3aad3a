"""Which student each base model of Bedrock stands for: a table that users can extend."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from filmstill.config import DistillConfig
from filmstill.errors import InputError
from filmstill.files import read_text

_REGION_PREFIXES = ("us.", "eu.", "apac.", "us-gov.", "global.")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the student that stands for a base model is made.

    Attributes:
        model: the base model's id.
        teachers: ids of the models that may teach it.
        settings: settings of `DistillConfig` that are not the default.
    """

    model: str
    teachers: tuple[str, ...]
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recipes:
    """All recipes by their model, and the day each retired model was retired."""

    by_model: Mapping[str, Recipe]
    retired: Mapping[str, date]


def load_recipes(own: Path | None = None) -> Recipes:
    """The shipped table, with a user's own on top.

    A table of one's own that has a list of retired models replaces the shipped list.

    Raises:
        InputError: the file is not a valid table.
        StorageError: it cannot be read.
    """
    shipped = (resources.files("filmstill.jobs") / "recipes.toml").read_text(encoding="utf-8")
    found = _parse(shipped, "the shipped recipes")
    if own is None:
        return found
    more = _parse(read_text(own), str(own))
    return Recipes({**found.by_model, **more.by_model}, more.retired or found.retired)


def model_id(identifier: str) -> str:
    """The bare id of a model that is named by its id, its ARN or an inference profile."""
    name = identifier.rpartition("/")[2] if identifier.startswith("arn:") else identifier
    for prefix in _REGION_PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _parse(text: str, source: str) -> Recipes:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not valid TOML: {error}") from error
    known = {item.name for item in fields(DistillConfig)}
    recipes, retired = {}, {}
    for entry in table.get("recipes", []):
        match entry:
            case {"model": str(model), "teachers": list(teachers)}:
                settings = entry.get("settings", {})
            case _:
                raise InputError(f"{source}: every [[recipes]] needs model and teachers")
        unknown = sorted(set(settings) - known)
        if unknown:
            raise InputError(f"{source}: {model}: unknown setting {', '.join(unknown)}")
        DistillConfig(**settings)  # ranges
        base = Path(str(settings.get("base", "")))
        if "base" in settings and base.exists():  # jobs work in folders of their own
            settings = {**settings, "base": str(base.resolve())}
        recipes[model] = Recipe(model, tuple(map(str, teachers)), settings)
    for entry in table.get("retired", []):
        match entry:
            case {"model": str(model), "date": date() as day}:
                retired[model] = day
            case _:
                raise InputError(f"{source}: every [[retired]] needs model and date")
    return Recipes(recipes, retired)
