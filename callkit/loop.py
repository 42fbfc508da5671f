"""The loop that fetches, normalises and stores calls, and hands them over in order.

:meth:`Run.tables` reads SIDs, takes from the cache what is final, has the pool fetch the rest,
types what has arrived, stores it with what is final marked as such, and hands it over in the order
of the list.
"""

import logging
import time
from collections import deque
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from os import PathLike
from typing import Any

import pandas as pd
import pyarrow as pa

import callkit
from callkit.cache.store import Cache, Refresh
from callkit.chunks import WHOLE_LIST, Chunks
from callkit.errors import CacheError, FetchInterrupted
from callkit.fetch import Client
from callkit.fetch.pages import PAGE_SIZE, Page, origin_of
from callkit.fetch.pool import Pool
from callkit.interrupts import Interrupts, deferred_interrupts
from callkit.normaliser import to_table
from callkit.normaliser.casts import failures_frame
from callkit.outcomes import Failure, Fetched, Outcome
from callkit.paging import NO_HINTS, Hints, Pages, Paging, as_fetched
from callkit.sid_list import SidList
from callkit.sids import CallKey
from callkit.terminal import Bar, progress_bar

_log = logging.getLogger(__name__)

_TYPED_EVERY = 0.5  # seconds
_TYPED_AT_ONCE = 1_000  # calls
_LARGE = 1 << 24  # bytes of bodies: typed at once, however few they are
_WORTH_A_BAR = 300  # calls


class Run:
    """A run over a SID list; its attributes describe what has been yielded so far."""

    def __init__(
        self,
        keys: list[CallKey] | Iterator[CallKey],
        client: Client | None,
        cache: str | PathLike[str] | None,
        refresh: Refresh,
        progress: bool | None,
        *,
        pages: Pages = False,
        hints: Hints = NO_HINTS,
        found_in: Collection[str] = (),
    ) -> None:
        self._list = SidList(keys)
        total = self._list.total
        # Of a list that is read as it is made, nothing waits for what comes later.
        is_long = total is not None and (pages is True or total > PAGE_SIZE)
        # Who asks for final calls again asks for what has changed: a list may not have that yet.
        self._pages = bool(pages) and is_long and refresh is None
        self._chunks = Chunks(ahead=WHOLE_LIST) if self._pages else Chunks()
        self.failures = self._chunks.failures
        self.price_changes = self._chunks.price_changes
        self.as_of: list[datetime] = []
        self._client = client
        self._pool: Pool | None = None
        self._cache_path = cache
        self._cache: Cache | None = None
        self._refresh: Refresh = refresh
        self._progress = progress
        self._always = pages is True
        self._hints = hints
        self._found_in = set(found_in)  # accounts that are known to have had calls
        self._paging: Paging | None = None
        self._from_pages = 0
        self._unread: deque[Page] = deque()
        self._arrived: dict[str, Fetched] = {}
        self._bytes_arrived = 0
        self._typed_at = time.monotonic()

    def tables(self) -> Generator[pa.Table, None, None]:
        """Yield the calls as tables of :data:`callkit.SCHEMA`, some thousand at a time.

        What ends the run early is raised after the last table; a CacheError before the first
        request.
        """
        with ExitStack() as stack:
            stack.callback(self._chunks.close)
            stack.callback(self._unread.clear)
            interrupts = stack.enter_context(deferred_interrupts())
            if self._cache_path is not None:
                cache = Cache(self._cache_path, lambda: interrupts.heard)
                self._cache = stack.enter_context(cache)
            bar = stack.enter_context(
                progress_bar(self._list.total, self._progress, "calls", _WORTH_A_BAR)
            )
            while not (interrupts.heard or (self._list.exhausted and not self._chunks.pending)):
                keys: list[CallKey] = []
                if not self._list.exhausted:
                    keys = self._list.read(self._chunks.room, self._pool, interrupts)
                if keys and not interrupts.heard:
                    self._ask_for(keys, bar, stack)
                if self._pool is not None:
                    self._request(self._pool)
                    self._receive(self._pool, bar, wait=not (keys or self._unread))
                if self._unread:
                    self._read(self._unread.popleft(), bar)
                yield from self._chunks.finished()
            if interrupts.heard and self._pool is not None:
                self._pool.close()
                self._receive(self._pool, bar, wait=False)
                while self._unread:
                    self._read(self._unread.popleft(), bar)
            if self._arrived:
                self._type_arrived()
            yield from self._chunks.finished(rest=True)
        self._say_what_pages_had()
        self._raise_why_it_ended(interrupts)

    @property
    def calls(self) -> int:
        return self._chunks.calls

    @property
    def cached(self) -> int:
        """How many of the calls are in the cache."""
        return 0 if self._cache is None else max(0, self.calls - self._cache.not_stored)

    @property
    def keeps(self) -> bool:
        return self._cache is not None and self.cached == self.calls

    def failures_frame(self) -> pd.DataFrame:
        """Make the frame of failures; its attrs say in which accounts calls were found."""
        frame = failures_frame(self.failures)
        found_in = self._found_in | (set() if self._pool is None else self._pool.stop.found_in)
        if found_in:
            frame.attrs["callkit"] = {"found_in": sorted(found_in)}
        return frame

    def attributes(self) -> dict[str, Any]:
        said = attributes(self.calls, len(self.failures), self.as_of)
        said["callkit"]["calls_from_pages"] = self._from_pages
        return said

    def _ask_for(self, keys: list[CallKey], bar: Bar | None, stack: ExitStack) -> None:
        """Take from the cache what is final and valid there, and have the rest fetched."""
        self._chunks.expect(keys)
        if self._cache is not None:
            self._look_up(self._cache, keys, bar)
            keys = [key for key in keys if key.sid in self._chunks.pending]
            self._list.missing = len(keys)
        if keys:
            if self._pool is None:
                self._pool = self._start(self._client or stack.enter_context(Client()))
                stack.callback(self._pool.close)
            self._pool.stop.note_found(self._found_in)
            if self._paging is None:
                self._pool.put(keys)
            else:
                self._paging.want(keys)

    def _look_up(self, cache: Cache, keys: list[CallKey], bar: Bar | None) -> None:
        try:
            for found in cache.look_up(keys, self._refresh):
                self._found_in.update(each.account_sid for each in found)
                self._add_found({each.sid: each for each in found}, bar)
        except CacheError as error:
            if self._pool is None:  # nothing has been fetched that could be lost
                raise
            cache.go_on_without(error)

    def _start(self, client: Client) -> Pool:
        """Make the workers and, for a list of which pages may have the calls, what directs them."""
        if self._pages:
            self._paging = Paging(
                *(client.account_sid, origin_of(client.base_url), client.concurrency, self._hints),
                always=self._always,
            )
        if self._cache is not None and self._cache.has_calls_of(client.account_sid):
            self._found_in.add(client.account_sid)
        return client.pool()

    def _request(self, pool: Pool) -> None:
        if self._paging is not None:
            self._paging.request(
                *(pool, time.monotonic()),
                unread=len(self._unread),
                all_known=self._list.exhausted,
            )

    def _add_found(self, found: dict[str, Fetched], bar: Bar | None) -> None:
        """Add calls of the cache, but for those with invalid bodies, which stay pending."""
        table, _ = to_table(map(attrgetter("body"), found.values()), list(found))
        self._add(table, found)
        if bar is not None:
            bar.add_cached(len(table))

    def _receive(self, pool: Pool, bar: Bar | None, *, wait: bool) -> None:
        """Take outcomes from the pool, and type the calls once there are enough."""
        settled = failed = 0
        for outcome in pool.take(wait=wait):
            if isinstance(outcome, Page):
                self._unread.append(outcome)
            elif outcome.sid is None:
                self._paging_of_pages.failed(outcome)
            else:
                if self._paging is not None:
                    self._paging.note(outcome)
                if outcome.sid in self._chunks.pending:  # a page may have had it meanwhile
                    settled += 1
                    failed += self._settle(outcome)
        if bar is not None:
            bar.add(settled, pool, failed=failed)
        now = time.monotonic()
        enough = (
            len(self._arrived) >= _TYPED_AT_ONCE
            or self._bytes_arrived >= _LARGE
            or now - self._typed_at >= _TYPED_EVERY
        )
        if self._arrived and (enough or len(self._arrived) == len(self._chunks.pending)):
            self._type_arrived()
            self._typed_at = now

    def _settle(self, outcome: Outcome) -> bool:
        """Take the outcome of a call; return whether it has failed."""
        if isinstance(outcome, Fetched):
            self._arrived[outcome.sid] = outcome
            self._bytes_arrived += len(outcome.body)
            return False
        self._chunks.fail(outcome)
        return True

    def _read(self, page: Page, bar: Bar | None) -> None:
        """Take from a page the calls that are wanted, if a fetch would give the same."""
        paging = self._paging_of_pages
        asked = {call.sid: call for call in paging.asked(page)}
        table = as_fetched(list(asked.values()))
        sids = table["sid"].to_pylist()
        if sids and self._pool is not None:
            self._pool.stop.note_found([page.key.account_sid])
        self._store([asked[sid] for sid in sids], table)
        self._add(table, asked)
        self._from_pages += len(sids)
        paging.took(page, sids, time.monotonic())
        if bar is not None:
            bar.add(len(sids), self._pool, **{"from pages": len(sids)})

    @property
    def _paging_of_pages(self) -> Paging:
        assert self._paging is not None  # noqa: S101  (nothing else requests pages)
        return self._paging

    def _type_arrived(self) -> None:
        """Type calls, store those that are valid, and mark those that are final too."""
        arrived, self._arrived, self._bytes_arrived = self._arrived, {}, 0
        table, broken = to_table(map(attrgetter("body"), arrived.values()), list(arrived))
        self._store([arrived[sid] for sid in table["sid"].to_pylist()], table)
        self._add(table, arrived)
        for failure in broken:
            self._chunks.fail(self._located(failure, arrived))

    def _store(self, valid: list[Fetched], table: pa.Table) -> None:
        if self._cache is not None:
            for change in self._cache.store(valid, table):
                self._chunks.remark(change)

    def _add(self, table: pa.Table, calls: dict[str, Fetched]) -> None:
        self._chunks.add(table)
        times = self.as_of + [calls[sid].fetched_at for sid in table["sid"].to_pylist()]
        self.as_of = [min(times), max(times)] if times else []

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

    def _say_what_pages_had(self) -> None:
        if self._paging is not None and self._paging.pages:
            _log.info(
                "%s of %s calls came from %s pages",
                *(f"{n:,}" for n in (self._from_pages, self.calls, self._paging.pages)),
            )

    def _raise_why_it_ended(self, interrupts: Interrupts) -> None:
        if interrupts.heard:
            total = "" if self._list.total is None else f" of {self._list.total:,}"
            noun = "call" if self.calls == 1 and not total else "calls"
            arrived = f"interrupted after {self.calls:,}{total} {noun} had arrived"
            raise FetchInterrupted(arrived + whereabouts(self.calls, self.cached, self._cache_path))
        if self._pool is not None and self._pool.stop.error is not None:
            raise self._pool.stop.error
        if self._list.error is not None:
            raise self._list.error


def attributes(got: int, failed: int, as_of: Sequence[datetime]) -> dict[str, Any]:
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


def whereabouts(calls: int, cached: int, cache: str | PathLike[str] | None) -> str:
    """Say where the calls of an interrupted run are; the cache may lack some of them."""
    if not calls:
        return ""
    in_frame = "; they are in the exception's .frame"
    if cache is None:
        return f"{in_frame} (with cache=… a run can be resumed)"
    name = repr(str(cache))
    if cached == calls:
        return f"; they are in {name}: run again to continue from there"
    if cached:
        some = f"; {name} has only {cached:,} of them: run again to continue from there"
        return f"{some}{in_frame}, all of them"
    return f"; {name} has none of them, since it could not be written to{in_frame}"
