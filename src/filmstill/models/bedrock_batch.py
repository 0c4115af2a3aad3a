"""Batch inference on Amazon Bedrock: many prompts in one job, through S3, at about half the price.

Nothing about a job is kept on this machine. Its name is made from the prompts in it, so a run that
was killed finds its job again instead of paying for another.
"""

import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from filmstill.errors import InputError, ServiceError, require
from filmstill.files import storage_errors
from filmstill.models.bedrock import converse_answer, converse_body
from filmstill.models.chat import BEDROCK, Prompt
from filmstill.models.journal import JournaledModel

MIN_RECORDS = 100
"""The service takes no job with fewer."""
MAX_RECORDS = 50_000
"""Of one job; a larger run becomes several, one after the other."""
POLL_S = 30.0
"""Seconds between looks at a job."""
_COLLECT = ("Completed", "PartiallyCompleted", "Expired")
_LOST = ("Failed", "Stopping", "Stopped")


class BedrockBatch:
    """Runs prompts as batch jobs and puts the answers into a model's journal."""

    def __init__(self, model: JournaledModel, place: str, role: str) -> None:
        """Make the clients; nothing is sent yet.

        Args:
            model: a Bedrock model with a journal; its prompts are keyed as if it were asked.
            place: s3:// prefix under which inputs and outputs go.
            role: ARN of the role with which the service reads and writes there.

        Raises:
            InputError: the model is not one of Bedrock's, or the place is no s3:// prefix.
            MissingExtraError: boto3 is not installed.
            ServiceError: no region is set.
        """
        kind, _, self._id = model.address.partition(":")
        if kind != BEDROCK:
            raise InputError(f"{model.address} has no batch inference: that is for bedrock:MODEL")
        scheme, _, rest = place.partition("://")
        self._bucket, _, prefix = rest.partition("/")
        if scheme != "s3" or not self._bucket:
            raise InputError(f"{place!r} is no place for a batch: give s3://BUCKET/PREFIX")
        self._prefix = prefix.strip("/")
        self._model = model
        self._role = role
        boto3 = require("boto3", "bedrock", "batch inference")
        self._errors: Any = require("botocore.exceptions", "bedrock", "batch inference")
        self._upload_error: Any = require(
            "boto3.exceptions", "bedrock", "batch inference"
        ).Boto3Error
        region = os.environ.get("AWS_REGION") or None
        with self._service_errors():
            self._bedrock: Any = boto3.client("bedrock", region_name=region)
            self._s3: Any = boto3.client("s3", region_name=region)

    def run(
        self,
        prompts: Iterable[Prompt],
        stop: threading.Event,
        *,
        on_status: Callable[[str, int, int], None] = lambda status, done, total: None,
    ) -> int:
        """Ask prompts, and wait for the jobs.

        Fewer than `MIN_RECORDS` are left alone, and so are records that fail: ask them one by one.

        Args:
            prompts: read as they are needed; what is put into the journal meanwhile may leave them.
            stop: set it to end waiting; the job goes on, and another run finds it.
            on_status: called with a job's status, its records done, and how many there are.

        Returns:
            The number of answers put into the journal.

        Raises:
            ServiceError: a job failed, or the service refuses one; the message tells why.
            StorageError: the journal or a temporary file cannot be written.
        """
        found, left = 0, iter(prompts)
        while len(batch := list(islice(left, MAX_RECORDS))) >= MIN_RECORDS:
            keys = [self._model.key(prompt) for prompt in batch]
            base = f"filmstill-{hashlib.sha256(''.join(keys).encode()).hexdigest()[:24]}"
            with self._service_errors():
                arn, name = self._find_or_submit(base, batch)
                status = self._wait(arn, stop, on_status)
                if status is None:
                    break
                found += self._collect(name, keys)
        return found

    def _find_or_submit(self, base: str, batch: list[Prompt]) -> tuple[str, str]:
        """ARN and name of the job for these prompts: one that is not lost, or a new one."""
        pages = self._bedrock.get_paginator("list_model_invocation_jobs")
        jobs = [
            job
            for page in pages.paginate(nameContains=base)
            for job in page["invocationJobSummaries"]
        ]
        for job in jobs:
            if job["status"] not in _LOST:
                return job["jobArn"], job["jobName"]
        name = f"{base}-{len(jobs) + 1}"
        key = self._key(name, "input.jsonl")
        self._upload(batch, key)
        created = self._bedrock.create_model_invocation_job(
            jobName=name,
            clientRequestToken=name,
            roleArn=self._role,
            modelId=self._id,
            modelInvocationType="Converse",
            inputDataConfig={
                "s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": self._uri(key)}
            },
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": self._uri(self._key(name, "out/"))}},
        )
        return created["jobArn"], name

    def _upload(self, batch: list[Prompt], key: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "input.jsonl"
            with (
                storage_errors("write", path),
                path.open("w", encoding="utf-8", newline="\n") as file,
            ):
                for number, prompt in enumerate(batch):
                    record = {"recordId": f"{number:011d}", "modelInput": converse_body(prompt)}
                    file.write(json.dumps(record) + "\n")
            self._s3.upload_file(str(path), self._bucket, key)

    def _wait(
        self,
        arn: str,
        stop: threading.Event,
        on_status: Callable[[str, int, int], None],
    ) -> str | None:
        """The status in which a job ends; None where waiting was stopped."""
        while True:
            job = self._bedrock.get_model_invocation_job(jobIdentifier=arn)
            status, total = job["status"], job.get("totalRecordCount", 0)
            on_status(status, job.get("processedRecordCount", 0), total)
            if status in _COLLECT:
                return str(status)
            if status in _LOST:
                reason = job.get("message") or "the service gives no reason"
                raise ServiceError(f"batch job {arn} is {status}: {reason}")
            if stop.wait(POLL_S):
                return None

    def _collect(self, name: str, keys: list[str]) -> int:
        """Put a job's answers into the journal; how many there were."""
        found = 0
        pages = self._s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=self._key(name, "out/")):
            for item in page.get("Contents", []):
                if item["Key"].endswith(".jsonl.out"):
                    body = self._s3.get_object(Bucket=self._bucket, Key=item["Key"])["Body"]
                    found += sum(self._keep(line, keys) for line in body.iter_lines())
        return found

    def _keep(self, line: bytes, keys: list[str]) -> bool:
        """Keep one line of an output; False where it holds no answer."""
        try:
            record = json.loads(line)
            key = keys[int(record["recordId"])]  # outputs come in any order
            answer = converse_answer(record["modelOutput"])
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            return False
        self._model.journal.put(key, self._model.address, answer)
        return True

    def _key(self, name: str, rest: str) -> str:
        return "/".join(part for part in (self._prefix, name, rest) if part)

    def _uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    @contextmanager
    def _service_errors(self) -> Iterator[None]:
        try:
            yield
        except (self._errors.BotoCoreError, self._errors.ClientError, self._upload_error) as error:
            raise ServiceError(f"{self._model.address}, batch inference: {error}") from error
