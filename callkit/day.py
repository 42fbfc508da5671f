"""One UTC day of an account while its calls are being listed: what arrived, and what is wrong."""

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from callkit.call_list import CallList, Range
from callkit.fetch.pages import Page, PageKey, failure_of
from callkit.normaliser import to_table
from callkit.normaliser.dates import one_instant
from callkit.outcomes import Failure
from callkit.sids import canonical_call_sid
from callkit.waiting import WaitingRows

_PAGES_WITHOUT_NEWS = 3  # in a row: one may repeat calls that moved while pages were being read
_CLOSES_AFTER = timedelta(days=1)  # a day that is listed earlier may still lack calls
_DAY = timedelta(days=1)
_NONE = np.empty(0, np.int64)

Numbers: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class _Update(msgspec.Struct):
    date_updated: str


_update_of = msgspec.json.Decoder(_Update).decode


class _Sid(msgspec.Struct):
    sid: str


_sid_in = msgspec.json.Decoder(_Sid).decode


@dataclass
class Dropped:
    """How many listed rows were no calls of the range: of other days, or never started."""

    other_days: int = 0
    never_started: int = 0


@dataclass(eq=False, repr=False)  # it would show personal data
class Day:
    """A UTC day of an account. ``rows`` are the calls asked for, and nothing comes after ``done``.

    ``fault`` is why the day is not complete, ``broken`` are calls whose bodies break the contract.
    """

    account_sid: str
    day: date
    rows: WaitingRows
    in_cache: bool = False
    done: bool = False
    fault: Failure | None = None
    broken: dict[str, Failure] = field(default_factory=dict)
    _all_kept: bool = True
    _began_at: datetime | None = None
    _queries: set[str] = field(default_factory=set)
    # Of each page its first and last start, and hashes of its SIDs.
    _seen: list[tuple[int, int, Numbers]] = field(default_factory=list)
    _without_news: int = 0

    @property
    def key(self) -> tuple[str, date]:
        return self.account_sid, self.day

    @property
    def begin(self) -> datetime:
        return datetime.combine(self.day, time.min, UTC)

    @property
    def failures(self) -> list[Failure]:
        """The failures of its calls, but for those that another page had right, and its own."""
        valid = [hashes for *_, hashes in self._seen]
        broken = [each for sid, each in self.broken.items() if not _holds(valid, hash(sid))]
        return [*broken, *([self.fault] if self.fault else [])]

    @property
    def is_closed(self) -> bool:
        """Whether it need never be listed again: all that there is arrived, is final and kept."""
        if self.in_cache or self._began_at is None or not self._all_kept:
            return False
        return not self.failures and self._began_at >= self.begin + _DAY + _CLOSES_AFTER

    def close(self) -> None:
        """Forget its calls, which have been handed over."""
        self.rows.close()
        self._seen.clear()

    def next_page(self, page: Page, origin: str) -> PageKey | None:
        """Return the page after this one; None at the end, or where there is no following it."""
        self._began_at = self._began_at or page.fetched_at
        self._queries.add(page.key.query)
        if page.next_uri is None or self.fault:
            return None
        try:
            following = page.key.next(page.next_uri, origin)
        except ValueError as error:
            self._fail(page, str(error))
            return None
        if following.query in self._queries:
            self._fail(page, "the pages lead in a circle")
            return None
        return following

    def read(
        self, page: Page, rows: list[bytes], asked: CallList, within: Range, dropped: Dropped
    ) -> pa.Table:
        """Type the rows of a page, and return the calls that are asked for.

        What the server should not have listed is dropped, and is the day's fault. Rows of one call
        are sorted, so that the last of them is the newest.
        """
        calls, broken = to_table(rows)
        if len(calls) + len(broken) < len(rows):  # then the last of several rows is taken
            rows.sort(key=_updated)
            calls, broken = to_table(rows)
        for failure in broken:
            if failure.sid is None:
                self._fail(page, f"a call cannot be identified ({failure.message})")
            else:
                self.broken[failure.sid] = self._located(failure, page)
        self._look_for_news(page, calls, len(rows))
        start = calls["start_time"].to_numpy()
        of_day = self._of_day(page, calls, start, asked, dropped)
        kept = within.of(calls.filter(pa.array(of_day)))
        self.note_dropped(some=len(kept) < of_day.sum())
        return kept

    def note_dropped(self, *, some: bool) -> None:
        """Note whether a row of the day was not kept, or not as a final call."""
        self._all_kept &= not some

    def _of_day(
        self, page: Page, calls: pa.Table, start: Numbers, asked: CallList, dropped: Dropped
    ) -> Numbers:
        """Say which calls are those of the day, the account and the filters; the rest is a fault.

        Users report that "before a date" includes its midnight, so a call at that time is
        not a fault.
        """
        begin, after = (np.datetime64(self.day, "us") + np.timedelta64(n, "D") for n in (0, 1))
        never, of_day = np.isnat(start), (start >= begin) & (start < after)
        accounts = calls["account_sid"].to_pylist()
        owned = np.array([_same_account(each, self.account_sid) for each in accounts], bool)
        matching = asked.matching(calls).to_numpy(zero_copy_only=False)
        dropped.never_started += int(never.sum())
        dropped.other_days += int((~never & ~of_day).sum())
        self.note_dropped(some=bool(never.any()))
        for wrong, what in (
            (~owned, "are of another account"),
            (
                ~(of_day | never | (start == after)),
                "started on other days: the server ignored the dates",
            ),
            (~matching, "do not match the filters: the server ignored them"),
        ):
            if wrong.any():
                self._fail(page, f"{wrong.sum():,} of {len(calls):,} calls on a page {what}")
        right: Numbers = of_day & owned & matching
        return right

    def _look_for_news(self, page: Page, calls: pa.Table, rows: int) -> None:
        """Count the calls that no page has had, by hashes: of those that started about then."""
        hashes = np.fromiter(map(hash, calls["sid"].to_pylist()), np.int64, len(calls))
        starts = calls["start_time"].to_numpy().astype(np.int64)
        first, last = (starts.min(), starts.max()) if len(starts) else (0, 0)
        near = [each for begin, end, each in self._seen if begin <= last and first <= end]
        news = int(np.isin(hashes, np.concatenate([*near, _NONE]), invert=True).sum())
        self._seen.append((first, last, hashes))
        self.note_dropped(some=news < rows)  # where rows move, others may be missing
        self._without_news = 0 if news else self._without_news + 1
        if self._without_news == _PAGES_WITHOUT_NEWS and page.next_uri is not None:
            self._fail(page, f"{_PAGES_WITHOUT_NEWS} pages in a row have no new calls")

    def _located(self, failure: Failure, page: Page) -> Failure:
        return replace(
            failure,
            account_sid=self.account_sid,
            day=self.day.isoformat(),
            http_status=200,
            request_id=page.request_id,
            attempts=page.attempts,
        )

    def _fail(self, page: Page, message: str) -> None:
        """Note the first reason for which the day is not complete."""
        if self.fault is None:
            how = {"http_status": 200, "request_id": page.request_id, "attempts": page.attempts}
            self.fault = failure_of(page.key, self.account_sid, "bad_response", message, **how)


def _updated(row: bytes) -> float:
    """Return when a call was last updated; a row that does not say comes before all others."""
    try:
        return one_instant(_update_of(row).date_updated).timestamp()
    except (msgspec.DecodeError, ValueError):
        return -math.inf


def _holds(arrays: list[Numbers], number: int) -> bool:
    return any((array == number).any() for array in arrays)


def _same_account(found: str | None, asked: str) -> bool:
    return found is not None and found.lower() == asked.lower()


def sid_of(row: bytes) -> str | None:
    try:
        return canonical_call_sid(_sid_in(row).sid)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # not a valid call
        return None
