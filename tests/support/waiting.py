"""Calls that wait, and the temporary files that they wait in."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from callkit.normaliser import to_table
from tests.normaliser.calls import body, numbered, written

if TYPE_CHECKING:
    import pyarrow as pa

MORNING = datetime(2025, 3, 1, 8, tzinfo=UTC)

on_linux = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(),
    reason="only Linux lists open files without a name, in /proc/self/fd",
)


def calls(*rows: tuple[int, int], updated: int = 0, **attributes: Any) -> pa.Table:
    """Make calls from their numbers and the seconds after which they started."""
    table, _ = to_table(
        body(
            sid=numbered(number),
            start_time=written(MORNING + timedelta(seconds=second)),
            date_updated=written(MORNING + timedelta(days=1, seconds=updated)),
            **attributes,
        )
        for number, second in rows
    )
    return table


def numbers(table: pa.Table) -> list[int]:
    return [int(sid.replace("CA", "0x"), 0) for sid in table["sid"].to_pylist()]


def open_files(folder: Path) -> int:
    """Count the open files in a folder, those without a name included."""
    links = (link for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return sum(str(link.readlink()).startswith(str(folder)) for link in links)


def output_of(code: str) -> str:
    """Run code in a process of its own, in which a warning is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True
    )
    return done.stdout
