"""The queue, and workers that die: what one process sees of another's jobs."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from filmstill.errors import InputError
from filmstill.jobs import runner as runner_module
from filmstill.jobs.job import Job, find_job, job_folder, log_path
from filmstill.jobs.job import submit_distillation as submit
from filmstill.jobs.order import Distillation, Places
from filmstill.jobs.runner import STARTS, Runner, stop
from filmstill.registry import Registry
from tests.jobs.conftest import (
    Gate,
    fcntl,
    is_worked_on,
    lines_of,
    put,
    submit_evaluation,
    to_the_end,
    unlabelled,
    until,
)


def judged(registry: Registry, places: Places, gate: Gate, runner: Runner, name: str) -> int:
    """Start an evaluation that waits for its judge; its worker's id."""
    submit_evaluation(registry, places, name, judge="openai:judge")
    runner.tick()
    until(gate.asked.is_set)
    job = find_job(registry, name)
    assert is_worked_on(registry, job)
    assert job.pid is not None
    return job.pid


def left_in(registry: Registry, job: Job) -> list[str]:
    return sorted(path.name for path in job_folder(registry, job.id).iterdir())


def test_one_at_a_time_and_the_next_needs_no_runner(
    registry: Registry, runner: Runner, places: Places, gate: Gate
) -> None:
    judged(registry, places, gate, runner, "first")
    submit_evaluation(registry, places, "second")
    submit_evaluation(registry, places, "third")
    for _ in range(3):
        runner.tick()
    assert [find_job(registry, name).queued for name in ("first", "second", "third")] == [
        *(False, True, True),
    ]
    gate.open.set()
    until(lambda: find_job(registry, "third").status == "Completed")  # nobody ticks here
    first, second, third = (find_job(registry, name) for name in ("first", "second", "third"))
    assert first.ended is not None
    assert second.ended is not None
    assert third.ended is not None
    assert first.ended < second.ended < third.ended
    assert len({first.pid, second.pid, third.pid}) == 3


def test_several_at_a_time(registry: Registry, places: Places, gate: Gate) -> None:
    two = Runner(registry, at_once=2)
    for name in ("a", "b", "c"):
        submit_evaluation(registry, places, name, judge="openai:judge")

    def taken() -> list[str]:
        two.tick()
        return [name for name in ("a", "b", "c") if not find_job(registry, name).queued]

    until(lambda: len(taken()) == 2)
    for _ in range(5):
        assert taken() == ["a", "b"]
    gate.open.set()
    assert [job.status for job in to_the_end(two, registry, "a", "b", "c")] == ["Completed"] * 3
    until(lambda: not any(is_worked_on(registry, find_job(registry, name)) for name in "abc"))
    until(lambda: no_child_left(two))


def no_child_left(runner: Runner) -> bool:
    """Whether no process of ours has ended that nobody asked for its end."""
    runner.tick()
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return True


def test_a_worker_that_was_killed_is_noticed(
    registry: Registry, runner: Runner, places: Places, gate: Gate
) -> None:
    os.kill(judged(registry, places, gate, runner, "a"), signal.SIGKILL)
    submit_evaluation(registry, places, "b")
    first, second = to_the_end(runner, registry, "a", "b")
    assert first.status == "Failed"
    assert first.failure == ("its process was ended by SIGKILL; the machine may be short of memory")
    assert first.ended is not None
    assert second.status == "Completed"


def test_any_process_notices(
    registry: Registry, runner: Runner, places: Places, gate: Gate
) -> None:
    """Also one that did not start the worker, such as the server after its restart."""
    pid = judged(registry, places, gate, runner, "a")
    other = Registry(registry.folder)
    Runner(other).tick()
    assert find_job(other, "a").status == "InProgress"
    os.kill(pid, signal.SIGKILL)
    [job] = to_the_end(Runner(other), other, "a")
    other.close()
    assert job.status == "Failed"
    assert job.failure == "its process is gone: it was killed, or the machine was restarted"
    assert find_job(registry, "a") == job


def test_a_worker_that_was_killed_while_labelling(
    registry: Registry, runner: Runner, places: Places, gate: Gate
) -> None:
    data = put(places, "data.jsonl", lines_of(30) + unlabelled("a bell"))
    submit(registry, "a", Distillation(data, "m", teacher="openai:t", places=places))
    runner.tick()
    until(gate.asked.is_set)
    job = find_job(registry, "a")
    assert job.pid is not None
    assert (job_folder(registry, job.id) / "unlabelled.jsonl").exists()
    os.kill(job.pid, signal.SIGKILL)
    [job] = to_the_end(runner, registry, "a")
    assert job.status == "Failed"
    assert [phase.status for phase in job.phases.values()] == [
        *("Completed", "Failed", "NotStarted"),
    ]
    assert job.phases["data_processing"].modified == job.ended
    assert registry.all("model") == []
    # what the teacher was paid for is not lost
    left = left_in(registry, job)
    assert all(name in ("lock", "log.txt") or name.startswith("labelled") for name in left)
    assert "labelled.jsonl.journal.sqlite" in left


def test_a_worker_that_ends_without_a_word(
    registry: Registry, runner: Runner, places: Places, impostor: Callable[[str], None]
) -> None:
    impostor("evaluation.run_evaluation = lambda report: os._exit(7)\nwork()")
    submit_evaluation(registry, places, "a")
    [job] = to_the_end(runner, registry, "a")
    assert job.status == "Failed"
    assert job.failure == "its process ended with exit code 7; see the log"


def test_an_error_nobody_thought_of(
    registry: Registry, runner: Runner, places: Places, impostor: Callable[[str], None]
) -> None:
    impostor("evaluation.run_evaluation = lambda report: 1 / 0\nwork()")
    submit_evaluation(registry, places, "a")
    [job] = to_the_end(runner, registry, "a")
    assert job.status == "Failed"
    assert job.failure == "unexpected ZeroDivisionError: division by zero"
    log = log_path(registry, job.id).read_text()
    assert "This is a bug in Filmstill" in log
    assert "Traceback" in log


def test_a_worker_that_cannot_start(
    registry: Registry, runner: Runner, places: Places, impostor: Callable[[str], None]
) -> None:
    impostor("sys.exit('first line\\nno module named filmstill')")
    submit_evaluation(registry, places, "a")
    [job] = to_the_end(runner, registry, "a")
    assert job.status == "Failed"
    assert job.failure == "its worker ends before it begins: no module named filmstill"
    assert log_path(registry, job.id).read_text().count("first line") == STARTS == 3
    assert job.pid is None


def test_a_worker_that_cannot_start_and_does_not_say_why(
    registry: Registry, runner: Runner, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    submit_evaluation(registry, places, "a")
    [job] = to_the_end(runner, registry, "a")
    assert job.failure == "its worker ends before it begins: the log is empty"


def test_a_start_that_fails_once_is_made_again(
    registry: Registry,
    runner: Runner,
    places: Places,
    impostor: Callable[[str], None],
    tmp_path: Path,
) -> None:
    mark = tmp_path / "failed once"
    impostor(
        f"if not os.path.exists({str(mark)!r}):\n    open({str(mark)!r}, 'w').close()\n"
        "    sys.exit('not now')\nwork()"
    )
    submit_evaluation(registry, places, "a")
    [job] = to_the_end(runner, registry, "a")
    assert job.status == "Completed"
    assert "not now" in log_path(registry, job.id).read_text()


def test_a_runner_beside_another_does_nothing(
    registry: Registry, runner: Runner, places: Places
) -> None:
    submit_evaluation(registry, places, "a")
    folder = job_folder(registry, "")
    folder.mkdir(parents=True)
    with (folder / "runner.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        runner.tick()
        assert not (job_folder(registry, find_job(registry, "a").id)).exists()
    runner.tick(start=False)
    assert find_job(registry, "a").queued
    [job] = to_the_end(runner, registry, "a")
    assert job.status == "Completed"


def test_stop_while_it_waits(
    registry: Registry, runner: Runner, places: Places, gate: Gate
) -> None:
    judged(registry, places, gate, runner, "first")
    job = stop(registry, submit_evaluation(registry, places, "second"))
    assert job.status == "Stopped"
    assert job.ended is not None
    assert job.pid is None
    with pytest.raises(InputError, match="job 'second' is Stopped, so there is nothing to stop"):
        stop(registry, job)


def test_stop_while_labelling(
    registry: Registry, runner: Runner, places: Places, gate: Gate
) -> None:
    data = put(places, "data.jsonl", lines_of(30) + unlabelled("a bell"))
    submit(registry, "a", Distillation(data, "m", teacher="openai:t", places=places))
    runner.tick()
    until(gate.asked.is_set)
    job = stop(registry, find_job(registry, "a"))
    assert job.status == "Stopping"
    assert stop(registry, job).status in ("Stopping", "Stopped")  # twice does no harm
    gate.open.set()  # calls under way are waited for
    [job] = to_the_end(runner, registry, "a")
    assert job.status == "Stopped"
    assert job.failure == ""
    assert [phase.status for phase in job.phases.values()] == [
        *("Completed", "Stopped", "NotStarted"),
    ]
    assert registry.all("model") == []
    # what the teacher was paid for is not lost
    labelled = "labelled.jsonl.journal.sqlite"
    until(lambda: {"lock", labelled, "log.txt"} <= set(left_in(registry, job)))


def test_a_worker_that_will_not_stop_is_killed(
    registry: Registry,
    runner: Runner,
    places: Places,
    impostor: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner_module, "GRACE_S", 0.3)
    impostor(
        "def deaf(report):\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    report.progress(deaf=True)\n"
        "    time.sleep(60)\n"
        "evaluation.run_evaluation = deaf\nwork()"
    )
    submit_evaluation(registry, places, "a")
    runner.tick()
    until(lambda: find_job(registry, "a").progress)
    assert stop(registry, find_job(registry, "a")).status == "Stopping"
    [job] = to_the_end(runner, registry, "a")
    assert (job.status, job.failure) == ("Stopped", "")


def test_stop_while_the_worker_starts(
    registry: Registry, runner: Runner, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow machine: for longer than the time of grace, nobody knows the worker's number."""
    monkeypatch.setattr(runner_module, "GRACE_S", 0.0)
    job = submit_evaluation(registry, places, "a")
    folder = job_folder(registry, job.id)
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert stop(registry, job).status == "Stopping"
        runner.tick()
        assert find_job(registry, "a").status == "Stopping"
    runner.tick()
    assert find_job(registry, "a").status == "Stopped"


def test_a_worker_whose_job_was_stopped_before_it_began(
    registry: Registry,
    runner: Runner,
    places: Places,
    impostor: Callable[[str], None],
    tmp_path: Path,
) -> None:
    go = tmp_path / "go"
    impostor(f"while not os.path.exists({str(go)!r}):\n    time.sleep(0.01)\nwork()")
    job = submit_evaluation(registry, places, "a")
    runner.tick()
    assert is_worked_on(registry, job)
    assert stop(registry, job).status == "Stopping"
    go.touch()
    [job] = to_the_end(runner, registry, "a")
    assert (job.status, job.pid) == ("Stopped", None)


def test_a_plain_kill_stops_a_job(
    registry: Registry, runner: Runner, places: Places, gate: Gate
) -> None:
    pid = judged(registry, places, gate, runner, "a")
    os.kill(pid, signal.SIGTERM)
    gate.open.set()
    [job] = to_the_end(runner, registry, "a")
    assert job.status == "Stopped"
