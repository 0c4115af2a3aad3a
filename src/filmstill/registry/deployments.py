"""Deployments: names under which students are served.

A deployment is made in two steps, as on Bedrock. First it is written down, with the student it is
to serve ("Creating", or "Updating" for one that serves another student already). Then it is
settled: the student is opened as it would be to serve it, and the deployment becomes "Active" or
"Failed". Until an update is settled, the old student is served.
"""

import re
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filmstill.errors import FilmstillError, InputError
from filmstill.files import is_there
from filmstill.registry.home import home, registry_path
from filmstill.registry.resource import Resource
from filmstill.registry.store import Registry
from filmstill.registry.students import keep_student, student_folder, tidy_students
from filmstill.student.artefact import open_artefact
from filmstill.student.router import StudentRouter

DEPLOYMENT, PROVISIONED = "deployment", "provisioned"
SERVING = {DEPLOYMENT: "Active", PROVISIONED: "InService"}
"""The kinds of resources that serve a student, and the status of those that do."""

_NAME = re.compile(r"(?!.{64})[0-9a-zA-Z](?:[_-]?[0-9a-zA-Z])*")


@dataclass(frozen=True, slots=True)
class Deployment:
    """A name under which a student is served.

    Attributes:
        id: twelve lower-case letters and digits.
        name: how requests call it.
        status: "Creating", "Active" or "Failed".
        folder: the student that is served.
        source: where that student came from, for people.
        created: UTC.
        modified: UTC.
        updating: whether another student is to take over.
        failure: why it failed, or why its last update did; empty where it did not.
    """

    id: str
    name: str
    status: str
    folder: Path
    source: str
    created: datetime
    modified: datetime
    updating: bool
    failure: str

    def to_dict(self) -> dict[str, Any]:
        """What there is to show, ready for JSON."""
        shown = {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "updating": self.updating,
            "student": self.source,
            "created": self.created.isoformat(timespec="seconds"),
            "modified": self.modified.isoformat(timespec="seconds"),
        }
        return shown | ({"failure": self.failure} if self.failure else {})


def deploy(registry: Registry, name: str, folder: Path, *, source: str = "") -> Deployment:
    """Deploy a student under a new name, and wait until it can be served.

    Args:
        registry: where to.
        name: the new name.
        folder: the student's; it is copied.
        source: where the student came from, for people; the folder where empty.

    Raises:
        ArtefactError: the folder is no complete student.
        InputError: the name is not valid.
        TakenNameError: there is a deployment of this name.
        StorageError: the student cannot be copied.
    """
    _check_name(name)
    with registry.transaction():
        body = {
            "student": keep_student(registry, folder),
            "source": source or str(folder.resolve()),
        }
        made = registry.add(DEPLOYMENT, name, "Creating", body)
    return deployment_of(registry, settle(registry, made))


def update(registry: Registry, name: str, folder: Path, *, source: str = "") -> Deployment:
    """Let a deployment serve another student; the old one serves until the new one can.

    See `deploy`.

    Raises:
        ArtefactError: the folder is no complete student.
        InputError: the deployment was made through Bedrock's API, which must know its model.
        UnknownNameError: there is no such deployment.
        StorageError: the student cannot be copied.
    """
    with registry.transaction():
        if registry.get(DEPLOYMENT, name).body.get("bedrock"):
            raise InputError(
                f"the deployment {name!r} was made through Bedrock's API; update it there "
                f"(UpdateCustomModelDeployment), so that its model is known"
            )
        body = {
            "student": keep_student(registry, folder),
            "source": source or str(folder.resolve()),
        }
        begun = begin_update(registry, registry.get(DEPLOYMENT, name), body)
    return deployment_of(registry, settle(registry, begun))


def delete(registry: Registry, name: str) -> None:
    """Delete a deployment; what it served stays where it came from.

    Raises:
        UnknownNameError: there is no such deployment.
    """
    registry.remove(registry.get(DEPLOYMENT, name))
    tidy_students(registry)


def deployments(registry: Registry) -> list[Deployment]:
    """All deployments, the oldest first."""
    return [deployment_of(registry, item) for item in registry.all(DEPLOYMENT)]


def find_deployment(name: str) -> Deployment | None:
    """The deployment of this name in the registry of `home`; None without one, or a registry."""
    if not is_there(registry_path(home())):
        return None
    with closing(Registry()) as registry:
        item = registry.find(DEPLOYMENT, name)
        return None if item is None else deployment_of(registry, item)


def begin_update(registry: Registry, served: Resource, body: dict[str, Any]) -> Resource:
    """Write down what a deployment is to serve next: a body with the key "student"."""
    return registry.change(served, update={**body, "status": "Updating"})


def settle(registry: Registry, item: Resource) -> Resource:
    """Open what a deployment is to serve; it becomes active, or failed with the reason.

    Safe to call again after a crash, by several processes, and on what is settled already.
    """
    update = item.body.get("update") or {}
    updating = update.get("status") == "Updating"
    if not updating and item.status != "Creating":
        return item
    failure = _failure(registry, (update if updating else item.body)["student"])
    with registry.transaction():
        now = registry.find(item.kind, item.id)
        if now is None or (now.status, now.body) != (item.status, item.body):
            return now or item  # deleted, updated again or settled meanwhile
        if not updating:
            status = "Failed" if failure else SERVING[item.kind]
            return registry.change(item, status=status, failure=failure)
        if failure:
            ended = {**update, "status": "UpdateFailed"}
            return registry.change(item, failure=failure, update=ended)
        ended = {**update, "status": "UpdateCompleted"}
        fields = {key: value for key, value in update.items() if key != "status"}
        item = registry.change(item, status=SERVING[item.kind], failure="", **fields, update=ended)
    tidy_students(registry)
    return item


def settle_all(registry: Registry) -> None:
    """Settle every deployment that is not."""
    for kind in SERVING:
        for item in registry.all(kind):
            settle(registry, item)


def served_students(registry: Registry) -> list[tuple[Resource, Path]]:
    """What serves a student, provisioned throughput first, and the folder of that student."""
    return [
        (item, student_folder(registry, item.body["student"]))
        for kind in (PROVISIONED, DEPLOYMENT)
        for item in registry.all(kind, (SERVING[kind],))
    ]


def deployment_of(registry: Registry, item: Resource) -> Deployment:
    """The deployment that a resource is."""
    update = item.body.get("update") or {}
    return Deployment(
        id=item.id,
        name=item.name,
        status=item.status,
        folder=student_folder(registry, item.body["student"]),
        source=item.body.get("source", ""),
        created=item.created,
        modified=item.modified,
        updating=update.get("status") == "Updating",
        failure=item.body.get("failure", ""),
    )


def _failure(registry: Registry, student: str) -> str:
    try:
        artefact = open_artefact(student_folder(registry, student))
        StudentRouter(artefact).route("a query")
    except FilmstillError as error:
        return str(error)
    return ""


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a deployment: use 1 to 63 characters: letters and "
            f"digits, with single hyphens and underscores between them"
        )
