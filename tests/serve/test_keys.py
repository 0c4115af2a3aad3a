"""API keys: where they come from, how they are sent, how they are compared."""

import hmac
from pathlib import Path

import pytest

from filmstill.errors import InputError
from filmstill.serve.keys import MISSING, RIGHT, WRONG, Keys

SIGNED = b"AWS4-HMAC-SHA256 Credential=%s/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=h"


def test_without_keys_everyone_is_let_in() -> None:
    assert not Keys()
    assert Keys().check({}) == RIGHT
    assert Keys.read(None, " , ").check({b"x-api-key": b"any"}) == RIGHT


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({b"authorization": b"Bearer one"}, RIGHT),
        ({b"authorization": b"bearer   two "}, RIGHT),
        ({b"x-api-key": b"one"}, RIGHT),
        ({b"x-api-key": b" two "}, RIGHT),
        ({b"authorization": SIGNED % b"one"}, RIGHT),
        ({b"authorization": SIGNED.replace(b" C", b" SignedHeaders=h, C") % b"two"}, RIGHT),
        ({b"authorization": b"Basic abc", b"x-api-key": b"one"}, RIGHT),
        ({b"authorization": b"Bearer on"}, WRONG),
        ({b"authorization": b"Bearer one1"}, WRONG),
        ({b"authorization": b"Bearer ONE"}, WRONG),
        ({b"authorization": b"Bearer three", b"x-api-key": b"one"}, WRONG),
        ({b"authorization": SIGNED % b"on"}, WRONG),
        ({b"x-api-key": b"\xff\xfe"}, WRONG),
        ({b"x-api-key": b"one,two"}, WRONG),
        ({}, MISSING),
        ({b"x-api-key": b""}, MISSING),
        ({b"authorization": b"Bearer "}, MISSING),
        ({b"authorization": b"one"}, MISSING),
        ({b"authorization": b"Basic one"}, MISSING),
        ({b"authorization": b"AWS4-HMAC-SHA256 Credential=one"}, MISSING),
        ({b"authorization": b"AWS4-HMAC-SHA256 " + b"Credential" * 9999}, MISSING),
    ],
)
def test_carriers(headers: dict[bytes, bytes], found: str) -> None:
    assert Keys(["one", "two"]).check(headers) == found


def test_every_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return real(first, second)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    keys = Keys(["one", "two", "three"])
    for given, found in ((b"one", RIGHT), (b"three", RIGHT), (b"other", WRONG)):
        compared.clear()
        assert keys.check({b"x-api-key": given}) == found
        assert len(compared) == 3
        assert {len(side) for pair in compared for side in pair} == {32}  # hashes alone


def test_no_key_is_kept() -> None:
    assert "a-secret-key" not in str(vars(Keys(["a-secret-key"])))


def test_a_file_and_a_list(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    file.write_text("\ufeffone\r\n\n  # nobody\ntwo#2\n", encoding="utf-8")
    keys = Keys.read(file, "three, four ,")
    for key in (b"one", b"two#2", b"three", b"four"):
        assert keys.check({b"x-api-key": key}) == RIGHT
    for key in (b"two", b"nobody", b"#", b"# nobody"):
        assert keys.check({b"x-api-key": key}) == WRONG


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "keys.txt: holds no API key; write one a line"),
        (b"# one\n\n", "keys.txt: holds no API key"),
        (b"\xff\xfe", "keys.txt: the API keys cannot be read"),
        (b"a-secret # mine", "keys.txt: a key has a space"),
        ("schlüssel".encode(), "keys.txt: a key has a space or a letter beyond ASCII"),
    ],
)
def test_files_that_would_let_in_others_than_they_seem_to(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "keys.txt"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        Keys.read(file, "one")
    assert "a-secret" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "keys.txt", tmp_path):
        with pytest.raises(InputError, match="the API keys cannot be read"):
            Keys.read(path)
    with pytest.raises(InputError, match="FILMSTILL_API_KEYS: a key has a space"):
        Keys.read(None, "one, a b")
