"""Evaluation jobs: the student's own answers, judged by a model on Bedrock."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from filmstill.bedrock.aws import Aws
from filmstill.bedrock.role import EVALUATE, evaluation_policy, put_policy, role_arn, with_role
from filmstill.bedrock.run import GONE, MADE, Run
from filmstill.bedrock.storage import (
    EVALUATION,
    OBJECT,
    address,
    bucket_of,
    keys_below,
    prefix_of,
    put_text,
    read,
)
from filmstill.bedrock.verdicts import METRIC, scale_of, verdicts_of
from filmstill.bedrock.waiting import pause
from filmstill.errors import AwsError, DataError
from filmstill.evals.judges import PROMPT, Case, Verdict
from filmstill.evals.scores import INVALID_SCORE

EVALUATION_JOB = "evaluation"
JUDGE = "amazon.nova-pro-v1:0"
POLL_S = 15.0
MOST = 1000
"""Prompts of one evaluation job."""

_SCALE = {5: "excellent", 4: "good", 3: "acceptable", 2: "poor", 1: "wrong"}
_UNFINISHED = ("InProgress", "Stopping")
_TURNS = """

Query: {{prompt}}
Reference: {{ground_truth}}
Prediction: {{prediction}}"""


def judge_by_jobs(
    aws: Aws,
    run: Run,
    routers: Mapping[str, Sequence[Case]],
    *,
    judge: str = JUDGE,
    on_look: Callable[[str, str], None] = lambda label, status: None,
) -> dict[str, list[Verdict]]:
    """The verdicts of evaluation jobs, one a router, in the order of its cases.

    All jobs are begun, and then waited for. Evaluation jobs take no deployment's ARN, so the
    answers go along.

    Args:
        aws: the account.
        run: a run with a bucket and a role.
        routers: what to judge by the router's label: lower-case letters, digits and hyphens, part
            of the job's name. Cases without a routing score 1 and are not sent.
        judge: id of the model that judges.
        on_look: called with a label and the job's status at every look.

    Raises:
        AwsError: a job cannot be begun, or failed.
        DataError: there are more cases than a job takes.
    """
    begun = {
        label: _begin(aws, run, label, asked, judge)
        for label, cases in routers.items()
        if (asked := _asked(cases))
    }
    failures = []
    for label, (_, arn) in begun.items():
        try:
            _wait(aws, run, arn, partial(on_look, label))
        except AwsError as error:
            failures.append(error)
    if failures:  # what the other jobs found is there when the command is run again
        raise failures[0]
    lines = {label: _results(aws, run, name) for label, (name, _) in begun.items()}
    scale = scale_of([line for found in lines.values() for line in found])
    verdicts = {}
    for label, cases in routers.items():
        found = iter(verdicts_of(lines.get(label, []), _asked(cases), scale))
        verdicts[label] = [
            Verdict(INVALID_SCORE, "no valid routing") if case.predicted is None else next(found)
            for case in cases
        ]
    return verdicts


def _asked(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if case.predicted is not None]


def _begin(aws: Aws, run: Run, label: str, cases: Sequence[Case], judge: str) -> tuple[str, str]:
    """Begin a job, unless it was begun; its name and ARN."""
    if len(cases) > MOST:
        raise DataError(f"an evaluation job takes 1 to {MOST:,} answers, not {len(cases):,}")
    # Other answers are another job, so that no old verdict is taken for theirs.
    digest = hashlib.sha256((judge + _dataset(cases, label)).encode()).hexdigest()[:8]
    name = job_name(run, label, digest)
    return name, _ensure_job(aws, run, name, label, cases, judge)


def job_name(run: Run, label: str, digest: str) -> str:
    """The name of a job; the next one's is another where one of these answers was removed."""
    first = f"{run.name}-{label}-{digest}"
    names = {item.name for item in run.things if item.state == GONE}
    later = (f"{first}-{number}" for number in range(2, 100))
    return next(name for name in (first, *later) if name not in names)


def evaluations(aws: Aws, name: str) -> Iterator[dict[str, Any]]:
    """Summaries of the evaluation jobs of exactly this name, which should be one at most."""
    for page in aws.pages("bedrock", "list_evaluation_jobs", nameContains=name):
        yield from (job for job in page["jobSummaries"] if job["jobName"] == name)


def _ensure_job(
    aws: Aws, run: Run, name: str, label: str, cases: Sequence[Case], judge: str
) -> str:
    known = run.intend(EVALUATION_JOB, name)
    if known.state == MADE:
        return known.arn
    arn = next((str(job["jobArn"]) for job in evaluations(aws, name)), "")
    if not arn:
        run.intend(OBJECT, f"{prefix_of(run)}{EVALUATION}{name}/")  # what the job will write
        put_text(aws, run, f"{EVALUATION}{name}.jsonl", _dataset(cases, label))
        # One for each judge: a job that is under way keeps its rights.
        policy = f"{EVALUATE}-{hashlib.sha256(judge.encode()).hexdigest()[:8]}"
        put_policy(aws, run, policy, evaluation_policy(run, judge))
        arn = _create(aws, run, name, label, judge)
    run.made(EVALUATION_JOB, name, arn=arn)
    return arn


def _create(aws: Aws, run: Run, name: str, label: str, judge: str) -> str:
    evaluator = {"bedrockEvaluatorModels": [{"modelIdentifier": judge}]}
    scale = [
        {"definition": meaning, "value": {"floatValue": float(value)}}
        for value, meaning in _SCALE.items()
    ]
    metric = {"name": METRIC, "instructions": _instructions(), "ratingScale": scale}
    dataset = {
        "name": label,
        "datasetLocation": {"s3Uri": address(run, f"{EVALUATION}{name}.jsonl")},
    }
    answer = with_role(
        run,
        partial(
            aws.call,
            "bedrock",
            "create_evaluation_job",
            jobName=name,
            roleArn=role_arn(run),
            clientRequestToken=name,
            applicationType="ModelEvaluation",
            jobTags=run.tags,
            evaluationConfig={
                "automated": {
                    "datasetMetricConfigs": [
                        {"taskType": "General", "dataset": dataset, "metricNames": [METRIC]}
                    ],
                    "evaluatorModelConfig": evaluator,
                    "customMetricConfig": {
                        "customMetrics": [{"customMetricDefinition": metric}],
                        "evaluatorModelConfig": evaluator,
                    },
                }
            },
            inferenceConfig={
                "models": [{"precomputedInferenceSource": {"inferenceSourceIdentifier": label}}]
            },
            outputDataConfig={"s3Uri": address(run, EVALUATION)},
        ),
    )
    return str(answer["jobArn"])


def _instructions() -> str:
    """The judge's prompt without its own form of answer: Bedrock adds one for the scale."""
    return PROMPT.partition("\n\nAnswer with")[0] + _TURNS


def _dataset(cases: Sequence[Case], label: str) -> str:
    lines = []
    for case in cases:
        reply = case.predicted.to_label() if case.predicted else ""
        record = {
            "prompt": case.query,
            "referenceResponse": case.reference.to_label(),
            "modelResponses": [{"response": reply, "modelIdentifier": label}],
        }
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines)


def _wait(aws: Aws, run: Run, arn: str, on_look: Callable[[str], None]) -> None:
    while True:
        job = aws.watch("bedrock", "get_evaluation_job", jobIdentifier=arn)
        on_look(job["status"])
        if job["status"] not in _UNFINISHED:
            break
        pause(POLL_S)
    if job["status"] != "Completed":
        reasons = "; ".join(job.get("failureMessages") or ["Bedrock gives no reason"])
        raise AwsError(
            f"the evaluation job {job['jobName']} is {job['status']}: {reasons}; "
            f"`filmstill cleanup {run.folder} --only evaluation` removes it, then evaluate again"
        )


def _results(aws: Aws, run: Run, name: str) -> list[dict[str, Any]]:
    """The lines of a job's output, whose key is not documented: it is looked for."""
    lines = []
    for key in keys_below(aws, run, EVALUATION):
        if f"/{name}/" in key and key.endswith("_output.jsonl"):
            text = read(aws, run, key).decode("utf-8", "replace")
            for number, line in enumerate(text.split("\n"), start=1):
                if line.strip():
                    lines.append(_parsed(line, f"s3://{bucket_of(run)}/{key}, line {number}"))
    if not lines:
        raise AwsError(f"the evaluation job {name} is complete, and its output is not to be found")
    return lines


def _parsed(line: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise AwsError(f"{where}: not JSON, as an evaluation job's output should be") from error
    if not isinstance(found, dict):
        raise AwsError(f"{where}: not a JSON object, as an evaluation job's output should be")
    return found
