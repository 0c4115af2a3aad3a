"""The operations of Bedrock: where each is, what it takes and what it answers."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from filmstill.serve.bedrock.eventstream import encode_event
from filmstill.serve.bedrock.model import Shape, Value, service_models
from filmstill.serve.bedrock.shapes import parse_json, read_text, read_value, render
from filmstill.serve.bedrock.validation import check_input, violations

EVENT_STREAM = "application/vnd.amazon.eventstream"


class Operation:
    """One operation of a service model.

    Attributes:
        name: as in the model, such as `GetCustomModel`.
        method: of the HTTP request.
        segments: of the path; those in braces are labels.
        stream: the member of the output that holds events, or None.
    """

    def __init__(self, model: Value) -> None:
        """Take a botocore.model.OperationModel."""
        self.name: str = model.name
        self.method: str = model.http["method"]
        self.segments = tuple(model.http["requestUri"].removeprefix("/").split("/"))
        self._status: int = model.http.get("responseCode", 200)
        self._input: Shape = model.input_shape
        self._output: Shape = model.output_shape
        self.stream: str | None = None
        if model.has_event_stream_output:
            self.stream = next(
                name for name, shape in self._output.members.items() if _is_stream(shape)
            )

    def read(
        self,
        labels: Mapping[str, str],
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> dict[str, Any]:
        """The members of a request, of their types and satisfying every constraint.

        Args:
            labels: from the path, decoded.
            query: the first value of each name.
            headers: by name in small letters.
            body: JSON, or the very bytes of an operation that takes a blob.

        Raises:
            ApiError: SerializationException or ValidationException, the request is wrong.
        """
        values: dict[str, Any] = {}
        payload = self._input.serialization.get("payload")
        in_body = []
        for name, shape in self._input.members.items():
            place, wire_name = _place(shape, name)
            if place is None and name == payload:
                values[name] = body
            elif place is None:
                in_body.append(name)
            else:
                source = {"uri": labels, "querystring": query, "header": headers}[place]
                text = source.get(wire_name.lower() if place == "header" else wire_name)
                if text is not None:
                    values[name] = read_text(shape, text, name)
        # A body that no member is read from is ignored, as AWS does.
        content = parse_json(body) if in_body else {}
        for name in in_body:
            if content.get(name) is not None:
                values[name] = read_value(self._input.members[name], content[name], name)
        check_input(self._input, values)
        return values

    def write(self, output: Mapping[str, Any]) -> tuple[int, dict[str, str], bytes]:
        """The status, the headers and the body of a response; no body for a stream.

        Raises:
            ValueError: the output is not what the service model says, which is a bug of ours.
        """
        given = {name: value for name, value in output.items() if value is not None}
        members = self._output.members if self._output else {}
        headers = {"content-type": EVENT_STREAM if self.stream else "application/json"}
        content: dict[str, Any] = {}
        body: bytes | None = None
        for name, value in given.items():
            if name not in members:
                raise ValueError(f"{self.name}: the output has no member {name!r}")
            place, wire_name = _place(members[name], name)
            if place == "header":
                headers[wire_name.lower()] = str(render(members[name], value, name))
            elif name == self._output.serialization.get("payload"):
                if not self.stream and not isinstance(value, bytes):
                    raise ValueError(f"{self.name}: {name} must be bytes")
                body = b"" if self.stream else value
            else:
                content[name] = render(members[name], value, name)
        broken = violations(self._output, given) if self._output else []
        if broken:
            raise ValueError(f"{self.name}: {'; '.join(broken)}")
        return self._status, headers, _json(content) if body is None else body

    def encode(self, event: str, payload: Mapping[str, Any]) -> bytes:
        """An event of the operation's stream, as it is sent.

        Raises:
            ValueError: the event is not what the service model says, which is a bug of ours.
        """
        shape = self._output.members[self.stream].members.get(event)
        if shape is None or not shape.serialization.get("event"):
            raise ValueError(f"{self.name}: there is no event {event!r}")
        rendered = render(shape, payload, event)
        broken = violations(shape, payload, event)
        if broken:
            raise ValueError(f"{self.name}: {'; '.join(broken)}")
        return encode_event(event, rendered)


class Match(NamedTuple):
    """The operation at a path, and the labels in the path."""

    operation: Operation
    labels: dict[str, str]


@cache
def operations() -> dict[str, Operation]:
    """All operations of both services, by name, whether this server implements them or not."""
    return {
        name: Operation(model.operation_model(name))
        for model in service_models()
        for name in model.operation_names
    }


def match(method: str, raw_path: bytes) -> Match | None:
    """The operation at a path; None where Bedrock has none there.

    Args:
        method: of the HTTP request.
        raw_path: as it was sent. Decoding comes after splitting, since an ARN is one segment
            with `%2F` in it.
    """
    segments = raw_path.removeprefix(b"/").removesuffix(b"/").split(b"/")
    parts = [unquote_to_bytes(segment).decode("utf-8", "replace") for segment in segments]
    for operation in _table().get((method, len(parts)), ()):
        labels = {}
        for expected, part in zip(operation.segments, parts, strict=True):
            if _is_label(expected) and part:
                labels[expected.strip("{}")] = part
            elif expected != part:
                break
        else:
            return Match(operation, labels)
    return None


@cache
def _table() -> dict[tuple[str, int], list[Operation]]:
    """Operations by method and number of segments; those with literal segments first."""
    table: dict[tuple[str, int], list[Operation]] = {}
    for operation in sorted(operations().values(), key=_labels_last):
        table.setdefault((operation.method, len(operation.segments)), []).append(operation)
    return table


def _labels_last(operation: Operation) -> list[bool]:
    return [_is_label(segment) for segment in operation.segments]


def _is_label(segment: str) -> bool:
    return segment.startswith("{")


def _is_stream(shape: Shape) -> bool:
    return bool(shape.serialization.get("eventstream"))


def _place(shape: Shape, name: str) -> tuple[str | None, str]:
    """Where a member is, None for the body, and its name there."""
    return shape.serialization.get("location"), shape.serialization.get("name", name)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
