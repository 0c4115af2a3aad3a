"""Calls to AWS, with errors that say what to do."""

import os
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from filmstill.errors import AwsError, require

ATTEMPTS = 8
"""Calls in all, of one that is throttled or meets a server error; some 90 s of waiting."""
READ_TIMEOUT_S = 120
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
"""A request without an answer's body, such as HeadBucket's, has its number for a code."""
MISSING = (
    "ResourceNotFoundException",
    "NoSuchEntity",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchTagSet",
    "404",
)
NOT_ALLOWED = re.compile(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)")
"""How AWS says which action is denied; it may be another one than that of the call."""

_SIGN_IN = "the credentials have expired; sign in again, then run the same command"
_THROTTLED = "AWS throttles this account; run the same command later to go on"
_QUOTA = (
    "a quota of the account is used up; ask for more in Service Quotas, or delete what is no "
    "longer needed, then run the same command"
)
_ADVICE = {
    "ExpiredToken": _SIGN_IN,
    "ExpiredTokenException": _SIGN_IN,
    "TokenRefreshRequired": _SIGN_IN,
    "RequestExpired": "the credentials have expired, or this machine's clock is wrong",
    "UnrecognizedClientException": "the credentials are not valid; look at AWS_PROFILE",
    "InvalidClientTokenId": "the credentials are not valid; look at AWS_PROFILE",
    "SignatureDoesNotMatch": "the secret key is not the right one; look at AWS_PROFILE",
    "ThrottlingException": _THROTTLED,
    "Throttling": _THROTTLED,
    "SlowDown": _THROTTLED,
    "TooManyRequestsException": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "ServiceQuotaExceededException": _QUOTA,
    "LimitExceeded": _QUOTA,
    "TooManyBuckets": "the account has as many buckets as it may; name one with --bucket",
}


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
            return AwsError(self._advised(service, operation, code, message), code=code)
        if isinstance(error, errors.NoCredentialsError | errors.PartialCredentialsError):
            return AwsError("no AWS credentials: sign in, or set AWS_PROFILE", code="NoCredentials")
        ended = errors.SSOError | errors.TokenRetrievalError | errors.CredentialRetrievalError
        if isinstance(error, ended):
            return AwsError(
                f"the credentials have expired or cannot be had; sign in again, then run the same "
                f"command ({error})",
                code="NoCredentials",
            )
        if isinstance(error, errors.BotoCoreError | self._boto3_errors.Boto3Error):
            return AwsError(f"{service} {operation}: {error}")
        return error

    def _advised(self, service: str, operation: str, code: str, message: str) -> str:
        if code in DENIED:
            said = NOT_ALLOWED.search(message)
            action = said[1] if said else f"{_IAM_NAMES.get(service, service)}:{_action(operation)}"
            return (
                f"access is denied: the identity needs the action {action}, or a policy forbids it "
                f"({message})"
            )
        advice = _ADVICE.get(code)
        return f"{service} {operation}: {advice or message} ({code})"


_IAM_NAMES = {"bedrock-runtime": "bedrock"}
_ACTIONS = {
    "head_bucket": "ListBucket",
    "list_objects_v2": "ListBucket",
    "list_object_versions": "ListBucketVersions",
    "head_object": "GetObject",
    "put_public_access_block": "PutBucketPublicAccessBlock",
    "put_bucket_encryption": "PutEncryptionConfiguration",
    "delete_objects": "DeleteObject",
    "converse": "InvokeModel",
}


def _action(operation: str) -> str:
    """The IAM action that a call needs."""
    return _ACTIONS.get(operation) or "".join(word.title() for word in operation.split("_"))
