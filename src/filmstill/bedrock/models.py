"""The models that Bedrock distils: which teaches which, where, and what it costs."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from filmstill.errors import InputError

TABLE = Path(__file__).with_name("models.toml")


@dataclass(frozen=True, slots=True)
class Student:
    """A model that can be distilled into.

    Attributes:
        id: as a customization job names it.
        inference: its id when it is asked without being distilled.
        regions: where it can be distilled.
        teachers: ids of the models that can teach it.
        training: US dollars for 1,000 tokens of training; None where it is not known.
        storage: US dollars for a month of keeping the model; None where it is not known.
        provisioned: US dollars for an hour of one unit of throughput; None where it is not known.
    """

    id: str
    inference: str
    regions: tuple[str, ...]
    teachers: tuple[str, ...]
    training: float | None
    storage: float | None
    provisioned: float | None


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known, and of which day.

    Attributes:
        as_of: the day.
        students: by their id.
        retired: models that cannot be used any more, and since when.
        profiles: regions that a profile of this prefix, such as "us", leads to; "*" for all.
    """

    as_of: str
    students: dict[str, Student]
    retired: dict[str, date]
    profiles: dict[str, tuple[str, ...]]


@cache
def known_models() -> Known:
    """The shipped table."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    students = {
        entry["id"]: Student(
            entry["id"],
            entry["inference"],
            tuple(entry["regions"]),
            tuple(entry["teachers"]),
            entry.get("training"),
            entry.get("storage"),
            entry.get("provisioned"),
        )
        for entry in table["students"]
    }
    return Known(
        table["as_of"],
        students,
        table["retired"],
        {name: tuple(regions) for name, regions in table["profiles"].items()},
    )


def student_called(name: str) -> Student:
    """What is known of a student; one that is not in the table has no prices."""
    return known_models().students.get(name) or Student(name, name, (), (), None, None, None)


def check_pair(teacher: str, student: str, region: str, today: date) -> Student:
    """The student, where this teacher can teach it in this region.

    Raises:
        InputError: it cannot; the message names what could.
    """
    known = known_models()
    found = known.students.get(student)
    if found is None:
        raise InputError(
            f"--student {student}: not a model that can be distilled into; there are "
            f"{', '.join(known.students)}"
        )
    bare = bare_id(teacher)
    others = [name for name in found.teachers if name not in known.retired]
    check_alive(teacher, today, f"--teacher {teacher}", others)
    if bare not in found.teachers:
        raise InputError(
            f"--teacher {teacher} cannot teach {student}; {', '.join(others) or 'none'} can"
        )
    covered = profile_regions(teacher)
    if covered and region not in covered:
        raise InputError(f"--teacher {teacher}: this profile is not known to answer in {region}")
    if region not in found.regions:
        raise InputError(
            f"{student} cannot be distilled in {region}; give --region {found.regions[0]}"
        )
    return found


def check_alive(model: str, today: date, where: str, others: Sequence[str]) -> None:
    """See that a model can still be used.

    Raises:
        InputError: it cannot, by what is known; the message names others.
    """
    retired = known_models().retired.get(bare_id(model))
    if retired is not None and retired <= today:
        raise InputError(
            f"{where}: this model reached the end of its life on {retired}"
            + (f"; use {' or '.join(others)}" if others else "")
        )


def check_judge(model: str, today: date, where: str, others: Sequence[str]) -> None:
    """See that a model can judge in an evaluation job, and that its role's rights can be told.

    Raises:
        InputError: it cannot; the message names others.
    """
    if model.startswith("arn:") and not re.fullmatch(
        r"arn:[^:]+:bedrock:[^:]*:[^:]*:(foundation-model|inference-profile)/[^/]+", model
    ):
        raise InputError(
            f"{where}: give a model's id, or that of an inference profile of AWS's own, such as "
            f"{' or '.join(others)}"
        )
    check_alive(model, today, where, others)


def bare_id(model: str) -> str:
    """A model's id without the prefix of an inference profile; of an ARN, its last part."""
    model = model.rpartition("/")[2]
    prefix, dot, rest = model.partition(".")
    return rest if dot and prefix in known_models().profiles else model


def profile_regions(model: str) -> tuple[str, ...]:
    """The regions that an inference profile leads to; none for a plain model's id."""
    prefix, dot, _ = model.rpartition("/")[2].partition(".")
    return known_models().profiles.get(prefix, ()) if dot else ()


def foundation_regions(model: str, region: str) -> tuple[str, tuple[str, ...]]:
    """The bare id of a model, and all regions in which it may be asked."""
    return bare_id(model), profile_regions(model) or (region,)
