"""Partitions: the files of a folder, each with the file that is made of it."""

from dataclasses import dataclass
from pathlib import Path

from filmstill.data.parquet import SUFFIX
from filmstill.errors import InputError
from filmstill.files import is_there, storage_errors

KINDS = (".jsonl", ".txt", SUFFIX)
_BESIDE = (".tags.jsonl", ".rejects.jsonl")  # what lies beside a file of queries


@dataclass(frozen=True, slots=True)
class Partition:
    """One file of queries, and the file that is made of it.

    Attributes:
        source: the file of queries.
        out: what is made of it; where it is there, the partition is done.
    """

    source: Path
    out: Path

    @property
    def done(self) -> bool:
        """Whether the file that is made of it is there; such files appear whole or not at all."""
        return is_there(self.out)


def partitions(source: Path, out: Path, *, kind: str | None = None) -> list[Partition]:
    """The partitions of a folder, by name; a single file is one partition.

    Args:
        source: a folder of .jsonl, .txt and .parquet files, or one such file.
        out: a folder where `source` is one, else a file.
        kind: ending of what is made; None for that of the source, and .jsonl for plain text.

    Raises:
        InputError: there is no such file in the folder, or two would become the same.
        StorageError: the folder cannot be read.
    """
    with storage_errors("read", source):
        if not source.is_dir():
            return [Partition(source, out)]
        files = sorted(
            path
            for path in source.iterdir()
            if path.suffix in KINDS and not path.name.endswith(_BESIDE)
        )
    if not files:
        raise InputError(f"{source}: there is no file of queries in it ({', '.join(KINDS)})")
    found: dict[Path, Partition] = {}
    for path in files:
        partition = Partition(path, out / f"{path.stem}{kind or _kind(path)}")
        other = found.setdefault(partition.out, partition)
        if other != partition:
            raise InputError(
                f"{source}: {other.source.name} and {path.name} would both become "
                f"{partition.out.name}; rename one"
            )
    return list(found.values())


def _kind(path: Path) -> str:
    return SUFFIX if path.suffix == SUFFIX else ".jsonl"
