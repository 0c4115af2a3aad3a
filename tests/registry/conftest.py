"""What tests of the registry share: a registry, and several students from one."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filmstill.registry import Registry

MakeStudent = Callable[[str], Path]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    opened = Registry(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def make_student(tmp_path: Path, quick_student: Path) -> MakeStudent:
    """Makes whole students that differ in a fact of their manifest."""

    def make(name: str) -> Path:
        folder = tmp_path / "students" / name
        shutil.copytree(quick_student, folder)
        path = folder / "manifest.json"
        manifest = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**manifest, "made_for": name}), encoding="utf-8")
        return folder

    return make
