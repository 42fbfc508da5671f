"""Datasets that are whole or not there at all, and replace nothing but their like.

And which files there are to read in one, or in a plain folder.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from callkit.errors import ParquetError
from callkit.parquet.months import KEY, NEVER_STARTED, PART

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["files_at", "replaceable_folder", "replacing_folder"]

_MONTH = re.compile(rf"{KEY}=([0-9]+-[0-9]{{2}}|{NEVER_STARTED})")
_PARQUET = ".parquet"
_ALSO_PARQUET = (".parq", ".pq")


def files_at(path: Path) -> list[Path]:
    """List the files to read: of a dataset month by month, or all Parquet of a plain folder.

    What other tools leave beside their data begins with a dot or an underscore, and is no data.
    Anything else in a dataset is refused, and in a plain folder what may hold calls: who passes
    over a file may lose calls, and who reads a copy of a month has them twice.

    Raises
    ------
    ParquetError
        As said, or the folder cannot be read, or has no Parquet.
    """
    try:
        if not path.is_dir():
            return [path]
        entries = _shown(path)
        by_month = any(entry.name.startswith(f"{KEY}=") for entry in entries)
        files = _in_months(path, entries) if by_month else _in_plain(path, entries)
    except OSError as error:
        raise ParquetError(f"{str(error.filename)!r} cannot be read: {error.strerror}") from error
    if not files:
        raise ParquetError(f"{str(path)!r} is a folder without Parquet files")
    return files


def _shown(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))


def _in_months(folder: Path, entries: list[Path]) -> list[Path]:
    for entry in entries:
        if not _MONTH.fullmatch(entry.name):
            raise ParquetError(
                f"{str(folder)!r} is a dataset by month and holds {entry.name!r}, which is no "
                f"month of it: those are named {KEY}=YYYY-MM, or {KEY}={NEVER_STARTED}"
            )
    return [file for month in entries for file in _shown(month)]


def _in_plain(folder: Path, entries: list[Path]) -> list[Path]:
    for entry in entries:
        if entry.is_dir():
            raise ParquetError(
                f"{str(folder)!r} holds the folder {entry.name!r}, which would not be read: move "
                "it elsewhere, or its files up"
            )
        if entry.suffix.lower() in _ALSO_PARQUET:
            raise ParquetError(
                f"{str(folder)!r} holds {entry.name!r}, which would not be read: give it the "
                f"ending {_PARQUET}, or move it elsewhere"
            )
    return [entry for entry in entries if entry.suffix.lower() == _PARQUET]


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, and `path` itself to it once it is complete.

    A dataset that stood there before stays until then, and its mode stays beyond; if the block
    raises, the temporary folder goes. A link goes on to lead where it led.

    A folder gives way by one renaming, and is followed by another. A process killed just between
    the two leaves both datasets whole under hidden names beside `path`: ``.NAME.….old`` and
    ``.NAME.….part``.

    Raises
    ------
    OSError
        The folder above is missing or cannot be written to, or what is there is no folder.
    ParquetError
        What is there is a folder, but not a dataset of callkit's alone; nothing is removed.
    """
    path = replaceable_folder(path)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    hidden = f".{path.name}.{secrets.token_hex(4)}"
    temporary, old = path.with_name(f"{hidden}.part"), path.with_name(f"{hidden}.old")
    try:
        temporary.mkdir(0o777 if mode is None else 0o700)
        yield temporary
        if mode is not None:
            temporary.chmod(mode)
        _swap(temporary, path, old)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replaceable_folder(path: Path) -> Path:
    """Follow `path` to where a dataset would be written, and see that nothing else is lost there.

    Raises
    ------
    OSError, ParquetError
        As for :func:`replacing_folder`.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "A path cannot hold a NUL character", str(path))
    path = Path(os.path.realpath(path))
    if not path.exists():
        return path
    for foreign in _foreign(path):
        raise ParquetError(
            f"{str(path)!r} is no dataset of callkit's alone, and would be replaced whole: it "
            f"holds {str(foreign.relative_to(path))!r}; move that, or write to another folder"
        )
    return path


def _swap(temporary: Path, path: Path, old: Path) -> None:
    if not path.exists():
        temporary.rename(path)
        return
    replaceable_folder(path)  # much may have come there in the meantime
    try:
        path.rename(old)
        temporary.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    try:
        shutil.rmtree(old)
    except OSError as error:
        raise ParquetError(
            f"{str(path)!r} is written, but what was there before cannot be removed and is left as "
            f"{old.name!r} beside it: {error.strerror}"
        ) from error


def _foreign(folder: Path) -> Iterator[Path]:
    """Find what callkit has not written, if anything."""
    for month in folder.iterdir():
        if month.is_symlink() or not month.is_dir() or not _MONTH.fullmatch(month.name):
            yield month
        else:
            yield from (file for file in month.iterdir() if not _is_ours(file))


def _is_ours(file: Path) -> bool:
    if file.name != PART or not file.is_file():
        return False
    try:
        return b"callkit" in (pq.read_metadata(file).metadata or {})
    except pa.ArrowException:
        return False
