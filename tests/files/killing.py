"""Replace calls and failures again and again, each time killed a system call later.

``python -m tests.files.killing FORM`` does so in the current folder, and prints as JSON what
readers found after each kill. A process that has imported everything forks the ones to kill: they
take milliseconds.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import callkit
from callkit import BulkExport
from callkit.errors import ParquetError, SidListError
from callkit.files.datasets import Listed, write_months
from callkit.files.replacing import replacing
from callkit.pairs import name_beside
from callkit.sids import read_sids
from tests.files.updating import A, call, day, numbers, refreshed, write
from tests.support.scripted import call_body, sid

if TYPE_CHECKING:
    from collections.abc import Callable

Found = tuple[list[int], list[int]] | Literal["refused"]

TARGETS = {
    "parquet": "calls.parquet",
    "csv": "calls.csv",
    "months": "calls",
    "update": "calls",
}
# What changes files, and what makes room for another process to do so.
# Some have another name on another architecture, which strace skips after a question mark.
SYSTEM_CALLS = (
    *("?mkdir,?mkdirat", "?rmdir", "?rename,?renameat,?renameat2", "?unlink", "unlinkat"),
    *("?chmod,?fchmodat", "openat", "write", "pwrite64", "fsync", "flock"),
)
MONTHS = ["2025-03", "2025-04", "2025-05"]
_PR_SET_PTRACER = 0x59616D61


def export(form: str, number: int, *, failing: int | None) -> None:
    """Export one call, and one that fails, if any."""
    target = Path(TARGETS[form])
    if form == "update":
        update(target, number, failing=failing)
        return
    lines = [call_body(sid(number))]
    if failing is not None:
        lines.append(call_body(sid(failing), price="broken"))
    Path("source.json").write_bytes(b"\n".join(lines))
    options = {"by_month": True} if form == "months" else {"format": form}
    with warnings.catch_warnings(action="ignore"):
        callkit.export(BulkExport("source.json"), target, errors="warn", **options)


def update(target: Path, number: int, *, failing: int | None) -> None:
    """Update the months of a dataset, as the nightly job does."""
    if not target.exists():
        write(target)
    shutil.rmtree("new", ignore_errors=True)
    new = [call(number + month, day(11, month=month)) for month in (3, 4, 5)]
    write(Path("new"), *new)
    listed = Listed(day(10), day(20, month=5), [A])
    with replacing(target, name_beside(target, by_month=True), folder=True) as replacement:
        write_months(
            *(replacement.months(), target, Path("new"), listed),
            listed_months=set(MONTHS),
            refreshed=refreshed(),
        )
        failures = "" if failing is None else f"{HEADER}\n{sid(failing)}{COMMAS}"
        replacement.failures().write_text(failures, encoding="utf-8")


HEADER = "sid,account_sid,reason,message,http_status,code,request_id,attempts,day,run_id"
COMMAS = "," * HEADER.count(",")


def found(form: str) -> Found:
    """Read calls and failures; whoever is refused the one is refused the other."""
    target = Path(TARGETS[form])
    failures = name_beside(target, by_month=target.suffix == "")
    calls = _read(lambda: _calls(target))
    failed = _read(lambda: numbers(key.sid for key in read_sids(failures)))
    if failed is None and not failures.exists():
        failed = []
    assert (calls == "refused") == (failed == "refused"), (calls, failed)
    if calls == "refused" or failed == "refused":
        return "refused"
    return calls or [], failed or []


def _calls(target: Path) -> list[int]:
    if target.suffix == ".csv":
        return numbers(key.sid for key in read_sids(target))
    return numbers(callkit.read_parquet(target)["sid"])


def _read(read: Callable[[], list[int]]) -> list[int] | Literal["refused"] | None:
    try:
        return read()
    except (ParquetError, SidListError) as error:
        return "refused" if "was interrupted while it replaced" in str(error) else None


def killed_at(form: str, system_call: str, occurrence: int, before: int | None) -> bool:
    """Replace the pair 10, `before` by 20, 21; return whether that was killed."""
    export(form, 10, failing=before)
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
        os.read(ready, 1)
        export(form, 20, failing=None if before == 12 else 21)
        os._exit(0)
    inject = f"inject={system_call}:signal=SIGKILL:when={occurrence}"
    with subprocess.Popen(
        ["strace", "-o", os.devnull, "-e", f"trace={system_call}", "-e", inject, "-p", str(child)],
        stderr=subprocess.PIPE,
        text=True,
    ) as strace:
        assert strace.stderr is not None
        assert "attached" in strace.stderr.readline()
        os.write(go, b"!")
        _, status = os.waitpid(child, 0)
    os.close(ready)
    os.close(go)
    return status != 0


def main(form: str) -> None:
    """Print what is found after a kill at each system call; see what the next export makes."""
    states = []
    for before in (11, None, 12) if form == "parquet" else (11,):
        for system_call in SYSTEM_CALLS:
            for occurrence in itertools.count(1):
                killed = killed_at(form, system_call, occurrence, before)
                states.append((before, system_call, found(form)))
                _check_next(form)
                _clear()
                if not killed:
                    break
    json.dump(states, sys.stdout)


def _check_next(form: str) -> None:
    """See that the next export is as if nothing had happened."""
    export(form, 30, failing=31)
    beside = name_beside(Path(TARGETS[form]), by_month="." not in TARGETS[form])
    left = {path.name for path in Path().iterdir()} - {"source.json", "new"}
    assert left == {TARGETS[form], beside.name}, left
    assert found(form) == ([33, 34, 35] if form == "update" else [30], [31])


def _clear() -> None:
    for path in Path().iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


if __name__ == "__main__":
    main(sys.argv[1])
