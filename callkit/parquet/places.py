"""Where files are written and read, and what is wrong there, in one sentence."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from callkit.errors import ParquetError
from callkit.files import replaceable, replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["check_writable", "first_line", "readable", "writing"]


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; it becomes `path` when all is written."""
    try:
        with replacing(path) as part:
            yield part
    except (OSError, pa.ArrowException) as error:
        raise ParquetError(f"{str(path)!r} cannot be written: {_cause(error)}") from error


def check_writable(path: Path) -> None:
    """Refuse a place that a file could never take, long before there is something to write."""
    try:
        replaceable(path)
    except OSError as error:
        raise ParquetError(f"{str(path)!r} cannot be written: {_cause(error)}") from error


@contextmanager
def readable(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file."""
    if "\0" in str(path):
        raise ParquetError(f"{str(path)!r} cannot be read: a path cannot hold a NUL character")
    try:
        with path.open("rb") as raw, pq.ParquetFile(raw) as file:
            yield file
    except OSError as error:
        raise ParquetError(f"{str(path)!r} cannot be read: {_cause(error)}") from error
    except pa.ArrowException as error:
        raise ParquetError(f"{str(path)!r} is no Parquet file: {_cause(error)}") from error


def first_line(error: object) -> str:
    """Shorten what a library says to its first line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _cause(error: BaseException) -> str:
    return getattr(error, "strerror", None) or first_line(error)
