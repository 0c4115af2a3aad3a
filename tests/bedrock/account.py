"""An account on this machine: Bedrock by our server; S3, IAM and STS by moto's."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from filmstill.errors import FilmstillError
from filmstill.jobs.artefacts import write_artefacts
from filmstill.jobs.distillation import MODEL, _Work
from filmstill.jobs.evaluation import run_evaluation
from filmstill.jobs.job import (
    COMPLETED,
    DISTILLATION,
    EVALUATION,
    FAILED,
    IN_PROGRESS,
    KINDS,
    STOPPED,
    STOPPING,
    TRAINING,
)
from filmstill.jobs.objects import below
from filmstill.jobs.runner import Runner, end_job
from filmstill.jobs.worker import Report
from filmstill.registry import Registry, Resource
from filmstill.registry.deployments import DEPLOYMENT, PROVISIONED
from filmstill.registry.students import keep_student
from filmstill.serve.bedrock.backend import Backend

NUMBER, REGION = "123456789012", "us-east-1"
UNFINISHED = ("InProgress", STOPPING)


@dataclass
class Worker:
    """Does jobs at once, in this process; all of a job is real but the training.

    Attributes:
        registry: of the server.
        student: what every job makes.
        real: jobs are left to workers in processes of their own.
        waits: names of operations' kinds that stay as they are.
        fails: why deployments fail; empty where they do not.
    """

    registry: Registry
    student: Path
    runner: Runner
    real: bool = False
    waits: set[str] = field(default_factory=set)
    fails: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tick(self) -> None:
        """What the server's housekeeping does besides its own."""
        with self.lock:
            if self.real:
                self.runner.tick()
                return
            for kind in KINDS:
                for item in self.registry.all(kind):
                    if item.status in UNFINISHED:
                        self._job(item)

    def _job(self, item: Resource) -> None:
        registry = self.registry
        if item.status == STOPPING:
            end_job(registry, item, STOPPED)
            return
        if item.kind in self.waits:
            return
        publish: Callable[[Resource], None]
        failure = self.fails.get(item.kind, "")
        try:
            if failure:
                raise FilmstillError(failure)
            publish = (self._distil if item.kind == DISTILLATION else run_evaluation)(
                Report(registry, item)
            )
        except FilmstillError as error:
            end_job(registry, registry.get(item.kind, item.id), FAILED, str(error))
            return
        with registry.transaction():
            now = registry.find(item.kind, item.id)
            if now is None or now.status != IN_PROGRESS:
                return  # it was stopped meanwhile
            publish(now)
            end_job(registry, now, COMPLETED)

    def _distil(self, report: Report) -> Callable[[Resource], None]:
        report.phase("validation")
        work = _Work(report)
        work.validate()
        report.phase("data_processing")
        work.process()
        report.phase(TRAINING)
        write_artefacts(
            work.objects,
            below(work.order.output, f"model-customization-job-{report.item.id}"),
            source=work.order.training,
            accepted=len(work.examples),
            rejected=0,
            steps=[(1, 1, 1.4), (2, 1, 1.2)],
            history=[{"loss": 1.2, "validation_error": 0.1}],
        )

        def publish(job: Resource) -> None:
            body = {
                "student": keep_student(self.registry, self.student),
                "source": f"job {job.name}",
                "job": job.id,
                "bedrock": job.body["bedrock"],
            }
            order = job.body["order"]
            self.registry.add(MODEL, order["model"], "Active", body, id=order["model_id"])
            self.registry.change(job, metrics={"training": [{"loss": 1.2}]})

        return publish


@dataclass
class Account:
    """The services, and a look into them that does not go through the code under test.

    Attributes:
        bedrock_url: address of Bedrock, both planes.
        moto_url: address of S3, IAM and STS.
        backend: the registry behind Bedrock.
        worker: who does the jobs.
    """

    bedrock_url: str
    moto_url: str
    backend: Backend
    worker: Worker
    clients: dict[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What points boto3 here."""
        moto = {f"AWS_ENDPOINT_URL_{name}": self.moto_url for name in ("S3", "IAM", "STS")}
        return moto | {
            "AWS_ENDPOINT_URL_BEDROCK": self.bedrock_url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.bedrock_url,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nowhere/config",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials",
            "FILMSTILL_POLL_SECONDS": "0.002",
        }

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,
                region_name=REGION,
                aws_access_key_id="any",
                aws_secret_access_key="any",
                endpoint_url=self.bedrock_url if service == "bedrock" else self.moto_url,
            )
        return self.clients[service]

    def listing(self, run: str = "") -> dict[str, list[str]]:
        """All that is in the account but the jobs, which Bedrock keeps for ever; a run's id as ID.

        What else differs from run to run is left out.
        """
        s3, iam, registry = self.client("s3"), self.client("iam"), self.backend.registry
        buckets = [item["Name"] for item in s3.list_buckets()["Buckets"]]
        roles = [item["RoleName"] for item in iam.list_roles()["Roles"]]
        # Jobs stay, and tags of models that jobs were stopped before they made cannot be seen.
        query = "SELECT id FROM resources WHERE kind != 'job'"
        known = {row[0] for row in registry._database.execute(query).fetchall()}
        found = {
            "buckets": buckets,
            "objects": [
                f"{bucket}/{item['Key']}"
                for bucket in buckets
                for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])
            ],
            "roles": roles,
            "role policies": [
                f"{role}/{policy}"
                for role in roles
                for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
            ],
            "policies": [item["Arn"] for item in iam.list_policies(Scope="Local")["Policies"]],
            "models": [item.name for item in registry.all(MODEL)],
            "deployments": [item.name for item in registry.all(DEPLOYMENT)],
            "provisioned": [item.name for item in registry.all(PROVISIONED)],
            "evaluations": [item.name for item in registry.all(EVALUATION)],
            "tags": [
                f"{row[0].split(':', 5)[5].partition('/')[0]} {row[1]}"
                for row in registry._database.execute("SELECT resource, key FROM tags").fetchall()
                if row[0].rpartition("/")[2] in known
            ],
        }
        return {kind: sorted(_plain(name, run) for name in names) for kind, names in found.items()}

    def jobs(self, run: str) -> list[str]:
        """Statuses of the customization jobs of a run."""
        found = self.client("bedrock").list_model_customization_jobs(nameContains=run)
        return [item["status"] for item in found["modelCustomizationJobSummaries"]]


def _plain(name: str, run: str) -> str:
    text = name.replace(run, "ID") if run else name
    text = re.sub(r"(?<=model-customization-job-)\w{12}", "JOB", text)
    text = re.sub(r"(?<=/)[a-z0-9]{12}(?=/models/)", "JOB", text)
    return re.sub(r"\w{8}(-\w{4}){3}-\w{12}", "UUID", text)
