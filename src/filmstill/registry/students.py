"""Students that the registry keeps: copies, so that what is deployed cannot change underfoot."""

import shutil
from pathlib import Path

from filmstill.files import is_there, make_folder, sha256_of, storage_errors
from filmstill.registry.resource import new_id
from filmstill.registry.store import Registry
from filmstill.student.artefact import open_artefact

HOLDERS = ("model", "deployment", "provisioned")
"""Kinds of resources whose body names a student."""


def student_folder(registry: Registry, key: str) -> Path:
    """Where a kept student lies."""
    return registry.folder / "students" / key


def keep_student(registry: Registry, folder: Path) -> str:
    """Copy a student into the registry, unless the same one is there; its key.

    Call it in the transaction that adds the resource which names the key: until something names it,
    `tidy_students` would remove it.

    Raises:
        ArtefactError: the folder is missing, incomplete or damaged.
        StorageError: the disk is full or cannot be written to.
    """
    artefact = open_artefact(folder)
    layout = artefact.layout
    key = sha256_of(layout.manifest)[:16]
    target = student_folder(registry, key)
    if is_there(target):
        return key
    make_folder(target.parent)
    partial = target.with_name(f".{key}.{new_id()}")
    try:
        with storage_errors("copy the student to", target):
            partial.mkdir()
            parts = [*layout.contents, *([artefact.glossary] if artefact.glossary else [])]
            for part in (*parts, layout.manifest):
                shutil.copyfile(part, partial / part.name)
            if not target.exists():
                partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return key


def tidy_students(registry: Registry) -> None:
    """Remove the kept students that no model and no deployment names any more."""
    with registry.transaction():
        bodies = [item.body for kind in HOLDERS for item in registry.all(kind)]
        bodies += [item.body for item in registry.all("evaluation", ("InProgress", "Stopping"))]
        named = {body.get("student") for body in bodies}
        named |= {(body.get("update") or {}).get("student") for body in bodies}
        folder = registry.folder / "students"
        for path in folder.iterdir() if is_there(folder) else ():
            if path.name not in named:  # copies that a crash cut short among them
                shutil.rmtree(path, ignore_errors=True)
