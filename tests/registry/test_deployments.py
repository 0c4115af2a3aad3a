"""Deployments: names under which students are served, whatever happens on the way."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from filmstill import Router
from filmstill.errors import ArtefactError, InputError, TakenNameError, UnknownNameError
from filmstill.registry import Registry, deployments
from filmstill.registry.deployments import (
    DEPLOYMENT,
    PROVISIONED,
    begin_update,
    delete,
    deploy,
    served_students,
    settle,
    settle_all,
    update,
)
from filmstill.registry.students import keep_student, student_folder
from tests.registry.conftest import MakeStudent

BEDROCKS_NAMES = re.compile(r"([0-9a-zA-Z][_-]?){1,63}")


def made_for(folder: Path) -> str:
    """Which of `make_student`'s students lies in a folder."""
    return str(Router.load(folder).artefact.manifest["made_for"])  # type: ignore[attr-defined]


def served(registry: Registry, kind: str = DEPLOYMENT) -> list[str]:
    return [made_for(folder) for item, folder in served_students(registry) if item.kind == kind]


def damage(registry: Registry, key: str) -> None:
    path = student_folder(registry, key) / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])


def test_the_life_of_a_deployment(registry: Registry, make_student: MakeStudent) -> None:
    first, second = make_student("a"), make_student("b")
    made = deploy(registry, "live", first)
    assert (made.name, made.status, made.updating, made.failure) == ("live", "Active", False, "")
    assert made.source == str(first)
    assert deployments.deployments(registry) == [made]
    assert made.to_dict()["student"] == str(first)
    assert "failure" not in made.to_dict()
    assert served(registry) == ["a"]
    updated = update(registry, "live", second)
    assert (updated.id, updated.status, updated.updating) == (made.id, "Active", False)
    assert (updated.source, updated.created) == (str(second), made.created)
    assert served(registry) == ["b"]
    assert not made.folder.exists()  # nothing names it any more
    assert update(registry, made.id, first).source == str(first)  # ids will do
    delete(registry, "live")
    assert served_students(registry) == []
    assert list((registry.folder / "students").iterdir()) == []
    assert first.exists()
    with pytest.raises(UnknownNameError, match="there is no deployment 'live'"):
        delete(registry, "live")
    with pytest.raises(UnknownNameError, match="there is no deployment 'live'"):
        update(registry, "live", first)


def test_two_deployments_share_a_student(registry: Registry, make_student: MakeStudent) -> None:
    student = make_student("a")
    one, two = (deploy(registry, name, student) for name in ("one", "two"))
    assert one.folder == two.folder
    assert [item.name for item in deployments.deployments(registry)] == ["one", "two"]
    delete(registry, "one")
    assert served(registry) == ["a"]


def test_a_taken_name(registry: Registry, make_student: MakeStudent) -> None:
    made = deploy(registry, "live", make_student("a"))
    with pytest.raises(TakenNameError, match="a deployment called 'live' already"):
        deploy(registry, "live", make_student("b"))
    assert deployments.deployments(registry) == [made]
    assert served(registry) == ["a"]


def test_what_is_no_student(registry: Registry, make_student: MakeStudent, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no such folder"):
        deploy(registry, "live", tmp_path / "nothing")
    assert deployments.deployments(registry) == []
    made = deploy(registry, "live", make_student("a"))
    with pytest.raises(ArtefactError, match="no such folder"):
        update(registry, "live", tmp_path / "nothing")
    assert deployments.deployments(registry) == [made]


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "a--b", "a b", "a/b", "ä", "a.b", "a\n", "a" * 64, "a-" * 31 + "ab"]
)
def test_names_that_are_not_taken(name: str, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot name a deployment: use 1 to 63"):
        deploy(registry, name, tmp_path)


@given(st.text(st.sampled_from("aB0-_. "), max_size=70) | st.integers(1, 70).map("a".__mul__))
@hypothesis_settings(max_examples=300)
def test_a_name_that_is_taken_is_one_on_bedrock(name: str) -> None:
    try:
        deployments._check_name(name)
    except InputError:
        # Bedrock takes more: names that end with a hyphen
        assert not BEDROCKS_NAMES.fullmatch(name) or name[-1] in "-_" or len(name) > 63
    else:
        assert BEDROCKS_NAMES.fullmatch(name)
        assert len(name) <= 63


def killed(*_: object) -> Any:
    raise SystemExit(9)


def test_a_crash_between_writing_down_and_settling(
    registry: Registry, make_student: MakeStudent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(deployments, "settle", killed)
        with pytest.raises(SystemExit):
            deploy(registry, "live", make_student("a"))
    assert deployments.deployments(registry)[0].status == "Creating"
    assert served(registry) == []
    again = Registry(registry.folder)
    settle_all(again)
    again.close()
    assert served(registry) == ["a"]
    with monkeypatch.context() as patched:
        patched.setattr(deployments, "settle", killed)
        with pytest.raises(SystemExit):
            update(registry, "live", make_student("b"))
    [now] = deployments.deployments(registry)
    assert (now.status, now.updating) == ("Active", True)
    assert served(registry) == ["a"]  # until the new one can be served
    settle_all(registry)
    assert served(registry) == ["b"]
    settle_all(registry)
    assert served(registry) == ["b"]


def test_a_crash_in_the_middle_of_writing_down(
    registry: Registry, make_student: MakeStudent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Registry, "add", killed)
        with pytest.raises(SystemExit):
            deploy(registry, "live", make_student("a"))
    assert deployments.deployments(registry) == []
    assert deploy(registry, "live", make_student("b")).status == "Active"
    delete(registry, "live")
    assert list((registry.folder / "students").iterdir()) == []


def test_a_student_that_is_damaged_before_it_is_served(
    registry: Registry, make_student: MakeStudent
) -> None:
    key = keep_student(registry, make_student("a"))
    made = registry.add(DEPLOYMENT, "live", "Creating", {"student": key, "source": "x"})
    damage(registry, key)
    settle(registry, made)
    [failed] = deployments.deployments(registry)
    assert failed.status == "Failed"
    assert "model.onnx: the file is damaged" in failed.failure
    assert failed.to_dict()["failure"] == failed.failure
    assert served(registry) == []
    mended = update(registry, "live", make_student("b"))
    assert (mended.status, mended.failure) == ("Active", "")
    assert served(registry) == ["b"]


def test_an_update_that_fails_leaves_the_old_student_serving(
    registry: Registry, make_student: MakeStudent
) -> None:
    deploy(registry, "live", make_student("a"))
    key = keep_student(registry, make_student("b"))
    begun = begin_update(registry, registry.get(DEPLOYMENT, "live"), {"student": key})
    damage(registry, key)
    assert settle(registry, begun).body["update"] == {"student": key, "status": "UpdateFailed"}
    [now] = deployments.deployments(registry)
    assert (now.status, now.updating) == ("Active", False)
    assert "model.onnx: the file is damaged" in now.failure
    assert served(registry) == ["a"]
    again = update(registry, "live", make_student("c"))
    assert (again.status, again.failure) == ("Active", "")
    assert served(registry) == ["c"]


def test_of_two_updates_at_once_the_later_one_is_served(
    registry: Registry, make_student: MakeStudent
) -> None:
    deploy(registry, "live", make_student("a"))
    begun = []
    for name in "bc":
        body = {"student": keep_student(registry, make_student(name)), "source": name}
        begun.append(begin_update(registry, registry.get(DEPLOYMENT, "live"), body))
    assert settle(registry, begun[0]).body == begun[1].body  # what it knows of is out of date
    assert served(registry) == ["a"]
    assert settle(registry, begun[1]).body["update"]["status"] == "UpdateCompleted"
    assert served(registry) == ["c"]
    assert len(list((registry.folder / "students").iterdir())) == 1


def test_one_that_is_deleted_while_it_is_settled(
    registry: Registry, make_student: MakeStudent
) -> None:
    key = keep_student(registry, make_student("a"))
    made = registry.add(DEPLOYMENT, "live", "Creating", {"student": key})
    delete(registry, "live")
    assert settle(registry, made) == made
    assert deployments.deployments(registry) == []
    assert served_students(registry) == []


def test_an_update_of_one_that_is_not_settled_yet(
    registry: Registry, make_student: MakeStudent
) -> None:
    key = keep_student(registry, make_student("a"))
    registry.add(DEPLOYMENT, "live", "Creating", {"student": key})
    damaged = keep_student(registry, make_student("b"))
    begin_update(registry, registry.get(DEPLOYMENT, "live"), {"student": damaged})
    shutil.rmtree(student_folder(registry, damaged))
    settle_all(registry)
    settle_all(registry)
    assert served(registry) == ["a"]


def test_provisioned_ones_are_in_service(registry: Registry, make_student: MakeStudent) -> None:
    key = keep_student(registry, make_student("a"))
    registry.add(PROVISIONED, "p", "Creating", {"student": key})
    settle_all(registry)
    assert registry.get(PROVISIONED, "p").status == "InService"
    assert served(registry, PROVISIONED) == ["a"]
    assert deployments.deployments(registry) == []
