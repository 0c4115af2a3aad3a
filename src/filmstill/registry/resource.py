"""One thing that the registry holds."""

import secrets
import string
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing the registry holds.

    Attributes:
        kind: what it is: "job", "model", "deployment", ...
        id: twelve lower-case letters and digits, never used twice.
        name: how people call it; no two of a kind are called alike.
        status: where it stands, in Bedrock's words.
        created: when it was added, UTC.
        modified: when it was last changed, UTC.
        token: what its maker sent so that a repeated request does not make a second one, or None.
        body: all else, as JSON data.
    """

    kind: str
    id: str
    name: str
    status: str
    created: datetime
    modified: datetime
    token: str | None
    body: dict[str, Any]


def new_id() -> str:
    """Twelve random lower-case letters and digits, as Bedrock's ids have."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
