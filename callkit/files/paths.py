"""Where files go: replaced whole or not at all, and never over what an export reads or keeps."""

import errno
import os
import secrets
import shutil
import stat
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa

from callkit.errors import ParquetError
from callkit.normaliser.casts import failures_frame

_SQLITES_OWN = ("", "-wal", "-shm", "-journal")  # https://www.sqlite.org/tempfiles.html


@contextmanager
def file_errors(
    path: Path,
    what: str = "cannot be written",
    errors: tuple[type[Exception], ...] = (OSError, pa.ArrowException),
) -> Iterator[None]:
    """Turn errors into a ParquetError that names `path` and describes what is wrong."""
    try:
        yield
    except errors as error:
        raise ParquetError(f"{str(path)!r} {what}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Return the first line of an error message."""
    return (
        getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
    )


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; it becomes `path` when all is written."""
    with file_errors(path), replacing(path) as part:
        yield part


def check_writable(path: Path) -> None:
    """Refuse a place that a file could never take, long before there is something to write."""
    with file_errors(path):
        _replaceable(path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, and `path` itself to the file once it is complete.

    An existing file stays until then, and keeps its mode; if the block raises, the temporary file
    goes. Links are followed.
    """
    path = _replaceable(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        temporary.touch(exist_ok=False)
        mode = stat.S_IMODE((path if path.exists() else temporary).stat().st_mode)
        temporary.chmod(0o600)  # if this process is killed, it stays, and may name people
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # the bytes before the name: a power cut leaves no hollow file
        temporary.chmod(mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def set_aside(part: Path, holder: object) -> Path:
    """Keep an unfinished file or folder under another hidden name while `holder` exists."""
    kept = part.rename(part.with_name(f"{part.name}.interrupted"))
    weakref.finalize(holder, _remove, kept)
    return kept


def resolved(path: Path) -> Path:
    """Follow links to where something would be written, existing or not."""
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "A path cannot hold a NUL character", str(path))
    return Path(os.path.realpath(path))


def holds(place: Path, path: Path) -> bool:
    """Whether `path` is `place` or lies within, wherever links lead; neither need be there."""
    try:
        inner = resolved(path)
        return resolved(place) in (inner, *inner.parents)
    except OSError:
        return False


def check_cache_apart(cache: Path, written: Iterable[Path]) -> None:
    """Refuse to write over a cache, or what SQLite keeps beside it."""
    if "\0" in str(cache):
        return  # opening it raises the error
    files = [Path(f"{resolved(cache)}{end}") for end in _SQLITES_OWN]
    for place in written:
        if any(holds(place, file) for file in files):
            raise ParquetError(
                f"Refusing to write {str(place)!r}: it would replace the cache {str(cache)!r} "
                "or a file that belongs to it. Export to another name or keep the cache "
                "elsewhere"
            )


def check_list_apart(source: Path, target: Path, beside: Path) -> None:
    """Refuse to replace the very list that is read."""
    for name, place in (("the file", target), ("the failures of the file", beside)):
        if holds(place, source):
            raise ParquetError(
                f"Refusing to replace {str(source)!r}, which is {name} of this export: export "
                "to another file and concatenate the two, or export the whole list again with "
                "cache=…"
            )


def name_beside(target: Path, *, by_month: bool) -> Path:
    """Name the failures file of an export; each format has its own."""
    if target.name in ("", ".."):  # for example the current folder
        target = Path(os.path.realpath(target))
    if by_month:
        return target.parent / f"{target.name}.by-month.failures.csv"
    stem = target.stem if target.suffix == ".parquet" else target.name
    return target.parent / f"{stem}.failures.csv"


def check_beside(beside: Path) -> None:
    """Refuse to replace, or remove, a file of failures that no export has written."""
    check_writable(beside)
    header = ",".join(failures_frame([]).columns).encode()
    with file_errors(beside, "cannot be read"):
        try:
            with beside.open("rb") as file:
                found = file.readline(len(header) + 2).rstrip(b"\r\n")
        except (FileNotFoundError, NotADirectoryError):
            return
    if found != header:
        raise ParquetError(
            f"Refusing to replace {str(beside)!r} with the failures of this export: callkit "
            "did not write that file. Move it or export to another name"
        )


def leave_failures(failures: pd.DataFrame, beside: Path) -> Path | None:
    """Write the failures; without any, remove the file of an earlier export."""
    if failures.empty:
        left = "lists failures of an earlier export; now none failed, but it cannot be removed"
        with file_errors(beside, left):
            beside.unlink(missing_ok=True)
        return None
    with writing(beside) as part:
        failures.to_csv(part, index=False)
    return beside


def _replaceable(path: Path) -> Path:
    """Follow `path` to where a file would be written; it must be a regular file if it exists."""
    path = resolved(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return path


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
