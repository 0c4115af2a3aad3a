"""API keys: who may use the server.

A key comes as `Authorization: Bearer KEY`, as `x-api-key: KEY`, or as the access key id of a
request that an AWS client signed. The signature itself is not checked: the access key id is the
secret here, and what AWS calls the secret key may be anything.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from filmstill.errors import InputError

ENVIRONMENT = "FILMSTILL_API_KEYS"
MISSING, WRONG, RIGHT = "missing", "wrong", "right"

_BEARER = re.compile(rb"bearer +(\S+) *", re.IGNORECASE)
_SIGNED = re.compile(rb"AWS4-HMAC-SHA256 .*?Credential=([^/, ]+)/")


class Keys:
    """The keys that are let in; without any, everyone is. Only their hashes are kept."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        """Take the keys."""
        self._digests = [_digest(key.encode()) for key in keys]

    @classmethod
    def read(cls, file: Path | None, environment: str = "") -> "Keys":
        """The keys of a file, one a line, and those of a list with commas; # starts a comment line.

        Raises:
            InputError: the file cannot be read or holds no key, or a key could not be sent.
        """
        keys = [key for part in environment.split(",") if (key := part.strip())]
        if file is None:
            return cls(_sendable(keys, ENVIRONMENT))
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file}: the API keys cannot be read ({error})") from error
        found = [key for line in lines if (key := line.strip()) and not key.startswith("#")]
        if not found:  # an empty file must not open the server to everyone
            raise InputError(f"{file}: holds no API key; write one a line")
        return cls([*_sendable(keys, ENVIRONMENT), *_sendable(found, str(file))])

    def __bool__(self) -> bool:
        """Whether a key is asked for."""
        return bool(self._digests)

    def check(self, headers: Mapping[bytes, bytes]) -> str:
        """Whether the key among a request's headers (names in lower case) is right."""
        if not self._digests:
            return RIGHT
        given = _given(headers)
        if not given:
            return MISSING
        # All are compared, so that the time tells nothing of which one was near.
        digest = _digest(given)
        same = [hmac.compare_digest(digest, known) for known in self._digests]
        return RIGHT if any(same) else WRONG


def _sendable(keys: list[str], source: str) -> list[str]:
    if any(len(key.split()) > 1 or not key.isascii() for key in keys):  # which key is a secret
        raise InputError(f"{source}: a key has a space or a letter beyond ASCII in it; change it")
    return keys


def _given(headers: Mapping[bytes, bytes]) -> bytes:
    authorization = headers.get(b"authorization", b"")
    match = _BEARER.fullmatch(authorization) or _SIGNED.match(authorization)
    return match.group(1) if match else headers.get(b"x-api-key", b"").strip()


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()
