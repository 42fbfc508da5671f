"""The calls of a SID list or date range: `to_frame`, `collect`, and what they return or raise."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pandas as pd
import pyarrow as pa

from callkit.bulk import BulkExport
from callkit.cache.store import Refresh
from callkit.call_list import CallList, Moment
from callkit.errors import (
    FetchError,
    FetchInterrupted,
    IncompleteError,
    IncompleteWarning,
    NormaliseError,
    PriceChangeWarning,
)
from callkit.fetch import Client
from callkit.normaliser import table_to_frame
from callkit.normaliser.casts import price_changes_frame
from callkit.page_options import PageOptions
from callkit.paging import Pages
from callkit.runs import run_over
from callkit.schema import SCHEMA
from callkit.sids import SidSource

Errors: TypeAlias = Literal["raise", "warn"]


@dataclass(frozen=True)
class FetchResult:
    """The result of a run: every SID, or UTC day of a date range, is fetched or among the failures.

    Attributes
    ----------
    calls : int
        How many calls were fetched.
    frame, table : pandas.DataFrame, pyarrow.Table
        One row per distinct call fetched, in the order of :func:`to_frame`. The table of `collect`
        is made without pandas. For an export, each is read back from the file on first access; for
        a dataset that was updated, that is all its calls.
    failures : pandas.DataFrame
        One row per failed call, or UTC day that could not be listed completely: ``sid`` (null for
        a day), ``account_sid``, ``reason`` (category), ``message``, ``http_status`` and ``code``
        (Int64), ``request_id``, ``attempts`` (int64), ``day`` (such as ``2025-03-01``; null in a
        SID list's).
    price_changes : pandas.DataFrame
        One row per call whose price differs from the cached one: ``sid``, ``old`` and ``new``
        (exact decimals; null means "not priced").
    path, failures_path : pathlib.Path or None
        For an export, the file or folder, and the CSV of the failures, if there are any.
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


def collect(
    sids: SidSource | CallList | BulkExport,
    *,
    client: Client | None = None,
    cache: str | PathLike[str] | None = None,
    refresh: Refresh = None,
    pages: Pages = "auto",
    started: Sequence[Moment] | None = None,
    date_column: str | None = None,
    columns: Sequence[str] | None = None,
    progress: bool | None = None,
) -> FetchResult:
    """Fetch calls, and return them with those that could not be fetched.

    Parameters
    ----------
    sids, client, cache, refresh, pages, started, date_column, columns, progress
        As for :func:`to_frame`.

    Returns
    -------
    FetchResult
        The calls as :func:`to_frame` returns them, the failures, and price changes.

    Raises
    ------
    InvalidSidError, SidListError, CallListError, BulkExportError, CredentialsError, CacheError
        The list is not a SID list, failures do not name the range of the days to list again, a
        BulkExport is combined with a client, a cache or a refresh, credentials are missing or
        invalid, or the cache cannot be opened: all before the first request (for a generator, when
        the entry is reached).
    SignInError, WrongAccountError, RunStoppedError
        The cause would have affected every call. What was fetched is in ``.frame``.
    FetchInterrupted
        Ctrl-C, or a notebook's stop button: a KeyboardInterrupt that has ``.frame`` too.

    Examples
    --------
    >>> sandbox = callkit.sandbox.Sandbox(calls=100)
    >>> sids = sandbox.sids(20) + sandbox.unknown_sids(2)
    >>> callkit.collect(sids, client=sandbox.client())
    FetchResult(20 calls, 2 failures: 2 not_found)
    """
    check_options(refresh)
    names = list(SCHEMA.names) if columns is None else _checked_columns(columns)
    options = PageOptions(pages, started, date_column)
    run = run_over(sids, client, cache, refresh, progress, options=options)
    tables = [SCHEMA.empty_table().select(names)]
    try:
        with closing(run.tables()) as fetched:
            for table in fetched:
                tables.append(table.select(names))  # noqa: PERF401  (kept where the run ends early)
    except (IncompleteError, FetchInterrupted) as stop:
        stop.attach(_framed(tables, run.attributes()), run.failures_frame())
        raise
    return FetchResult(
        run.calls,
        run.failures_frame(),
        price_changes_frame(run.price_changes),
        load_frame=partial(_framed, tables, run.attributes()),
        load_table=partial(pa.concat_tables, tables),
    )


def to_frame(
    sids: SidSource | CallList | BulkExport,
    *,
    client: Client | None = None,
    cache: str | PathLike[str] | None = None,
    refresh: Refresh = None,
    pages: Pages = "auto",
    started: Sequence[Moment] | None = None,
    date_column: str | None = None,
    errors: Errors = "raise",
    columns: Sequence[str] | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Fetch calls and return them as a typed DataFrame.

    Parameters
    ----------
    sids : CallList, BulkExport, str, path, DataFrame, Series, Index or any iterable
        The calls to fetch: a date range (:class:`CallList`), files (:class:`BulkExport`, which
        :func:`read_bulk_export` reads too), or a SID list: the path of a text, CSV
        or Parquet file, a DataFrame with a column ``sid`` (and ``account_sid``, for calls of
        several accounts), or the SIDs themselves. Failures can be passed too, to fetch and list
        them again.
    client : Client, optional
        The client; by default one with the credentials in the environment.
    cache : str or path, optional
        A file that keeps calls as received; created if missing. Final calls are not requested
        again, days that are complete are not listed again, and an interrupted run can be resumed.
        It contains personal data, and only its owner can read it.
    refresh : {"all", "unpriced"} or datetime, optional
        Request final calls again: all, those without a price, or those fetched before that time.
        Any of these lists all days of a date range again.
    pages : {"auto", True, False}, default "auto"
        Whether the calls of a SID list are taken from pages of the list of calls, up to a thousand
        a request, or fetched one by one. With ``"auto"``, callkit measures both during the run and
        chooses the faster way. With True, all days on which calls are known to have started are
        listed as long as that finds calls, whatever it costs, for short lists too. With False, or
        with `refresh`, calls are fetched one by one.
    started : pair of dates or datetimes, optional
        The range in which the calls of a SID list started, in UTC, written as for
        :class:`CallList`. It is a hint that saves requests, not a filter: calls outside the range
        are included too. It cannot be combined with `date_column`.
    date_column : str, optional
        The column of the DataFrame, or CSV, TSV or Parquet file, with the date or time at which
        each call started: a hint as `started` is. Times without a zone, and dates, are in UTC. Text
        is in ISO 8601 or in the form of the API (``Sat, 01 Mar 2025 12:30:00 +0000``). A cell may
        be empty; other text raises a SidListError.
    errors : {"raise", "warn"}, default "raise"
        Whether to raise or warn, at the end, if calls could not be fetched or days not be listed.
    columns : sequence of str, optional
        The columns to return, in this order; by default all of :data:`callkit.SCHEMA`.
    progress : bool, optional
        Whether to show a progress bar; by default in a terminal or notebook, for 300 or more calls
        or several days.

    Returns
    -------
    pandas.DataFrame
        One row per distinct call, in the order of first mention; of a date range by account, in the
        order given, then by ``start_time`` and ``sid``. SIDs, parties and names are
        ``str``; ``status``, ``direction`` and ``answered_by`` categories; times
        ``datetime64[us, UTC]``; ``duration`` and ``queue_time`` ``timedelta64[ms]``; ``price`` an
        exact Arrow ``decimal128(18, 8)``. ``df.attrs["callkit"]`` holds counts, as-of times and, of
        a date range, what was asked.

    Raises
    ------
    FetchError
        Calls could not be fetched or days not be listed: see ``.failures``; the others are in
        ``.frame``. :func:`collect`
        lists the other exceptions, which are raised here too.

    Warns
    -----
    IncompleteWarning, PriceChangeWarning, AgeWarning
        Calls could not be fetched (``errors="warn"``); prices differ from the cached ones; a date
        range begins more than 13 months ago.

    Examples
    --------
    Join calls to your own table by SID. Theirs are ``CA`` and lower-case digits; if a spreadsheet
    has converted yours to upper case, convert them back first, or the join finds no calls:

    >>> sandbox = callkit.sandbox.Sandbox(calls=100)
    >>> sids = sandbox.sids(3)
    >>> df = callkit.to_frame(sids, client=sandbox.client())
    >>> mine = pd.DataFrame({"sid": [sids[2].upper(), sids[0], sids[2]], "campaign": list("abc")})
    >>> mine["sid"] = "CA" + mine["sid"].str[2:].str.lower()
    >>> joined = mine.merge(df, on="sid", how="left", validate="many_to_one")
    >>> joined["status"].notna().all()
    np.True_

    If your table has the dates of the calls, name the column. It makes a long list faster, and
    changes nothing else:

    >>> mine["day"] = ["2025-03-14", "2025-03-02", "2025-03-14"]
    >>> df = callkit.to_frame(mine, client=sandbox.client(), date_column="day")
    >>> df["sid"].tolist() == [sids[2], sids[0]]
    True
    """
    check_options(refresh, errors)
    got = collect(
        sids,
        client=client,
        cache=cache,
        refresh=refresh,
        pages=pages,
        started=started,
        date_column=date_column,
        columns=columns,
        progress=progress,
    )
    raise_or_warn(got, errors, of_files=isinstance(sids, BulkExport))
    return got.frame


def _framed(tables: list[pa.Table], attributes: dict[str, Any]) -> pd.DataFrame:
    df = table_to_frame(pa.concat_tables(tables))
    df.attrs.update(attributes)
    return df


def check_options(refresh: object, errors: object = "raise") -> None:
    if errors not in {"raise", "warn"}:
        raise ValueError(f"Invalid errors {errors!r}: expected 'raise' or 'warn'")
    is_moment = isinstance(refresh, datetime) and refresh.tzinfo is not None
    if not is_moment and refresh not in (None, "all", "unpriced"):
        raise ValueError(
            f"Invalid refresh {refresh!r}: expected 'all', 'unpriced' or a datetime with a "
            "time zone"
        )


def _checked_columns(columns: Sequence[str]) -> list[str]:
    names = [columns] if isinstance(columns, str) else list(columns)
    unknown = [name for name in names if name not in SCHEMA.names]
    if unknown:
        raise ValueError(
            f"Unknown column {', '.join(map(repr, unknown))}. Available columns: "
            f"{', '.join(SCHEMA.names)}"
        )
    return names


def count_failures(reasons: Iterable[str]) -> str:
    """Count failures by reason, in one phrase; nothing for none."""
    counts = Counter(reasons)
    if not counts:
        return ""
    of_each = ", ".join(f"{n:,} {reason}" for reason, n in counts.most_common())
    return f"{counts.total():,} failure{'s' if counts.total() > 1 else ''}: {of_each}"


def describe_failures(failures: pd.DataFrame, *, of_calls: int | None = None) -> str:
    """Say how many calls failed, beside how many others, and which days were not listed."""
    said = []
    of_days = failures["day"].notna() & failures["sid"].isna()
    if calls := count_failures(failures["reason"][~of_days]):
        total = (of_calls or 0) + int((~of_days).sum())
        said.append(calls if of_calls is None else f"{calls}, of {total:,} calls")
    if days := int(of_days.sum()):
        first = failures[of_days].iloc[0]
        count, which = ("1 day", "") if days == 1 else (f"{days:,} days", "the first ")
        said.append(
            f"{count} could not be listed completely ({which}{first['day']}, {first['reason']}: "
            f"{first['message']})"
        )
    return "; ".join(said)


def raise_or_warn(result: FetchResult, errors: Errors, *, of_files: bool = False) -> None:
    """Warn of changed prices, but not first ones; raise or warn, by `errors`, if calls failed."""
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
    message = describe_failures(result.failures, of_calls=result.calls)
    error: type[FetchError | NormaliseError] = FetchError
    name, done = "callkit.FetchError", "fetched"
    if of_files:
        message += f"; the first: {result.failures['message'].iloc[0]}"
        error, name, done = NormaliseError, "callkit.errors.NormaliseError", "read"
    if errors == "warn":
        warnings.warn(message, IncompleteWarning, stacklevel=3)
        return
    hint = (
        f"after `except {name} as e`, e.frame holds the calls that were {done} and "
        "e.failures says why the others were not (errors='warn' warns instead)"
    )
    raise error(f"{message}; {hint}", frame=result.load_frame, failures=result.failures)
