"""Which model teaches which, where, and until when."""

from datetime import date

import pytest

from filmstill.bedrock.models import (
    bare_id,
    check_alive,
    check_judge,
    check_pair,
    foundation_regions,
    profile_regions,
)
from filmstill.errors import InputError

from .runs import MICRO, PREMIER, PRO

TODAY = date(2026, 11, 22)


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
        (f"us.{PREMIER}", MICRO, "us-east-1", f"end of its life on 2026-09-14; use {PRO}$"),
        (MICRO, MICRO, "us-east-1", f"cannot teach {MICRO}; {PRO} can$"),
        (PRO, f"{PRO}:300k", "us-east-1", "cannot teach amazon.nova-pro-v1:0:300k; none can$"),
        (f"eu.{PRO}", MICRO, "us-east-1", "this profile is not known to answer in us-east-1"),
        (PRO, MICRO, "eu-west-1", "cannot be distilled in eu-west-1; give --region us-east-1"),
    ],
)
def test_a_pair_that_does_not_work(teacher: str, student: str, region: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_pair(teacher, student, region, TODAY)


def test_a_model_lives_until_its_day() -> None:
    check_pair(PREMIER, MICRO, "us-east-1", date(2026, 9, 13))
    with pytest.raises(InputError, match=r"2026-09-14$"):
        check_alive(PREMIER, date(2026, 9, 14), "--judge x", [])


@pytest.mark.parametrize(
    "judge",
    [
        PRO,
        f"global.{PRO}",
        f"arn:aws:bedrock:us-east-1::foundation-model/{PRO}",
        f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{PRO}",
    ],
)
def test_a_judge_that_works(judge: str) -> None:
    check_judge(judge, TODAY, "--judge x", [])


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl",
            "--judge x: give a model's id, or that of an inference profile .* such as y",
        ),
        (
            "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl",
            "give a model's id",
        ),
        (f"us.{PREMIER}", "end of its life on 2026-09-14; use y"),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{PREMIER}", "end of its life"),
    ],
)
def test_a_judge_that_does_not_work(judge: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_judge(judge, TODAY, "--judge x", ["y"])
