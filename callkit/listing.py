"""The loop that lists the calls of a date range, day by day, and hands them over in order.

:meth:`ListRun.tables` has the pool fetch the first page of each UTC day, and after every page the
next one; it types a page as soon as it is there, stores its calls, and lets them wait for the turn
of their day. The pages of a day come one after the other; days are listed side by side.
"""

import logging
import warnings
from collections import Counter, deque
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime
from operator import attrgetter
from os import PathLike
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from callkit.cache.store import Cache, DayNotCompleteError, Refresh, final_rows
from callkit.call_list import CallList, Range
from callkit.day import Day, Dropped, sid_of
from callkit.errors import AgeWarning, CacheError, FetchInterrupted, RunStoppedError
from callkit.fetch import Client
from callkit.fetch.pages import Page, PageKey, first_page, origin_of
from callkit.fetch.pool import Pool
from callkit.interrupts import Interrupts, deferred_interrupts
from callkit.loop import Run, attributes, whereabouts
from callkit.normaliser import to_table
from callkit.normaliser.casts import failures_frame
from callkit.outcomes import Failure, Fetched
from callkit.plan import Inquiry
from callkit.schema import SCHEMA
from callkit.sids import CallKey
from callkit.terminal import Bar, progress_bar
from callkit.waiting import Memory, WaitingRows

_log = logging.getLogger(__name__)

_AHEAD = 4  # days under way beside those in flight: their pages are being typed
_UNTYPED = 4  # pages: while more wait to be typed, no other is requested
_REACHABLE = pd.DateOffset(months=13)
_WORTH_A_BAR = 2  # days
_ASKED = ("tz", "status", "to", "from_", "parent_call_sid")


class Again(NamedTuple):
    """What to list and fetch again after failures: single days, and single calls of other days.

    Calls named ``anywhere``, of no day of the list, are wanted though they are not in the range.
    """

    days: list[tuple[str, date]]
    calls: list[CallKey]
    anywhere: list[str]


class ListRun:
    """A run over a date range; its attributes describe what has been yielded so far."""

    def __init__(
        self,
        asked: CallList,
        client: Client | None,
        cache: str | PathLike[str] | None,
        refresh: Refresh,
        progress: bool | None,
        *,
        again: Again | None = None,
    ) -> None:
        self._asked = asked
        self._again = again
        self._singly = Run([] if again is None else again.calls, client, cache, refresh, progress)
        self.calls = 0
        self.failures = self._singly.failures
        self.price_changes = self._singly.price_changes
        self._range = None if asked.is_relative else asked.between()
        self._client = client
        self._cache_path = cache
        self._cache: Cache | None = None
        self._refresh: Refresh = refresh
        self._progress = progress
        self._dropped = Dropped()
        self._as_of: list[datetime] = []
        self._statuses: dict[str, str | None] = {}  # of the accounts, where they are known
        self._named: dict[tuple[str, str], Day] = {}  # all days, in the order of the result
        self._days: deque[Day] = deque()  # those not handed over yet
        self._unasked: dict[str, deque[Day]] = {}
        self._under_way = Counter[str]()
        self._following: list[PageKey] = []
        self._arrived: deque[tuple[Page | Failure, bool]] = deque()  # and whether it is the last
        self._looked_at_age = False
        self._stopped = False

    def tables(self) -> Generator[pa.Table, None, None]:
        """Yield the calls as tables of :data:`callkit.SCHEMA`, some thousand at a time.

        What ends the run early is raised after the last table; a CacheError before the first
        request.
        """
        if self._again is not None and self._again.calls:
            yield from self._fetched_singly(self._again.anywhere)
        with ExitStack() as stack:
            interrupts = stack.enter_context(deferred_interrupts())
            if self._cache_path is not None:
                cache = Cache(self._cache_path, lambda: interrupts.heard)
                self._cache = stack.enter_context(cache)
            client = self._client or stack.enter_context(Client())
            pool = client.pool()
            stack.callback(pool.close)
            stack.callback(self._forget_days)
            origin = origin_of(client.base_url)
            self._plan(Inquiry(pool, interrupts, client.account_sid, origin), client.account_sid)
            bar = stack.enter_context(
                progress_bar(len(self._days), self._progress, "days", _WORTH_A_BAR)
            )
            while self._days and not interrupts.heard:
                self._request(pool, client.concurrency + _AHEAD)
                self._receive(pool, origin, bar, wait=not self._arrived)
                if self._arrived:
                    self._read(*self._arrived.popleft(), bar)
                yield from self._finished(pool, bar)
            if interrupts.heard:
                pool.close()
                self._receive(pool, origin, bar, wait=False)
                while self._arrived:
                    self._read(*self._arrived.popleft(), bar)
                yield from self._finished(pool, bar, rest=True)
        self._raise_why_it_ended(pool, interrupts)

    @property
    def cached(self) -> int:
        """How many of the calls are in the cache."""
        not_stored = self._singly.calls - self._singly.cached
        if self._cache is not None:
            not_stored += self._cache.not_stored
        return 0 if self._cache_path is None else max(0, self.calls - not_stored)

    @property
    def keeps(self) -> bool:
        return self._cache_path is not None and self.cached == self.calls

    @property
    def range(self) -> Range:
        assert self._range is not None  # noqa: S101  (it is planned)
        return self._range

    @property
    def accounts(self) -> Collection[str]:
        return self._statuses

    def are_final(self, calls: pa.Table) -> list[bool]:
        """Say for each call whether its record was final when the run began."""
        return final_rows(calls, self._as_of[:1] * len(calls))

    def fetch_again(self, keys: list[CallKey]) -> tuple[pa.Table, list[bool]]:
        """Fetch further calls one by one, and say which are final; some may be gone by now.

        After a run that stopped early none is fetched: that would wait as long once more.
        """
        if self._stopped:
            return SCHEMA.empty_table(), []
        accounts = {key.account_sid for key in keys if key.account_sid is not None}
        run = Run(*(keys, self._client, self._cache_path, None, self._progress), found_in=accounts)
        tables = [SCHEMA.empty_table()]
        try:
            tables += run.tables()
        except RunStoppedError:
            _log.warning("calls that were not final could not all be fetched again")
        except FetchInterrupted:
            raise FetchInterrupted(
                f"interrupted while calls that were not final were fetched again; {self.calls:,} "
                f"calls had been listed{self._whereabouts}"
            ) from None
        self.failures += [each for each in run.failures if each.reason != "not_found"]
        self.price_changes += run.price_changes
        calls = pa.concat_tables(tables)
        return calls, final_rows(calls, run.as_of[:1] * len(calls))

    def failures_frame(self) -> pd.DataFrame:
        """Make the frame of failures; its attrs say what was asked, so that it can be again."""
        frame = failures_frame(self.failures)
        if self._range is not None:
            asked = {name: getattr(self._asked, name) for name in _ASKED}
            asked["started"] = [moment.isoformat() for moment in self._range]
            frame.attrs["callkit"] = {"call_list": asked}
        return frame

    def attributes(self) -> dict[str, Any]:
        failed = [failure for failure in self.failures if failure.sid is not None]
        said = attributes(self.calls, len(failed), self._as_of)
        if self._range is not None:
            said["callkit"] |= {
                "started": [moment.isoformat() for moment in self._range],
                "tz": self._asked.tz,
                "accounts": list(self._statuses),
                "accounts_closed": [sid for sid, of in self._statuses.items() if of == "closed"],
                "filters": [name for name, _ in self._asked.filters()],
                "days_asked": len(self._named),
                "days_failed": len(self.failures) - len(failed),
                "rows_of_other_days": self._dropped.other_days,
                "rows_never_started": self._dropped.never_started,
            }
        return said

    def _fetched_singly(self, anywhere: list[str]) -> Iterator[pa.Table]:
        """Fetch single calls again: until it is valid, a call of a day may be of any range."""
        for calls in self._singly.tables():
            self._note_times(self._singly.as_of)
            named = pc.is_in(calls["sid"], pa.array(anywhere, pa.string()))
            within = self.range.of(calls.filter(pc.invert(named)))
            matching = within.filter(self._asked.matching(within))
            wanted = pa.concat_tables([calls.filter(named), matching])
            self.calls += len(wanted)
            yield wanted

    def _plan(self, inquiry: Inquiry, own_account: str) -> None:
        """Find the accounts, the range and the days; a request is made only if it must be."""
        asked = self._asked
        if asked.account_sid == "all":
            self._statuses = inquiry.accounts()
        elif self._again is not None:
            self._statuses = dict.fromkeys(account for account, _ in self._again.days)
        else:
            self._statuses = dict.fromkeys(asked.accounts or [own_account])
        if self._range is None:
            self._range = asked.between(inquiry.now())
        memory = Memory()
        days = [(account, day) for account in self._statuses for day in self._range.days()]
        for account, each in days if self._again is None else self._again.days:
            self._named[account, each.isoformat()] = Day(account, each, WaitingRows(memory))
        self._days.extend(self._named.values())
        for account in self._statuses:
            of_account = [day for day in self._days if day.account_sid == account]
            if self._cache is not None and self._refresh is None and not asked.filters():
                known = self._cache.complete_days(account, [day.day for day in of_account])
                for day in of_account:
                    day.in_cache = day.day in known
            self._unasked[account] = deque(day for day in of_account if not day.in_cache)

    def _request(self, pool: Pool, most: int) -> None:
        """Request next pages, and more days, unless pages arrive faster than they are typed."""
        if len(self._arrived) >= _UNTYPED:
            return
        pool.put(self._following, first=True)
        self._following = []
        for account, waiting in self._unasked.items():
            room = max(0, min(most - self._under_way[account], len(waiting)))
            self._under_way[account] += room
            days = [waiting.popleft().day for _ in range(room)]
            pool.put(first_page(account, day, self._asked.filters()) for day in days)

    def _receive(self, pool: Pool, origin: str, bar: Bar | None, *, wait: bool) -> None:
        """Take pages and failures from the pool, and see which page follows."""
        for outcome in pool.take(wait=wait):
            following = None
            if isinstance(outcome, Page):
                self._note_times([outcome.fetched_at])
                self._warn_of_age(outcome.fetched_at)
                following = self._day_of(outcome).next_page(outcome, origin)
            if following is not None:
                self._following.append(following)
            if not isinstance(outcome, Fetched):
                self._arrived.append((outcome, following is None))
        if bar is not None:
            bar.add(0, pool)

    def _read(self, outcome: Page | Failure, is_last: bool, bar: Bar | None) -> None:
        """Type what has arrived of a day, store its calls and put them aside."""
        day = self._day_of(outcome)
        if day.done:  # a fault ended it while this page was on its way
            return
        if isinstance(outcome, Failure):
            day.fault = day.fault or outcome
        else:
            rows = outcome.rows
            calls = day.read(outcome, rows, self._asked, self.range, self._dropped)
            self._store(day, outcome, rows, calls)
            day.rows.add(calls)
            if bar is not None:
                bar.add(0, None, calls=len(calls))
        if is_last or day.fault:
            self._end(day, bar)

    def _store(self, day: Day, page: Page, rows: list[bytes], calls: pa.Table) -> None:
        if self._cache is None:
            return
        day.note_dropped(some=not all(final_rows(calls, [page.fetched_at] * len(calls))))
        bodies = {sid_of(row): row for row in rows}
        fetched = [
            Fetched(
                *(sid, day.account_sid, bodies[sid]),
                *(page.request_id, page.fetched_at, page.attempts),
            )
            for sid in calls["sid"].to_pylist()
        ]
        self.price_changes += self._cache.store(fetched, calls)

    def _end(self, day: Day, bar: Bar | None) -> None:
        day.done = True
        self._under_way[day.account_sid] -= 1
        is_whole = day.is_closed and not self._asked.filters()
        if is_whole and self._cache is not None:
            self._cache.mark_complete(*day.key)
        if bar is not None:
            bar.add(1, None, failed=len(day.failures))

    def _finished(self, pool: Pool, bar: Bar | None, *, rest: bool = False) -> Iterator[pa.Table]:
        """Hand over the days that are complete; with `rest` all others too, as they are."""
        while self._days:
            day = self._days[0]
            if day.in_cache and not rest:
                self._take_from_cache(day, pool, bar)
            if not (day.done or rest):
                return
            self._days.popleft()
            if day.rows.count:
                pool.stop.note_found([day.account_sid])
            for table in day.rows.in_order():
                self.calls += len(table)
                yield table
            self.failures += [
                replace(failure, message=pool.discreet(failure.message)) for failure in day.failures
            ]
            day.close()

    def _forget_days(self) -> None:
        for day in self._named.values():
            day.close()

    def _take_from_cache(self, day: Day, pool: Pool, bar: Bar | None) -> None:
        """Type the calls of a day that is complete in the cache; list it if one is invalid."""
        assert self._cache is not None  # noqa: S101  (which knows the day)
        try:
            for calls in self._cache.listed(*day.key):
                day.rows.add(self.range.of(_all_typed(calls)))
                self._note_times(call.fetched_at for call in calls)
        except (DayNotCompleteError, CacheError) as error:
            if isinstance(error, CacheError):
                self._cache.go_on_without(error)
            day.rows.close()
            day.in_cache = False
            self._under_way[day.account_sid] += 1
            pool.put([first_page(*day.key, [])], first=True)
            return
        day.done = True
        if bar is not None:
            bar.add_cached(1, calls=day.rows.count)

    def _note_times(self, times: Iterable[datetime]) -> None:
        known = [*self._as_of, *times]
        self._as_of = [min(known), max(known)] if known else []

    def _warn_of_age(self, now: datetime) -> None:
        """Warn once if the range begins before what can be listed."""
        oldest = pd.Timestamp(now) - _REACHABLE
        if self._looked_at_age or self.range.start >= oldest:
            return
        self._looked_at_age = True
        warnings.warn(
            "The date range begins more than 13 months ago: calls before "
            f"{oldest.day} {oldest:%B %Y} are available only from Bulk Export, and may be missing",
            AgeWarning,
            stacklevel=2,
        )

    def _day_of(self, outcome: Page | Failure) -> Day:
        if isinstance(outcome, Failure):
            return self._named[str(outcome.account_sid), str(outcome.day)]
        return self._named[outcome.key.account_sid, str(outcome.key.day)]

    @property
    def _whereabouts(self) -> str:
        return whereabouts(self.calls, self.cached, self._cache_path)

    def _raise_why_it_ended(self, pool: Pool, interrupts: Interrupts) -> None:
        if interrupts.heard:
            done = sum(day.done for day in self._named.values())
            raise FetchInterrupted(
                f"interrupted after {done:,} of {len(self._named):,} days; {self.calls:,} calls "
                f"had arrived{self._whereabouts}"
            )
        if pool.stop.error is not None:
            self._stopped = True
            raise pool.stop.error


def _all_typed(calls: Sequence[Fetched]) -> pa.Table:
    table, broken = to_table(map(attrgetter("body"), calls))
    if broken:
        raise DayNotCompleteError(f"{broken[0].sid} has become invalid")
    return table
