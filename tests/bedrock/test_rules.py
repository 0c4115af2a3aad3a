"""Rules and figures with values worked out by hand; no service is asked."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from filmstill import Routing, Task
from filmstill.bedrock import role
from filmstill.bedrock.cost import distillation_costs, in_words, serving_costs
from filmstill.bedrock.evaluation import job_name
from filmstill.bedrock.figure import draw_loss
from filmstill.bedrock.models import (
    bare_id,
    check_alive,
    check_pair,
    foundation_regions,
    known_models,
    profile_regions,
)
from filmstill.bedrock.order import Settings, check_data
from filmstill.bedrock.plan import distill_plan
from filmstill.bedrock.run import Run, begin, open_run
from filmstill.bedrock.verdicts import RAW, scale_of, verdicts_of
from filmstill.bedrock.waiting import pause
from filmstill.cli.bedrock_options import settings_of
from filmstill.cli.evaluate_job import _label, check_run
from filmstill.errors import DataError, InputError
from filmstill.evals.judges import Case
from filmstill.models.prices import load_prices
from tests.conftest import record

MICRO, PRO = "amazon.nova-micro-v1:0:128k", "amazon.nova-pro-v1:0"
TODAY = date(2026, 11, 22)


@pytest.fixture(autouse=True)
def wire() -> None:
    """No services."""


def make_run(folder: Path, **changes: Any) -> Run:
    settings = {"account": "123456789012", "region": "us-east-1", "bucket": "", "role": ""}
    settings |= {"teacher": PRO, "student": MICRO, "logs": "", "task": ""}
    return begin(folder, settings | changes)


# Ratings


def case(query: str = "q") -> Case:
    routing = Routing({"visual": 1.0}, reasoning="so")
    return Case(query, routing, routing)


def line(result: object, query: str = "q", **more: object) -> dict[str, Any]:
    score = {"metricName": "OverallQuality", "result": result, **more}
    return {
        "automatedEvaluationResult": {"scores": [{"metricName": "Other", "result": 3}, score]},
        "inputRecord": {"prompt": query},
        "modelResponses": [{"response": Routing({"visual": 1.0}, reasoning="so").to_label()}],
    }


@pytest.mark.parametrize(
    ("result", "score"),
    [
        (5, 5),
        (4.0, 4),
        ("3", 3),
        ("3.0", 3),
        (1, 1),
        (9, 5),  # no rating is off the scale
        (None, None),
        ("excellent", None),
        (True, None),
        ("nan", None),
        ([], None),
    ],
)
def test_a_rating(result: object, score: int | None) -> None:
    (verdict,) = verdicts_of([line(result)], [case()], RAW)
    assert verdict.score == score


@pytest.mark.parametrize(
    ("results", "scores"),
    [
        ([1.0, 0.75, 0.5, 0.25, 0.0], [5, 4, 3, 2, 1]),  # 1 + 4 times
        (["1.0", "0.5"], [5, 3]),
        ([1, 1, None], [None, None, None]),  # both could be meant
        ([1, 2, 5], [1, 2, 5]),
        ([None, 0.5], [None, 3]),
    ],
)
def test_ratings_raw_or_normalised(results: list[object], scores: list[int | None]) -> None:
    lines = [line(result, str(number)) for number, result in enumerate(results)]
    cases = [case(str(number)) for number in range(len(results))]
    found = verdicts_of(lines[::-1], cases, scale_of(lines))
    assert [verdict.score for verdict in found] == scores


def test_explanations_and_missing_queries() -> None:
    detail = [{"modelIdentifier": "judge", "explanation": "well weighed"}]
    lines = [line(4, evaluatorDetails=detail), line(None, "r", evaluatorDetails=None)]
    lines.append({**line(2, "s"), "automatedEvaluationResult": {}})
    found = verdicts_of(lines, [case(), case("r"), case("s"), case("t")], RAW)
    assert [(item.score, item.explanation) for item in found] == [
        (4, "well weighed"),
        (None, "the judge gave no rating"),
        (None, "the evaluation job's output does not have this query"),
        (None, "the evaluation job's output does not have this query"),
    ]


# Policies


def test_the_trust_is_in_bedrock_for_jobs_of_this_account(tmp_path: Path) -> None:
    assert role.trust_policy(make_run(tmp_path)) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "bedrock.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": "123456789012"},
                    "ArnLike": {
                        "aws:SourceArn": [
                            "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/*",
                            "arn:aws:bedrock:us-east-1:123456789012:evaluation-job/*",
                        ]
                    },
                },
            }
        ],
    }


def test_rights_of_a_distillation(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    bucket, prefix = f"arn:aws:s3:::{run.name}-123456789012", run.name
    assert role.data_policy(run) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": [f"{bucket}/{prefix}/training.jsonl"],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": [f"{bucket}/{prefix}/output/*"],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [bucket],
                "Condition": {"StringLike": {"s3:prefix": [f"{prefix}/*"]}},
            },
        ],
    }


def test_rights_of_a_distillation_from_logs_by_a_profile(tmp_path: Path) -> None:
    run = make_run(tmp_path, logs="s3://logs/bedrock/", teacher=f"us.{PRO}", bucket="mine")
    *_, objects, listing, teacher = role.data_policy(run)["Statement"]
    assert objects["Resource"] == ["arn:aws:s3:::logs/bedrock/*"]
    assert objects["Action"] == ["s3:GetObject"]
    assert (listing["Resource"], listing["Action"]) == (["arn:aws:s3:::logs"], ["s3:ListBucket"])
    assert teacher == {
        "Effect": "Allow",
        "Action": ["bedrock:InvokeModel", "bedrock:GetInferenceProfile"],
        "Resource": [
            f"arn:aws:bedrock:us-east-1::foundation-model/{PRO}",
            f"arn:aws:bedrock:us-east-2::foundation-model/{PRO}",
            f"arn:aws:bedrock:us-west-2::foundation-model/{PRO}",
            f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{PRO}",
        ],
    }


def test_rights_of_an_evaluation(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    bucket = f"arn:aws:s3:::{run.name}-123456789012"
    judge = [f"arn:aws:bedrock:us-east-1::foundation-model/{PRO}"]
    assert [
        (item["Action"], item["Resource"]) for item in role.evaluation_policy(run, PRO)["Statement"]
    ] == [
        (
            ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
            [f"{bucket}/{run.name}/evaluation/*"],
        ),
        (["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], [bucket]),
        (["bedrock:InvokeModel", "bedrock:GetInferenceProfile"], judge),
        (["bedrock:CreateModelInvocationJob", "bedrock:StopModelInvocationJob"], judge),
    ]


# Models


def test_ids() -> None:
    assert bare_id(f"us.{PRO}") == bare_id(PRO) == PRO
    assert profile_regions(f"us.{PRO}") == ("us-east-1", "us-east-2", "us-west-2")
    assert profile_regions(PRO) == ()
    assert foundation_regions(PRO, "us-east-1") == (PRO, ("us-east-1",))


@pytest.mark.parametrize("teacher", [PRO, f"us.{PRO}"])
def test_a_pair_that_works(teacher: str) -> None:
    student = check_pair(teacher, MICRO, "us-east-1", TODAY)
    assert (student.inference, student.training) == ("amazon.nova-micro-v1:0", 0.001)


@pytest.mark.parametrize(
    ("teacher", "student", "region", "message"),
    [
        (PRO, "amazon.nova-micro-v1:0", "us-east-1", f"there are {MICRO}, "),
        (
            "us.amazon.nova-premier-v1:0",
            MICRO,
            "us-east-1",
            f"end of its life on 2026-09-14; use {PRO}",
        ),
        (MICRO, MICRO, "us-east-1", "cannot teach"),
        (PRO, MICRO, "eu-west-1", "cannot be distilled in eu-west-1; give --region us-east-1"),
    ],
)
def test_a_pair_that_does_not_work(teacher: str, student: str, region: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        check_pair(teacher, student, region, TODAY)


def test_a_model_lives_until_its_day() -> None:
    premier = "amazon.nova-premier-v1:0"
    check_pair(premier, MICRO, "us-east-1", date(2026, 9, 13))
    with pytest.raises(InputError, match=r"2026-09-14$"):
        check_alive(premier, date(2026, 9, 14), "--judge x", [])


# Data


def training(folder: Path, lines: list[str]) -> Path:
    path = folder / "train.jsonl"
    path.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([record()] * 99, "has 99 prompts; a distillation job takes 100 to 15,000"),
        ([record()] * 15_001, "has 15,001 prompts"),
        ([record()] * 100 + ["{"], r"train.jsonl:101: not valid JSON.*1 such lines"),
        ([record()] * 100 + [""], "train.jsonl:101: Bedrock reads one JSON record a line"),
        (["\ufeff" + record()] + [record()] * 99, "train.jsonl:1: Bedrock reads one JSON"),
        ([record()] * 100 + [record(tags={"a": "b"})], "train.jsonl:101: Bedrock takes no tags"),
        (
            ['{"query": "red car"}'] * 100,
            "train.jsonl:1: not in the conversation format.*filmstill prepare",
        ),
        (
            [record()] * 100 + ['{"query": "red car"}'],
            "train.jsonl:101: not in the conversation format",
        ),
    ],
)
def test_data_that_bedrock_refuses(
    lines: list[str], message: str, tmp_path: Path, task: Task
) -> None:
    with pytest.raises(DataError, match=message):
        check_data(training(tmp_path, lines), task)


@pytest.mark.parametrize("count", [100, 15_000])
def test_data_that_bedrock_takes(count: int, tmp_path: Path, task: Task) -> None:
    system = [{"text": "Weigh the channels."}]
    plain = record(messages=[{"role": "user", "content": [{"text": "red"}]}], system=system)
    lines = [plain] + [record(system=system)] * (count - 1)
    assert len(check_data(training(tmp_path, lines), task).file.examples) == count


def test_data_that_is_too_large(
    tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filmstill.bedrock.data.MAX_BYTES", 1000)
    with pytest.raises(DataError, match="larger than 1 GiB"):
        check_data(training(tmp_path, [record()] * 100), task)


# Plan and cost


def checked(folder: Path, task: Task, lines: list[str]) -> Any:
    student = known_models().students[MICRO]
    data = check_data(training(folder, lines), task)
    return SimpleNamespace(file=data.file, student=student)


def test_what_a_run_costs(tmp_path: Path, task: Task) -> None:
    """The system prompt has 177 characters, the query 7; 4 a token, and 16 tokens a turn."""
    both = {"system": [{"text": task.student_prompt}]}
    unlabelled = {"messages": [{"role": "user", "content": [{"text": "red car"}]}], **both}
    lines = [record(**unlabelled)] * 60 + [record(**both)] * 40
    prompt = 177 / 4 + 16 + 7 / 4 + 16
    assert len(task.student_prompt) == 177
    data = checked(tmp_path, task, lines)
    found = distillation_costs(Settings(), data, task, load_prices())
    found += serving_costs(data.student, task, load_prices())
    dollars = {cost.what: cost.dollars for cost in found}
    asked = (prompt * 0.0008 + 80 * 0.0032) / 1000
    trained = (prompt + 80) / 1000 * 0.001
    assert dollars == {
        "teacher's answers": pytest.approx(60 * asked),
        "training": pytest.approx(100 * trained),
        # 40 records have a label already.
        "both at most": pytest.approx(14_960 * asked + 15_000 * trained),
        "keeping the model, a month": 1.95,
        "1,000 queries on demand": pytest.approx(
            (177 / 4 + 16 + 25 / 4 + 16) * 0.000035 + 80 * 0.00014
        ),
    }
    assert all("2026-09-01" in cost.basis for cost in found if cost.what != "both at most")


def test_a_price_that_is_not_known_is_not_zero(tmp_path: Path, task: Task) -> None:
    own = checked(tmp_path, task, [record()] * 100)
    own.student = known_models().students["amazon.nova-lite-v1:0:300k"]
    found = distillation_costs(Settings(), own, task, load_prices())
    assert [(cost.what, cost.dollars) for cost in found] == [
        ("teacher's answers", 0.0),
        ("training", None),
        ("both at most", None),
    ]
    assert in_words(found) == "teacher's answers $0.00, training unknown, both at most unknown"


def test_the_plan_names_what_is_made(tmp_path: Path, task: Task) -> None:
    full = " ".join(
        item.call for item in distill_plan(Settings(), checked(tmp_path, task, [record()] * 100))
    )
    for name in ("CreateBucket", "PutObject", "CreateRole", "CreateModelCustomizationJob"):
        assert name in full
    own = Settings(bucket="mine", role="arn:aws:iam::123456789012:role/mine", logs="s3://logs")
    short = " ".join(item.call for item in distill_plan(own, SimpleNamespace(file=None)))  # type: ignore[arg-type]
    for name in ("CreateBucket", "PutObject", "CreateRole"):
        assert name not in short


# Names and records


def test_labels_of_routers() -> None:
    assert _label("runs/July_2", ()) == "runs-july-2"
    assert _label("runs/july 2", {"runs-july-2"}) == "runs-july-2-2"
    assert _label("...", ()) == "router"
    assert len(_label("x" * 90, ())) == 24


def test_the_longest_name_of_an_evaluation_job(tmp_path: Path) -> None:
    run, taken = make_run(tmp_path), set[str]()
    labels = [_label("x" * 90, taken) for _ in range(99)]
    assert len(job_name(run, labels[-1], "12345678")) + len("-99") <= 63


def test_a_removed_evaluation_job_leaves_its_name(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    first = job_name(run, "a", "12345678")
    run.gone(run.made("evaluation", first))
    assert job_name(run, "a", "12345678") == f"{first}-2"
    assert job_name(run, "b", "12345678") == f"{run.name}-b-12345678"


def test_a_token_is_another_once_the_thing_is_gone(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert run.attempt("deployment") == f"{run.name}-1"
    made = run.made("deployment", "x")
    assert run.attempt("deployment") == f"{run.name}-1"
    run.gone(made)
    assert run.attempt("deployment") == f"{run.name}-2"
    assert run.attempt("job") == f"{run.name}-1"


def test_what_another_process_wrote_down_is_not_lost(tmp_path: Path) -> None:
    make_run(tmp_path)
    early, other = open_run(tmp_path), open_run(tmp_path)
    with other.alone():
        other.made("role", "made meanwhile")
    with early.alone():
        early.made("bucket", "made later")
    assert [item.kind for item in open_run(tmp_path).things] == ["role", "bucket"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not the record of a run, or damaged"),
        ("[]", "not the record of a run"),
        ('{"format": "filmstill-run"}', "not the record of a run"),
        ('{"format": "filmstill-run", "version": 9}', "that this version knows"),
        (
            '{"format": "filmstill-run", "version": 1, "things": [{"kind": "x"}]}',
            "damaged.*the tag filmstill-run",
        ),
    ],
)
def test_a_damaged_record(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=message):
        open_run(tmp_path)


def test_other_settings_are_another_run(tmp_path: Path) -> None:
    make_run(tmp_path)
    with pytest.raises(InputError, match="begun with another bucket, teacher; give another --out"):
        make_run(tmp_path, bucket="mine", teacher="another")


# Options


def test_an_option_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "bedrock.toml"
    file.write_text(
        '[bedrock]\nregion = "us-west-2"\nbucket = "mine"\nuse_responses = false\n'
        "max_tokens = 500\n"
    )
    found = settings_of({"region": "us-east-1", "teacher": None, "bucket": None}, file)
    assert found == Settings(region="us-east-1", bucket="mine", use_responses=False, max_tokens=500)
    assert settings_of({"teacher": None}, None) == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[bedrock", "not valid TOML"),
        ("bedrock = 3", "must be a table"),
        ("[bedrock]\nbucked = 'x'", "unknown key 'bucked'; known are teacher, student"),
        ("[bedrock]\nmax_tokens = '5'", "max_tokens has a value of the wrong kind"),
        ("[bedrock]\nmax_tokens = true", "max_tokens has a value of the wrong kind"),
    ],
)
def test_a_wrong_file(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "bedrock.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        settings_of({}, file)


@pytest.mark.parametrize(("judges", "folder"), [(("bedrock-job",), None), (("rubric",), Path("x"))])
def test_jobs_and_a_run_go_together(judges: tuple[str, ...], folder: Path | None) -> None:
    with pytest.raises(click.UsageError, match="go together"):
        check_run(judges, folder)


# Small parts


def test_a_picture_of_the_loss(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    table = tmp_path / "table.csv"
    table.write_text(
        "step_number,epoch_number,training_loss,perplexity\n1,1,1.5,4.5\n2.0,1,1.2,3\n"
    )
    draw_loss(table, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    table.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="not a table of training metrics"):
        draw_loss(table, tmp_path / "loss.png")


@pytest.mark.parametrize(("own", "waited"), [("0.5", 0.5), ("", 30.0), ("soon", 30.0), ("2", 2.0)])
def test_pauses(own: str, waited: float, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    sleep: Callable[[float], None] = slept.append
    monkeypatch.setattr("filmstill.bedrock.waiting.time.sleep", sleep)
    monkeypatch.setenv("FILMSTILL_POLL_SECONDS", own)
    pause(30.0)
    assert slept == [waited]


def test_settings_of_a_run_are_plain_data(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["settings"] == run.settings
