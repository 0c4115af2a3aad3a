"""What is left when a distilling process is ended from outside."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from filmstill import DistillConfig, distill
from filmstill.files import sha256_of

EPOCHS = 60  # so many that the signal comes before the end on any machine


@pytest.mark.parametrize(
    "ending", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_an_ended_process_resumes_to_the_same_student(
    tmp_path: Path,
    training_file: Path,
    tiny_config: DistillConfig,
    ending: signal.Signals,
) -> None:
    out = tmp_path / "student"
    command = [
        *(sys.executable, "-m", "filmstill.cli.main", "distill", str(training_file)),
        *("--out", str(out), "--base", tiny_config.base, "--epochs", str(EPOCHS)),
        *("--learning-rate", "3e-3", "--dropout", "0", "--max-tokens", "32"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    state = out / ".training" / "state.pt"
    deadline = time.monotonic() + 60
    while not state.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(ending)
    said = process.communicate(timeout=60)[1]
    assert not (out / "manifest.json").is_file(), "training was over before the signal came"
    if ending is signal.SIGINT:
        assert process.returncode == 130
        assert "run the same command with --resume" in said
        assert "Traceback" not in said
    else:
        assert process.returncode == -signal.SIGKILL
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    whole = tmp_path / "whole"
    distill(training_file, whole, config=replace(tiny_config, epochs=EPOCHS))
    assert sha256_of(out / "model.onnx") == sha256_of(whole / "model.onnx")
