"""Training data as Bedrock takes it, which is stricter than what Filmstill reads."""

import codecs
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filmstill.data.reading import ExampleFile, load_examples
from filmstill.errors import DataError
from filmstill.files import storage_errors
from filmstill.task import Task

LEAST, MOST = 100, 15_000
"""Prompts that a distillation job takes."""
MAX_BYTES = 1024**3
"""The largest training file, by the validator that AWS publishes."""

_KEYS = {"schemaVersion", "system", "messages"}


@dataclass(frozen=True, slots=True)
class TrainingData:
    """A file that can be uploaded as it is.

    Attributes:
        file: what is in it.
        prompt: the system prompt of every record; empty where they have none. What the distilled
            model is asked with later.
    """

    file: ExampleFile
    prompt: str


def check_data(training: Path, task: Task) -> TrainingData:
    """The training data, where Bedrock takes it as it is.

    Raises:
        DataError: it does not; the message names the first line that is wrong.
        StorageError: it cannot be read.
    """
    file = load_examples(training, task)
    if file.rejects:
        first = file.rejects[0]
        raise DataError(
            f"{training}:{first.line}: {first.reason}; Bedrock refuses a file with "
            f"{len(file.rejects):,} such lines: mend or remove them"
        )
    if not LEAST <= len(file.examples) <= MOST:
        raise DataError(
            f"{training} has {len(file.examples):,} prompts; a distillation job takes {LEAST:,} to "
            f"{MOST:,}"
        )
    if training.stat().st_size > MAX_BYTES:
        raise DataError(f"{training} is larger than 1 GiB, the most that Bedrock takes")
    prompt = _check_form(training)
    if not prompt and any(example.routing is None for example in file.examples):
        raise DataError(
            f"{training}: there are records without a label and no system prompt that tells the "
            f"teacher what to do; give every record the same one, or have them labelled by "
            f"`filmstill prepare --queries {training} --teacher ADDRESS --out FILE`"
        )
    return TrainingData(file, prompt)


def _check_form(training: Path) -> str:
    """See that a file is in Bedrock's own form in every line; the system prompt of all records."""
    found: str | None = None
    with storage_errors("read", training), training.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{training}:{number}"
            if line.startswith(codecs.BOM_UTF8) or not line.strip():
                raise DataError(
                    f"{where}: Bedrock reads one JSON record a line: remove byte-order marks and "
                    f"empty lines"
                )
            prompt = _prompt(line, where, training)
            if found not in (None, prompt):
                raise DataError(
                    f"{where}: another system prompt than in the lines before; the distilled model "
                    f"is asked with one, so all records need the same"
                )
            found = prompt
    return found or ""


def _prompt(line: bytes, where: str, training: Path) -> str:
    """The system prompt of a record; empty where it has none."""
    try:
        record = json.loads(line)
    except ValueError:  # also where it is not UTF-8
        record = None
    if not isinstance(record, dict) or "query" in record:
        raise DataError(
            f"{where}: not in the conversation format, which is what Bedrock reads; "
            f"`filmstill prepare --queries {training} --teacher ADDRESS --out FILE` writes it"
        )
    unknown = record.keys() - _KEYS
    if unknown:
        raise DataError(f"{where}: Bedrock takes no {', '.join(sorted(unknown))}")
    messages = record.get("messages")
    if not isinstance(messages, list) or not all(
        isinstance(turn, dict) and turn.keys() == {"role", "content"} and _is_text(turn["content"])
        for turn in messages
    ):
        raise DataError(
            f'{where}: Bedrock wants messages of the form {{"role": ..., "content": [{{"text": '
            f"...}}]}} and nothing else in them"
        )
    if "system" not in record:
        return ""
    if not _is_text(record["system"]):
        raise DataError(f'{where}: Bedrock wants system of the form [{{"text": ...}}]')
    return str(record["system"][0]["text"])


def _is_text(content: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether it is exactly one text."""
    return (
        isinstance(content, list)
        and len(content) == 1
        and isinstance(content[0], dict)
        and content[0].keys() == {"text"}
        and isinstance(content[0]["text"], str)
    )
