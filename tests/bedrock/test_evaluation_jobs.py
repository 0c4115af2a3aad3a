"""Evaluation jobs as a judge."""

import json
from pathlib import Path

import pytest

from filmstill.errors import AwsError
from filmstill.evals.judges import Case
from filmstill.jobs.rating import Metric, Rating, Response, RubricRater
from filmstill.models import Prompt
from tests.cli.test_cli import Run as Cli

from .account import Account
from .runs import PREMIER, Steps, sentence
from .wire import Wire

Words = tuple[object, ...]


@pytest.fixture
def judged(folder: Path, prepared: Path, tmp_path: Path) -> Words:
    """A command that has jobs judge the run's own router on five queries."""
    queries = tmp_path / "test.jsonl"
    queries.write_text("".join(prepared.read_text().splitlines(keepends=True)[:5]))
    return (
        "evaluate", "--router", folder, "--set", queries,
        "--judge", "bedrock-job", "--run", folder,
    )  # fmt: skip


def test_an_evaluation_job_that_fails(
    distilled: Path, account: Account, steps: Steps, wire: Wire
) -> None:
    account.worker.fails["evaluation"] = "the judge is not available"
    for _ in range(2):
        with pytest.raises(
            AwsError, match=r"is Failed: the judge is not available.*--only evaluation"
        ):
            steps.evaluate(distilled)
    assert wire.count("CreateEvaluationJob") == 1
    account.worker.fails.clear()
    steps.clean(distilled, "evaluation")
    assert [verdict.score for verdict in steps.evaluate(distilled)] == [5, 1, 1]


def test_an_evaluation_job_that_is_stopped_by_cleanup(
    distilled: Path, account: Account, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.worker.waits.add("evaluation")
    monkeypatch.setattr("filmstill.bedrock.evaluation._wait", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        steps.evaluate(distilled)
    steps.clean(distilled)
    assert account.listing()["evaluations"] == []


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (PREMIER, "end of its life"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl",
            "give a model's id",
        ),
    ],
)
def test_a_judge_that_cannot_be_used(
    judge: str, message: str, run: Cli, distilled: Path, prepared: Path
) -> None:
    words = ("--router", "mean", "--train", prepared, "--set", prepared)
    ran = run("evaluate", *words, "--judge", f"bedrock-job:{judge}", "--run", distilled)
    assert message in sentence(ran)


def test_all_jobs_are_begun_before_one_is_waited_for(
    distilled: Path, steps: Steps, wire: Wire
) -> None:
    steps.judge(distilled, {"one": steps.cases(), "two": steps.cases()})
    names = [name for _, name in wire.calls if name.endswith("EvaluationJob")]
    assert names[:3] == ["CreateEvaluationJob", "CreateEvaluationJob", "GetEvaluationJob"]


def test_a_job_that_fails_loses_no_other(distilled: Path, steps: Steps, wire: Wire) -> None:
    routers = {"one": steps.cases(), "two": steps.cases()}
    failed = {"jobName": "one", "status": "Failed", "failureMessages": ["no", "really"]}
    wire.fail("GetEvaluationJob", (200, "", json.dumps(failed)), None)
    with pytest.raises(AwsError, match="the evaluation job one is Failed: no; really;"):
        steps.judge(distilled, routers)
    assert wire.count("GetEvaluationJob") > 1
    found = steps.judge(distilled, routers)
    assert [[verdict.score for verdict in verdicts] for verdicts in found.values()] == [
        [5, 1, 1],
        [5, 1, 1],
    ]
    assert wire.count("CreateEvaluationJob") == 2


def test_a_router_without_an_answer_needs_no_job(distilled: Path, steps: Steps, wire: Wire) -> None:
    right, none, _ = steps.cases()
    found = steps.judge(distilled, {"one": [none, none], "two": [right]})
    assert [verdict.score for verdict in found["one"]] == [1, 1]
    assert [verdict.score for verdict in found["two"]] == [5]
    assert wire.count("CreateEvaluationJob") == 1


def test_the_scale_is_told_from_all_routers_together(
    distilled: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ratings of 1.0 only could be the worst of 1 to 5."""

    def rate(_: RubricRater, __: Metric, response: Response) -> Rating:
        return Rating(0.5 if response.prompt == "half" else 1.0, "")

    monkeypatch.setattr(RubricRater, "rate", rate)
    answer = steps.cases()[0].reference
    best, half = Case("best", answer, answer), Case("half", answer, answer)
    found = steps.judge(distilled, {"one": [best], "two": [best, half]})
    assert [verdict.score for verdict in found["one"]] == [5]
    assert [verdict.score for verdict in found["two"]] == [5, 3]


@pytest.mark.parametrize(("output", "kind"), [("{", "JSON"), ("[1]", "a JSON object")])
def test_output_of_another_form(
    output: str, kind: str, run: Cli, distilled: Path, judged: Words, wire: Wire
) -> None:
    assert run("deploy", distilled).code == 0
    wire.fail("GetObject", (200, "", f"{{}}\n{output}\n"))
    found = sentence(run(*judged))
    assert found.startswith("s3://filmstill-")
    assert f"_output.jsonl, line 2: not {kind}, as an evaluation job's output should be" in found


def test_what_was_asked_is_not_asked_again(
    run: Cli, distilled: Path, judged: Words, wire: Wire, asked: list[Prompt]
) -> None:
    """And so the same job's verdicts stand, without a report's folder too."""
    assert run("deploy", distilled).code == 0
    first = run(*judged)
    assert first.code == 0, first.err
    assert f"Evaluation job of {distilled}: Completed" in first.err
    assert len(asked) == 5
    assert run(*judged).code == 0
    assert len(asked) == 5
    assert wire.count("CreateEvaluationJob") == 1


def test_a_run_that_was_mistyped_makes_no_folder(run: Cli, judged: Words, folder: Path) -> None:
    assert "there is no run here (no run.json)" in sentence(run(*judged))
    assert not folder.exists()


def test_a_dry_run_changes_nothing(
    run: Cli, distilled: Path, judged: Words, wire: Wire, asked: list[Prompt]
) -> None:
    assert run("deploy", distilled).code == 0
    before = sorted(distilled.iterdir())
    wire.calls.clear()
    planned = run(*judged, "--dry-run")
    assert planned.code == 0, planned.err
    assert "jobs: 1; the judge is amazon.nova-pro-v1:0" in planned.out
    assert wire.changes() == []
    assert asked == []
    assert sorted(distilled.iterdir()) == before


def test_more_queries_than_a_job_takes_are_refused_before_any_is_asked(
    run: Cli, distilled: Path, wire: Wire, asked: list[Prompt], tmp_path: Path
) -> None:
    label = json.dumps({"visual": 1.0, "audio": 0.0, "transcription": 0.0, "metadata": 0.0})
    many = tmp_path / "many.jsonl"
    many.write_text(
        "".join(
            json.dumps({"query": f"red car {number}", "reference": label}) + "\n"
            for number in range(1001)
        )
    )
    words = ("evaluate", "--router", distilled, "--set", many, "--judge", "bedrock-job")
    assert "takes 1,000 answers at most, and there are 1,001 queries" in sentence(
        run(*words, "--run", distilled)
    )
    assert asked == []
