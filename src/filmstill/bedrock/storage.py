"""The bucket of a run: made private and encrypted, or the user's own; and what lies in it."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

from filmstill.bedrock.advice import DENIED
from filmstill.bedrock.aws import Aws
from filmstill.bedrock.run import MADE, TAG, Made, Run
from filmstill.errors import AwsError, InputError
from filmstill.files import sha256_of, storage_errors

BUCKET, OBJECT = "bucket", "object"
TRAINING = "training.jsonl"
OUTPUT, EVALUATION = "output/", "evaluation/"

_NO_REGION_NAMED = "us-east-1"  # the one region that may not be named when a bucket is made


def bucket_of(run: Run) -> str:
    """The bucket's name: the user's own, or one made for the run."""
    return str(run.settings["bucket"]) or f"{run.name}-{run.settings['account']}"


def prefix_of(run: Run) -> str:
    """Prefix of all keys of the run."""
    return f"{run.name}/"


def address(run: Run, key: str) -> str:
    """The `s3://` address of a key below the run's prefix."""
    return f"s3://{bucket_of(run)}/{prefix_of(run)}{key}"


def ensure_bucket(aws: Aws, run: Run) -> None:
    """Make the run's bucket, unless it is there or the user names one.

    Raises:
        AwsError: it cannot be made.
    """
    name = bucket_of(run)
    if run.settings["bucket"]:
        return
    known = run.intend(BUCKET, name, arn=f"arn:aws:s3:::{name}")
    if known.state == MADE:
        return
    if aws.find("s3", "head_bucket", Bucket=name) is None:
        where = {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
        extra = {} if aws.region == _NO_REGION_NAMED else where
        try:
            aws.call("s3", "create_bucket", Bucket=name, **extra)
        except AwsError as error:
            # By a try before this one, whose answer was lost.
            if error.code != "BucketAlreadyOwnedByYou":
                raise
    aws.call(
        "s3",
        "put_bucket_tagging",
        Bucket=name,
        Tagging={"TagSet": [{"Key": TAG, "Value": run.id}]},
    )
    aws.call(
        "s3",
        "put_public_access_block",
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    aws.call(
        "s3",
        "put_bucket_encryption",
        Bucket=name,
        ServerSideEncryptionConfiguration={"Rules": [rule]},
    )
    run.made(BUCKET, name)


def upload(aws: Aws, run: Run, file: Path, key: str) -> None:
    """Upload a file below the run's prefix, unless the same is there; S3 checks its SHA-256.

    Raises:
        AwsError: it cannot be written.
        StorageError: the file cannot be read.
    """
    place, digest = prefix_of(run) + key, sha256_of(file)
    known = run.find(OBJECT, place)
    if known is not None and known.facts.get("sha256") == digest and known.state == MADE:
        return
    run.intend(OBJECT, place)
    with storage_errors("read", file), file.open("rb") as body:
        aws.call(
            "s3",
            "put_object",
            Bucket=bucket_of(run),
            Key=place,
            Body=body,
            ChecksumSHA256=base64.b64encode(bytes.fromhex(digest)).decode(),
        )
    run.made(OBJECT, place, sha256=digest)


def put_text(aws: Aws, run: Run, key: str, text: str) -> None:
    """Write a text below the run's prefix.

    Raises:
        AwsError: it cannot be written.
    """
    place, content = prefix_of(run) + key, text.encode()
    run.intend(OBJECT, place)
    digest = hashlib.sha256(content)
    aws.call(
        "s3",
        "put_object",
        Bucket=bucket_of(run),
        Key=place,
        Body=content,
        ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
    )
    run.made(OBJECT, place, sha256=digest.hexdigest())


def keys_below(aws: Aws, run: Run, prefix: str) -> Iterator[str]:
    """The keys below a part of the run's prefix."""
    pages = aws.pages(
        "s3", "list_objects_v2", Bucket=bucket_of(run), Prefix=prefix_of(run) + prefix
    )
    for page in pages:
        yield from (item["Key"] for item in page.get("Contents", []))


def read(aws: Aws, run: Run, key: str) -> bytes:
    """An object of the run's bucket, by its whole key.

    Raises:
        AwsError: it cannot be read.
    """
    return aws.content(Bucket=bucket_of(run), Key=key)


def remove_objects(aws: Aws, run: Run) -> int:
    """Remove all that lies below the run's prefix, and say how much that was.

    Raises:
        AwsError: something could not be removed, or the bucket was made and is not this run's.
    """
    if aws.find("s3", "head_bucket", Bucket=bucket_of(run)) is None:
        return 0
    _check_tag(aws, run)
    # Without versions, to name one would need a right more; what is left then has versions.
    keys = [{"Key": item["Key"]} for item in _versions(aws, run)]
    _delete(aws, run, keys)
    _delete(aws, run, list(_versions(aws, run)))
    return len(keys)


def _delete(aws: Aws, run: Run, found: list[dict[str, str]]) -> None:
    for start in range(0, len(found), 1000):
        part = found[start : start + 1000]
        answer = aws.call("s3", "delete_objects", Bucket=bucket_of(run), Delete={"Objects": part})
        for failure in answer.get("Errors", []):
            code = failure.get("Code", "")
            action = "DeleteObjectVersion" if "VersionId" in part[0] else "DeleteObject"
            needs = f"; the identity needs the action s3:{action}" if code in DENIED else ""
            raise AwsError(
                f"s3://{bucket_of(run)}/{failure.get('Key')}: {failure.get('Message')}{needs}",
                code=code,
            )


def remove_bucket(aws: Aws, run: Run, item: Made) -> None:
    """Remove the bucket that was made for the run; it must be empty.

    Raises:
        AwsError: it cannot be removed, or is not this run's.
    """
    if aws.find("s3", "head_bucket", Bucket=item.name) is None:
        return
    remove_objects(aws, run)  # a job that was being stopped may have written once more
    aws.call("s3", "delete_bucket", Bucket=item.name)


def _check_tag(aws: Aws, run: Run) -> None:
    """See that a bucket that was made is this run's; in the user's own, the prefix is."""
    item = run.find(BUCKET)
    # One that was only intended may have been made without its tag; its name has the run's id.
    if item is None or item.state != MADE:
        return
    tagging = aws.find("s3", "get_bucket_tagging", Bucket=item.name) or {}
    if {"Key": TAG, "Value": run.id} not in tagging.get("TagSet", []):
        raise AwsError(f"the bucket {item.name} does not carry this run's tag; it is left alone")


def _versions(aws: Aws, run: Run) -> Iterator[dict[str, str]]:
    """All that lies below the run's prefix, in every version."""
    pages = aws.pages("s3", "list_object_versions", Bucket=bucket_of(run), Prefix=prefix_of(run))
    for page in pages:
        for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            yield {"Key": item["Key"], "VersionId": item.get("VersionId", "null")}


def check_bucket(aws: Aws, name: str) -> None:
    """See whether a bucket of the user's own can be used.

    Raises:
        AwsError: it may not be looked at.
        InputError: there is no such bucket, or it is in another region.
    """
    if aws.find("s3", "head_bucket", Bucket=name) is None:
        raise InputError(
            f"--bucket {name}: there is no such bucket; make it, or leave --bucket out"
        )
    place = aws.call("s3", "get_bucket_location", Bucket=name).get("LocationConstraint")
    if (place or _NO_REGION_NAMED) != aws.region:
        raise InputError(
            f"--bucket {name} is in {place or _NO_REGION_NAMED} and the job would run in "
            f"{aws.region}: name a bucket there"
        )
