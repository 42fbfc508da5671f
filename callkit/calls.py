"""The loop that fetches, normalises and stores calls, and `collect` and `to_frame` on top.

The loop (:meth:`Run.tables`) reads SIDs, takes from the cache what is final, has the pool fetch the
rest, types what has arrived, stores it with what is final marked as such, and hands it over in the
order of the list.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from os import PathLike
from typing import Any

import pandas as pd
import pyarrow as pa

from callkit.cache.finality import final_rows
from callkit.cache.store import Cache, Refresh
from callkit.chunks import Chunks
from callkit.errors import FetchInterrupted, IncompleteError
from callkit.fetch import Client
from callkit.fetch.pool import Pool
from callkit.normaliser import table_to_frame, to_table
from callkit.outcomes import Failure, Fetched, PriceChange, failures_frame, price_changes_frame
from callkit.results import Errors, FetchResult, attributes, report
from callkit.schema import SCHEMA
from callkit.sids import CallKey, SidList, SidSource, read_sids
from callkit.terminal import Bar, Interrupts, deferred_interrupts, progress_bar

_TYPED_EVERY = 0.5  # seconds
_TYPED_AT_ONCE = 1_000  # calls


class Run:
    """A run over a SID list; its attributes describe what has been yielded so far."""

    def __init__(
        self,
        keys: list[CallKey] | Iterator[CallKey],
        client: Client | None,
        cache: str | PathLike[str] | None,
        refresh: Refresh,
        progress: bool | None,
    ) -> None:
        self.calls = 0
        self.failures: list[Failure] = []
        self.price_changes: list[PriceChange] = []
        self._as_of: list[datetime] = []
        self._list = SidList(keys)
        self._chunks = Chunks()
        self._client = client
        self._pool: Pool | None = None
        self._cache_path = cache
        self._cache: Cache | None = None
        self._refresh: Refresh = refresh
        self._progress = progress
        self._arrived: list[Fetched] = []
        self._typed_at = time.monotonic()

    def tables(self) -> Generator[pa.Table, None, None]:
        """Yield the calls as tables of :data:`callkit.SCHEMA`, some thousand at a time.

        Raises
        ------
        CacheError
            Before the first request.
        SignInError, WrongAccountError, RunStoppedError, InvalidSidError, FetchInterrupted
            After the last table, where the run ended early.
        """
        with ExitStack() as stack:
            if self._cache_path is not None:
                self._cache = stack.enter_context(Cache(self._cache_path))
            interrupts = stack.enter_context(deferred_interrupts())
            bar = stack.enter_context(progress_bar(self._list.total, self._progress))
            while not (interrupts.heard or (self._list.exhausted and not self._chunks.pending)):
                keys: list[CallKey] = []
                if not self._list.exhausted:
                    keys = self._list.read(self._chunks.room, self._is_hungry, interrupts)
                if keys and not interrupts.heard:
                    self._ask_for(keys, bar, stack)
                if self._pool is not None:
                    self._receive(self._pool, bar, wait=not keys)
                yield from self._finished(rest=False)
            if interrupts.heard and self._pool is not None:
                self._pool.close()
                self._receive(self._pool, bar, wait=False)
            if self._arrived:
                self._type_arrived()
            yield from self._finished(rest=True)
        self._raise_why_it_ended(interrupts)

    @property
    def keeps(self) -> bool:
        """Whether a cache has what was fetched."""
        return self._cache is not None and self._cache.writable

    def attributes(self) -> dict[str, Any]:
        """Return the `df.attrs` of the whole run."""
        return attributes(self.calls, len(self.failures), self._as_of)

    def _is_hungry(self) -> bool:
        return self._pool is None or self._pool.is_hungry

    def _ask_for(self, keys: list[CallKey], bar: Bar | None, stack: ExitStack) -> None:
        """Take from the cache what is final and valid there, and have the rest fetched."""
        self._chunks.expect(keys)
        if self._cache is not None:
            found = {each.sid: each for each in self._cache.look_up(keys, self._refresh)}
            if found:
                keys = self._add_found(keys, found, bar)
            self._list.note_missing(len(keys))
        if keys:
            if self._pool is None:
                client = self._client or stack.enter_context(Client())
                self._pool = client.pool()
                stack.callback(self._pool.close)
            self._pool.put(keys)

    def _add_found(
        self, keys: list[CallKey], found: dict[str, Fetched], bar: Bar | None
    ) -> list[CallKey]:
        """Take calls from the cache, and return those that it lacks or has invalid bodies of."""
        table, _ = to_table([each.body for each in found.values()], list(found))
        self._store(table, found)
        if bar is not None:
            bar.add_cached(len(table))
        return [key for key in keys if key.sid in self._chunks.pending]

    def _receive(self, pool: Pool, bar: Bar | None, *, wait: bool) -> None:
        """Take outcomes from the pool, and type the calls once there are enough."""
        outcomes = pool.take(wait=wait)
        failed = 0
        for outcome in outcomes:
            if isinstance(outcome, Fetched):
                self._arrived.append(outcome)
            else:
                failed += 1
                self._chunks.fail(outcome)
        if bar is not None:
            bar.add(len(outcomes), failed, pool)
        now = time.monotonic()
        enough = len(self._arrived) >= _TYPED_AT_ONCE or now - self._typed_at >= _TYPED_EVERY
        if self._arrived and (enough or len(self._arrived) == len(self._chunks.pending)):
            self._type_arrived()
            self._typed_at = now

    def _type_arrived(self) -> None:
        """Type calls, store those that are valid, and mark those that are final too."""
        arrived, self._arrived = {call.sid: call for call in self._arrived}, []
        table, broken = to_table([call.body for call in arrived.values()], list(arrived))
        if self._cache is not None:
            valid = [arrived[sid] for sid in table["sid"].to_pylist()]
            final = final_rows(table, [call.fetched_at for call in valid])
            for change in self._cache.store(valid, table["price"].to_pylist(), final):
                self._chunks.remark(change)
        self._store(table, arrived)
        for failure in broken:
            self._chunks.fail(self._located(failure, arrived))

    def _store(self, table: pa.Table, calls: dict[str, Fetched]) -> None:
        self._chunks.add(table)
        times = self._as_of + [calls[sid].fetched_at for sid in table["sid"].to_pylist()]
        self._as_of = [min(times), max(times)] if times else []

    def _located(self, failure: Failure, calls: dict[str, Fetched]) -> Failure:
        """Say of a body that breaks the contract how it was fetched."""
        assert self._pool is not None  # noqa: S101  (where else would it be from)
        call = calls[str(failure.sid)]
        return replace(
            failure,
            account_sid=call.account_sid,
            message=self._pool.discreet(failure.message),
            http_status=200,
            request_id=call.request_id,
            attempts=call.attempts,
        )

    def _finished(self, *, rest: bool) -> Iterator[pa.Table]:
        for table, remarks in self._chunks.finished(rest=rest):
            for remark in remarks:
                if isinstance(remark, Failure):
                    self.failures.append(remark)
                else:
                    self.price_changes.append(remark)
            if table is not None:
                self.calls += len(table)
                yield table

    def _raise_why_it_ended(self, interrupts: Interrupts) -> None:
        if interrupts.heard:
            total = "" if self._list.total is None else f" of {self._list.total:,}"
            noun = "call" if self.calls == 1 and not total else "calls"
            arrived = f"interrupted when {self.calls:,}{total} {noun} had arrived"
            if self.keeps:
                where = f"they are in {str(self._cache_path)!r}: run it again to go on from there"
            else:
                where = "they are in the exception's .frame (with cache=… a run can be resumed)"
            raise FetchInterrupted(f"{arrived}; {where}")
        if self._pool is not None and self._pool.stop.error is not None:
            raise self._pool.stop.error
        if self._list.error is not None:
            raise self._list.error


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
    check_options(refresh)
    names = _checked_columns(columns)
    run = Run(read_sids(sids), client, cache, refresh, progress)
    tables = [SCHEMA.empty_table().select(names)]
    try:
        with closing(run.tables()) as fetched:
            tables.extend(table.select(names) for table in fetched)
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
    check_options(refresh, errors)
    got = collect(
        sids, client=client, cache=cache, refresh=refresh, columns=columns, progress=progress
    )
    report(got, errors)
    return got.frame


def _framed(tables: list[pa.Table], attributes: dict[str, Any]) -> pd.DataFrame:
    df = table_to_frame(pa.concat_tables(tables))
    df.attrs.update(attributes)
    return df


def check_options(refresh: object, errors: object = "raise") -> None:
    """Refuse an invalid ``refresh=`` or ``errors=`` before any work is done."""
    if errors not in {"raise", "warn"}:
        raise ValueError(f"Invalid errors {errors!r}: expected 'raise' or 'warn'")
    known = refresh is None or refresh in ("all", "unpriced")
    if not known and not (isinstance(refresh, datetime) and refresh.tzinfo is not None):
        raise ValueError(
            f"Invalid refresh {refresh!r}: expected 'all', 'unpriced' or a datetime with a "
            "time zone"
        )


def _checked_columns(columns: Sequence[str] | None) -> list[str]:
    if columns is None:
        return list(SCHEMA.names)
    names = [columns] if isinstance(columns, str) else list(columns)
    unknown = [name for name in names if name not in SCHEMA.names]
    if unknown:
        raise ValueError(
            f"Unknown column {', '.join(map(repr, unknown))}. Available columns: "
            f"{', '.join(SCHEMA.names)}"
        )
    return names
