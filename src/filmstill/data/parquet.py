"""Parquet files of queries: a column `query`, perhaps `reference`, and tags beside them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filmstill.errors import DataError, require

SUFFIX = ".parquet"
_ROWS = 4096  # read at a time


def parquet_records(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file as records, read batch by batch.

    Raises:
        DataError: the file is no Parquet file, or has no column `query`.
        MissingExtraError: pyarrow is not installed.
    """
    parquet: Any = require("pyarrow.parquet", "ray", f"reading {path}")
    with _errors(path), parquet.ParquetFile(path) as file:
        if "query" not in file.schema_arrow.names:
            raise DataError(f"{path}: there is no column 'query'")
        for batch in file.iter_batches(_ROWS):
            for row in batch.to_pylist():
                yield {key: value for key, value in row.items() if value is not None}


def write_parquet(path: Path, batches: Iterable[list[dict[str, Any]]], fields: list[str]) -> None:
    """Write batches of rows: the texts `query` and `error`, and numbers in the fields.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    arrow: Any = require("pyarrow", "ray", f"writing {path}")
    parquet: Any = require("pyarrow.parquet", "ray", f"writing {path}")
    numbers = [(name, arrow.float64()) for name in fields]
    schema = arrow.schema([("query", arrow.string()), *numbers, ("error", arrow.string())])
    with parquet.ParquetWriter(path, schema) as writer:
        for batch in batches:
            writer.write_table(arrow.Table.from_pylist(batch, schema=schema))


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except pyarrow.ArrowInvalid as error:
        raise DataError(f"{path}: not a Parquet file ({error})") from error
