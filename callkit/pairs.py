"""Which calls and failures belong together, and whether both are of one export.

An export replaces both at once; see :mod:`callkit.files.replacing`. What it is about to move into
place is in a folder ``.calls.parquet.replacing`` beside the output: while anything is left there,
because the export was killed, the files at the output may be of two exports.
"""

import csv
import errno
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from callkit.parquet_files import opened

CALLS, MONTHS, FAILURES = "calls", "months", "failures.csv"  # what is to be moved into place

_UNREADABLE = (OSError, ValueError, RecursionError, csv.Error)
_ENDING = ".failures.csv"
_OF_FOLDER, _OF_FILE = ".by-month", ".file"
_WAITS, _WAIT = 20, 0.05  # seconds; moving a pair takes some milliseconds
_READ_AT_MOST = 1 << 16  # characters, for the first row of failures


def name_beside(target: Path, *, by_month: bool) -> Path:
    """Name the failures file of an output; no other output has the same.

    It is the output's whole name and ``.failures.csv``, but for a plain name with the extension
    .parquet, which is left out, and what could be confused with that, or with a dataset's.
    """
    if target.name in ("", ".."):  # for example the current folder
        target = Path(os.path.realpath(target))
    name = target.name
    if by_month:
        stem = name + _OF_FOLDER
    elif name.endswith(".parquet") and name.find(".") == len(name) - len(".parquet") > 0:
        stem = name.removesuffix(".parquet")
    elif "." not in name or name.endswith((_OF_FOLDER, _OF_FILE)):
        stem = name + _OF_FILE
    else:
        stem = name
    return target.parent / f"{stem}{_ENDING}"


def calls_beside(failures: Path) -> Path | None:
    """Name the output that a failures file belongs to; None if it is not named like one."""
    stem = failures.name.removesuffix(_ENDING)
    if stem in ("", failures.name):
        return None
    for ending in (_OF_FOLDER, _OF_FILE):
        if stem.endswith(ending) and stem != ending:
            return failures.with_name(stem.removesuffix(ending))
    return failures.with_name(stem if "." in stem else f"{stem}.parquet")


def folder_of_replacement(target: Path) -> Path:
    if not target.name:
        raise OSError(
            errno.EISDIR, "Expected a file or folder, but it is the root of a file system"
        )
    return target.with_name(f".{target.name}.replacing")


def why_not_whole(path: Path) -> str | None:
    """Say why calls, or failures, at `path` may not be read: they may be of two exports."""
    calls = calls_beside(path)
    try:
        for place in [path] if calls is None else [path, calls]:
            if (target := _interrupted(place)) is not None:
                return (
                    f"An export to {str(target)!r} was interrupted while it replaced calls and "
                    "failures: export to it again, which completes that first"
                )
        return _of_two_runs(path if calls is None else calls)
    except _UNREADABLE:  # reading `path` itself reports what is wrong
        return None


def _interrupted(place: Path) -> Path | None:
    """Find the output at `place`, or around it, of which a replacement was interrupted."""
    target = Path(os.path.realpath(place))
    for each in (target, *list(target.parents)[:2]):  # the file of a month is in two folders
        if each.name and _is_pending(folder_of_replacement(each)):
            return each
    return None


def _is_pending(folder: Path) -> bool:
    for _ in range(_WAITS):
        try:
            if {CALLS, MONTHS, FAILURES}.isdisjoint(os.listdir(folder)):  # noqa: PTH208
                return False
        except PermissionError:  # it is another user's
            pass
        except OSError:
            return False
        time.sleep(_WAIT)  # an export may be about to complete
    return True


def _of_two_runs(calls: Path) -> str | None:
    """Compare the run ids of a file of calls and of the failures beside it, if both have one."""
    failures = name_beside(calls, by_month=False)
    if not (failures.is_file() and calls.is_file()):
        return None
    of_failures, of_calls = _run_id_of_failures(failures), _run_id_of_calls(calls)
    if None in (of_failures, of_calls) or of_failures == of_calls:
        return None
    return (
        f"{str(failures)!r} is of another export than {str(calls)!r} (run {of_failures}, not "
        f"{of_calls}): export to {calls.name!r} again, or move the failures file elsewhere"
    )


def _run_id_of_failures(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            first = next(csv.DictReader(io.StringIO(file.read(_READ_AT_MOST), newline="")), {})
    except (UnicodeDecodeError, csv.Error):  # it is not callkit's
        return None
    return first.get("run_id") or None


def _run_id_of_calls(path: Path) -> str | None:
    """Read the run id in the footer of a Parquet file; other formats have none."""
    try:
        with opened(path) as file:
            said: Any = json.loads((file.metadata.metadata or {}).get(b"callkit", b"{}"))
    except (OSError, pa.ArrowException, ValueError, RecursionError):  # reading it says why
        return None
    found = said.get("run_id") if isinstance(said, dict) else None
    return found if isinstance(found, str) else None
