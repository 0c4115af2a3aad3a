"""The CloudFormation template, by AWS's own linter."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cfnlint")

TEMPLATE = Path(__file__).parent.parent / "infra" / "bedrock.yaml"


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), path], capture_output=True, text=True
    )


def test_the_template_is_clean() -> None:
    ran = lint(TEMPLATE)
    assert (ran.returncode, ran.stdout) == (0, "")


def test_the_linter_would_tell(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(TEMPLATE.read_text().replace("SSEAlgorithm: AES256", "SSEAlgorithm: ROT13"))
    assert lint(broken).returncode != 0
