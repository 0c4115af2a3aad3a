"""Where Filmstill keeps its state."""

import os
from pathlib import Path


def home() -> Path:
    """Where state lives: `FILMSTILL_HOME`, by default `~/.filmstill`."""
    return Path(os.environ.get("FILMSTILL_HOME") or "~/.filmstill").expanduser()


def registry_path(folder: Path) -> Path:
    """The file of the registry in a folder of state."""
    return folder / "registry.sqlite"
