"""Which files may be written: never over what an export reads or keeps, or another program's."""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from callkit.cache.file import SQLITES_OWN
from callkit.errors import ParquetError
from callkit.normaliser.casts import failures_frame
from callkit.parquet_files import opened
from callkit.regular_files import check_regular_or_absent

KEY = "month"
NEVER_STARTED = "none"
PART = "part-0.parquet"
MONTH = re.compile(rf"{KEY}=([0-9]+-[0-9]{{2}}|{NEVER_STARTED})")
RUN_ID = "run_id"  # the last column of a failures file
_HEADER_AT_MOST = 1_000  # bytes
_LINKS_AT_MOST = 40  # that one follows another: as Linux has it
_OF_STREAMS = (Path("/dev"), Path("/dev/fd"))


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
    message: str = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return message.splitlines()[0]


def months_in(dataset: Path) -> dict[str, Path]:
    """Find the files of a dataset by month, in order; that of calls never started is the last."""
    files = sorted(dataset.glob(f"{KEY}=*/{PART}"))
    return {file.parent.name.removeprefix(f"{KEY}="): file for file in files}


def check_writable(path: Path, *, folder: bool = False) -> Path:
    """Follow `path`; refuse to replace anything but a regular file, or callkit's own dataset."""
    with file_errors(path):
        _check_no_stream(path)
        target = resolved(path)
        if not (folder and target.exists()):
            check_regular_or_absent(target)
            return target
        for foreign in _foreign(target):
            raise ParquetError(
                f"Refusing to replace {str(target)!r}: it contains "
                f"{str(foreign.relative_to(target))!r}, which callkit did not write. Move "
                "that file or write to another folder"
            )
    return target


def resolved(path: Path) -> Path:
    """Follow links to where something would be written, existing or not."""
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "A path cannot contain a NUL character", str(path))
    return Path(os.path.realpath(path))


def _check_no_stream(path: Path) -> None:
    """Refuse names such as /dev/stdout, which lead to whatever a process has open."""
    hop = path
    for _ in range(_LINKS_AT_MOST):
        parent = resolved(hop.parent)
        if parent in _OF_STREAMS or parent.is_relative_to("/proc"):
            raise OSError(
                errno.EINVAL,
                "Expected the name of a file, not of a device or an open stream; callkit export "
                "-o - writes to standard output",
            )
        if not hop.is_symlink():
            return
        hop = hop.parent / hop.readlink()


def holds(place: Path, path: Path) -> bool:
    """Whether `path` is `place` or lies within, wherever links lead; neither need be there."""
    try:
        return resolved(path).is_relative_to(resolved(place))
    except OSError:
        return False


def check_cache_apart(cache: Path, written: Iterable[Path]) -> None:
    """Refuse to write over a cache, or what SQLite keeps beside it."""
    if "\0" in str(cache):
        return  # opening it raises the error
    files = [Path(f"{resolved(cache)}{end}") for end in SQLITES_OWN]
    for place in written:
        if any(holds(place, file) for file in files):
            raise ParquetError(
                f"Refusing to write {str(place)!r}: it would replace the cache {str(cache)!r} "
                "or a file that belongs to it. Export to another file or keep the cache "
                "elsewhere"
            )


def check_list_apart(source: Path, target: Path, beside: Path) -> None:
    """Refuse to replace the very list that is read."""
    for name, place in (("the output file", target), ("the failures file", beside)):
        if holds(place, source):
            raise ParquetError(
                f"Refusing to replace {str(source)!r}, which is {name} of this export: export "
                "to another file and concatenate the two, or export the whole list again with "
                "cache=…"
            )


def check_files_apart(sources: Iterable[Path], target: Path, beside: Path) -> None:
    """Refuse to replace one of the files that are read."""
    for source in sources:
        if holds(target, source) or holds(beside, source):
            raise ParquetError(
                f"Refusing to replace {str(source)!r}, which this export reads: export to another "
                "file, outside the folder that is read"
            )


def check_beside(beside: Path) -> None:
    """Refuse to replace, or remove, a file of failures that no export has written."""
    check_writable(beside)
    if beside.exists() and not is_failures_file(beside):
        raise ParquetError(
            f"Refusing to replace {str(beside)!r} with the failures of this export: callkit "
            "did not write that file. Move it or export to another file"
        )


def check_no_failures(target: Path) -> None:
    """Refuse to replace what lists the failures of another output."""
    if is_failures_file(target):
        raise ParquetError(
            f"Refusing to replace {str(target)!r}: it lists the failures of an export. Export to "
            "another file"
        )


def is_failures_file(path: Path) -> bool:
    """Whether there is a CSV of failures, of this version or an earlier one.

    A spreadsheet may have saved it, with a byte order mark, quotes or another separator.
    """
    if not path.is_file():
        return False
    header = [*failures_frame([]).columns, RUN_ID]
    of_0_1 = header[: header.index("day")]
    with file_errors(path, "cannot be read"), path.open("rb") as file:
        line = file.readline(_HEADER_AT_MOST).rstrip(b"\r\n").decode("utf-8-sig", "replace")
    found = re.split("[,;\t]", line.replace('"', ""))
    return found in (header, header[:-1], of_0_1)


def _foreign(folder: Path) -> Iterator[Path]:
    for month in folder.iterdir():
        if month.is_symlink() or not month.is_dir() or not MONTH.fullmatch(month.name):
            yield month
        else:
            yield from (file for file in month.iterdir() if not _is_ours(file))


def _is_ours(file: Path) -> bool:
    if file.name != PART or not file.is_file():
        return False
    try:
        with opened(file) as parquet:
            return b"callkit" in (parquet.metadata.metadata or {})
    except (OSError, pa.ArrowException):
        return False
