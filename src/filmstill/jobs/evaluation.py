"""An evaluation job: a data set is read, answered where need be, rated, and written to S3."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from filmstill.errors import DataError, QueryError, RoutingError
from filmstill.jobs.objects import below, open_objects
from filmstill.jobs.order import Places
from filmstill.jobs.rating import ChatRater, Metric, Rater, Rating, Response, RubricRater
from filmstill.models import Prompt, open_model
from filmstill.models.chat import is_model
from filmstill.registry import Resource
from filmstill.router import Router
from filmstill.task import Task, parse_task

if TYPE_CHECKING:
    from filmstill.jobs.worker import Report

MAX_PROMPTS = 1000
"""Most prompts of a data set; on Bedrock it is of a job."""
WORKERS = 8
_PERMISSION_CHECK = "amazon-bedrock-evaluations-permission-check"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set and what to rate it by.

    Attributes:
        name: its name, which is part of where the results lie.
        address: `s3://` address of its lines.
        task_type: Bedrock's word for what is done; part of where the results lie.
        metrics: names of the metrics.
    """

    name: str
    address: str
    task_type: str
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation job is to do; plain data, so that it can be kept.

    Attributes:
        name: of the job; part of where the results lie.
        datasets: what is rated.
        metrics: the custom metrics.
        judge: "rubric", or a language model's address.
        responder: who answers the prompts, as the results name it.
        router: address of the router that answers them, or of a language model; empty where the
            data set holds the answers.
        output: `s3://` prefix.
        task: the task, as TOML; empty for the built-in one.
        places: where `s3://` addresses lead.
    """

    name: str
    datasets: tuple[Dataset, ...]
    metrics: tuple[Metric, ...]
    judge: str
    responder: str
    router: str
    output: str
    task: str = ""
    places: Places = field(default_factory=Places)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Evaluation":
        """The order that `asdict` made plain data of."""
        return Evaluation(
            **{
                **data,
                "datasets": tuple(
                    Dataset(**{**item, "metrics": tuple(item["metrics"])})
                    for item in data["datasets"]
                ),
                "metrics": tuple(
                    Metric(**{**item, "scale": tuple(map(tuple, item["scale"]))})
                    for item in data["metrics"]
                ),
                "places": Places(**data["places"]),
            }
        )


def run_evaluation(report: "Report") -> Callable[[Resource], None]:
    """Do an evaluation job; what it gives back writes down where the results lie.

    Raises:
        FilmstillError: it cannot be done; the message is the job's failure.
    """
    order = Evaluation.from_json(report.item.body["order"])
    objects = open_objects(order.places)
    task = parse_task(order.task, "the job's task") if order.task else Task.builtin()
    rater: Rater = (
        RubricRater(task) if order.judge == RubricRater.name else ChatRater(open_model(order.judge))
    )
    custom = {metric.name: metric for metric in order.metrics}
    for dataset in order.datasets:
        for name in dataset.metrics:
            rater.check(custom.get(name, Metric(name)))
            if name not in custom:
                raise DataError(f"{dataset.name}: there is no custom metric {name!r} in the job")
    objects.write(below(order.output, order.name, _PERMISSION_CHECK), b"")
    respond = _responder(order, task)
    brought = None if order.router else order.responder
    means = {}
    for dataset in order.datasets:
        metrics = [custom[name] for name in dataset.metrics]
        lines = list(_lines(objects.read(dataset.address), dataset.address, brought))
        if not 0 < len(lines) <= MAX_PROMPTS:
            raise DataError(
                f"{dataset.address} has {len(lines):,} prompts; there must be 1 to {MAX_PROMPTS:,}"
            )
        rated = _rate_all(lines, _Work(respond, rater, metrics, order.responder), report)
        content = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in rated)
        address = _output(order, report.item.id, dataset)
        objects.write(address, content.encode())
        report.say(f"{len(rated):,} prompts of {dataset.name} rated by {rater.name}: {address}")
        means[dataset.name] = {metric.name: _mean(rated, metric.name) for metric in metrics}
    return lambda job: _publish(report, job, means)


@dataclass(frozen=True, slots=True)
class _Work:
    """What is done to every line of a data set."""

    respond: Callable[[Response], Response]
    rater: Rater
    metrics: list[Metric]
    responder: str

    def __call__(self, line: Response) -> dict[str, Any]:
        """One line of the results, as Bedrock writes it."""
        try:
            answered, failure = self.respond(line), ""
        except RoutingError as error:
            answered, failure = line, str(error)
        scores = []
        for metric in self.metrics:
            rating = Rating(None, failure) if failure else self.rater.rate(metric, answered)
            detail = {"modelIdentifier": self.rater.name, "explanation": rating.explanation}
            scores.append(
                {"metricName": metric.name, "result": rating.result, "evaluatorDetails": [detail]}
            )
        record = {"prompt": line.prompt, "referenceResponse": line.reference}
        if line.category:
            record["category"] = line.category
        return {
            "automatedEvaluationResult": {"scores": scores},
            "inputRecord": record,
            "modelResponses": [{"response": answered.text, "modelIdentifier": self.responder}],
        }


def _rate_all(lines: list[Response], work: _Work, report: "Report") -> list[dict[str, Any]]:
    rated = []
    with ThreadPoolExecutor(WORKERS if isinstance(work.rater, ChatRater) else 1) as pool:
        for done, record in enumerate(pool.map(work, lines), start=1):
            rated.append(record)
            report.progress(done=done, total=len(lines))
    return rated


def _responder(order: Evaluation, task: Task) -> Callable[[Response], Response]:
    if not order.router:
        return lambda line: line
    if is_model(order.router):
        model = open_model(order.router)
        return lambda line: replace(line, text=model.complete(Prompt("", (line.prompt,))).text)
    router = Router.load(order.router, task=task)

    def answer(line: Response) -> Response:
        try:
            return replace(line, text=router.route(line.prompt, explain=True).to_label())
        except QueryError as error:
            return replace(line, text=str(error))

    return answer


def _lines(content: bytes, address: str, responder: str | None) -> Iterator[Response]:
    """The lines of a data set, with the responses of `responder` that they bring, if it is one."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{address}: not UTF-8 text (byte {error.start})") from error
    for number, raw in enumerate(text.split("\n"), start=1):
        if not raw.strip():
            continue
        try:
            record = json.loads(raw)
            own = record.get("modelResponses") or []
            texts = (
                record["prompt"],
                own[0]["response"] if own else "",
                record.get("referenceResponse") or "",
                record.get("category") or "",
            )
            if not all(isinstance(text, str) for text in texts):
                raise TypeError("prompt, response, referenceResponse and category must be text")
            if responder is not None and [item["modelIdentifier"] for item in own] != [responder]:
                raise ValueError(f"modelResponses must hold one response of {responder}")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{address}:{number}: not a line of an evaluation data set "
                f"({type(error).__name__}: {error})"
            ) from error
        yield Response(*texts)


def _output(order: Evaluation, job_id: str, dataset: Dataset) -> str:
    return below(
        order.output,
        order.name,
        job_id,
        "models",
        order.responder,
        "taskTypes",
        dataset.task_type,
        "datasets",
        dataset.name,
        f"{uuid.uuid4()}_output.jsonl",
    )


def _mean(rated: list[dict[str, Any]], metric: str) -> float | None:
    results = [
        score["result"]
        for record in rated
        for score in record["automatedEvaluationResult"]["scores"]
        if score["metricName"] == metric and isinstance(score["result"], int | float)
    ]
    return round(sum(results) / len(results), 4) if results else None


def _publish(report: "Report", job: Resource, means: dict[str, Any]) -> None:
    report.registry.change(job, metrics=means)
