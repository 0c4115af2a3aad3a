"""The benchmark that kills servers and workers, in a smaller size."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kills.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
def test_no_kill_loses_or_doubles_a_job() -> None:
    pytest.importorskip("torch")
    ran = subprocess.run(
        [sys.executable, BENCHMARK, "--kills", "3"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count(" ok\n") == 11
