"""The documents say what is so."""

import importlib.util
import re
import tomllib
from pathlib import Path

import click
import pytest

import filmstill
from filmstill.cli.main import cli
from filmstill.task import parse_task

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_command_page_is_the_help() -> None:
    spec = importlib.util.spec_from_file_location("make_cli", ROOT / "docs" / "make_cli.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run `make docs`"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_make_targets_and_verbs_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", text)) <= targets
    verbs = set(cli.list_commands(click.Context(cli)))
    assert set(re.findall(r"`filmstill ([a-z]+)", text)) <= verbs


def test_no_placeholder_is_left() -> None:
    for path in PAGES:
        words = r"\b(PYTHON_OUTPUT|CLI_OUTPUT|RESULTS|CHECK|GROWTH|TODO)\b"
        assert not re.search(words, path.read_text(encoding="utf-8")), path


def test_the_task_in_the_docs_is_a_task() -> None:
    text = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    [toml] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert parse_task(toml, "docs").channel_names == ("visual", "spec", "review")


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == filmstill.__version__
    assert f"## {filmstill.__version__} - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
