"""What AWS's errors mean, and what to do about them."""

import re

UNREACHABLE = "Unreachable"
"""Code of an error where there was no answer at all."""
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

_CLOCK = re.compile(r"signature (expired|not yet current)|skew", re.IGNORECASE)
_WRONG_CLOCK = "the credentials have expired, or this machine's clock is wrong"
_SIGN_IN = "the credentials have expired; sign in again, then run the same command"
_THROTTLED = "AWS throttles this account; run the same command later to go on"
_DOWN = "AWS has a fault of its own; run the same command later to go on"
_QUOTA = (
    "a quota of the account is used up; ask for more in Service Quotas, or delete what is no "
    "longer needed, then run the same command"
)
_ADVICE = {
    "ExpiredToken": _SIGN_IN,
    "ExpiredTokenException": _SIGN_IN,
    "TokenRefreshRequired": _SIGN_IN,
    "RequestExpired": _WRONG_CLOCK,
    "RequestTimeTooSkewed": _WRONG_CLOCK,
    "UnrecognizedClientException": "the credentials are not valid; look at AWS_PROFILE",
    "InvalidClientTokenId": "the credentials are not valid; look at AWS_PROFILE",
    "SignatureDoesNotMatch": "the secret key is not the right one; look at AWS_PROFILE",
    "InvalidSignatureException": "the secret key is not the right one; look at AWS_PROFILE",
    "ThrottlingException": _THROTTLED,
    "Throttling": _THROTTLED,
    "SlowDown": _THROTTLED,
    "TooManyRequestsException": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "ServiceQuotaExceededException": _QUOTA,
    "LimitExceeded": _QUOTA,
    "TooManyBuckets": "the account has as many buckets as it may; name one with --bucket",
    UNREACHABLE: "AWS cannot be reached; run the same command later to go on",
    **dict.fromkeys(
        (
            "InternalServerException",
            "InternalFailure",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "500",
            "502",
            "503",
            "504",
        ),
        _DOWN,
    ),
}

MAY_PASS = {
    code for code, advice in _ADVICE.items() if advice in (_THROTTLED, _DOWN) or code == UNREACHABLE
}
"""Codes of errors that may be gone when the same call is made later."""

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


def advised(service: str, operation: str, code: str, message: str) -> str:
    """What went wrong, and what to do, in one sentence."""
    if code in DENIED:
        said = NOT_ALLOWED.search(message)
        action = said[1] if said else f"{_IAM_NAMES.get(service, service)}:{_action(operation)}"
        return (
            f"access is denied: the identity needs the action {action}, or a policy forbids it "
            f"({message})"
        )
    advice = _WRONG_CLOCK if _CLOCK.search(message) else _ADVICE.get(code)
    if advice is None:
        return f"{service} {operation}: {message}" + (f" ({code})" if code else "")
    return f"{service} {operation}: {advice} ({code}: {message})"


def _action(operation: str) -> str:
    """The IAM action that a call needs."""
    return _ACTIONS.get(operation) or "".join(word.title() for word in operation.split("_"))
