"""One example as one JSON record: the conversation format and the evaluation format.

Conversation: `bedrock-conversation-2024`, what Amazon Bedrock distillation reads. A record holds an
optional system prompt, the user turn with the query, and optionally the assistant turn with the
label as JSON text. Evaluation: `{"query", "reference"}`, the reference again JSON text. Whatever
else an evaluation record holds as text or number, and a conversation record under "tags", is kept
as the example's tags.
"""

import json
from collections.abc import Mapping
from typing import Any

from filmstill.data.labels import parse_label
from filmstill.errors import QueryError
from filmstill.query import clean_query, has_half_surrogate
from filmstill.records import Example, Routing
from filmstill.task import Task

SCHEMA = "bedrock-conversation-2024"


def parse_record(record: object, task: Task) -> Example:
    """An example from a decoded JSON record of either format.

    Raises:
        ValueError: the record is not valid; the message is one clause that says why.
    """
    if not isinstance(record, Mapping):
        raise ValueError("the line is not a JSON object")
    if "schemaVersion" in record or "messages" in record:
        query, label, tags = _conversation(record)
    elif "query" in record:
        query, label = record["query"], record.get("reference")
        tags = {key: value for key, value in record.items() if key not in ("query", "reference")}
    else:
        raise ValueError(
            f'the record is neither a {SCHEMA} conversation nor {{"query", "reference"}}'
        )
    if not isinstance(query, str):
        raise ValueError("the query is not text")
    try:
        query = clean_query(query)
    except QueryError as error:
        raise ValueError(str(error)) from error
    routing = None if label is None else parse_label(label, task)
    return Example(query, routing, _tags(tags))


def conversation_record(example: Example, task: Task, *, with_tags: bool = False) -> dict[str, Any]:
    """The example as a conversation record, with the task's student prompt as system prompt.

    Args:
        example: with or without a label; without one the assistant turn is left out.
        task: gives the prompt.
        with_tags: keep the tags under a key of their own, which strict readers refuse.
    """
    messages = [_turn("user", example.query)]
    if example.routing is not None:
        messages.append(_turn("assistant", example.routing.to_label()))
    record: dict[str, Any] = {
        "schemaVersion": SCHEMA,
        "system": [{"text": task.student_prompt}],
        "messages": messages,
    }
    if with_tags and example.tags:
        record["tags"] = dict(example.tags)
    return record


def evaluation_record(query: str, reference: Routing, tags: Mapping[str, str]) -> dict[str, Any]:
    """The example as an evaluation record, its tags beside the query and the reference."""
    return {"query": query, "reference": reference.to_label(), **tags}


def to_line(record: Mapping[str, Any]) -> str:
    """A record as one line of JSONL, without the line end."""
    return json.dumps(record, ensure_ascii=False)


def _conversation(record: Mapping[str, Any]) -> tuple[object, object, Mapping[str, Any]]:
    schema = record.get("schemaVersion")
    if schema != SCHEMA:
        raise ValueError(f"the schemaVersion is {json.dumps(schema)}; known is {SCHEMA}")
    messages = record.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= 2:
        raise ValueError("messages must hold a user turn and at most one assistant turn")
    texts = [
        _turn_text(turn, role) for turn, role in zip(messages, ("user", "assistant"), strict=False)
    ]
    tags = record.get("tags", {})
    if not isinstance(tags, Mapping):
        raise ValueError("tags must be a JSON object")
    return texts[0], texts[1] if len(texts) > 1 else None, tags


def _turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"text": text}]}


def _turn_text(turn: object, role: str) -> str:
    if not isinstance(turn, Mapping) or turn.get("role") != role:
        found = turn.get("role") if isinstance(turn, Mapping) else turn
        raise ValueError(f"a turn of role {role!r} is expected, not {json.dumps(found)}")
    content = turn.get("content")
    if not isinstance(content, list) or len(content) != 1 or not isinstance(content[0], Mapping):
        raise ValueError(f'the {role} turn\'s content must be one {{"text": ...}} block')
    text = content[0].get("text")
    if not isinstance(text, str):
        raise ValueError(f"the {role} turn has no text")
    return text


def _tags(fields: Mapping[str, Any]) -> dict[str, str]:
    tags = {
        key: str(value)
        for key, value in fields.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }
    if has_half_surrogate("".join([*tags, *tags.values()])):
        raise ValueError("a tag holds half a surrogate pair")
    return tags
