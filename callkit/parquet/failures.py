"""The CSV beside an export that says which calls failed, and why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from callkit.errors import ParquetError
from callkit.outcomes import failures_frame
from callkit.parquet.places import check_writable, writing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_beside", "leave_failures", "name_beside"]


def name_beside(target: Path, *, by_month: bool) -> Path:
    """Name the failures of an export, so that exports of other forms have others."""
    if target.name in ("", ".."):  # the folder that one stands in, say
        target = Path(os.path.realpath(target))
    if by_month:
        return target.parent / f"{target.name}.by-month.failures.csv"
    stem = target.stem if target.suffix == ".parquet" else target.name
    return target.parent / f"{stem}.failures.csv"


def check_beside(beside: Path) -> None:
    """Refuse to replace, or remove, a file of failures that no export has written."""
    check_writable(beside)
    header = ",".join(failures_frame([]).columns).encode()
    try:
        with beside.open("rb") as file:
            found = file.readline(len(header) + 2).rstrip(b"\r\n")
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise ParquetError(f"{str(beside)!r} cannot be read: {error.strerror or error}") from error
    if found != header:
        raise ParquetError(
            f"{str(beside)!r}, where the failures of this export would go, is no failures file of "
            "callkit's: move it, or export to another name"
        )


def leave_failures(failures: pd.DataFrame, beside: Path) -> Path | None:
    """Write the failures, or where there are none take away those of an earlier export."""
    if not failures.empty:
        with writing(beside) as part:
            failures.to_csv(part, index=False)
        return beside
    try:
        beside.unlink(missing_ok=True)
    except OSError as error:
        raise ParquetError(
            f"the calls are written and none failed, but {str(beside)!r}, the failures of an "
            f"earlier export, cannot be removed: {error.strerror or error}"
        ) from error
    return None
