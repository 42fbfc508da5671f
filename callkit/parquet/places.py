"""Where files are written and read, and what is wrong there, in one sentence."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from callkit.errors import ParquetError
from callkit.files import replaceable, replacing
from callkit.parquet.folders import replaceable_folder, replacing_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "check_folder_writable",
    "check_writable",
    "first_line",
    "readable",
    "writing",
    "writing_folder",
]


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; it becomes `path` when all is written."""
    with _told(path, "written"), replacing(path) as part:
        yield part


@contextmanager
def writing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to write to; it becomes `path` when all is written."""
    with _told(path, "written"), replacing_folder(path) as part:
        yield part


def check_writable(path: Path) -> None:
    """Refuse a place that a file could never take, long before there is something to write."""
    with _told(path, "written"):
        replaceable(path)


def check_folder_writable(path: Path) -> None:
    """Refuse a place that a dataset could never take, as :func:`check_writable` does for files."""
    with _told(path, "written"):
        replaceable_folder(path)


@contextmanager
def readable(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; its pages are held to their checksums, where it has any."""
    if "\0" in str(path):
        raise ParquetError(f"{str(path)!r} cannot be read: a path cannot hold a NUL character")
    try:
        with path.open("rb") as raw, pq.ParquetFile(raw, page_checksum_verification=True) as file:
            yield file
    except OSError as error:
        raise ParquetError(f"{str(path)!r} cannot be read: {_cause(error)}") from error
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise ParquetError(f"{str(path)!r} is no Parquet file: {_cause(error)}") from error


def first_line(error: object) -> str:
    """Shorten what a library says to its first line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def _told(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise ParquetError(f"{str(path)!r} cannot be {done}: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    return getattr(error, "strerror", None) or first_line(error)
