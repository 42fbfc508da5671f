"""SID list in, Parquet file out, and the failures beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow.parquet as pq

from callkit.errors import FetchInterrupted, IncompleteError, ParquetError
from callkit.fetch.cache import check_refresh
from callkit.frame import (
    check_errors,
    describe_failures,
    describe_interruption,
    price_changes_frame,
    report_failures,
    warn_of_changes,
)
from callkit.gathering import Gathering
from callkit.outcomes import failures_frame
from callkit.parquet.frames import COMPRESSION, footer, read_parquet
from callkit.parquet.places import check_writable, writing
from callkit.schema import SCHEMA
from callkit.sids import read_sids

if TYPE_CHECKING:
    import pandas as pd

    from callkit.fetch import Client
    from callkit.fetch.cache import Refresh
    from callkit.sids import SidSource

__all__ = ["Exported", "export"]


@dataclass(frozen=True)
class Exported:
    """What an export left on disk.

    Attributes
    ----------
    path : pathlib.Path
        The Parquet file.
    calls : int
        How many calls it holds.
    failures : pandas.DataFrame
        One row per call that did not arrive, as in :class:`Collected`.
    failures_path : pathlib.Path or None
        The failures as CSV, where there are any.
    price_changes : pandas.DataFrame
        Prices that are no longer what the cache had, as in :class:`Collected`.
    """

    path: Path
    calls: int
    failures: pd.DataFrame
    failures_path: Path | None
    price_changes: pd.DataFrame

    def __repr__(self) -> str:
        counts = describe_failures(self.failures["reason"].tolist())
        return f"Exported({self.calls:,} calls to {str(self.path)!r}, {counts or 'no failures'})"


def export(
    sids: SidSource,
    path: str | PathLike[str],
    *,
    client: Client | None = None,
    cache: str | PathLike[str] | None = None,
    refresh: Refresh = None,
    errors: Literal["raise", "warn"] = "raise",
    progress: bool | None = None,
) -> Exported:
    """Fetch calls straight into a Parquet file; memory does not grow with the bodies.

    The file takes its name only when it is complete. Where calls fail, a CSV beside it
    (``calls.failures.csv`` for ``calls.parquet``) says which and why; where none do, one that an
    earlier export left is removed.

    Parameters
    ----------
    sids, client, cache, refresh, errors, progress
        As for :func:`callkit.to_frame`. To try failures again, give the whole list and the same
        `cache`, which asks for nothing that it has; or export the failures to another file, since
        this one is replaced whole.
    path : str or path
        Where to write.

    Returns
    -------
    Exported
        Where the files are, and what failed.

    Raises
    ------
    FetchError
        Calls did not arrive; both files are written all the same. ``.failures`` says why.
    ParquetError
        The file cannot be written there, or would replace the SID list, or its failures a file
        that is not callkit's; found out before the first request.
    InvalidSidError, SidListError, CredentialsError, SignInError, WrongAccountError, CacheError
        As for :func:`callkit.collect`. Where calls had been fetched, they are in the file; where
        none had, files of before are left as they were.
    FetchInterrupted
        Ctrl-C: files of before are left as they were. What had arrived is in the cache, or else in
        ``.frame``.

    Examples
    --------
    >>> from callkit.sandbox import Sandbox
    >>> with Sandbox(calls=100, seed=7) as sandbox:
    ...     out = callkit.export(
    ...         sandbox.sids(20), "calls.parquet", client=sandbox.client()
    ...     )
    >>> out.calls
    20
    """
    check_errors(errors)
    check_refresh(refresh)
    target = Path(path)
    check_writable(target)
    beside = target.with_suffix(".failures.csv")
    _check_beside(beside)
    keys = read_sids(sids)
    if isinstance(sids, str | PathLike):
        _check_source(Path(sids), target, beside)
    gathering = Gathering(keys, client, cache, refresh, progress)
    stop = _write_calls(gathering, target)
    failures = failures_frame(gathering.failures)
    failures_path = _leave_failures(failures, beside)
    kept = partial(read_parquet, target)
    if stop is not None:
        stop.attach(kept, failures)
        raise stop
    price_changes = price_changes_frame(gathering)
    warn_of_changes(price_changes)
    report_failures(kept, gathering.calls, failures, errors)
    return Exported(target, gathering.calls, failures, failures_path, price_changes)


def _write_calls(gathering: Gathering, target: Path) -> IncompleteError | None:
    """Write calls as they come, and return what stopped the run early, if anything did.

    The file is given up where the run was interrupted, or stopped before the first call arrived.
    """
    stop: IncompleteError | KeyboardInterrupt | None = None
    with writing(target) as part:
        with pq.ParquetWriter(part, SCHEMA, compression=COMPRESSION) as writer:
            try:
                for table in gathering.tables():
                    writer.write_table(table)
            except (IncompleteError, KeyboardInterrupt) as error:
                stop = error
            writer.add_key_value_metadata(footer(gathering.attributes()))
        if isinstance(stop, KeyboardInterrupt):
            raise FetchInterrupted(
                describe_interruption(gathering),
                read_parquet(part),
                failures_frame(gathering.failures),
            ) from None
        if stop is not None and gathering.calls == 0:
            stop.attach(read_parquet(part), failures_frame(gathering.failures))
            raise stop
    return stop


def _check_beside(beside: Path) -> None:
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


def _check_source(source: Path, target: Path, beside: Path) -> None:
    """Refuse to replace the very list that is read."""
    for name, place in (("the file", target), ("the failures of the file", beside)):
        if source.resolve() == place.resolve():
            raise ParquetError(
                f"{str(source)!r} is {name} that this export would replace: export to another file "
                "and put the two together, or export the whole list again with cache=…"
            )


def _leave_failures(failures: pd.DataFrame, beside: Path) -> Path | None:
    if failures.empty:
        beside.unlink(missing_ok=True)
        return None
    with writing(beside) as part:
        failures.to_csv(part, index=False)
    return beside
