"""The result of a SID list: the calls, the failures, and their counts."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pandas as pd
import pyarrow as pa

import callkit
from callkit.errors import FetchError, IncompleteWarning, PriceChangeWarning

Errors: TypeAlias = Literal["raise", "warn"]


@dataclass(frozen=True)
class FetchResult:
    """The result of a SID list: every call is in the frame or among the failures.

    Attributes
    ----------
    calls : int
        How many calls were fetched.
    frame : pandas.DataFrame
        One row per call that was, in the order of the list; of an export it is read back from the
        file when it is first asked for.
    table : pyarrow.Table
        The same calls for Arrow, without going through pandas.
    failures : pandas.DataFrame
        One row per call that was not: ``sid``, ``account_sid``, ``reason`` (category), ``message``,
        ``http_status`` and ``code`` (Int64), ``request_id``, ``attempts`` (int64).
    price_changes : pandas.DataFrame
        One row per call whose price is no longer what the cache had: ``sid``, ``old`` and ``new``
        (exact decimals; null is "not priced").
    path, failures_path : pathlib.Path or None
        Of an export, the file or folder, and the CSV of the failures where there are any.
    """

    calls: int
    failures: pd.DataFrame
    price_changes: pd.DataFrame
    path: Path | None = None
    failures_path: Path | None = None
    load_frame: Callable[[], pd.DataFrame] = field(kw_only=True)
    load_table: Callable[[], pa.Table] = field(kw_only=True)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per call that was fetched."""
        return self.load_frame()

    @cached_property
    def table(self) -> pa.Table:
        """The same calls as an Arrow table."""
        return self.load_table()

    def __repr__(self) -> str:
        where = "" if self.path is None else f" in {str(self.path)!r}"
        failed = count_failures(self.failures["reason"]) or "no failures"
        return f"FetchResult({self.calls:,} calls{where}, {failed})"


def attributes(got: int, failed: int, as_of: Sequence[datetime]) -> dict[str, Any]:
    """Return the `df.attrs` of calls that were fetched at these times."""
    first, last = (min(as_of), max(as_of)) if as_of else (None, None)
    return {
        "callkit": {
            "version": callkit.__version__,
            "calls_asked": got + failed,
            "calls_got": got,
            "calls_failed": failed,
            "as_of_first": first and first.isoformat(),
            "as_of_last": last and last.isoformat(),
        }
    }


def count_failures(reasons: Iterable[str]) -> str:
    """Count failures by reason, in one phrase; nothing for none."""
    counts = Counter(reasons)
    if not counts:
        return ""
    of_each = ", ".join(f"{n:,} {reason}" for reason, n in counts.most_common())
    return f"{counts.total():,} failure{'s' if counts.total() > 1 else ''}: {of_each}"


def report(result: FetchResult, errors: Errors) -> None:
    """Warn of changed prices; raise or warn, by `errors`, if calls failed.

    A first price is not a change.

    Raises
    ------
    FetchError
        Calls failed, under ``errors="raise"``.
    """
    changed = result.price_changes["old"].notna().sum()
    if changed:
        warnings.warn(
            f"The price of {changed:,} {'call' if changed == 1 else 'calls'} differs from the "
            "cached price; see callkit.collect(…).price_changes",
            PriceChangeWarning,
            stacklevel=3,
        )
    if result.failures.empty:
        return
    counts = count_failures(result.failures["reason"])
    message = f"{counts}, of {result.calls + len(result.failures):,} calls"
    if errors == "warn":
        warnings.warn(message, IncompleteWarning, stacklevel=3)
        return
    hint = (
        "after `except callkit.FetchError as e`, e.frame holds the calls that were fetched and "
        "e.failures says why the others were not (errors='warn' warns instead)"
    )
    raise FetchError(f"{message}; {hint}", frame=result.load_frame, failures=result.failures)
