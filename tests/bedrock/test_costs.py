"""What a run costs, and the calls that it will make, by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from filmstill import Task
from filmstill.bedrock.cost import (
    distillation_costs,
    in_words,
    provisioned_costs,
    serving_costs,
)
from filmstill.bedrock.data import check_data
from filmstill.bedrock.models import known_models
from filmstill.bedrock.order import Settings
from filmstill.bedrock.plan import distill_plan
from filmstill.models.prices import load_prices
from tests.conftest import record

from .runs import LITE, MICRO, training


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
    own.student = known_models().students[LITE]
    found = distillation_costs(Settings(), own, task, load_prices())
    assert [(cost.what, cost.dollars) for cost in found] == [
        ("teacher's answers", 0.0),
        ("training", None),
        ("both at most", None),
    ]
    assert in_words(found) == "teacher's answers $0.00, training unknown, both at most unknown"
    assert in_words(provisioned_costs(own.student, 2)) == (
        "keeping the model, a month unknown, an hour of throughput unknown"
    )


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
