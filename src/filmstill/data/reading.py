"""Reading files of examples: every line becomes an example or a reject with its reason."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filmstill.data.formats import parse_record, to_line
from filmstill.data.parquet import SUFFIX, parquet_records
from filmstill.errors import DataError, QueryError
from filmstill.files import is_there, replacing, sha256_of, storage_errors, write_text
from filmstill.query import clean_query, same_query
from filmstill.records import Example
from filmstill.task import Task

MAX_RAW_CHARS = 4000  # of a rejected line that are kept
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that could not be used.

    Attributes:
        line: its number, from 1.
        reason: one clause that says why.
        raw: the line as it stands, cut after `MAX_RAW_CHARS` characters.
    """

    line: int
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class ExampleFile:
    """What was read from a file.

    Attributes:
        path: the file.
        sha256: hash of its bytes.
        examples: in the file's order.
        rejects: lines that could not be used, in the file's order.
    """

    path: Path
    sha256: str
    examples: tuple[Example, ...]
    rejects: tuple[Reject, ...]

    @property
    def labelled(self) -> tuple[Example, ...]:
        """The examples that have a routing."""
        return tuple(example for example in self.examples if example.routing is not None)


def load_examples(path: str | Path, task: Task, *, labels: str = "optional") -> ExampleFile:
    """Read a file of examples: JSONL of either format, or plain text with one query a line.

    Parquet with a column `query` is read too, where pyarrow is installed. A byte-order mark,
    Windows line ends and blank lines are fine.

    Args:
        path: the file; it is JSONL where its first character is a brace, else plain text.
        task: says which channels a label has.
        labels: "optional", or "required" to reject lines without a label.

    Raises:
        StorageError: the file cannot be read.
        DataError: it is in UTF-16, one JSON array, or holds no line at all.
    """
    path = Path(path)
    examples: list[Example] = []
    rejects: list[Reject] = []
    for item in iter_examples(path, task, labels=labels):
        if isinstance(item, Reject):
            rejects.append(item)
        else:
            examples.append(item)
    if not examples and not rejects:
        raise DataError(f"{path}: the file is empty")
    return ExampleFile(path, sha256_of(path), tuple(examples), tuple(rejects))


def iter_examples(
    path: Path, task: Task, *, labels: str = "optional"
) -> Iterator[Example | Reject]:
    """Read a file of examples line by line, however long it is; see `load_examples`.

    Tags that a record does not hold itself come from the file of tags beside it, if there is one
    (`tags_path`).

    Raises:
        StorageError: the file cannot be read.
        DataError: it is in UTF-16 or one JSON array.
    """
    tags = _tags_beside(path)
    if path.suffix == SUFFIX:
        yield from _iter_parquet(path, task, labels)
        return
    jsonl: bool | None = None
    for number, raw in _lines(path):
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            reason = f"byte {error.start + 1} of the line is not UTF-8: convert the file to UTF-8"
            yield Reject(number, reason, raw.decode("latin-1")[:MAX_RAW_CHARS])
            continue
        if jsonl is None:
            jsonl = text.startswith("{")
            if text == "[" or _is_json(text, list):
                raise DataError(f"{path}:{number}: a JSON array; write one object per line (JSONL)")
        try:
            if not jsonl and _is_json(text, dict):
                raise ValueError("a JSON record in a file that starts as plain text")
            example = parse_record(_json(text), task) if jsonl else Example(clean_query(text))
            _check_label(example, labels)
        except (ValueError, QueryError) as error:
            yield Reject(number, str(error), text[:MAX_RAW_CHARS])
        else:
            more = tags.get(same_query(example.query)) if tags else None
            yield replace(example, tags={**more, **example.tags}) if more else example


def load_labelled(path: str | Path, task: Task) -> ExampleFile:
    """Read a file in which every example must be labelled; see `load_examples`.

    Raises:
        StorageError: the file cannot be read.
        DataError: no line of it can be used; the message gives the first reason.
    """
    file = load_examples(path, task, labels="required")
    if not file.examples:
        first = file.rejects[0]
        raise DataError(
            f"{path}:{first.line}: {first.reason} (none of the {len(file.rejects)} lines is usable)"
        )
    return file


def _iter_parquet(path: Path, task: Task, labels: str) -> Iterator[Example | Reject]:
    for number, record in enumerate(parquet_records(path), start=1):
        try:
            example = parse_record(record, task)
            _check_label(example, labels)
        except ValueError as error:
            raw = json.dumps(record, ensure_ascii=False, default=str)
            yield Reject(number, str(error), raw[:MAX_RAW_CHARS])
        else:
            yield example


def _check_label(example: Example, labels: str) -> None:
    if labels == "required" and example.routing is None:
        raise ValueError("there is no label (assistant turn or reference), and one is needed")


def tags_path(path: Path) -> Path:
    """Where the tags of a file's examples are, for a file whose records may hold nothing else."""
    return path.with_name(path.name + ".tags.jsonl")


def write_rejects(file: ExampleFile, path: Path) -> None:
    """Write the rejects of a file as JSONL: file, line, reason and the raw line."""
    rows = (
        {"file": str(file.path), "line": reject.line, "reason": reject.reason, "raw": reject.raw}
        for reject in file.rejects
    )
    write_text(path, "".join(to_line(row) + "\n" for row in rows))


def write_records(path: str | Path, records: Iterable[dict[str, Any]]) -> None:
    """Write records as JSONL, atomically.

    Raises:
        StorageError: the disk is full or the folder cannot be written to.
    """
    with (
        replacing(Path(path)) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines(to_line(record) + "\n" for record in records)


def _tags_beside(path: Path) -> dict[str, dict[str, str]]:
    """Tags by `same_query` from the file beside; none where there is no such file."""
    beside = tags_path(path)
    if not is_there(beside):
        return {}
    tags = {}
    for number, raw in _lines(beside):
        try:
            record = json.loads(raw)
            query = record.pop("query")
            tags[same_query(query)] = {str(key): str(value) for key, value in record.items()}
        except (ValueError, KeyError, AttributeError) as error:
            raise DataError(
                f"{beside}:{number}: not a line of tags; mend or remove the file"
            ) from error
    return tags


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"not valid JSON: {error}") from error


def _is_json(text: str, kind: type) -> bool:
    if not text.startswith(("{", "[")):
        return False
    try:
        return isinstance(_json(text), kind)
    except ValueError:
        return False


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not blank, without line end and byte-order mark."""
    with storage_errors("read", path), path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            line = raw
            if number == 1:
                if line.startswith(_UTF16_BOMS):
                    raise DataError(f"{path}: the file is in UTF-16: convert it to UTF-8")
                line = line.removeprefix(_UTF8_BOM)
            line = line.strip()
            if line:
                yield number, line
