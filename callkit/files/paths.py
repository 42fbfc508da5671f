"""Where files go: replaced whole or not at all, and never over what an export reads or keeps."""

import errno
import os
import re
import secrets
import shutil
import stat
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from callkit.errors import ParquetError
from callkit.normaliser.casts import failures_frame

KEY = "month"
NEVER_STARTED = "none"
PART = "part-0.parquet"
MONTH = re.compile(rf"{KEY}=([0-9]+-[0-9]{{2}}|{NEVER_STARTED})")
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
    message: str = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return message.splitlines()[0]


@contextmanager
def writing(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Give a temporary file, or folder, beside `path`; it takes that name once it is complete.

    An existing one stays until then, and passes on its mode; if the block raises, the temporary one
    is removed. Links are followed. A folder is replaced by two renames: see :func:`to_parquet`.
    """
    target = check_writable(path, folder=folder)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    with file_errors(path):
        try:
            if folder:
                temporary.mkdir()
            else:
                temporary.touch(exist_ok=False)
            usual = stat.S_IMODE(temporary.stat().st_mode)
            mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else usual
            temporary.chmod(usual & ~0o077)  # after a kill it stays, and may name people
            yield temporary
            for part in temporary.glob(f"*/{PART}") if folder else [temporary]:
                _flush(part)
            temporary.chmod(mode)
            check_writable(target, folder=folder)  # much may have come there in the meantime
            if folder and target.exists():
                _swap(temporary, target)
            else:
                temporary.replace(target)
        finally:
            _remove(temporary)


@contextmanager
def updating(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside a dataset, for the months that are to replace those there.

    Once all are complete, each takes its place at once, in order of name; other months stay. If the
    block raises, all stay. A process killed in between leaves every month old or new.
    """
    target = check_writable(path, folder=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    with file_errors(path):
        try:
            temporary.mkdir(mode=0o700)  # after a kill it stays, and may name people
            yield temporary
            parts = sorted(temporary.glob(f"*/{PART}"))
            for part in parts:
                _flush(part)
            check_writable(target, folder=True)  # much may have come there in the meantime
            for part in parts:
                _replace_month(part, target / part.parent.name)
        finally:
            _remove(temporary)


def months_in(dataset: Path) -> dict[str, Path]:
    """Find the files of a dataset by month, in order; that of calls never started is the last."""
    files = sorted(dataset.glob(f"{KEY}=*/{PART}"))
    return {file.parent.name.removeprefix(f"{KEY}="): file for file in files}


def check_writable(path: Path, *, folder: bool = False) -> Path:
    """Follow `path`; refuse to replace anything but a regular file, or callkit's own dataset."""
    with file_errors(path):
        target = resolved(path)
        if folder and target.exists():
            for foreign in _foreign(target):
                raise ParquetError(
                    f"Refusing to replace {str(target)!r}: it contains "
                    f"{str(foreign.relative_to(target))!r}, which callkit did not write. Move "
                    "that file or write to another folder"
                )
        elif target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        elif target.exists() and not target.is_file():
            raise OSError(errno.EINVAL, "Not a regular file", str(target))
    return target


def set_aside(part: Path, holder: object) -> Path:
    """Keep an unfinished file or folder under another hidden name while `holder` exists."""
    kept = part.rename(part.with_name(f"{part.name}.interrupted"))
    weakref.finalize(holder, _remove, kept)
    return kept


def resolved(path: Path) -> Path:
    """Follow links to where something would be written, existing or not."""
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "A path cannot contain a NUL character", str(path))
    return Path(os.path.realpath(path))


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
    files = [Path(f"{resolved(cache)}{end}") for end in _SQLITES_OWN]
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
    header = ",".join(failures_frame([]).columns)
    of_0_1 = header.removesuffix(",day")
    with file_errors(beside, "cannot be read"):
        try:
            with beside.open("rb") as file:
                found = file.readline(len(header) + 2).rstrip(b"\r\n").decode(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return
    if found not in (header, of_0_1):
        raise ParquetError(
            f"Refusing to replace {str(beside)!r} with the failures of this export: callkit "
            "did not write that file. Move it or export to another file"
        )


def leave_failures(failures: pd.DataFrame, beside: Path) -> Path | None:
    """Write the failures; without any, remove the file of an earlier export."""
    if failures.empty:
        left = "lists failures of an earlier export; this one has none. Removing the file failed"
        with file_errors(beside, left):
            beside.unlink(missing_ok=True)
        return None
    with writing(beside) as part:
        failures.to_csv(part, index=False)
    return beside


def _foreign(folder: Path) -> Iterator[Path]:
    for month in folder.iterdir():
        if month.is_symlink() or not month.is_dir() or not MONTH.fullmatch(month.name):
            yield month
        else:
            yield from (file for file in month.iterdir() if not _is_ours(file))


def _is_ours(file: Path) -> bool:
    try:
        return (
            file.name == PART
            and file.is_file()
            and b"callkit" in (pq.read_metadata(file).metadata or {})
        )
    except pa.ArrowException:
        return False


def _flush(part: Path) -> None:
    with part.open("rb+") as file:
        os.fsync(file.fileno())  # bytes before names: a power cut leaves none hollow


def _replace_month(part: Path, month: Path) -> None:
    old = month / PART
    # Windows does not replace a file that is open anywhere.
    with file_errors(old, "cannot be replaced; another program may have it open", (OSError,)):
        month.mkdir(exist_ok=True)
        if old.exists():
            part.chmod(stat.S_IMODE(old.stat().st_mode))
        part.replace(old)


def _swap(temporary: Path, path: Path) -> None:
    old = temporary.with_suffix(".old")
    try:
        path.rename(old)
        temporary.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    left = "was written, but the previous dataset cannot be removed and is left as"
    with file_errors(path, f"{left} {old.name!r} beside it", (OSError,)):
        shutil.rmtree(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
