"""The record of a run: every step, and everything that was made for it in the account.

What is to be made is written down before it is made, under a name that holds the run's id. So a
run that was killed between the making and the note finds by name what it made, and nothing is
orphaned.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filmstill.errors import InputError
from filmstill.files import is_there, make_folder, only_one, read_text, write_text

FORMAT, VERSION = "filmstill-run", 1
TAG = "filmstill-run"
"""Key of the tag, with the run's id as value, on everything that a run makes."""

LOCK = ".lock"
KINDS = ("evaluation", "provisioned", "deployment", "job", "model", "role", "object", "bucket")
"""What a run makes, in the order of its removal: a model cannot go before its deployment."""
SETTINGS = ("region", "account", "student", "teacher", "bucket", "role", "logs", "task")
"""Without these a record is of no use."""
INTENDED, MADE, GONE = "intended", "made", "gone"


@dataclass(frozen=True, slots=True)
class Made:
    """One thing in the account.

    Attributes:
        kind: one of `KINDS`.
        name: what it is called there; for objects their key.
        state: "intended", "made" or "gone".
        facts: its ARN and what else is known of it.
    """

    kind: str
    name: str
    state: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN; empty where it has none, or none yet."""
        return str(self.facts.get("arn", ""))


class Run:
    """A run's folder and its record, which is on the disk after every change."""

    def __init__(self, folder: Path, data: dict[str, Any]) -> None:
        """Take a folder and the content of its record; see `begin` and `open_run`."""
        self.folder = folder
        self._data = data

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits, in the name of all that is made."""
        return str(self._data["id"])

    @property
    def name(self) -> str:
        """What things are called in the account."""
        return f"filmstill-{self.id}"

    @property
    def settings(self) -> dict[str, Any]:
        """What the run was begun with."""
        return dict(self._data["settings"])

    @property
    def notes(self) -> dict[str, Any]:
        """What became known on the way, such as scores."""
        return dict(self._data["notes"])

    @property
    def things(self) -> list[Made]:
        """Everything that was made, or was to be, in that order."""
        return [Made(**entry) for entry in self._data["things"]]

    @property
    def tags(self) -> list[dict[str, str]]:
        """The tags of all that is made, as Bedrock takes them."""
        return [{"key": TAG, "value": self.id}]

    def find(self, kind: str, name: str | None = None) -> Made | None:
        """The last thing of a kind, with a name where one is given, that is not gone; or None."""
        found = [
            item
            for item in self.things
            if item.kind == kind and item.state != GONE and name in (None, item.name)
        ]
        return found[-1] if found else None

    def intend(self, kind: str, name: str, **facts: Any) -> Made:  # noqa: ANN401 - JSON data
        """Write down what is to be made; what is written down already stays as it is."""
        found = self.find(kind, name)
        if found is None:
            found = Made(kind, name, INTENDED, facts)
            self._keep(found)
        return found

    def made(self, kind: str, name: str, **facts: Any) -> Made:  # noqa: ANN401 - JSON data
        """Write down that it is made, and what is known of it."""
        before = self.find(kind, name)
        item = Made(kind, name, MADE, {**(before.facts if before else {}), **facts})
        self._keep(item)
        return item

    def gone(self, item: Made) -> None:
        """Write down that it is no longer there."""
        self._keep(Made(item.kind, item.name, GONE, item.facts))

    def note(self, **facts: Any) -> None:  # noqa: ANN401 - JSON data
        """Keep what became known."""
        self._data["notes"] |= facts
        self._save()

    def attempt(self, kind: str) -> str:
        """A name for the present attempt to make a thing; another one once that thing is gone.

        As an idempotency token it must change then: AWS ignores a request whose token it knows.
        """
        gone = sum(item.kind == kind and item.state == GONE for item in self.things)
        return f"{self.name}-{gone + 1}"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from this run.

        Raises:
            InputError: its record is damaged.
            StorageError: another one is at work on it.
        """
        with only_one(self.folder / LOCK, self.folder):
            # Another process may have gone on with the run since its record was read.
            self._data = open_run(self.folder)._data
            yield

    def _keep(self, item: Made) -> None:
        entry = {"kind": item.kind, "name": item.name, "state": item.state, "facts": item.facts}
        things = self._data["things"]
        for number, known in enumerate(things):
            same = (known["kind"], known["name"]) == (item.kind, item.name)
            if same and known["state"] != GONE:
                things[number] = entry
                break
        else:
            things.append(entry)
        self._save()

    def _save(self) -> None:
        text = json.dumps(self._data, indent=2, ensure_ascii=False)
        write_text(record_path(self.folder), text + "\n")


def begin(folder: Path, settings: Mapping[str, Any]) -> Run:
    """The run in a folder; a new one where there is none.

    Raises:
        InputError: the run there was begun with other settings, or its record is damaged.
        StorageError: the folder cannot be written to, or another process is at work on the run.
    """
    make_folder(folder)
    with only_one(folder / LOCK, folder):
        return _begin(folder, settings)


def _begin(folder: Path, settings: Mapping[str, Any]) -> Run:
    if is_there(record_path(folder)):
        run = open_run(folder)
        changed = sorted(key for key in settings if run.settings.get(key) != settings[key])
        if changed:
            raise InputError(
                f"{folder}: the run here was begun with another {', '.join(changed)}; give another "
                f"--out, or the same settings to go on with it"
            )
        return run
    run = Run(
        folder,
        {
            "format": FORMAT,
            "version": VERSION,
            "id": secrets.token_hex(6),
            "begun": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": dict(settings),
            "things": [],
            "notes": {},
        },
    )
    run._save()
    return run


def open_run(folder: Path) -> Run:
    """The run in a folder.

    Raises:
        InputError: there is none, or its record is damaged.
        StorageError: it cannot be read.
    """
    path = record_path(folder)
    if not is_there(path):
        raise InputError(f"{folder}: there is no run here (no {path.name})")
    try:
        data = json.loads(read_text(path))
        known = data["format"] == FORMAT and data["version"] == VERSION
        complete = {"id", "settings", "things", "notes"} <= data.keys()
        for entry in data.get("things", []):
            KINDS.index(Made(**entry).kind)
        complete = complete and set(SETTINGS) <= data["settings"].keys()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: not the record of a run, or damaged ({error}); what the run made has its id "
            f"in its name, and the tag {TAG}"
        ) from error
    if not (known and complete):
        raise InputError(f"{path}: not the record of a run that this version knows")
    return Run(folder, data)


def record_path(folder: Path) -> Path:
    """Where the record of a run lies."""
    return folder / "run.json"
