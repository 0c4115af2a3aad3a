"""A distillation job: the data is fetched and checked, labelled where need be, and learned."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from filmstill.config import DistillConfig, PrepareConfig
from filmstill.data.formats import conversation_record
from filmstill.data.reading import ExampleFile, Reject, iter_examples, write_records, write_rejects
from filmstill.errors import DataError
from filmstill.files import make_folder, storage_errors
from filmstill.jobs.artefacts import write_artefacts
from filmstill.jobs.invocation_logs import read_logs
from filmstill.jobs.job import DATA_PROCESSING, MODEL, TRAINING, VALIDATION, job_folder
from filmstill.jobs.objects import SCHEME, Objects, below, open_objects
from filmstill.jobs.order import Distillation
from filmstill.records import Example
from filmstill.registry import Resource
from filmstill.registry.students import keep_student
from filmstill.student.base import find_base
from filmstill.task import Task, parse_task

if TYPE_CHECKING:
    from filmstill.jobs.worker import Report
    from filmstill.student.train import Distilled, Progress

_PROBE = ".write_access_check_file.temp"


def distil(report: "Report") -> Callable[[Resource], None]:
    """Do a distillation job; what it gives back registers the student.

    Raises:
        FilmstillError: it cannot be done; the message is the job's failure.
    """
    report.phase(VALIDATION)
    work = _Work(report)
    work.validate()
    report.phase(DATA_PROCESSING)
    work.process()
    report.phase(TRAINING)
    made = work.train()
    return lambda job: _publish(report, job, made)


class _Work:
    def __init__(self, report: "Report") -> None:
        self.report = report
        self.order = Distillation.from_json(report.item.body["order"])
        self.folder = job_folder(report.registry, report.item.id)
        make_folder(self.folder)
        self.task = (
            parse_task(self.order.task, "the job's task") if self.order.task else Task.builtin()
        )
        self.config = DistillConfig(**self.order.settings)
        self.examples: list[Example] = []
        self.rejects: list[Reject] = []
        self.records = 0
        self.steps: list[tuple[int, int, float]] = []
        self._objects: Objects | None = None

    @property
    def objects(self) -> Objects:
        """What `s3://` addresses lead to; opened when it is needed."""
        if self._objects is None:
            self._objects = open_objects(self.order.places)
        return self._objects

    def validate(self) -> None:
        """Fetch the data, read every line, and see whether the output can be written."""
        if self.order.output:
            self.objects.write(below(self.order.output, _PROBE), b"")
        find_base(self.config.base)  # before a teacher is paid
        path = self._fetch()
        for item in iter_examples(path, self.task):
            if isinstance(item, Reject):
                self.rejects.append(item)
            else:
                self.examples.append(item)
        self.records = len(self.examples) + len(self.rejects)
        if self.rejects:
            write_rejects(
                ExampleFile(path, "", (), tuple(self.rejects)), self.folder / "rejects.jsonl"
            )
        self.report.say(f"{len(self.examples):,} usable records, {len(self.rejects):,} rejected")
        if not self.examples:
            first = f": {self.rejects[0].reason}" if self.rejects else ""
            raise DataError(f"{self.order.training}: no record can be used{first}")

    def process(self) -> None:
        """See that there are enough examples, and that each has a label."""
        order, count = self.order, len(self.examples)
        if count < order.least:
            raise DataError(
                f"{order.training} has {count:,} valid prompts; the minimum is {order.least:,} "
                f"valid prompts"
            )
        if order.most and count > order.most:
            raise DataError(
                f"{order.training} has {count:,} prompts; the maximum is {order.most:,}"
            )
        unlabelled = [item for item in self.examples if item.routing is None]
        if unlabelled:
            labelled = [item for item in self.examples if item.routing is not None]
            self.examples = labelled + self._label(unlabelled)
        if len(self.examples) < order.least:
            raise DataError(
                f"only {len(self.examples):,} prompts have a usable label; the minimum is "
                f"{order.least:,}"
            )

    def train(self) -> "Distilled":
        """Distil, and write what Bedrock writes beside a model."""
        from filmstill.student.train import distill  # takes seconds to load

        data = self.folder / "training.jsonl"
        write_records(
            data, [conversation_record(item, self.task, with_tags=True) for item in self.examples]
        )
        made = distill(
            data,
            self.folder / "student",
            task=self.task,
            config=self.config,
            force=True,
            progress=self._progress,
            say=self.report.say,
        )
        if self.order.output:
            write_artefacts(
                self.objects,
                below(self.order.output, f"model-customization-job-{self.report.item.id}"),
                source=self.order.training,
                accepted=len(self.examples),
                rejected=self.records - len(self.examples),
                steps=self.steps,
                history=made.manifest["training"]["history"],
            )
        return made

    def _fetch(self) -> Path:
        """The training data as a local file."""
        order = self.order
        path = self.folder / "data.jsonl"
        if order.logs:
            write_records(path, read_logs(self.objects, order, self.task, self.report.say))
        elif order.training.startswith(SCHEME):
            content = self.objects.read(order.training)
            with storage_errors("write", path):
                path.write_bytes(content)
        else:
            return Path(order.training)
        return path

    def _label(self, unlabelled: list[Example]) -> list[Example]:
        """Have the teacher label examples; those it could not are left out."""
        order = self.order
        if not order.teacher:
            raise DataError(
                f"{len(unlabelled):,} of {len(self.examples):,} records have no label, and no "
                f"teacher is configured to label them: label them, or start the server with "
                f"--teacher"
            )
        from filmstill.models.prices import load_prices
        from filmstill.teachers.order import Order
        from filmstill.teachers.prepare import prepare

        queries, labels = self.folder / "unlabelled.jsonl", self.folder / "labelled.jsonl"
        write_records(queries, [conversation_record(item, self.task) for item in unlabelled])
        asked = Order(
            labels,
            self.task,
            PrepareConfig(),
            load_prices(),
            teacher=order.teacher,
            queries=queries,
        )
        stop = threading.Event()
        try:
            made = prepare(asked, _Watch(self.report), stop)
        finally:
            stop.set()
        if made.stopped is not None:
            raise made.stopped
        if made.pending:  # the service failed with some: go on with the others
            made = prepare(replace(asked, finish=True), _Watch(self.report), threading.Event())
        self.report.say(f"{order.teacher} labelled {made.examples:,}, {made.rejected:,} not usable")
        return [item for item in iter_examples(labels, self.task) if isinstance(item, Example)]

    def _progress(self, now: "Progress") -> None:
        # A thousand points are enough for any plot.
        if now.step % max(1, now.steps // 1000) == 0 or now.step == now.steps:
            self.steps.append((now.step, now.epoch, now.loss))
        self.report.progress(
            epoch=now.epoch,
            epochs=now.epochs,
            step=now.step,
            steps=now.steps,
            loss=round(now.loss, 5),
            error=now.error,
            seconds_left=round(now.eta_s),
        )


class _Watch:
    """Shows the labelling as progress of the job."""

    def __init__(self, report: "Report") -> None:
        self._report = report
        self._total: int | None = None

    def begin(self, what: str, total: int | None) -> None:
        """See `Watcher.begin`."""
        self._total = total
        self._report.say(what)

    def step(self, done: int, spent: float, rejected: int = 0) -> None:
        """See `Watcher.step`."""
        self._report.progress(done=done, total=self._total, rejected=rejected, spent=spent)


def _publish(report: "Report", job: Resource, made: "Distilled") -> None:
    """Register the student that a job made; part of the transaction that ends the job."""
    registry, manifest = report.registry, made.manifest
    order = Distillation.from_json(job.body["order"])
    metrics = {
        "training": manifest["training"]["history"],
        "scores": manifest["validation_scores"],
        "seconds": manifest["seconds"],
    }
    body = {
        "student": keep_student(registry, made.folder),
        "source": f"job {job.name}",
        "job": job.id,
        "bedrock": job.body["bedrock"],
        "metrics": metrics,
    }
    model = registry.add(MODEL, order.model, "Active", body, id=order.model_id or None)
    registry.change(job, result={"model": model.id, "model_name": model.name}, metrics=metrics)
