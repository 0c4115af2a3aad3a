"""Jobs as they are written down and read."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill.errors import TakenNameError, UnknownNameError
from filmstill.jobs.job import (
    all_jobs,
    find_job,
    job_of,
    moment,
    submit,
    submit_distillation,
)
from filmstill.jobs.order import Distillation, Places
from filmstill.registry import Registry

JSON = st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.booleans())


@given(
    st.builds(
        Distillation,
        training=st.text(),
        model=st.text(),
        settings=JSON,
        filters=JSON,
        least=st.integers(),
        logs=st.booleans(),
        places=st.builds(Places, st.text(), st.text()),
    )
)
def test_an_order_survives_being_kept(order: Distillation) -> None:
    assert Distillation.from_json(json.loads(json.dumps(asdict(order)))) == order


def test_a_job_that_waits(registry: Registry) -> None:
    job = submit_distillation(
        registry, "first", Distillation("data.jsonl", "m"), bedrock={"asked": 1}, token="t"
    )
    assert (job.status, job.queued, job.pid, job.phase, job.ended) == (
        *("InProgress", True, None, "", None),
    )
    assert job.bedrock == {"asked": 1}
    assert job.order["training"] == "data.jsonl"
    assert {name: phase.status for name, phase in job.phases.items()} == {
        "validation": "NotStarted",
        "data_processing": "NotStarted",
        "training": "NotStarted",
    }
    shown = job.to_dict()
    assert json.loads(json.dumps(shown)) == shown
    assert (shown["kind"], shown["queued"], shown["ended"]) == ("distillation", True, None)
    assert "failure" not in shown
    again = submit_distillation(registry, "other", Distillation("x", "y"), token="t")
    assert again == job
    assert find_job(registry, "first") == find_job(registry, job.id) == job


def test_names_and_order(registry: Registry) -> None:
    submit(registry, "evaluation", "b", {})
    submit(registry, "job", "c", {})
    submit(registry, "evaluation", "a", {})
    assert [job.name for job in all_jobs(registry)] == ["b", "c", "a"]
    assert find_job(registry, "a").phases == {}  # Bedrock's phases are a distillation's
    with pytest.raises(TakenNameError, match="there is a job called 'c' already"):
        submit(registry, "job", "c", {})
    with pytest.raises(UnknownNameError, match="no job 'd'; `filmstill jobs list` shows"):
        find_job(registry, "d")


def test_the_phase_that_is_or_was_under_way(registry: Registry) -> None:
    phases = {
        "validation": {"status": "Completed", "created": 1.0, "modified": 2.0},
        "data_processing": {"status": "Failed", "created": 2.0, "modified": 3.5},
    }
    body = {"order": {}, "bedrock": {}, "phases": phases, "failure": "because", "ended": 3.5}
    job = job_of(registry.add("job", "a", "Failed", body))
    assert job.phase == "data_processing"
    assert job.phases["data_processing"].modified == datetime(1970, 1, 1, 0, 0, 3, 500_000, UTC)
    assert job.phases["training"].status == "NotStarted"
    assert job.to_dict()["failure"] == "because"
    assert job.to_dict()["ended"] == "1970-01-01T00:00:03+00:00"
    assert moment(None) is None
