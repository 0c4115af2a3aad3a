"""The package as a whole: its public names, its arrows, what importing it costs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import filmstill

ROOT = Path(filmstill.__file__).parent
HEAVY = {
    "torch",
    "boto3",
    "openai",
    "onnxruntime",
    "transformers",
    "sklearn",
    "matplotlib",
    "tokenizers",
    "numpy",
}
NOUNS = {"errors", "records", "task", "config", "prompts", "files", "query", "weights"}
# which stages a stage may import, beside the nouns and the router protocol
ARROWS = {
    "data": set(),
    "evals": {"data", "models"},
    "student": {"data", "evals"},
    "models": set(),
    "registry": {"student"},
    "bedrock": {"data", "evals", "models"},
    "jobs": {"data", "evals", "models", "registry", "routers", "student", "teachers"},
    "serve": {"data", "jobs", "models", "registry", "routers", "student"},
    "routers": {"bedrock", "data", "models", "registry", "student"},
    "router": {"routers"},
    "teachers": {"data", "evals", "models", "routers"},
    "bulk": {"data", "teachers"},
    "cli": {
        "bedrock",
        "bulk",
        "data",
        "evals",
        "jobs",
        "models",
        "registry",
        "routers",
        "serve",
        "student",
        "teachers",
    },
}


def test_public_names_are_sorted_and_all_there() -> None:
    assert filmstill.__all__ == sorted(filmstill.__all__)
    for name in filmstill.__all__:
        assert getattr(filmstill, name).__doc__, name
        assert name in dir(filmstill)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        filmstill.nonsense  # noqa: B018


@pytest.mark.parametrize(
    "command", [["-c", "import filmstill"], ["-m", "filmstill.cli.main", "--help"]]
)
def test_importing_and_help_load_nothing_heavy(command: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", *command], capture_output=True, text=True, check=True
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.stderr.splitlines()}
    assert "filmstill" in loaded
    assert not loaded & HEAVY


def test_any_script_through_a_pipe_that_is_not_utf8(student_folder: Path) -> None:
    words = ["route", "поезд 雨", "--router", str(student_folder)]
    for extra in ([], ["--json"]):
        ran = subprocess.run(
            [sys.executable, "-m", "filmstill.cli.main", *words, *extra],
            env={**os.environ, "PYTHONIOENCODING": "latin-1"},
            capture_output=True,
            check=True,
        )
        assert "поезд 雨" in ran.stdout.decode("utf-8")


def test_routing_loads_no_training_stack(student_folder: Path) -> None:
    code = (
        "import sys; from filmstill import Router\n"
        f"Router.load({str(student_folder)!r}).route('red car', explain=True)\n"
        "assert not {'torch', 'transformers', 'sklearn', 'matplotlib', 'rich'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_routing_on_one_thread_starts_no_other(student_folder: Path) -> None:
    code = (
        "import os; from filmstill import Router\n"
        f"router = Router.load({str(student_folder)!r})\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "router.route_many(['red car', 'bell'] * 40)\n"
        "assert len(os.listdir('/proc/self/task')) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def imports_of(path: Path) -> set[str]:
    """First part, below the package, of every import of ours in a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "filmstill":
                names = [f"filmstill.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("filmstill.")}
    return found - {"__version__"}


def test_arrows_point_one_way() -> None:
    for path in ROOT.rglob("*.py"):
        home = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if home == "__init__":
            continue
        allowed = NOUNS | {home} | (set() if home in NOUNS else ARROWS[home] | {"router"})
        assert imports_of(path) <= allowed, path


def test_torch_stays_in_the_training_folder() -> None:
    for path in ROOT.rglob("*.py"):
        if "train" in path.relative_to(ROOT).parts:
            continue
        text = path.read_text(encoding="utf-8")
        assert "import torch" not in text, path
        assert "from torch" not in text, path


# Words of other people's APIs that happen to be channels' names.
FOREIGN_WORDS = {
    "serve/openai_schemas.py": {"audio"},
    "serve/bedrock/conversation.py": {"metadata"},
    "serve/bedrock/nova.py": {"metadata"},
}


def test_no_code_names_a_channel() -> None:
    for path in ROOT.rglob("*.py"):
        foreign = FOREIGN_WORDS.get(path.relative_to(ROOT).as_posix(), set())
        names = set(filmstill.Task.builtin().channel_names) - foreign
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.Constant) and node.value in names), path


def test_modules_stay_small() -> None:
    for path in ROOT.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
