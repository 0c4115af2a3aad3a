"""Training data from the logs that Bedrock keeps of a model's invocations."""

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from filmstill.data.formats import SCHEMA
from filmstill.errors import DataError
from filmstill.jobs.objects import Objects
from filmstill.jobs.order import Distillation
from filmstill.task import Task

MAX_BYTES = 256 * 1024**2
"""The largest log that is read, unpacked; Bedrock's own are of some megabytes."""

_SUFFIXES = (".gz", ".json", ".jsonl")


def read_logs(
    objects: Objects, order: Distillation, task: Task, say: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """Conversation records from the logs below a prefix.

    Entries that hold no question, that the filters leave out, and, where answers are used as
    labels, that another model than the teacher answered, are left out.

    Raises:
        DataError: there are no logs there, or one is damaged.
        InputError, ServiceError, StorageError: see `Objects.read`.
    """
    files = [name for name in objects.list(order.training) if name.endswith(_SUFFIXES)]
    if not files:
        raise DataError(f"{order.training}: there are no logs (*.gz, *.json) below it")
    kept = seen = 0
    for address in files:
        for entry in _entries(address, objects.read(address)):
            seen += 1
            record = _record(entry, order, task)
            if record is not None:
                kept += 1
                yield record
    say(f"{kept:,} of {seen:,} log entries in {len(files):,} files used")


def passes(metadata: Mapping[str, str], filters: Mapping[str, Any]) -> bool:
    """Whether an entry's metadata pass Bedrock's `requestMetadataFilters`; no filter passes all."""
    for kind, value in filters.items():
        if kind == "equals":
            return all(metadata.get(key) == wanted for key, wanted in value.items())
        if kind == "notEquals":
            return all(metadata.get(key) != wanted for key, wanted in value.items())
        parts = [passes(metadata, part) for part in value]
        return all(parts) if kind == "andAll" else any(parts)
    return True


def _entries(address: str, content: bytes) -> Iterator[dict[str, Any]]:
    try:
        text = content
        if address.endswith(".gz"):
            with gzip.open(io.BytesIO(content)) as file:
                text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES:,} bytes")
        lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise DataError(f"{address}: not a log of invocations ({error})") from error
    yield from (line for line in lines if isinstance(line, dict))


def _record(entry: Mapping[str, Any], order: Distillation, task: Task) -> dict[str, Any] | None:
    if not passes(_part(entry, "requestMetadata"), order.filters):
        return None
    asked = _part(_part(entry, "input"), "inputBodyJson")
    question = _last_text(asked.get("messages"), "user")
    if question is None:
        return None
    messages = [{"role": "user", "content": [{"text": question}]}]
    if order.responses_of:
        answered = _part(_part(_part(entry, "output"), "outputBodyJson"), "output")
        answer = _last_text([answered.get("message")], "assistant")
        if answer is None or not _same_model(str(entry.get("modelId")), order.responses_of):
            return None
        messages.append({"role": "assistant", "content": [{"text": answer}]})
    system = [{"text": task.student_prompt}]
    return {"schemaVersion": SCHEMA, "system": system, "messages": messages}


def _part(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object in an entry; empty where something else is there, such as a list of chunks."""
    part = entry.get(key)
    return part if isinstance(part, dict) else {}


def _last_text(messages: object, role: str) -> str | None:
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == role:
            blocks = message.get("content")
            texts = [
                block["text"]
                for block in (blocks if isinstance(blocks, list) else [])
                if isinstance(block, dict) and isinstance(block.get("text"), str)
            ]
            return "".join(texts) or None
    return None


def _same_model(logged: str, teacher: str) -> bool:
    """Whether two ids name one model: as an id, an ARN, or a profile such as "us.amazon...."."""
    first, second = (name.rpartition("/")[2] for name in (logged, teacher))
    return first == second or first.endswith(f".{second}") or second.endswith(f".{first}")
