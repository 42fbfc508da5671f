"""SID list in, Parquet (or CSV, or JSON Lines) out, and the failures beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from callkit.errors import FetchInterrupted, IncompleteError
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
from callkit.parquet.apart import check_cache_apart, check_list_apart
from callkit.parquet.failures import check_beside, leave_failures, name_beside
from callkit.parquet.formats import Format, FormatName, format_named
from callkit.schema import SCHEMA
from callkit.sids import read_sids

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import pyarrow as pa

    from callkit.fetch import Client
    from callkit.fetch.cache import Refresh
    from callkit.pseudonyms import Pseudonyms
    from callkit.sids import SidSource

__all__ = ["Exported", "export"]


@dataclass(frozen=True)
class Exported:
    """What an export left on disk.

    Attributes
    ----------
    path : pathlib.Path
        The file, or the folder of a dataset by month.
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
    format: FormatName = "parquet",  # noqa: A002  (as Polars and DuckDB call it)
    by_month: bool = False,
    pseudonyms: Pseudonyms | None = None,
    client: Client | None = None,
    cache: str | PathLike[str] | None = None,
    refresh: Refresh = None,
    errors: Literal["raise", "warn"] = "raise",
    progress: bool | None = None,
) -> Exported:
    """Fetch calls straight into a file; memory does not grow with the bodies.

    The file takes its name only when it is complete. Where calls fail, a CSV beside it
    (``calls.failures.csv`` for ``calls.parquet``, ``calls.csv.failures.csv`` for ``calls.csv``,
    ``calls.by-month.failures.csv`` for a folder ``calls``) says which and why; where none do, one
    that an earlier export left is removed.

    CSV and JSON Lines hold the same columns: prices in fixed-point decimals with eight places
    (``-0.01700000``), in JSON as text, since its readers make floats of numbers; ``duration`` in
    whole seconds and ``queue_time`` in milliseconds; times by ISO 8601 (``2025-03-09T08:05:17Z``);
    what is absent is an empty field, or null. CSV is RFC 4180's, in UTF-8.

    Parameters
    ----------
    sids, client, cache, refresh, errors, progress
        As for :func:`callkit.to_frame`. To try failures again, give the whole list and the same
        `cache`, which asks for nothing that it has; or export the failures to another file, since
        this one is replaced whole.
    path : str or path
        Where to write.
    format : {"parquet", "csv", "jsonl"}, default "parquet"
        What to write.
    by_month : bool, default False
        Whether `path` shall be a folder, a Parquet dataset of one file a month; see
        :func:`callkit.to_parquet`.
    pseudonyms : Pseudonyms, optional
        Put these in the place of numbers and addresses, and leave names out, as
        :func:`callkit.pseudonymise` does. The cache keeps calls as they came.

    Returns
    -------
    Exported
        Where the files are, and what failed.

    Raises
    ------
    FetchError
        Calls did not arrive; both files are written all the same. ``.failures`` says why.
    ParquetError
        The file cannot be written there, or has the ending of another format, or would replace the
        SID list or the cache, or the dataset or the failures something that is not callkit's;
        found out before the first request.
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
    form = format_named(format, target, by_month=by_month)
    form.check(target)
    beside = name_beside(target, by_month=by_month)
    if cache is not None:
        check_cache_apart(Path(cache), (target, beside))
    check_beside(beside)
    keys = read_sids(sids)
    if isinstance(sids, str | PathLike):
        check_list_apart(Path(sids), target, beside)
    gathering = Gathering(keys, client, cache, refresh, progress)
    contents = _Contents(gathering, pseudonyms)
    stop = _write_calls(contents, target, form)
    failures = failures_frame(gathering.failures)
    failures_path = leave_failures(failures, beside)
    kept = partial(_kept, form, target, contents)
    if stop is not None:
        stop.attach(kept, failures)
        raise stop
    price_changes = price_changes_frame(gathering)
    warn_of_changes(price_changes)
    report_failures(kept, gathering.calls, failures, errors)
    return Exported(target, gathering.calls, failures, failures_path, price_changes)


class _Contents:
    """What goes into the file: calls as they are gathered, or with pseudonyms for their parties."""

    def __init__(self, gathering: Gathering, pseudonyms: Pseudonyms | None) -> None:
        self.gathering = gathering
        self._pseudonyms = pseudonyms
        self.schema: pa.Schema = self._of(SCHEMA.empty_table()).schema

    def tables(self) -> Iterator[pa.Table]:
        return map(self._of, self.gathering.tables())

    def _of(self, table: pa.Table) -> pa.Table:
        return table if self._pseudonyms is None else self._pseudonyms.of_table(table)


def _write_calls(contents: _Contents, target: Path, form: Format) -> IncompleteError | None:
    """Write calls as they come, and return what stopped the run early, if anything did.

    The file is given up where the run was interrupted, or stopped before the first call arrived.
    """
    gathering = contents.gathering
    stop: IncompleteError | KeyboardInterrupt | None = None
    with form.place(target) as part:
        with form.written(part, contents.schema, gathering.attributes) as write:
            try:
                for table in contents.tables():
                    write(table)
            except (IncompleteError, KeyboardInterrupt) as error:
                stop = error
        if stop is None or (isinstance(stop, IncompleteError) and gathering.calls > 0):
            return stop
        frame = _kept(form, part, contents)
        failures = failures_frame(gathering.failures)
        if isinstance(stop, KeyboardInterrupt):
            raise FetchInterrupted(describe_interruption(gathering), frame, failures) from None
        stop.attach(frame, failures)
        raise stop


def _kept(form: Format, path: Path, contents: _Contents) -> pd.DataFrame:
    """Read what was written, for whoever catches the exception."""
    frame = form.read(path, contents.schema)
    frame.attrs.update(contents.gathering.attributes())
    return frame
