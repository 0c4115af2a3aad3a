"""The state of a training run on disk, replaced whole after every epoch."""

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from filmstill.errors import TrainingError
from filmstill.files import replacing, storage_errors


@dataclass(slots=True)
class Checkpoint:
    """All that is needed to go on after an epoch as if nothing had happened.

    Random numbers need no state: every epoch seeds its own from the run's seed and its number.

    Attributes:
        run: what the run was started with; a resumed run must agree.
        epoch: how many epochs are done.
        weights: trainable parameters after that epoch.
        optimizer: state of the optimiser.
        best_weights: trainable parameters of the best epoch so far.
        best_epoch: its number, from 1.
        best_error: its mean absolute error on the validation queries.
        history: one dict per epoch, as it is put in the manifest.
    """

    run: dict[str, Any]
    epoch: int
    weights: dict[str, Tensor]
    optimizer: dict[str, Any]
    best_weights: dict[str, Tensor]
    best_epoch: int
    best_error: float
    history: list[dict[str, float]]


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write the state atomically.

    Raises:
        StorageError: the disk is full or the folder cannot be written to.
    """
    # Through memory, since torch reports a full disk as a RuntimeError without a reason.
    buffer = io.BytesIO()
    torch.save({name: getattr(checkpoint, name) for name in Checkpoint.__slots__}, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(path: Path, run: dict[str, Any]) -> Checkpoint:
    """Read the state of a run that was started with the same data and settings.

    Raises:
        TrainingError: the file is damaged, or the run was started with something else.
        StorageError: it cannot be read.
    """
    with storage_errors("read", path):
        content = path.read_bytes()
    try:
        checkpoint = Checkpoint(**torch.load(io.BytesIO(content), weights_only=True))
    except (
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        raise TrainingError(
            f"{path}: the training state is damaged; run again without --resume"
        ) from error
    changed = sorted(key for key in run if checkpoint.run.get(key) != run[key])
    if changed:
        raise TrainingError(
            f"{path.parent.parent}: cannot resume, because {', '.join(changed)} changed since the "
            f"run was started; run again without --resume to start over"
        )
    return checkpoint
