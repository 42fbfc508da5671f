"""The calls of a SID list: `to_frame` and `collect`, and what they return, raise or warn of."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pandas as pd
import pyarrow as pa

from callkit.cache.store import Refresh
from callkit.errors import (
    FetchError,
    FetchInterrupted,
    IncompleteError,
    IncompleteWarning,
    PriceChangeWarning,
)
from callkit.fetch import Client
from callkit.loop import Run
from callkit.normaliser import table_to_frame
from callkit.normaliser.casts import failures_frame, price_changes_frame
from callkit.schema import SCHEMA
from callkit.sids import SidSource, read_sids

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


def collect(
    sids: SidSource,
    *,
    client: Client | None = None,
    cache: str | PathLike[str] | None = None,
    refresh: Refresh = None,
    columns: Sequence[str] | None = None,
    progress: bool | None = None,
) -> FetchResult:
    """Fetch calls, and return them with those that could not be fetched.

    Parameters
    ----------
    sids, client, cache, refresh, columns, progress
        As for :func:`to_frame`.

    Returns
    -------
    FetchResult
        ``.frame`` with one row per distinct call, in the order of first mention (``.table`` is the
        same for Arrow), ``.failures`` with one row per call that could not be fetched, and
        ``.price_changes`` against the cache. See :func:`to_frame` for the dtypes.

    Raises
    ------
    InvalidSidError, SidListError
        The list is not a SID list; before the first request, except for a generator.
    CredentialsError
        Credentials are missing or invalid.
    SignInError, WrongAccountError, RunStoppedError
        The cause would have failed every call. What was fetched is in ``.frame``.
    CacheError
        The cache cannot be opened; before the first request.
    FetchInterrupted
        Ctrl-C, or a notebook's stop button: a KeyboardInterrupt, with what was fetched in
        ``.frame``.

    Examples
    --------
    >>> from callkit.sandbox import Sandbox
    >>> sandbox = Sandbox(calls=100)
    >>> sids = sandbox.sids(20) + sandbox.unknown_sids(2)
    >>> callkit.collect(sids, client=sandbox.client())
    FetchResult(20 calls, 2 failures: 2 not_found)
    """
    names = list(SCHEMA.names) if columns is None else _checked_columns(columns)
    run = Run(read_sids(sids), client, cache, refresh, progress)
    tables = [SCHEMA.empty_table().select(names)]
    try:
        with closing(run.tables()) as fetched:
            for table in fetched:
                tables.append(table.select(names))  # noqa: PERF401  (kept where the run ends early)
    except (IncompleteError, FetchInterrupted) as stop:
        stop.attach(_framed(tables, run.attributes()), failures_frame(run.failures))
        raise
    return FetchResult(
        run.calls,
        failures_frame(run.failures),
        price_changes_frame(run.price_changes),
        load_frame=partial(_framed, tables, run.attributes()),
        load_table=partial(pa.concat_tables, tables),
    )


def to_frame(
    sids: SidSource,
    *,
    client: Client | None = None,
    cache: str | PathLike[str] | None = None,
    refresh: Refresh = None,
    errors: Errors = "raise",
    columns: Sequence[str] | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Fetch calls and return them as a typed DataFrame.

    Parameters
    ----------
    sids : str, path, DataFrame, Series, Index or any iterable
        The calls to fetch: the path of a text, CSV or Parquet file, a DataFrame with a column
        ``sid`` (and ``account_sid``, for calls of several accounts), or the SIDs themselves.
    client : Client, optional
        The client; by default one with the credentials of the environment.
    cache : str or path, optional
        A file that keeps calls as received; created if missing. Calls whose records are final are
        taken from it and never requested again, and an interrupted run can be resumed. It contains
        personal data, and only its owner can read it.
    refresh : {"all", "unpriced"} or datetime, optional
        Request final calls again: all of them, those without a price, or those fetched before that
        moment.
    errors : {"raise", "warn"}, default "raise"
        Whether to raise or warn, at the end, if calls could not be fetched.
    columns : sequence of str, optional
        The columns to return, in this order; by default all of :data:`callkit.SCHEMA`.
    progress : bool, optional
        Whether to show a progress bar; by default in a terminal or a notebook, from 300 calls on.

    Returns
    -------
    pandas.DataFrame
        One row per distinct call, in the order of first mention. SIDs, parties and names are
        ``str``; ``status``, ``direction`` and ``answered_by`` categories; times
        ``datetime64[us, UTC]``; ``duration`` and ``queue_time`` ``timedelta64[ms]``; ``price`` an
        exact Arrow ``decimal128(18, 8)``. ``df.attrs["callkit"]`` holds counts and as-of times.

    Raises
    ------
    FetchError
        Calls could not be fetched: see ``.failures``; the others are in ``.frame``.
    InvalidSidError, SidListError, CredentialsError, SignInError, WrongAccountError, CacheError
        As for :func:`collect`, ``FetchInterrupted`` too.

    Warns
    -----
    PriceChangeWarning
        Prices differ from the cached ones; see :func:`collect`.

    Examples
    --------
    The DataFrame has one row per distinct call, so join it to your own table by SID. Its SIDs are
    ``CA`` and lower-case digits; if a spreadsheet has converted yours to upper case, convert them
    back first, or the join finds no calls:

    >>> from callkit.sandbox import Sandbox
    >>> sandbox = Sandbox(calls=100)
    >>> sids = sandbox.sids(3)
    >>> df = callkit.to_frame(sids, client=sandbox.client())
    >>> listed = [sids[2].upper(), sids[0], sids[2]]
    >>> mine = pd.DataFrame({"sid": listed, "campaign": ["a", "b", "c"]})
    >>> mine["sid"] = "CA" + mine["sid"].str[2:].str.lower()
    >>> joined = mine.merge(df, on="sid", how="left", validate="many_to_one")
    >>> joined["campaign"].tolist()
    ['a', 'b', 'c']
    >>> joined["status"].notna().all()
    np.True_
    """
    check_errors(errors)
    got = collect(
        sids, client=client, cache=cache, refresh=refresh, columns=columns, progress=progress
    )
    raise_or_warn(got, errors)
    return got.frame


def _framed(tables: list[pa.Table], attributes: dict[str, Any]) -> pd.DataFrame:
    df = table_to_frame(pa.concat_tables(tables))
    df.attrs.update(attributes)
    return df


def check_errors(errors: object) -> None:
    if errors not in {"raise", "warn"}:
        raise ValueError(f"Invalid errors {errors!r}: expected 'raise' or 'warn'")


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


def raise_or_warn(result: FetchResult, errors: Errors) -> None:
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
