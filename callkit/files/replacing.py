"""Files and datasets are replaced whole or not at all; calls and their failures together.

What is new is written to a hidden folder beside the output, ``.calls.parquet.….part``, which its
process locks. To replace calls and failures, that folder is renamed ``.calls.parquet.replacing``
once all is in it. That counts: from then on each file is moved into place, and the folder goes. If
the process is killed meanwhile, the folder stays; no reader takes the files at the output for a
pair (:mod:`callkit.pairs`), and the next export moves the rest before it does anything else. It
also removes parts of processes that were killed: nobody locks those.
"""

import json
import os
import re
import secrets
import shutil
import stat
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from callkit.errors import ParquetError
from callkit.files.locks import FolderLock
from callkit.files.paths import (
    PART,
    check_beside,
    check_writable,
    file_errors,
    is_failures_file,
    resolved,
)
from callkit.pairs import CALLS, FAILURES, MONTHS, folder_of_replacement

_NOTE = "replacing.json"  # says where the failures go, and that callkit made the folder
_OLD = "old"
_LISTED = "listed"
_NOT_REPLACED = (
    "cannot be replaced (another program may have it open); the next export to it completes this"
)
_WAIT, _WAITS = 0.05, 200  # seconds; another process removes an old dataset, say


@contextmanager
def writing(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Give a temporary file, or folder, beside `path`; it takes that name once it is complete.

    An existing one stays until then, and passes on its mode; if the block raises, the temporary one
    is removed. Links are followed.
    """
    with replacing(path, folder=folder) as new:
        yield new.calls()


@contextmanager
def replacing(
    path: Path, failures: Path | None = None, *, folder: bool = False
) -> Iterator["Replacement"]:
    """Give a place for what is to replace a file or dataset, and the failures file of an export.

    Both are replaced when the block ends, or neither, if it raises. What a killed process has begun
    there is completed first.
    """
    target = check_writable(path, folder=folder)
    with file_errors(path):
        _complete(target)
        _remove_dead_parts(target)
        new = Replacement(target, failures, folder=folder)
        try:
            new.open()
            yield new
            new.replace()
        finally:
            new.close()


class Replacement:
    """A folder for what is to replace an output, which its process holds a lock on."""

    def __init__(self, target: Path, failures: Path | None, *, folder: bool) -> None:
        # A letter first: a spreadsheet takes 12345678 or 1234e567 for numbers, and rounds them.
        self.run_id = f"a{secrets.token_hex(8)[1:]}"
        self._target, self._is_folder = target, folder
        self._beside = None if failures is None else resolved(failures)
        self._place = target.with_name(f".{target.name}.{self.run_id}.part")
        self._lock: FolderLock | None = None
        self._usual: dict[Path, int] = {}  # modes
        self._pid = os.getpid()
        self._kept = False

    def open(self) -> None:
        while self._lock is None:
            self._place.mkdir(mode=0o700)  # after a kill it stays, and may name people
            with (
                suppress(FileNotFoundError),  # another export has just taken it for a dead part
                ExitStack() as unless_held,
            ):
                lock = unless_held.enter_context(closing(FolderLock(self._place)))
                lock.acquire(blocking=True)
                if lock.is_on(self._place):
                    unless_held.pop_all()
                    self._lock = lock
        note = {"run_id": self.run_id, "failures": None}
        if self._beside is not None:
            is_beside = self._beside.parent == self._target.parent
            note["failures"] = self._beside.name if is_beside else str(self._beside)
        (self._place / _NOTE).write_text(json.dumps(note), encoding="utf-8")

    def calls(self) -> Path:
        """Make the file, or folder, that is to take the output's name."""
        return self._made(CALLS, folder=self._is_folder)

    def failures(self) -> Path:
        """Make the failures file; left empty, it states that nothing failed."""
        return self._made(FAILURES, folder=False)

    def months(self) -> Path:
        """Make a folder for months that are to replace those of a dataset; others stay."""
        return self._made(MONTHS, folder=True)

    def listed(self) -> Path:
        """Make a folder for a dataset that replaces nothing."""
        return self._made(_LISTED, folder=True)

    def keep_for(self, holder: object) -> None:
        """Keep what was written, finished or not, while `holder` exists."""
        self._kept = True
        weakref.finalize(holder, self._remove)

    def replace(self) -> None:
        """Put what was written into place."""
        if self._usual.pop(self._place / _LISTED, None) is not None:
            shutil.rmtree(self._place / _LISTED)
        self._finish()
        check_writable(self._target, folder=self._is_folder)  # much may have come there meanwhile
        if self._beside is None and not self._is_folder:
            _complete(self._target)
            (self._place / CALLS).replace(self._target)
            return
        place = folder_of_replacement(self._target)
        try:
            self._publish(place)
            _move_into_place(place, self._target)
        except BaseException:
            if self._is_published(place):  # an interrupt must not leave half a pair
                _move_into_place(place, self._target)
            raise

    def close(self) -> None:
        if not self._kept:
            self._remove()

    def _made(self, name: str, *, folder: bool) -> Path:
        path = self._place / name
        if folder:
            path.mkdir()
        else:
            path.touch(exist_ok=False)
        self._usual[path] = stat.S_IMODE(path.stat().st_mode)
        path.chmod(self._usual[path] & ~0o077)
        return path

    def _finish(self) -> None:
        """Have all bytes on the disk, and give each file the mode of the one it replaces."""
        replaced = {self._place / CALLS: self._target, self._place / FAILURES: self._beside}
        for path, usual in self._usual.items():
            parts = [*path.rglob(PART)]
            for file in parts or [path]:
                _flush(file)
            old = replaced.get(path)
            if old is not None:
                path.chmod(_mode(old, usual))
            if path.name == MONTHS:
                for part in parts:
                    part.chmod(_mode(self._target / part.parent.name / PART, usual))
        _flush(self._place / _NOTE)
        _flush(self._place)

    def _publish(self, place: Path) -> None:
        """Take the name that counts, once no other process has it."""
        while True:
            _complete(self._target)
            try:
                self._place.rename(place)
            except OSError:
                if not place.exists():
                    raise
            else:
                break
        _flush(place.parent)

    def _is_published(self, place: Path) -> bool:
        try:
            return bool(_noted(place).get("run_id") == self.run_id)
        except OSError:
            return False

    def _remove(self) -> None:
        if os.getpid() == self._pid and self._lock is not None:  # else this is a forked child
            shutil.rmtree(self._place, ignore_errors=True)
            self._lock.close()


def complete(path: Path) -> None:
    """Move into place what a killed export has not, and wait for one that is doing so right now."""
    with file_errors(path):
        _complete(resolved(path))


def _complete(target: Path) -> None:
    place = folder_of_replacement(target)
    for _ in range(_WAITS):
        if not os.path.lexists(place):
            return
        _check_own(place)
        with suppress(FileNotFoundError), closing(FolderLock(place)) as lock:
            if not lock.acquire(blocking=False):
                time.sleep(_WAIT)
            elif lock.is_on(place):
                _move_into_place(place, target)
    raise ParquetError(
        f"Another process is replacing {str(target)!r} right now: export again when it has ended"
    )


def _remove_dead_parts(target: Path) -> None:
    """Remove what killed processes have left; those that live hold a lock."""
    pattern = re.compile(re.escape(f".{target.name}.") + r"[0-9a-f]{16}\.part")
    with suppress(OSError):  # the folder may be one that cannot be listed
        for part in [each for each in target.parent.iterdir() if pattern.fullmatch(each.name)]:
            with suppress(OSError), closing(FolderLock(part)) as lock:
                if lock.acquire(blocking=False) and lock.held and not part.is_symlink():
                    shutil.rmtree(part, ignore_errors=True)


def _check_own(place: Path) -> None:
    """Refuse to move anything from a folder that callkit has not made for this user."""
    known = {_NOTE, CALLS, MONTHS, FAILURES, _OLD}
    with suppress(FileNotFoundError):  # it has just gone
        found = place.lstat()
        is_own = stat.S_ISDIR(found.st_mode) and (
            not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
        )
        names = set(os.listdir(place)) if is_own else set()  # noqa: PTH208
        if not is_own or names - known or (names and _NOTE not in names):
            raise ParquetError(
                f"Refusing to use {str(place)!r}, which callkit did not make for this user: move "
                "it elsewhere, or export to another file"
            )


def _noted(place: Path) -> dict[str, Any]:
    try:
        note = json.loads((place / _NOTE).read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        note = None
    if not isinstance(note, dict) or not isinstance(note.get("failures"), str | None):
        raise ParquetError(
            f"{str(place / _NOTE)!r} is damaged: move the files of that folder to their places, "
            "and remove it"
        )
    return note


def _move_into_place(place: Path, target: Path) -> None:
    """Do what is left to do; each step can be done again."""
    with file_errors(target, _NOT_REPLACED, (OSError,)):
        try:
            failures = _noted(place).get("failures")
        except FileNotFoundError:  # all is done but for the folder
            _remove_empty(place)
            return
        _move_calls(place, target)
        _move_months(place / MONTHS, target)
    if failures is not None:
        beside = target.parent / failures
        with file_errors(beside, _NOT_REPLACED, (OSError,)):
            _move_failures(place / FAILURES, beside)
    _flush(target.parent)
    left = f"was written, but the previous dataset cannot be removed, and is left in {place.name!r}"
    with file_errors(target, left, (OSError,)):
        if (place / _OLD).exists():
            shutil.rmtree(place / _OLD)
        (place / _NOTE).unlink()
        _remove_empty(place)


def _move_calls(place: Path, target: Path) -> None:
    new = place / CALLS
    if not new.exists():
        return
    if new.is_dir() and target.exists():
        target.rename(place / _OLD)
    new.replace(target)


def _move_months(months: Path, target: Path) -> None:
    if not months.exists():
        return
    for new in sorted(months.iterdir()):
        month = target / new.name
        month.mkdir(exist_ok=True)
        if (new / PART).exists():
            (new / PART).replace(month / PART)
        new.rmdir()
    months.rmdir()


def _move_failures(new: Path, beside: Path) -> None:
    """Put the failures into place; an empty file states that nothing failed."""
    if not new.exists():
        return
    if new.stat().st_size:
        check_beside(beside)
        new.replace(beside)
        return
    if is_failures_file(beside):  # anything else does not contradict the calls
        beside.unlink()
    new.unlink()


def _mode(path: Path, usual: int) -> int:
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else usual


def _flush(path: Path) -> None:
    """Have the bytes of a file on the disk, or the names in a folder: bytes before names."""
    if not path.is_dir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        return
    with suppress(OSError):  # not everywhere can a folder be opened, or flushed
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _remove_empty(place: Path) -> None:
    with suppress(OSError):  # it is gone, or another export has taken its name
        place.rmdir()
