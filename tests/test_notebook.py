"""The notebook: what is committed of it, a small run of it, and the services that it runs on."""

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
for needed in ("nbclient", "ipykernel", "moto.server", "torch", "matplotlib"):
    pytest.importorskip(needed)

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOK = FOLDER / "distill_router.ipynb"
SMALL = {"FILMSTILL_EXAMPLES": "300", "FILMSTILL_QUERIES": "20", "FILMSTILL_EPOCHS": "2"}


def said(notebook: Any) -> str:
    """All text that the cells show."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [output.get("text") or output.get("data", {}).get("text/plain") for output in outputs]
    return "\n".join(text for text in texts if text)


def figures(notebook: Any) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def check_journey(notebook: Any) -> None:
    """It went all the way: a model was made, judged, and everything was removed."""
    text = said(notebook)
    assert "training        Completed" in text
    rating = re.search(r"Mean rating (\S+) of 5 \((\d+) rated", text)
    assert rating is not None
    assert 1 <= float(rating[1]) <= 5
    assert int(rating[2]) > 0
    assert "Left in the account: nothing" in text
    assert figures(notebook) == 6


def test_the_committed_outputs_are_those_of_one_whole_run() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "run `make notebook`"
    check_journey(notebook)


def test_the_committed_file_is_small_and_tells_nothing_of_a_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 400_000
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
    shown = said(notebook)
    assert not re.search(r"/(tmp|root|home|work|Users|var)\b|site-packages|127\.0\.0\.1", shown)
    assert max(map(len, shown.splitlines())) <= 120


def test_a_small_run(tmp_path: Path) -> None:
    temporary, output = tmp_path / "temporary", tmp_path / "small.ipynb"
    temporary.mkdir()
    plain = {name: value for name, value in os.environ.items() if name != "FILMSTILL_WHERE"}
    done = subprocess.run(
        [sys.executable, FOLDER / "execute.py", output],
        env=plain | SMALL | {"TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    check_journey(nbformat.read(output, as_version=4))
    assert not list(temporary.rglob("serve.log")), "the services are still there"


@pytest.fixture
def local_services() -> Iterator[Any]:
    """The module beside the notebook; the environment is afterwards as it was."""
    spec = importlib.util.spec_from_file_location("local_services", FOLDER / "local_services.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = dict(os.environ)
    yield module
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


def test_services_see_no_real_account(local_services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    services = local_services.start()
    try:
        assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & set(os.environ)
        for name in ("", "_BEDROCK", "_BEDROCK_RUNTIME"):
            assert os.environ[f"AWS_ENDPOINT_URL{name}"].startswith("http://127.0.0.1:")
        assert Path(os.environ["FILMSTILL_HOME"]).is_dir()
    finally:
        services.stop()
    services.stop()
    assert not Path(os.environ["FILMSTILL_HOME"]).parent.exists()


def test_services_that_do_not_start_say_why(
    local_services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILMSTILL_EPOCHS", "1000")
    with pytest.raises(RuntimeError, match="epochs is 1000"):
        local_services.start()


def test_services_end_with_a_process_that_is_killed() -> None:
    code = (
        "import os, signal, local_services\n"
        "local_services.start()\n"
        "print(os.environ['FILMSTILL_HOME'], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER, capture_output=True, text=True, timeout=60
    )
    folder, end = Path(done.stdout.strip()).parent, time.monotonic() + 60
    while folder.exists():
        assert time.monotonic() < end, "the services are still there"
        time.sleep(0.1)
