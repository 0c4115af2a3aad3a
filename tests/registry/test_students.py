"""Students that the registry keeps."""

import errno
import shutil
from pathlib import Path

import pytest

from filmstill import Router
from filmstill.errors import ArtefactError, StorageError
from filmstill.registry import Registry
from filmstill.registry.students import keep_student, student_folder, tidy_students
from tests.registry.conftest import MakeStudent


def kept(registry: Registry) -> set[str]:
    return {path.name for path in (registry.folder / "students").iterdir()}


def test_the_same_student_is_kept_once(registry: Registry, make_student: MakeStudent) -> None:
    first = make_student("a")
    key = keep_student(registry, first)
    shutil.copytree(first, first.with_name("copy"))
    assert keep_student(registry, first.with_name("copy")) == key
    assert keep_student(registry, student_folder(registry, key)) == key
    other = keep_student(registry, make_student("b"))
    assert kept(registry) == {key, other}


def test_a_copy_does_not_change_with_its_source(
    registry: Registry, make_student: MakeStudent
) -> None:
    source = make_student("a")
    (source / "notes.txt").write_text("not part of a student")
    queries = ["red car", "thunder and a bell"]
    said = Router.load(source).route_many(queries)
    folder = student_folder(registry, keep_student(registry, source))
    assert {path.name for path in folder.iterdir()} == {
        path.name for path in source.iterdir() if path.name != "notes.txt"
    }
    shutil.rmtree(source)
    assert Router.load(folder).route_many(queries) == said


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("model.onnx", "model.onnx is missing"),
        ("manifest.json", "not a complete student"),
        ("", "there is no such folder"),
    ],
)
def test_what_is_no_student_is_not_kept(
    lost: str, message: str, registry: Registry, make_student: MakeStudent
) -> None:
    folder = make_student("a")
    if lost:
        (folder / lost).unlink()
    else:
        shutil.rmtree(folder)
    with pytest.raises(ArtefactError, match=message):
        keep_student(registry, folder)
    assert not (registry.folder / "students").exists()


def test_a_disk_that_is_full_half_way(
    registry: Registry, make_student: MakeStudent, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, copy = make_student("a"), shutil.copyfile

    def full(source: Path, target: Path) -> None:
        if source.name == "ngrams.npy":
            raise OSError(errno.ENOSPC, "No space left on device")
        copy(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", full)
        with pytest.raises(StorageError, match=r"cannot copy the student to .*: the disk is full"):
            keep_student(registry, folder)
    assert kept(registry) == set()
    key = keep_student(registry, folder)
    assert kept(registry) == {key}


def test_only_what_nothing_names_is_removed(registry: Registry, make_student: MakeStudent) -> None:
    keys = {name: keep_student(registry, make_student(name)) for name in "abcde"}
    registry.add("model", "m", "Active", {"student": keys["a"]})
    body = {"student": keys["b"], "update": {"student": keys["c"], "status": "Updating"}}
    deployment = registry.add("deployment", "d", "Active", body)
    provisioned = registry.add("provisioned", "p", "InService", {"student": keys["d"]})
    (registry.folder / "students" / f".{keys['e']}.cut short").mkdir()  # by a crash
    tidy_students(registry)
    assert kept(registry) == {keys[name] for name in "abcd"}
    registry.remove(deployment)
    registry.remove(provisioned)
    tidy_students(registry)
    assert kept(registry) == {keys["a"]}


def test_nothing_to_tidy(registry: Registry) -> None:
    tidy_students(registry)
    assert not (registry.folder / "students").exists()
