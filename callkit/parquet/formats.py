"""The formats that calls are exported to: where each goes, how it is written, and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from callkit.errors import ParquetError
from callkit.parquet.months import month_files
from callkit.parquet.places import (
    check_folder_writable,
    check_writable,
    writing,
    writing_folder,
)
from callkit.parquet.reading import read_parquet
from callkit.parquet.text import csv_file, json_lines, read_csv, read_json_lines
from callkit.parquet.writers import parquet_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from callkit.parquet.writers import Attributes, Write

__all__ = ["ENDINGS", "Format", "FormatName", "format_named"]

FormatName: TypeAlias = Literal["parquet", "csv", "jsonl"]
_SPREADSHEETS = (".xlsx", ".xls", ".ods")
ENDINGS = tuple(f".{name}" for name in get_args(FormatName))


class Format(NamedTuple):
    """How calls get to where they are kept, and back.

    ``check`` refuses a place early; ``place`` gives a temporary one that takes its name at the end;
    ``written`` gives a function there that takes one table after the other; ``read`` makes a frame
    of what it wrote.
    """

    check: Callable[[Path], None]
    place: Callable[[Path], AbstractContextManager[Path]]
    written: Callable[[Path, pa.Schema, Attributes], AbstractContextManager[Write]]
    read: Callable[[Path, pa.Schema], pd.DataFrame]


def format_named(name: FormatName, path: Path, *, by_month: bool) -> Format:
    """Choose a format, and see that `path` does not promise another, or none of callkit's."""
    if name not in _FILES:
        raise ValueError(f"format must be {', '.join(map(repr, _FILES))}, not {name!r}")
    if by_month and name != "parquet":
        raise ValueError(f"by_month is for Parquet, not for format={name!r}")
    ending = path.suffix.lower()
    if ending in _SPREADSHEETS:
        raise ParquetError(
            f"{str(path)!r} is named like a workbook: callkit writes .parquet, .csv and .jsonl, "
            "and the documentation (docs/parquet.md) has a recipe for Excel"
        )
    if ending in ENDINGS and ending != f".{name}":
        raise ParquetError(
            f"{str(path)!r} would hold {name}: say format={ending[1:]!r}, or name it otherwise"
        )
    return _MONTHS if by_month else _FILES[name]


def _read_parquet(path: Path, schema: pa.Schema) -> pd.DataFrame:
    return read_parquet(path, columns=schema.names)


_FILES: dict[str, Format] = {
    "parquet": Format(check_writable, writing, parquet_file, _read_parquet),
    "csv": Format(check_writable, writing, csv_file, read_csv),
    "jsonl": Format(check_writable, writing, json_lines, read_json_lines),
}
_MONTHS = Format(check_folder_writable, writing_folder, month_files, _read_parquet)
