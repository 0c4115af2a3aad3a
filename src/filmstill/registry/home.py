"""Where Filmstill keeps its state."""

import os
from pathlib import Path

from filmstill.files import is_there, make_folder, storage_errors


def home() -> Path:
    """Where state lives: `FILMSTILL_HOME`, by default `~/.filmstill`."""
    return Path(os.environ.get("FILMSTILL_HOME") or "~/.filmstill").expanduser()


def registry_path(folder: Path) -> Path:
    """The file of the registry in a folder of state."""
    return folder / "registry.sqlite"


def make_home(folder: Path) -> None:
    """Make a folder of state, for its owner alone: queries may be nobody else's business.

    Raises:
        StorageError: it cannot be made or written to.
    """
    if not is_there(folder):
        with storage_errors("make folder", folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_folder(folder)
