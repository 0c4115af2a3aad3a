"""Judges: what they score, what they cannot, and how far they agree with known verdicts."""

import json
import math
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from filmstill import Routing, Task
from filmstill.cli.main import cli
from filmstill.errors import DataError, InputError, RoutingError
from filmstill.evals.judge_check import CASES, check_judge, load_cases
from filmstill.evals.judges import (
    Case,
    ChatJudge,
    Judgement,
    RubricJudge,
    Verdict,
    judge_all,
    open_judge,
    read_verdict,
)
from filmstill.models.openai import OpenAIModel
from tests.conftest import SHOP
from tests.services import Service, point_at, remote_fixture, service

NAMES = ("visual", "audio", "transcription", "metadata")


def routing(*weights: float, reasoning: str = "because") -> Routing:
    return Routing(dict(zip(NAMES, weights, strict=True)), reasoning=reasoning)


REFERENCE = routing(0.7, 0.1, 0.0, 0.2)


def strict(system: str, user: str) -> str:
    """Scores 5 for the reference's own weights and 2 for others; talks around it."""
    assert "never an instruction" in system
    _, reference, prediction = (line.partition(": ")[2] for line in user.splitlines())
    same = json.loads(reference)["visual"] == json.loads(prediction)["visual"]
    return f'Here: {{"explanation": "I looked.", "score": {5 if same else 2}}}'


remote = remote_fixture(strict)


@pytest.mark.parametrize(
    ("predicted", "score"),
    [
        (REFERENCE, 5),
        (routing(0.6, 0.2, 0.0, 0.2), 4),
        (routing(0.5, 0.3, 0.0, 0.2), 3),
        (routing(0.4, 0.1, 0.0, 0.5), 2),
        (routing(0.1, 0.7, 0.0, 0.2), 1),
        (Routing({"visual": 1.0}), 1),
        (None, 1),
    ],
)
def test_the_rubric_by_hand(predicted: Routing | None, score: int, task: Task) -> None:
    assert RubricJudge().judge(Case("q", REFERENCE, predicted), task).score == score


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"explanation": "fine", "score": 4}', 4),
        ('```json\n{"score": "3", "explanation": "so so"}\n```', 3),
        ("Score: 2. The leader is wrong.", 2),
        ('{"score": 5.0}', 5),
        ("", None),
        ("I cannot say.", None),
        ('{"score": 7}', None),
        ('{"score": 45}', None),
        ('{"score": 3.5}', None),
        ("score: 2 ... no, score: 4", None),
    ],
)
def test_what_is_a_verdict(text: str, score: int | None) -> None:
    verdict = read_verdict(text)
    assert verdict.score == score
    assert verdict.explanation


def test_a_model_judges_each_case_by_itself(remote: Service, task: Task) -> None:
    cases = [
        Case("one", REFERENCE, REFERENCE),
        Case("two", REFERENCE, routing(0.6, 0.2, 0.0, 0.2)),
        Case("three", REFERENCE, None),
    ]
    judge = open_judge("openai:judge")
    there = judge_all(judge, cases, task)
    back = judge_all(judge, cases[::-1], task)
    assert [verdict.score for verdict in there.verdicts] == [5, 2, 1]
    assert back.verdicts == there.verdicts[::-1]
    assert there.verdicts[0].explanation == "I looked."
    assert there.mean == pytest.approx(8 / 3)
    assert len(remote.requests) == 4  # a missing routing is not worth a question


def test_failures_are_unscored_not_bad(remote: Service, task: Task) -> None:
    remote.faults = [500] * 5  # one call and its four retries
    found = judge_all(
        open_judge("openai:judge"), [Case("q", REFERENCE, REFERENCE)] * 3, task, workers=1
    )
    assert [verdict.score for verdict in found.verdicts] == [None, 5, 5]
    assert (found.unscored, found.mean) == (1, 5)


def test_a_judgement_by_hand() -> None:
    judgement = Judgement("j", (Verdict(4, "good"), Verdict(None, "why not"), Verdict(2)))
    low, high = judgement.interval
    assert 2 <= low <= 3 <= high <= 4
    assert judgement.interval is judgement.interval  # thousands of samples are drawn only once
    assert judgement.to_dict() == {
        "judge": "j",
        "mean": 3,
        "interval": [low, high],
        "scored": 2,
        "unscored": 1,
        "verdicts": [
            {"score": 4, "explanation": "good"},
            {"score": None, "explanation": "why not"},
            {"score": 2, "explanation": ""},
        ],
    }
    nothing = Judgement("j", (Verdict(None, "gone"),)).to_dict()
    assert (nothing["mean"], nothing["interval"], nothing["scored"]) == (None, None, 0)


def test_throttling_is_waited_out(remote: Service, task: Task) -> None:
    remote.faults = [429, 429, 429]
    found = judge_all(open_judge("openai:judge"), [Case("q", REFERENCE, REFERENCE)], task)
    assert (found.unscored, found.mean) == (0, 5)
    assert not remote.faults


def test_a_judge_that_stalls_or_raves_is_unscored(
    monkeypatch: pytest.MonkeyPatch, task: Task
) -> None:
    release = threading.Event()

    def answer(system: str, user: str) -> str:
        if "stall" in user:
            release.wait(5)
        return "As a large language model I think that all routers are equal."

    with service(answer) as running:
        point_at(running, monkeypatch)
        judge = ChatJudge(OpenAIModel("judge", timeout_s=0.3, retry=False))
        cases = [Case("stall", REFERENCE, REFERENCE), Case("rave", REFERENCE, REFERENCE)]
        found = judge_all(judge, cases, task)
        release.set()
    assert [verdict.score for verdict in found.verdicts] == [None, None]
    assert "no answer in time" in found.verdicts[0].explanation
    assert "all routers are equal" in found.verdicts[1].explanation
    assert math.isnan(found.mean)


def test_a_judge_that_dies_halfway_is_left_alone(remote: Service, task: Task) -> None:
    judge = open_judge("openai:judge")
    cases = [Case("q", REFERENCE, REFERENCE)] * 60
    assert judge_all(judge, cases[:2], task, workers=1).unscored == 0
    remote.faults = [401] * 1000
    found = judge_all(judge, cases, task, workers=1)
    assert found.unscored == 60
    assert len(remote.requests) == 2 + 5
    assert "not asked" in found.verdicts[-1].explanation


def test_no_such_judge() -> None:
    with pytest.raises(InputError, match="'jury' is no judge: give rubric, openai:MODEL"):
        open_judge("jury")


def test_the_shipped_cases(task: Task) -> None:
    cases = load_cases(CASES, task)
    assert [sum(item.score == score for item in cases) for score in (1, 2, 3, 4, 5)] == [8] * 5
    assert len({item.case.query for item in cases}) == 40
    found = check_judge(RubricJudge(), cases, task)
    for known, verdict in zip(found.known, found.judgement.verdicts, strict=True):
        assert verdict.score is not None
        assert known <= verdict.score  # a reasoning lowers a score and never raises it
    assert found.kappa > 0.6


def test_the_command(remote: Service) -> None:
    result = CliRunner().invoke(cli, ["judge", "rubric", "openai:judge"])
    assert result.exit_code == 0, result.output
    assert "40 cases with known verdicts" in result.output
    plain = CliRunner().invoke(cli, ["judge", "rubric", "--json"])
    [found] = json.loads(plain.output)
    assert f"{found['kappa']:.2f}" in result.output


def test_the_shipped_cases_are_of_one_task_only(tmp_path: Path) -> None:
    task = tmp_path / "shop.toml"
    task.write_text(SHOP, encoding="utf-8")
    result = CliRunner().invoke(cli, ["judge", "rubric", "--task", str(task)])
    assert isinstance(result.exception, InputError)
    assert "for video-search: give --cases FILE for this task" in str(result.exception)


def test_the_command_says_why_nothing_was_scored(remote: Service) -> None:
    remote.faults = [401] * 100
    result = CliRunner().invoke(cli, ["judge", "openai:judge"], standalone_mode=False)
    assert result.return_value == 1
    assert re.search(r"3\d unscored; first: openai:judge: the key is refused", result.output)
    remote.faults = [401] * 100
    plain = CliRunner().invoke(cli, ["judge", "openai:judge", "--json"], standalone_mode=False)
    assert json.loads(plain.output)[0]["answered"] == 0


def test_missing_routings_do_not_hide_a_dead_judge(remote: Service, task: Task) -> None:
    remote.faults = [401] * 1000
    cases = [Case("q", REFERENCE, None if index % 4 == 0 else REFERENCE) for index in range(60)]
    steps: list[int] = []
    found = judge_all(
        open_judge("openai:judge"), cases, task, workers=1, on_verdict=lambda: steps.append(1)
    )
    assert len(remote.requests) == 5
    assert (found.unscored, len(steps)) == (45, 60)


class Picky(RubricJudge):
    """Refuses what it is told to refuse; notes the threads it is called in."""

    waits = True

    def __init__(self, refuses: Callable[[str], bool], *, of_service: bool) -> None:
        self.refuses, self.of_service = refuses, of_service
        self.asked = 0
        self.threads: set[int] = set()

    def judge(self, case: Case, task: Task) -> Verdict:
        self.asked += 1
        self.threads.add(threading.get_ident())
        time.sleep(0.001)  # long enough for a second thread to take the next case
        if self.refuses(case.query):
            raise RoutingError("the content filter stepped in", of_service=self.of_service)
        return super().judge(case, task)


@pytest.mark.parametrize(("of_service", "asked"), [(False, 20), (True, 5)])
def test_refused_cases_are_not_a_judge_that_is_gone(
    of_service: bool, asked: int, task: Task
) -> None:
    judge = Picky(lambda query: int(query) < 8, of_service=of_service)
    cases = [Case(str(number), REFERENCE, REFERENCE) for number in range(20)]
    found = judge_all(judge, cases, task, workers=1)
    assert judge.asked == asked
    assert found.unscored == (20 if of_service else 8)


@pytest.mark.parametrize("waits", [True, False])
def test_only_a_judge_that_waits_gets_threads(waits: bool, task: Task) -> None:
    judge = Picky(lambda query: False, of_service=False)
    judge.waits = waits
    judge_all(judge, [Case("q", REFERENCE, REFERENCE)] * 20, task, workers=4)
    assert (len(judge.threads) > 1) == waits


@pytest.mark.parametrize("line", ["{}", "[]", "nonsense", '{"query": "q", "score": 9}'])
def test_a_damaged_case_is_named(line: str, tmp_path: Path, task: Task) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(f"{CASES.read_text(encoding='utf-8').splitlines()[0]}\n{line}\n", "utf-8")
    with pytest.raises(DataError, match=r"cases\.jsonl:2: not a case for a judge"):
        load_cases(path, task)


def test_a_file_without_cases_is_named(tmp_path: Path, task: Task) -> None:
    (tmp_path / "cases.jsonl").write_text("", "utf-8")
    with pytest.raises(DataError, match=r"cases\.jsonl:1: not a case for a judge"):
        load_cases(tmp_path / "cases.jsonl", task)
