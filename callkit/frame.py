"""SID list in, typed DataFrame out: fetch, then normalise."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd
import pyarrow as pa

from callkit.errors import (
    FetchError,
    FetchInterrupted,
    IncompleteError,
    IncompleteWarning,
    PriceChangeWarning,
)
from callkit.fetch.cache import check_refresh
from callkit.gathering import Gathering
from callkit.normalise import table_to_frame
from callkit.outcomes import failures_frame
from callkit.schema import MONEY, SCHEMA
from callkit.sids import read_sids

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from callkit.errors import Frame
    from callkit.fetch import Client
    from callkit.fetch.cache import PriceChange, Refresh
    from callkit.sids import SidSource

__all__ = ["Collected", "collect", "to_frame"]


@dataclass(frozen=True)
class Collected:
    """What came of a SID list: every call is in the one frame or in the other.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row per call that arrived, in the order of the list.
    failures : pandas.DataFrame
        One row per call that did not: ``sid``, ``account_sid``, ``reason`` (category),
        ``message``, ``http_status`` and ``code`` (Int64), ``request_id``, ``attempts`` (int64).
    price_changes : pandas.DataFrame
        One row per call whose price is no longer what the cache had: ``sid``, ``old`` and ``new``
        (exact decimals; null is "not priced").
    """

    frame: pd.DataFrame
    failures: pd.DataFrame
    price_changes: pd.DataFrame

    def __repr__(self) -> str:
        counts = describe_failures(self.failures["reason"].tolist())
        return f"Collected({len(self.frame):,} calls, {counts or 'no failures'})"


def collect(
    sids: SidSource,
    *,
    client: Client | None = None,
    cache: str | PathLike[str] | None = None,
    refresh: Refresh = None,
    columns: Sequence[str] | None = None,
    progress: bool | None = None,
) -> Collected:
    """Fetch calls and type them; single calls that fail raise nothing.

    Parameters
    ----------
    sids : str, path, DataFrame, Series, Index or any iterable
        A path to a text, CSV or Parquet file, a frame with a ``sid`` column (and, for calls of
        several accounts, ``account_sid``), or the SIDs themselves.
    client : Client, optional
        Who signs in, and where; by default as the environment says.
    cache : str or path, optional
        A file that keeps calls as they came, made if there is none. Calls whose records are final
        are taken from it and never asked for again; a run that was cut short goes on from there.
        It holds personal data, and only its owner may read it.
    refresh : {"all", "unpriced"} or datetime, optional
        Ask again for calls that the cache has settled: all, those without a price, or those
        fetched before that moment.
    columns : sequence of str, optional
        Which columns, in which order; by default all of :data:`callkit.SCHEMA`.
    progress : bool, optional
        Whether to show a bar; by default in a terminal or a notebook, from some hundred calls on.

    Returns
    -------
    Collected
        ``.frame`` with one row per distinct call, in the order of first mention, ``.failures``
        with one row per call that did not arrive, and ``.price_changes`` against the cache. See
        :func:`to_frame` for the dtypes.

    Raises
    ------
    InvalidSidError, SidListError
        The list is no SID list; before the first request, except for a generator.
    CredentialsError
        There are no credentials.
    SignInError, WrongAccountError, RunStoppedError
        What failed would have failed for every call. What was fetched is in ``.frame``.
    CacheError
        The cache cannot be opened; before the first request.
    FetchInterrupted
        Ctrl-C, or a notebook's stop button: a KeyboardInterrupt, with what was fetched in
        ``.frame``.

    Examples
    --------
    >>> from callkit.sandbox import Sandbox
    >>> with Sandbox(calls=100, seed=7) as sandbox:
    ...     got = callkit.collect(
    ...         sandbox.sids(20) + sandbox.unknown_sids(2), client=sandbox.client()
    ...     )
    >>> got
    Collected(20 calls, 2 failures: 2 not_found)
    """
    check_refresh(refresh)
    names = _checked_columns(columns)
    gathering = Gathering(read_sids(sids), client, cache, refresh, progress)
    tables = [SCHEMA.empty_table()]
    try:
        for table in gathering.tables():
            tables.append(table.select(names))  # noqa: PERF401  (what came is kept if it raises)
    except IncompleteError as stop:
        stop.attach(*_frames(tables, names, gathering))
        raise
    except KeyboardInterrupt:
        message = describe_interruption(gathering)
        raise FetchInterrupted(message, *_frames(tables, names, gathering)) from None
    return Collected(*_frames(tables, names, gathering), price_changes_frame(gathering))


def to_frame(
    sids: SidSource,
    *,
    client: Client | None = None,
    cache: str | PathLike[str] | None = None,
    refresh: Refresh = None,
    errors: Literal["raise", "warn"] = "raise",
    columns: Sequence[str] | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Fetch calls and return them as a typed frame.

    Parameters
    ----------
    sids, client, cache, refresh, columns, progress
        As for :func:`collect`.
    errors : {"raise", "warn"}, default "raise"
        What to do, at the end, about calls that did not arrive.

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
        Calls did not arrive. ``.frame`` has those that did, ``.failures`` says why the others
        did not.
    InvalidSidError, SidListError, CredentialsError, SignInError, WrongAccountError, CacheError
        As for :func:`collect`, :class:`FetchInterrupted` too.

    Warns
    -----
    PriceChangeWarning
        Prices are no longer what the cache had; :func:`collect` says which.

    Examples
    --------
    Rows do not line up with a list that names a call twice, so join by SID. SIDs in the frame are
    ``CA`` and lower-case digits; where a spreadsheet has turned yours to upper case, the first line
    turns them back, and without it every call would be missing from the join:

    >>> from callkit.sandbox import Sandbox
    >>> with Sandbox(calls=100, seed=7) as sandbox:
    ...     sids = sandbox.sids(3)
    ...     df = callkit.to_frame(sids, client=sandbox.client())
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
    warn_of_changes(got.price_changes)
    report_failures(got.frame, len(got.frame), got.failures, errors)
    return got.frame


def check_errors(errors: str) -> None:
    """Refuse an ``errors=`` that is none, before any work is done."""
    if errors not in {"raise", "warn"}:
        raise ValueError(f"errors must be 'raise' or 'warn', not {errors!r}")


def report_failures(frame: Frame, calls: int, failures: pd.DataFrame, errors: str) -> None:
    """Raise or warn, as `errors` says, if there are failures beside so many calls."""
    if failures.empty:
        return
    counts = describe_failures(failures["reason"].tolist())
    message = f"{counts}, of {calls + len(failures):,} calls"
    if errors == "warn":
        warnings.warn(message, IncompleteWarning, stacklevel=3)
        return
    hint = (
        "after `except callkit.FetchError as e`, e.frame has the calls that came and e.failures "
        "says why the others did not (errors='warn' warns instead)"
    )
    raise FetchError(f"{message}; {hint}", frame=frame, failures=failures)


def warn_of_changes(price_changes: pd.DataFrame) -> None:
    """Warn if prices that the cache had have changed; a first price is no change."""
    changed = price_changes["old"].notna().sum()
    if changed:
        warnings.warn(
            f"{changed:,} calls have another price than the cache had; "
            "callkit.collect(…).price_changes says which",
            PriceChangeWarning,
            stacklevel=3,
        )


def describe_interruption(gathering: Gathering) -> str:
    """Say how far a run got that was interrupted, and how to go on from there."""
    total = "" if gathering.total is None else f" of {gathering.total:,}"
    arrived = f"interrupted when {gathering.calls:,}{total} calls had arrived"
    if gathering.cache is not None:
        return f"{arrived}; they are in {str(gathering.cache)!r}: run it again to go on from there"
    return f"{arrived}; they are in the exception's .frame (with cache=… a run can be resumed)"


def price_changes_frame(gathering: Gathering) -> pd.DataFrame:
    """Make the frame of prices that are no longer what the cache had."""
    changes: Iterable[PriceChange] = gathering.price_changes
    rows = [(change.sid, change.old, change.new) for change in changes]
    frame = pd.DataFrame(rows, columns=["sid", "old", "new"])
    money = pd.ArrowDtype(MONEY)
    return frame.astype({"sid": "str", "old": money, "new": money})


def describe_failures(reasons: Sequence[str]) -> str:
    """Count failures by reason, in one phrase; nothing for none."""
    if not reasons:
        return ""
    counts = ", ".join(f"{n:,} {reason}" for reason, n in Counter(reasons).most_common())
    return f"{len(reasons):,} failure{'s' if len(reasons) > 1 else ''}: {counts}"


def _checked_columns(columns: Sequence[str] | None) -> list[str]:
    if columns is None:
        return list(SCHEMA.names)
    names = [columns] if isinstance(columns, str) else list(columns)
    unknown = [name for name in names if name not in SCHEMA.names]
    if unknown:
        raise ValueError(
            f"no such column: {', '.join(map(repr, unknown))}; there are {', '.join(SCHEMA.names)}"
        )
    return names


def _frames(
    tables: list[pa.Table], names: list[str], gathering: Gathering
) -> tuple[pd.DataFrame, pd.DataFrame]:
    tables[0] = tables[0].select(names)
    frame = table_to_frame(pa.concat_tables(tables))
    frame.attrs.update(gathering.attributes())
    return frame, failures_frame(gathering.failures)
