"""Batch inference, against moto's S3 and a control plane on loopback that runs the jobs."""

import json
import random
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import botocore.session
import pytest
from click.testing import CliRunner
from moto.server import ThreadedMotoServer

from filmstill import Task, load_examples
from filmstill.cli.main import cli
from filmstill.errors import FilmstillError
from filmstill.models import bedrock_batch
from tests.services import point_at, service

NOVA = "bedrock:us.amazon.nova-pro-v1:0"
ROLE = "arn:aws:iam::123456789012:role/filmstill-batch"
ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghijk"
LABEL = {"visual": 0.1, "audio": 0.7, "transcription": 0.0, "metadata": 0.2}


class ControlPlane:
    """Jobs that run when they are looked at for the second time.

    Attributes:
        jobs: by ARN.
        fail: message with which the next job fails; empty for none.
        lost: records of the next job that come back as errors.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.fail = ""
        self.lost = 0

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        model = botocore.session.get_session().get_service_model("bedrock")
        shape = model.operation_model("CreateModelInvocationJob").input_shape
        assert shape is not None
        for name, value in body.items():
            rules = shape.members[name].metadata
            if isinstance(value, str) and "pattern" in rules:
                assert re.fullmatch(rules["pattern"], value), (name, value)
            assert value in rules.get("enum", [value])
        arn = f"{ARN}{len(self.jobs)}"
        self.jobs[arn] = {**body, "jobArn": arn, "status": "Submitted", "submitTime": 1.0}
        return {"jobArn": arn}

    def look(self, arn: str) -> dict[str, Any]:
        job = self.jobs[arn]
        if job["status"] == "InProgress":
            self.finish(job)
        elif job["status"] == "Submitted":
            job["status"] = "InProgress"
        return job

    def finish(self, job: dict[str, Any]) -> None:
        if self.fail:
            job.update(status="Failed", message=self.fail)
            self.fail = ""
            return
        s3 = boto3.client("s3", region_name="us-east-1")
        bucket, key = s3_place(job["inputDataConfig"]["s3InputDataConfig"]["s3Uri"])
        lines = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines()
        assert len(lines) >= 100
        done = []
        for number, line in enumerate(lines):
            record = json.loads(line)
            if number < self.lost:
                error = {"errorCode": 424, "errorMessage": "model error"}
                done.append({**record, "error": error})
                continue
            query = record["modelInput"]["messages"][0]["content"][0]["text"]
            tool = {"name": "answer", "input": {**LABEL, "reasoning": f"{query} is heard"}}
            message = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", **tool}}]}
            usage = {"inputTokens": 100, "outputTokens": 20, "totalTokens": 120}
            done.append({**record, "modelOutput": {"output": {"message": message}, "usage": usage}})
        random.Random(0).shuffle(done)  # the service promises no order
        out_bucket, prefix = s3_place(job["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])
        folder = f"{prefix}{job['jobArn'][-12:]}/"
        body = "\n".join(map(json.dumps, done)).encode()
        s3.put_object(Bucket=out_bucket, Key=f"{folder}input.jsonl.out", Body=body)
        s3.put_object(Bucket=out_bucket, Key=f"{folder}manifest.json.out", Body=b"{}")
        job.update(status="PartiallyCompleted" if self.lost else "Completed")
        job.update(totalRecordCount=len(lines), processedRecordCount=len(lines))


def s3_place(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    assert parts.scheme == "s3"
    return parts.netloc, parts.path.lstrip("/")


@pytest.fixture
def plane(monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    state = ControlPlane()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def send(self, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            assert self.path == "/model-invocation-job"
            self.send(
                state.create(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            )

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/model-invocation-jobs":
                wanted = parse_qs(parts.query)["nameContains"][0]
                jobs = [job for job in state.jobs.values() if wanted in job["jobName"]]
                self.send({"invocationJobSummaries": jobs})
            else:
                self.send(state.look(unquote(parts.path.partition("job/")[2])))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    storage = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    storage.start()
    host, port = storage.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(bedrock_batch, "POLL_S", 0.0)
    with service(lambda _, query: json.dumps({**LABEL, "reasoning": f"{query}, asked"})) as one:
        point_at(one, monkeypatch)
        state.asked = one.requests  # type: ignore[attr-defined]
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="labels")
        yield state
    for key in s3.list_objects_v2(Bucket="labels").get("Contents", []):
        s3.delete_object(Bucket="labels", Key=key["Key"])
    s3.delete_bucket(Bucket="labels")
    storage.stop()
    server.shutdown()
    server.server_close()


def prepare(tmp_path: Path, count: int = 150, *more: str) -> Any:
    given = tmp_path / "queries.txt"
    given.write_text("".join(f"query {number}\n" for number in range(count)), encoding="utf-8")
    words = ["prepare", "--queries", str(given), "--teacher", NOVA, "--role", ROLE]
    words += ["--batch", "s3://labels/some/prefix", "--out", str(tmp_path / "train.jsonl"), *more]
    return CliRunner().invoke(cli, words, standalone_mode=False)


def reasonings(tmp_path: Path, task: Task) -> list[str]:
    examples = load_examples(tmp_path / "train.jsonl", task).examples
    return [item.routing.reasoning for item in examples if item.routing]


def test_a_job_labels_and_what_it_lost_is_asked(
    plane: ControlPlane, tmp_path: Path, task: Task
) -> None:
    plane.lost = 3
    result = prepare(tmp_path)
    assert result.return_value == 0, result.exception
    expected = [f"query {n}, asked" if n < 3 else f"query {n} is heard" for n in range(150)]
    assert reasonings(tmp_path, task) == expected
    [job] = plane.jobs.values()
    assert (job["modelId"], job["modelInvocationType"]) == ("us.amazon.nova-pro-v1:0", "Converse")
    assert job["roleArn"] == ROLE
    assert len(plane.asked) == 3  # type: ignore[attr-defined]
    # 0.0008 and 0.0032 dollars for 1,000 tokens: 150 x (100 in, 20 out)
    assert "0.0216 USD" in result.stdout


def test_a_killed_run_finds_its_job_again(
    plane: ControlPlane, tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(bedrock_batch.BedrockBatch, "_wait", killed)
        with pytest.raises(SystemExit):
            raise prepare(tmp_path).exception
    assert len(plane.jobs) == 1
    assert prepare(tmp_path).return_value == 0
    assert len(plane.jobs) == 1
    assert reasonings(tmp_path, task) == [f"query {n} is heard" for n in range(150)]


def killed(*_: object) -> None:
    raise SystemExit(9)


def test_a_failed_job_says_why_and_the_next_run_makes_another(
    plane: ControlPlane, tmp_path: Path
) -> None:
    plane.fail = "the role cannot read the bucket"
    failed = prepare(tmp_path)
    assert isinstance(failed.exception, FilmstillError)
    assert "is Failed: the role cannot read the bucket" in str(failed.exception)
    assert prepare(tmp_path).return_value == 0
    names = [job["jobName"] for job in plane.jobs.values()]
    assert [name[-2:] for name in names] == ["-1", "-2"]
    assert not plane.asked  # type: ignore[attr-defined]


def test_too_few_for_a_job_are_asked_one_by_one(plane: ControlPlane, tmp_path: Path) -> None:
    assert prepare(tmp_path, 99).return_value == 0
    assert not plane.jobs
    assert len(plane.asked) == 99  # type: ignore[attr-defined]


def test_a_missing_bucket_is_a_sentence(plane: ControlPlane, tmp_path: Path) -> None:
    result = prepare(tmp_path, 150, "--batch", "s3://elsewhere/x")
    assert isinstance(result.exception, FilmstillError)
    assert "elsewhere" in str(result.exception)
    assert not plane.jobs


def test_a_batch_that_could_cost_too_much_is_not_begun(plane: ControlPlane, tmp_path: Path) -> None:
    result = prepare(tmp_path, 150, "--max-cost", "0.05")
    assert isinstance(result.exception, FilmstillError)
    assert "limit of 0.05 USD" in str(result.exception)
    assert not plane.jobs


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("--batch", "labels/x"), "is no place for a batch: give s3://"),
        (("--role", ""), "--batch needs --teacher bedrock:MODEL and --role ARN"),
        (("--teacher", "openai:x"), "--batch needs --teacher bedrock:MODEL"),
    ],
)
def test_orders_that_make_no_sense(
    changed: tuple[str, ...], message: str, plane: ControlPlane, tmp_path: Path
) -> None:
    result = prepare(tmp_path, 150, *changed)
    assert message in str(result.exception)
