"""The student's folder: which files it has, and a manifest that is written last.

A folder without a manifest is incomplete. The manifest holds the hash of every other file, so that
damage is noticed. Nothing in the folder can be executed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filmstill.errors import ArtefactError, StorageError, TaskError
from filmstill.files import is_there, sha256_of, write_text
from filmstill.student.decode import Decoder
from filmstill.student.ngrams import NgramModel
from filmstill.task import Task

FORMAT = "filmstill-student"
FORMAT_VERSION = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each file of a student's folder lies."""

    folder: Path

    @property
    def model(self) -> Path:
        """Quantised network: token ids in, weights out."""
        return self.folder / "model.onnx"

    @property
    def tokenizer(self) -> Path:
        """Tokenizer of the base model, in the `tokenizers` library's own format."""
        return self.folder / "tokenizer.json"

    @property
    def ngrams(self) -> Path:
        """Table of the n-gram model."""
        return self.folder / "ngrams.npy"

    @property
    def task(self) -> Path:
        """Task the student was trained for."""
        return self.folder / "task.toml"

    @property
    def card(self) -> Path:
        """Description for people: data, scores, limits."""
        return self.folder / "card.md"

    @property
    def manifest(self) -> Path:
        """Facts for programs; there only when the folder is complete."""
        return self.folder / "manifest.json"

    @property
    def glossary(self) -> Path:
        """Words of other languages in English; only a student that reads through one has it."""
        return self.folder / "glossary.tsv.gz"

    @property
    def contents(self) -> tuple[Path, ...]:
        """Every file that is there in any student, but the manifest."""
        return self.model, self.ngrams, self.tokenizer, self.task, self.card

    @property
    def training(self) -> Path:
        """Folder of the training state; gone when training is done."""
        return self.folder / ".training"

    @property
    def state(self) -> Path:
        """State after the last finished epoch, in the training folder."""
        return self.training / "state.pt"

    @property
    def making(self) -> "Layout":
        """The student under way; the one that stands here stays until that is done."""
        return Layout(self.training / "student")


@dataclass(frozen=True, slots=True)
class Confidence:
    """Logistic curve from the raw lead (highest minus second weight) to a probability."""

    slope: float
    intercept: float


@dataclass(frozen=True, slots=True)
class Artefact:
    """A complete, undamaged student folder.

    Attributes:
        layout: its files.
        task: the task it was trained for.
        max_tokens: longest token sequence the student was trained on; longer queries are cut.
        pad_id: token id that fills up short queries of a batch.
        share: how much of the raw weights is the network's, 0 to 1; the rest is the n-gram model's.
        ngrams: the n-gram model.
        glossary: file that queries are read through, or None.
        decoder: how raw weights become weights on the grid.
        confidence: how the raw lead becomes a confidence.
        manifest: the manifest's content.
    """

    layout: Layout
    task: Task
    max_tokens: int
    pad_id: int
    share: float
    ngrams: NgramModel
    glossary: Path | None
    decoder: Decoder
    confidence: Confidence
    manifest: dict[str, Any]


def write_manifest(layout: Layout, task: Task, facts: dict[str, Any]) -> None:
    """Complete a folder: write the manifest with the format, the task, `facts` and all hashes.

    Raises:
        StorageError: a file cannot be read or written.
    """
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "task": {
            "name": task.name,
            "channels": list(task.channel_names),
            "grid_step": task.grid_step,
            "fingerprint": task.fingerprint,
        },
        **facts,
        "files": {path.name: sha256_of(path) for path in _present(layout)},
    }
    write_text(layout.manifest, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def open_artefact(folder: str | Path, *, task: Task | None = None) -> Artefact:
    """Read a student's folder and check that it is whole.

    Args:
        folder: the student's folder.
        task: refuse a student made for other channels or another grid; None takes any.

    Raises:
        ArtefactError: missing, incomplete, of an unknown format, damaged or for another task.
    """
    layout = Layout(Path(folder))
    manifest = _manifest(layout)
    glossary = layout.glossary if layout.glossary.name in manifest["files"] else None
    for path in (*layout.contents, *([glossary] if glossary else [])):
        if not path.is_file():
            raise ArtefactError(f"{layout.folder}: {path.name} is missing; distil or copy it again")
        if sha256_of(path) != manifest["files"].get(path.name):
            raise ArtefactError(
                f"{path}: the file is damaged or was changed (its hash is not the manifest's); "
                f"distil or copy it again"
            )
    try:
        own = Task.load(layout.task)
    except TaskError as error:
        raise ArtefactError(f"{layout.folder}: {error}") from error
    if task is not None and task.fingerprint != own.fingerprint:
        raise ArtefactError(
            f"{layout.folder}: this student weighs {', '.join(own.channel_names)} in steps of "
            f"{own.grid_step:g} (task {own.name!r}), not {', '.join(task.channel_names)} in steps "
            f"of {task.grid_step:g} (task {task.name!r}); use its own task or another student"
        )
    try:
        return Artefact(
            layout,
            own,
            max_tokens=int(manifest["model"]["max_tokens"]),
            pad_id=int(manifest["model"]["pad_id"]),
            share=float(manifest["model"]["share"]),
            ngrams=NgramModel.load(layout.ngrams, manifest["ngrams"], len(own.channels)),
            glossary=glossary,
            decoder=Decoder.from_json(manifest["decoder"], own.steps),
            confidence=Confidence(**manifest["confidence"]),
            manifest=manifest,
        )
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ArtefactError(
            f"{layout.manifest}: damaged or changed by hand ({error}); distil or copy it again"
        ) from error


def _present(layout: Layout) -> list[Path]:
    return [*layout.contents, *([layout.glossary] if layout.glossary.is_file() else [])]


def _manifest(layout: Layout) -> dict[str, Any]:
    folder, path = layout.folder, layout.manifest
    try:
        found = is_there(folder)
    except StorageError as error:
        raise ArtefactError(str(error)) from error
    if not found or not folder.is_dir():
        raise ArtefactError(f"{folder}: there is no such folder; `filmstill distill` makes one")
    if layout.training.is_dir() and not path.is_file():
        raise ArtefactError(
            f"{folder}: training was not finished; run `filmstill distill` again with --resume"
        )
    if not path.is_file():
        raise ArtefactError(f"{folder}: not a complete student ({path.name} is missing)")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path}: cannot be read ({error}); distil or copy it again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArtefactError(f"{path}: not the manifest of a Filmstill student")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise ArtefactError(
            f"{path}: format version {manifest.get('format_version')} is not known to this version "
            f"of Filmstill, which reads {FORMAT_VERSION}; upgrade Filmstill or distil again"
        )
    missing = {"task", "model", "ngrams", "decoder", "confidence", "files"} - manifest.keys()
    if missing or not isinstance(manifest["files"], dict):
        raise ArtefactError(f"{path}: incomplete ({', '.join(sorted(missing)) or 'files'})")
    return manifest
