"""What goes between boto3 and the services: watched, checked, and broken where a test wants it."""

import io
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from filmstill.serve.bedrock.validation import violations

Answer = tuple[int, str, str] | Exception | None
"""Status, code and message; or no answer and this error; or what the service itself answers."""
THROTTLED = (429, "ThrottlingException", "Rate exceeded")


class Killed(BaseException):
    """The process ends here: nothing may catch it."""


@dataclass
class Wire:
    """What goes between boto3 and the services.

    Attributes:
        calls: service and operation of every call, in order.
        requests: the last request of every operation, as it was sent.
        broken: constraints of the service models that requests broke.
        faults: answers to give instead of the services', by operation; the last one stays.
        lost: operations that are done once without an answer.
        kill_after: the process is killed after so many moments more; 0 for never.
        moments: what happened at each: calls that were answered, notes that were to be written.
    """

    calls: list[tuple[str, str]] = field(default_factory=list)
    requests: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    faults: dict[str, deque[Answer]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    kill_after: int = 0
    moments: list[str] = field(default_factory=list)

    def watch(self, client: Any) -> None:
        events = client.meta.events
        events.register("provide-client-params", self._check)
        events.register("before-send", self._send)
        events.register("after-call", self._answered)

    def fail(self, operation: str, *answers: Answer) -> None:
        """Have an operation answered so, one after the other."""
        self.faults[operation] = deque(answers)

    def moment(self, what: str) -> None:
        """Something after which a process may be killed; looks in a row are one."""
        if self.moments[-1:] == [what] and "Get" in what:
            return
        self.moments.append(what)
        if self.kill_after and len(self.moments) == self.kill_after:
            raise Killed(what)

    def count(self, operation: str) -> int:
        return sum(name == operation for _, name in self.calls)

    def changes(self) -> list[str]:
        """Calls that do more than look."""
        return [name for _, name in self.calls if not name.startswith(("Get", "List", "Head"))]

    def body(self, operation: str) -> dict[str, Any]:
        """The JSON of the last request."""
        found: dict[str, Any] = json.loads(self.requests[operation].body)
        return found

    def _check(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.calls.append((model.service_model.service_name, model.name))
        shown = {name: b"" if hasattr(value, "read") else value for name, value in params.items()}
        if model.input_shape is not None:
            found = violations(model.input_shape, shown)
            self.broken += [f"{model.name}: {text}" for text in found]

    def _send(self, request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        _, service, operation = event_name.split(".")
        self.requests[operation] = request
        if operation in self.lost:
            self.lost.remove(operation)
            session = URLLib3Session()
            session.send(request)
            session.close()
            raise ConnectionClosedError(endpoint_url=request.url)
        answers = self.faults.get(operation)
        if not answers:
            return None
        answer = answers[0] if len(answers) == 1 else answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer and _answer(request, service, *answer)

    def _answered(self, event_name: str, **_: Any) -> None:
        _, service, operation = event_name.split(".")
        self.moment(f"{service} {operation}")


def _answer(request: Any, service: str, status: int, code: str, message: str) -> AWSResponse:
    body = json.dumps({"message": message})
    if status == 200:
        body = message
    elif service in ("s3", "iam", "sts"):
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        body = error if service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>"
    raw = _Raw(b"" if request.method == "HEAD" else body.encode())
    return AWSResponse(request.url, status, {"x-amzn-ErrorType": code}, raw)


class _Raw(io.BytesIO):
    def stream(self, *_: Any, **__: Any) -> Any:
        yield self.read()
