"""The labelling benchmark, small: a server that misbehaves, and a process that is killed."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "labelling.py"


def test_nothing_is_lost_or_paid_twice() -> None:
    words = ["--queries", "500", "--rate", "100", "--workers", "16", "--kills", "3"]
    ran = subprocess.run(
        [sys.executable, str(BENCHMARK), *words, "--lenient"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    undisturbed, killed = (json.loads(line) for line in ran.stdout.splitlines())
    for facts in (undisturbed, killed):
        assert facts["labelled"] + facts["rejected"] == 500
        assert all(facts["checks"].values())
    assert undisturbed["paid_again"] == 0
    for fault in ("throttled", "server error", "dropped", "cut short", "wrong sum", "refusal"):
        assert undisturbed["server"][fault] > 0, fault
    assert killed["kills"] >= 1
