"""Objects under `s3://` addresses: in an S3 service, or in a local folder that stands for one."""

import os
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from filmstill.errors import InputError, ServiceError, require
from filmstill.files import make_folder, replacing, storage_errors
from filmstill.jobs.order import Places

SCHEME = "s3://"
_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", re.DOTALL)


class Objects(ABC):
    """Reads, writes and lists objects."""

    @abstractmethod
    def read(self, address: str) -> bytes:
        """An object's content.

        Raises:
            InputError: there is no such object, or it may not be read.
            ServiceError: the service cannot be used.
            StorageError: the local folder cannot be read.
        """

    @abstractmethod
    def write(self, address: str, content: bytes) -> None:
        """Write an object whole.

        Raises:
            InputError: there is no such bucket, or it may not be written to.
            ServiceError: the service cannot be used.
            StorageError: the local folder cannot be written to.
        """

    @abstractmethod
    def list(self, prefix: str) -> list[str]:
        """Addresses of all objects whose address starts with `prefix`, sorted.

        Raises:
            InputError, ServiceError, StorageError: as for `read`.
        """


class FolderObjects(Objects):
    """Objects as files: `s3://bucket/key` is `root/bucket/key`."""

    def __init__(self, root: Path) -> None:
        """Take the folder."""
        self._root = root.resolve()

    def read(self, address: str) -> bytes:
        """See `Objects.read`."""
        path = self._path(address)
        with storage_errors("read", path):
            if not path.is_file():
                raise InputError(f"{address}: there is no such object (no file {path})")
            return path.read_bytes()

    def write(self, address: str, content: bytes) -> None:
        """See `Objects.write`."""
        path = self._path(address)
        self._bucket(address)
        make_folder(path.parent)
        with replacing(path) as temporary:
            temporary.write_bytes(content)

    def list(self, prefix: str) -> list[str]:
        """See `Objects.list`."""
        folder = self._bucket(prefix)
        with storage_errors("read", folder):
            files = [path for path in folder.rglob("*") if path.is_file()]
        found = (f"{SCHEME}{path.relative_to(self._root).as_posix()}" for path in files)
        return sorted(address for address in found if address.startswith(prefix))

    def _bucket(self, address: str) -> Path:
        folder = self._root / split_address(address)[0]
        if not folder.is_dir():
            raise InputError(f"{address}: there is no such bucket (no folder {folder})")
        return folder

    def _path(self, address: str) -> Path:
        bucket, key = _split_object(address)
        try:
            folder = (self._root / bucket).resolve()
            path = (folder / key).resolve()
        except ValueError as error:
            raise InputError(f"{address!r}: no file can be called so ({error})") from error
        # A key may hold "..", and a link may lead anywhere.
        if not path.is_relative_to(folder):
            raise InputError(f"{address}: this leads out of its bucket; name an object in it")
        return path


class S3Objects(Objects):
    """Objects in an S3 service, by boto3."""

    def __init__(self, endpoint: str = "") -> None:
        """Make a client; nothing is sent yet.

        Args:
            endpoint: address of the service; empty for what boto3 finds by itself.

        Raises:
            MissingExtraError: boto3 is not installed.
            ServiceError: the settings of boto3 cannot be used.
        """
        boto3 = require("boto3", "serve", "reading s3:// addresses")
        self._errors: Any = require("botocore.exceptions", "serve", "reading s3:// addresses")
        try:
            self._client: Any = boto3.client(
                "s3",
                endpoint_url=endpoint or None,
                region_name=os.environ.get("AWS_REGION") or None,
            )
        except (self._errors.BotoCoreError, ValueError) as error:
            raise ServiceError(f"S3 cannot be used: {error}") from error

    def read(self, address: str) -> bytes:
        """See `Objects.read`."""
        bucket, key = _split_object(address)
        content: bytes = self._call(
            address, lambda: self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        )
        return content

    def write(self, address: str, content: bytes) -> None:
        """See `Objects.write`."""
        bucket, key = _split_object(address)
        self._call(address, lambda: self._client.put_object(Bucket=bucket, Key=key, Body=content))

    def list(self, prefix: str) -> list[str]:
        """See `Objects.list`."""
        bucket, key = split_address(prefix)

        def pages() -> list[str]:
            paginator = self._client.get_paginator("list_objects_v2")
            return [
                f"{SCHEME}{bucket}/{item['Key']}"
                for page in paginator.paginate(Bucket=bucket, Prefix=key)
                for item in page.get("Contents", [])
            ]

        found: list[str] = self._call(prefix, pages)
        return sorted(found)

    def _call(self, address: str, call: Any) -> Any:  # noqa: ANN401 - boto3 has no types
        try:
            return call()
        except self._errors.ClientError as error:
            detail = error.response["Error"]
            raise InputError(
                f"{address}: {detail.get('Code')} ({detail.get('Message')})"
            ) from error
        except self._errors.BotoCoreError as error:
            raise ServiceError(
                f"{address}: S3 cannot be used: {error}; give --s3-root or --s3-endpoint, or set "
                f"AWS_ENDPOINT_URL_S3"
            ) from error


def open_objects(places: Places) -> Objects:
    """Open what `s3://` addresses lead to.

    Raises:
        MissingExtraError: boto3 is needed and not installed.
        ServiceError: the settings of boto3 cannot be used.
    """
    return FolderObjects(Path(places.root)) if places.root else S3Objects(places.endpoint)


def split_address(address: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` address; the key may be empty.

    Raises:
        InputError: it is not one.
    """
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise InputError(f"{address!r} is no S3 address: give s3://BUCKET/KEY")
    return parts[1], parts[2] or ""


def _split_object(address: str) -> tuple[str, str]:
    bucket, key = split_address(address)
    if not key:
        raise InputError(f"{address}: this is a bucket; name an object in it")
    return bucket, key


def below(prefix: str, *parts: str) -> str:
    """An address below a prefix, whether or not that ends with a slash."""
    return "/".join((prefix.rstrip("/"), *parts))
