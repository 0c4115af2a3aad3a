"""Calls to AWS, with errors that say what to do."""

import os
import time
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from filmstill.bedrock.advice import MAY_PASS, MISSING, UNREACHABLE, advised
from filmstill.bedrock.waiting import pause
from filmstill.errors import AwsError, require

ATTEMPTS = 8
"""Calls in all: about half a minute of waiting where AWS throttles, seconds where it fails."""
READ_TIMEOUT_S = 120
RETRY_S = 30.0
PATIENCE_S = 1800.0
"""How long a wait outlasts what may pass: a lost network, a service that is down."""


class Aws:
    """One account in one region.

    Attributes:
        region: the region.
    """

    def __init__(self, region: str = "", profile: str = "") -> None:
        """Make a session; nothing is sent yet.

        Args:
            region: empty for what AWS_REGION or the profile says.
            profile: of the AWS configuration; empty for the default one.

        Raises:
            MissingExtraError: boto3 is not installed.
            AwsError: there is no such profile, or no region.
        """
        boto3 = require("boto3", "bedrock", "Amazon Bedrock")
        self._errors: Any = require("botocore.exceptions", "bedrock", "Amazon Bedrock")
        self._boto3_errors: Any = require("boto3.exceptions", "bedrock", "Amazon Bedrock")
        config: Any = require("botocore.config", "bedrock", "Amazon Bedrock")
        self._config = config.Config(
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            read_timeout=READ_TIMEOUT_S,
            # A Bedrock API key in the environment may be another account's; the other services
            # would not use it, and the run's things would be looked for in the wrong place.
            auth_scheme_preference="sigv4",
        )
        try:
            self._session: Any = boto3.Session(
                profile_name=profile or None,
                region_name=region or os.environ.get("AWS_REGION") or None,
            )
            # Read here: a profile that the environment names is looked for only now.
            self.region = str(self._session.region_name or "")
        except self._errors.ProfileNotFound as error:
            name = profile or os.environ.get("AWS_PROFILE") or os.environ["AWS_DEFAULT_PROFILE"]
            raise AwsError(
                f"there is no AWS profile {name!r}; `aws configure list-profiles` "
                f"shows those there are"
            ) from error
        except self._errors.BotoCoreError as error:
            raise AwsError(f"the AWS configuration cannot be read: {error}") from error
        if not self.region:
            raise AwsError("no AWS region: give --region, or set AWS_REGION")
        self._clients: dict[str, Any] = {}

    @cached_property
    def account(self) -> str:
        """The account's number; the first call, which shows whether the credentials are good."""
        return str(self.call("sts", "get_caller_identity")["Account"])

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        """One call, tried again while AWS throttles it.

        Args:
            service: such as "bedrock".
            operation: boto3's name of it.
            arguments: as boto3 takes them.

        Raises:
            AwsError: it failed; the message says what to do.
        """
        try:
            answer: dict[str, Any] = getattr(self._client(service), operation)(**arguments)
        except Exception as error:
            raise self._told(service, operation, error) from error
        return answer

    def watch(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        """As `call`, in a wait of hours: what may pass is waited for, for half an hour.

        Raises:
            AwsError: see `call`.
        """
        since = time.monotonic()
        while True:
            try:
                return self.call(service, operation, **arguments)
            except AwsError as error:
                if error.code not in MAY_PASS or time.monotonic() - since > PATIENCE_S:
                    raise
            pause(RETRY_S)

    def content(self, **arguments: Any) -> bytes:  # noqa: ANN401
        """The content of an object of S3, by `Bucket` and `Key`.

        Raises:
            AwsError: see `call`.
        """
        body = self.call("s3", "get_object", **arguments)["Body"]
        try:
            content: bytes = body.read()
        except Exception as error:
            raise self._told("s3", "get_object", error) from error
        return content

    def pages(self, service: str, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
        """The pages of a list.

        Raises:
            AwsError: see `call`.
        """
        try:
            yield from self._client(service).get_paginator(operation).paginate(**arguments)
        except Exception as error:
            raise self._told(service, operation, error) from error

    def find(self, service: str, operation: str, **arguments: Any) -> dict[str, Any] | None:  # noqa: ANN401
        """As `call`, and None where there is no such thing."""
        try:
            return self.call(service, operation, **arguments)
        except AwsError as error:
            if error.code in MISSING:
                return None
            raise

    def _client(self, service: str) -> Any:  # noqa: ANN401 - boto3 has no types
        if service not in self._clients:
            self._clients[service] = self._session.client(service, config=self._config)
        return self._clients[service]

    def _told(self, service: str, operation: str, error: Exception) -> Exception:
        """The error to raise instead; errors that AWS has nothing to do with stay."""
        errors = self._errors
        if isinstance(error, errors.ClientError):
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            return AwsError(advised(service, operation, code, message), code=code)
        if isinstance(error, errors.NoCredentialsError | errors.PartialCredentialsError):
            return AwsError("no AWS credentials: sign in, or set AWS_PROFILE", code="NoCredentials")
        ended = errors.SSOError | errors.TokenRetrievalError | errors.CredentialRetrievalError
        # Younger than the oldest boto3 that will do.
        if isinstance(error, ended | getattr(errors, "LoginError", errors.SSOError)):
            return AwsError(
                f"the credentials have expired or cannot be had; sign in again, then run the same "
                f"command ({error})",
                code="NoCredentials",
            )
        if isinstance(error, errors.BotoCoreError | self._boto3_errors.Boto3Error):
            unreachable = errors.HTTPClientError | errors.ConnectionError
            code = UNREACHABLE if isinstance(error, unreachable) else ""
            return AwsError(advised(service, operation, code, str(error)), code=code)
        return error
