"""The whole path by the command line: from a prepared file to a judged router, and to nothing."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from filmstill import Router, Task
from filmstill.bedrock.run import open_run
from tests.cli.test_cli import Run as Cli
from tests.conftest import WORDS, make_examples

from .account import NUMBER, Account
from .wire import Wire


@pytest.fixture
def evaluation_set(tmp_path: Path, task: Task) -> Path:
    path = tmp_path / "test.jsonl"
    lines = [
        json.dumps({"query": item.query, "reference": item.routing.to_label()})
        for item in make_examples(task, WORDS, 8, seed=9)
        if item.routing is not None
    ]
    path.write_text("\n".join(lines))
    return path


def test_from_a_file_to_a_report_and_back_to_nothing(
    run: Cli,
    account: Account,
    wire: Wire,
    prepared: Path,
    evaluation_set: Path,
    tmp_path: Path,
) -> None:
    pytest.importorskip("matplotlib")
    account.worker.real = True  # a job in a process of its own really distils
    before, folder = account.listing(), tmp_path / "run"
    distil = ("distill", prepared, "--on", "bedrock", "--out", folder)
    planned = run(*distil, "--dry-run")
    assert planned.code == 0, planned.err
    assert account.listing() == before
    assert not folder.exists()

    done = run(*distil)
    assert done.code == 0, done.err
    assert "Costs, about: teacher's answers $0.00, training $0.0" in done.err
    assert f"filmstill deploy {folder}" in done.out
    record = open_run(folder)
    assert account.jobs(record.id) == ["Completed"]
    assert (folder / "metrics" / "loss.png").stat().st_size > 5000
    with (folder / "metrics" / "step_wise_training_metrics.csv").open() as file:
        steps = list(csv.DictReader(file))
    assert steps
    assert record.notes["training_loss"] == pytest.approx(float(steps[-1]["training_loss"]), abs=1)

    planned = run("deploy", folder, "--dry-run")
    assert planned.code == 0, planned.err
    assert "CreateCustomModelDeployment" in planned.out
    deployed = run("deploy", folder)
    assert deployed.code == 0, deployed.err
    assert "custom-model-deployment/" in deployed.out

    routed = run("route", "red car barking", "--router", folder, "--json")
    assert routed.code == 0, routed.err
    assert Router.load(str(folder)).name == str(folder)

    report = tmp_path / "report"
    words = ("--router", folder, "--router", "mean", "--train", prepared, "--set", evaluation_set)
    evaluate = ("evaluate", *words, "--judge", "bedrock-job", "--run", folder, "--report", report)
    planned = run(*evaluate, "--dry-run")
    assert planned.code == 0, planned.err
    assert "jobs: 2; the judge is amazon.nova-pro-v1:0" in planned.out
    assert not report.exists()
    assert wire.count("CreateEvaluationJob") == 0
    judged = run(*evaluate)
    assert judged.code == 0, judged.err
    # 8 queries for the deployed student, 16 answers for the judge.
    assert "up to 24 calls of models, about $0.0" in judged.err
    check_report(report, str(folder))
    jobs = [item for item in open_run(folder).things if item.kind == "evaluation"]
    assert len(jobs) == 2  # one a router
    assert wire.count("CreateEvaluationJob") == 2
    again = run(*evaluate)
    assert again.code == 0, again.err
    assert wire.count("CreateEvaluationJob") == 2  # the same answers are not judged again
    check_report(report, str(folder))

    statuses = run("status", folder, "--json")
    rows = json.loads(statuses.out)
    shown = {row["kind"]: row["status"] for row in rows}
    assert shown == {
        "bucket": "there", "object": "there", "role": "there", "job": "Completed",
        "model": "there", "deployment": "Active", "evaluation": "Completed",
    }  # fmt: skip
    assert run("status", folder).code == 0

    dry = run("cleanup", folder, "--dry-run")
    assert dry.code == 0
    assert dry.out.splitlines()[0].startswith("evaluation ")
    assert dry.out.splitlines()[-1] == f"bucket filmstill-{record.id}-{NUMBER}"
    assert account.listing() != before
    cleaned = run("cleanup", folder)
    assert cleaned.code == 0, cleaned.err
    assert account.listing() == before
    assert run("cleanup", folder).out == "There is nothing to remove.\n"
    gone = {row["status"] for row in json.loads(run("status", folder, "--json").out)}
    assert gone == {"removed"}
    refused = run(*distil)
    assert refused.code == 1
    assert "this run was cleaned up; give another --out" in refused.err
    assert needed(wire) <= documented()


ACTIONS = {
    "DeleteObjects": "DeleteObject",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjectsV2": "ListBucket",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
"""The actions of calls that are not called like them."""


def needed(wire: Wire) -> set[str]:
    """The actions of all calls that were made."""
    return {f"{service}:{ACTIONS.get(name, name)}" for service, name in wire.calls}


def documented() -> set[str]:
    page = Path(__file__).parents[2] / "docs" / "bedrock.md"
    _, _, permissions = page.read_text(encoding="utf-8").partition("## Permissions")
    return set(re.findall(r"`((?:sts|s3|iam|bedrock):\w+)`", permissions))


def check_report(folder: Path, name: str) -> None:
    """The job's verdicts stand beside our own metrics, which they equal: it has the same rubric."""
    found = json.loads((folder / "report.json").read_text())["routers"]
    assert [item["router"] for item in found] == [name, "mean"]
    assert found[0]["cost"] > 0  # the base model's price
    for router in found:
        (judgement,) = router["judges"]
        assert judgement["judge"] == "bedrock-job:amazon.nova-pro-v1:0"
        assert (judgement["scored"], judgement["unscored"]) == (8, 0)
        assert judgement["mean"] == pytest.approx(router["rubric"])
    assert "bedrock-job" in (folder / "report.html").read_text()


def test_provisioned_throughput(run: Cli, account: Account, wire: Wire, distilled: Path) -> None:
    planned = run("deploy", distilled, "--provisioned", "2", "--dry-run")
    assert planned.code == 0, planned.err
    assert "121.00" in planned.out
    assert account.listing()["provisioned"] == []
    done = run("deploy", distilled, "--provisioned", "2")
    assert done.code == 0, done.err
    assert "an hour of throughput $121.00, until `filmstill cleanup" in done.err
    assert "provisioned-model/" in done.out
    found: Any = account.client("bedrock").get_provisioned_model_throughput(
        provisionedModelId=open_run(distilled).name
    )
    assert (found["status"], found["modelUnits"]) == ("InService", 2)
    assert run("route", "red car", "--router", distilled).code == 0
    assert run("deploy", distilled, "--provisioned", "2").code == 0
    assert wire.count("CreateProvisionedModelThroughput") == 1
    more = run("deploy", distilled, "--provisioned", "3")
    assert more.code == 1
    assert "has 2 units of throughput already" in more.err
    other = run("deploy", distilled)
    assert other.code == 1
    assert "is deployed otherwise" in other.err
    statuses = json.loads(run("status", distilled, "--json").out)
    assert statuses[-1]["status"] == "InService"
    assert run("cleanup", distilled, "--only", "provisioned").code == 0
    assert account.listing()["provisioned"] == []
    assert run("deploy", distilled, "--provisioned", "1").code == 0  # another token: a new one
    assert account.listing()["provisioned"] == [open_run(distilled).name]
