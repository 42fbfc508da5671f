"""Serving a SID list from pages of the list endpoint: what is requested, and which rows are taken.

A page can show that a call exists, never that it does not: a call that is on no page is fetched,
and so is one whose row is not what a fetch would give. Rows of calls that are not on the list are
dropped here.
"""

import logging
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from callkit.cache.store import final_rows
from callkit.call_list import Range
from callkit.fetch.pages import Key, Page, PageKey, first_page
from callkit.normaliser import to_table
from callkit.normaliser.dates import one_instant
from callkit.outcomes import Failure, Fetched, Outcome
from callkit.page_plan import PagePlan, Seen
from callkit.printable import printable
from callkit.schema import ATTRIBUTES
from callkit.sids import CallKey, canonical_call_sid

_log = logging.getLogger(__name__)

Pages: TypeAlias = Literal["auto"] | bool

_AHEAD = 4  # pages of an account beside those in flight
_UNREAD = 4  # pages: while more wait to be read, no other is requested
_FEW = 128  # single calls of an account that the pool has beside pages
_MANY = 32_000  # and without
_SLOW_OF_SAMPLE = 1 / 8  # calls that are not waited for
_STRIDE = 8
_WAITS_FOR = 2.0  # seconds, for a sample, where pages are insisted on
_FAILURES = 3  # pages in a row: the list does not work
_TOO_MANY, _SERVER_ERRORS = 429, 500


class Hints(NamedTuple):
    """Where a user says that the calls are: the UTC days of some, and the range of all."""

    days: dict[str, date]
    range: Range | None


NO_HINTS = Hints({}, None)


class Requests(Protocol):
    """What of a pool is needed here."""

    def put(self, keys: Iterable[Key], *, first: bool = False) -> None: ...
    def call_seconds(self, account_sid: str) -> float | None: ...


class _Row(msgspec.Struct):
    sid: str
    account_sid: str


class _Start(msgspec.Struct):
    start_time: str


_Whole = msgspec.defstruct("_Whole", [(column.name, msgspec.Raw) for column in ATTRIBUTES])
_whole_of = msgspec.json.Decoder(_Whole).decode
_row_of = msgspec.json.Decoder(_Row).decode
_start_of = msgspec.json.Decoder(_Start).decode


class Paging:
    """Chooses what a run over a SID list requests."""

    def __init__(
        self, own_account: str, origin: str, in_flight: int, hints: Hints, *, always: bool
    ) -> None:
        self.pages = 0
        self._own_account = own_account
        self._origin = origin
        self._in_flight = in_flight
        self._hints = hints
        self._always = always
        self._accounts: dict[str, _Account] = {}
        self._planned = False

    def want(self, keys: Iterable[CallKey]) -> None:
        """Add calls of the list that no cache has."""
        for key in keys:
            sid = key.account_sid or self._own_account
            if sid not in self._accounts:
                self._accounts[sid] = _Account(sid, self._origin, self._in_flight)
            self._accounts[sid].want(key)

    def request(self, pool: Requests, now: float, *, unread: int, all_known: bool) -> None:
        """Request pages that are worth it, and calls one by one where there is room.

        So many pages are `unread`. Nothing is planned before all calls of the list are known.
        """
        if all_known and not self._planned:
            self._planned = True
            for account in self._accounts.values():
                account.make_plan(self._hints, always=self._always)
        for account in self._accounts.values():
            account.request(pool, now, pages_too=unread < _UNREAD)

    def note(self, outcome: Outcome) -> None:
        """Learn the outcome of a call that was requested by itself."""
        self._accounts[str(outcome.account_sid)].note(outcome)

    def asked(self, page: Page) -> list[Fetched]:
        """Return the calls on a page that are wanted."""
        self.pages += 1
        return self._accounts[page.key.account_sid].asked(page)

    def took(self, page: Page, taken: Collection[str], now: float) -> None:
        """Learn which calls were taken from a page; then the next one may be requested."""
        self._accounts[page.key.account_sid].took(page, taken, now)

    def failed(self, failure: Failure) -> None:
        """Learn that a page could not be had."""
        self._accounts[str(failure.account_sid)].failed(failure)


class _Account:
    """The calls of a list that are in one account, and what is planned for them."""

    def __init__(self, sid: str, origin: str, in_flight: int) -> None:
        self._sid = sid
        self._origin = origin
        self._in_flight = in_flight
        self._plan: PagePlan | None = None
        self._begun = self._answered = False
        self._spread_at = 0.0
        self._wanted: set[str] = set()
        self._unasked: deque[CallKey] = deque()  # in the order of the list
        self._in_pool: set[str] = set()
        self._sample: dict[str, date | None] = {}  # when its calls started
        self._unanswered: set[str] = set()  # calls of the sample
        self._following: list[PageKey] = []
        self._listed: set[PageKey] = set()
        self._in_doubt: set[str] = set()  # calls of which a page had records that differ
        self._failed_in_a_row = 0

    def want(self, key: CallKey) -> None:
        self._wanted.add(key.sid)
        self._unasked.append(key)

    def make_plan(self, hints: Hints, *, always: bool) -> None:
        self._plan = PagePlan(len(self._wanted), self._in_flight, always=always)
        days = Counter(hints.days[sid] for sid in self._wanted if sid in hints.days)
        if hints.range is not None:
            within = [day for day in hints.range.days() if day < date.max]
            self._plan.told(dict.fromkeys(within, len(self._wanted) / max(1, len(within))))
        elif days:
            self._plan.told(days)

    def request(self, pool: Requests, now: float, *, pages_too: bool) -> None:
        plan = self._plan
        if plan is None:
            if not (self._begun or self._in_pool):  # no more, before those spread over the list
                self._request_calls(pool, _FEW)
            return
        plan.calls = len(self._wanted)
        plan.call_seconds = pool.call_seconds(self._sid) or plan.call_seconds
        if not self._unanswered and (size := plan.sample_size):
            self._unanswered = self._request_spread(pool, size)
            self._sample, self._spread_at = {}, now
        elif not (self._begun or plan.is_over):
            self._request_spread(pool, plan.first_calls)
            self._spread_at = now
        self._begun = True
        # A call comes first: if it is answered, what fails later is the list, and not the account.
        if pages_too and self._answered and not self._unanswered:
            self._request_pages(plan, pool, now)
        if plan.singly_too(now) and not (plan.always and self._waits(now)):
            few = max(_FEW, 2 * self._in_flight)
            self._request_calls(pool, _MANY if plan.is_over else few)

    def _waits(self, now: float) -> bool:
        """Whether the first calls, or those of a sample, are still to be answered."""
        return now - self._spread_at < _WAITS_FOR and bool(self._unanswered or not self._answered)

    def note(self, outcome: Outcome) -> None:
        sid = str(outcome.sid)
        self._in_pool.discard(sid)
        self._wanted.discard(sid)
        self._answered |= isinstance(outcome, Fetched) or outcome.http_status is not None
        if sid in self._unanswered:
            self._unanswered.discard(sid)
            started = _start_day(outcome.body) if isinstance(outcome, Fetched) else None
            self._sample[sid] = started
            if len(self._unanswered) <= _SLOW_OF_SAMPLE * len(self._sample) and self._plan:
                self._plan.calls = len(self._wanted)
                self._plan.sampled(list(self._sample.values()))
                self._unanswered.clear()

    def asked(self, page: Page) -> list[Fetched]:
        """Return the wanted calls; but none of which this or an earlier page had two records."""
        bodies: dict[str, bytes] = {}
        for part in page.parts:
            sid = self._wanted_on(part)
            if sid is not None:
                body = bytes(part)
                if bodies.setdefault(sid, body) != body:
                    self._in_doubt.add(sid)
        how = (page.request_id, page.fetched_at, page.attempts)
        return [
            Fetched(sid, self._sid, body, *how)
            for sid, body in bodies.items()
            if sid not in self._in_doubt
        ]

    def took(self, page: Page, taken: Collection[str], now: float) -> None:
        self._wanted.difference_update(taken)
        self._failed_in_a_row = 0
        day = page.key.day
        if day is None or self._plan is None:
            return
        is_last = page.next_uri is None
        seen = Seen(len(taken), page.seconds, is_last, _through(page.parts, day))
        if self._plan.go_on(day, seen, now):
            self._follow(page, day)

    def failed(self, failure: Failure) -> None:
        if self._plan is None or failure.day is None or failure.reason == "not_attempted":
            return
        self._plan.fail(date.fromisoformat(failure.day))
        self._failed_in_a_row += 1
        status = failure.http_status
        refused = status is not None and status < _SERVER_ERRORS and status != _TOO_MANY
        if (refused or self._failed_in_a_row >= _FAILURES) and not self._plan.is_stopped:
            self._plan.stop()
            self._following.clear()
            _log.warning(
                "The calls of %s cannot be listed (%s: %s); those that are asked for are fetched "
                "one by one",
                *(self._sid, failure.reason, printable(failure.message)),
            )

    def _request_spread(self, pool: Requests, size: int) -> set[str]:
        """Have calls fetched that are spread evenly over those that wait, before all others."""
        waiting = list(self._take(len(self._unasked)))
        self._unasked.extend(waiting)
        size = min(size, len(waiting))
        chosen = [waiting[(2 * nth + 1) * len(waiting) // (2 * size)] for nth in range(size)]
        # In such an order that those answered first, too, are from everywhere in the list.
        pool.put((key for nth in range(_STRIDE) for key in chosen[nth::_STRIDE]), first=True)
        sids = {key.sid for key in chosen}
        self._in_pool |= sids
        return sids

    def _request_pages(self, plan: PagePlan, pool: Requests, now: float) -> None:
        pool.put(self._following, first=True)
        self._following = []
        days = plan.worthwhile(max(0, self._in_flight + _AHEAD - plan.under_way))
        for day in days:
            plan.begin(day, now)
        pool.put([first_page(self._sid, day, []) for day in reversed(days)], first=True)

    def _request_calls(self, pool: Requests, most: int) -> None:
        """See that the pool has `most` calls of the account, as long as there are so many."""
        keys = list(self._take(most - len(self._in_pool)))
        self._in_pool.update(key.sid for key in keys)
        pool.put(keys)

    def _take(self, most: int) -> Iterator[CallKey]:
        """Take up to `most` calls that are still wanted and not requested."""
        while most > 0 and self._unasked:
            key = self._unasked.popleft()
            if key.sid in self._wanted and key.sid not in self._in_pool:
                most -= 1
                yield key

    def _follow(self, page: Page, day: date) -> None:
        """Request the next page of a day, unless there is no following it."""
        assert self._plan is not None and page.next_uri is not None  # noqa: S101, PT018
        try:
            following = page.key.next(page.next_uri, self._origin)
        except ValueError:
            following = page.key
        self._listed.add(page.key)
        if following in self._listed:  # the pages lead in a circle
            self._plan.fail(day)
        else:
            self._following.append(following)

    def _wanted_on(self, part: msgspec.Raw) -> str | None:
        """Return the SID of a row that is wanted from this account."""
        try:
            row = _row_of(part)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        sid = row.sid if row.sid in self._wanted else canonical_call_sid(row.sid)
        same_account = row.account_sid.lower() == self._sid.lower()
        return sid if sid in self._wanted and same_account else None


def as_fetched(asked: Sequence[Fetched]) -> pa.Table:
    """Type calls of a page, and return those that a fetch would have given, each the same.

    Nothing promises that a list is as fresh as a fetch: a record must be final, priced if the call
    is one that is billed, and have every attribute.
    """
    whole = {call.sid: call for call in asked if _has_all_attributes(call.body)}
    calls, _ = to_table([call.body for call in whole.values()], list(whole))
    final = final_rows(calls, [whole[sid].fetched_at for sid in calls["sid"].to_pylist()])
    billed = pc.equal(calls["status"].cast(pa.string()), "completed")
    complete = pc.or_(calls["price"].is_valid(), pc.invert(billed))
    return calls.filter(pc.and_(complete, pa.chunked_array([pa.array(final, pa.bool_())])))


def _has_all_attributes(body: bytes) -> bool:
    try:
        _whole_of(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _through(parts: Sequence[msgspec.Raw], day: date) -> float | None:
    """Return how much of the day pages have gone through, if calls are listed in time order."""
    starts = [_start(part) for part in (parts[0], parts[-1])] if parts else []
    first, last = starts or (None, None)
    if first is None or last is None:
        return None
    midnight = datetime.combine(day, time.min, UTC)
    share = (last - midnight) / timedelta(days=1)
    through = share if last > first else 1.0 - share
    return through if 0.0 < through <= 1.0 else None


def _start_day(body: bytes) -> date | None:
    start = _start(body)
    day = None if start is None else start.astimezone(UTC).date()
    return day if day is not None and day.year < MAXYEAR else None  # others lie beyond the last day


def _start(body: bytes | msgspec.Raw) -> datetime | None:
    try:
        return one_instant(_start_of(body).start_time)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return None
