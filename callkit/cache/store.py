"""Calls as received, in one SQLite file for any number of processes; private to its owner."""

import json
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Literal, Self, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from callkit.cache.database import is_busy
from callkit.cache.file import cache_errors, connect, connect_to_read
from callkit.cache.records import compressed, in_batches, latest, microseconds
from callkit.errors import CacheError, CacheWarning
from callkit.normaliser.casts import one_price
from callkit.outcomes import Fetched, PriceChange
from callkit.schema import ENDED_STATUSES
from callkit.sids import CallKey

Refresh: TypeAlias = Literal["all", "unpriced"] | datetime | None
_Row: TypeAlias = tuple[str, str, bytes, str | None, int, str | None, bool, int | None]

_LOOK_UP = """
SELECT calls.sid, account_sid, body, request_id, fetched_at
FROM json_each(:keys) AS asked JOIN calls ON calls.sid = asked.value ->> 0
WHERE settled AND coalesce(asked.value ->> 1 = account_sid, 1)
    AND NOT (fetched_at > :latest AND fetched_at < 253402300800000000)  -- of the years to 9999
    AND coalesce(fetched_at >= :since, 1)
    AND CASE :refresh WHEN 'all' THEN 0 WHEN 'unpriced' THEN price IS NOT NULL ELSE 1 END
"""
# The index of starts answers at once. Calls that never started, and those that version 1 stored,
# are in no index by account: they are looked for among as many as take some milliseconds.
_HAS_CALLS = """
SELECT EXISTS (SELECT 1 FROM calls WHERE account_sid = :account_sid AND started_at IS NOT NULL)
    OR :account_sid IN (SELECT account_sid FROM calls LIMIT 10000)
"""
_STORED = """
SELECT calls.sid, price, started_at IS NOT NULL, fetched_at
FROM json_each(?) AS asked JOIN calls ON calls.sid = asked.value
"""
_WRITE = """
INSERT INTO calls VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (sid) DO UPDATE SET
    account_sid = excluded.account_sid, body = excluded.body, request_id = excluded.request_id,
    fetched_at = excluded.fetched_at, price = excluded.price, settled = excluded.settled,
    started_at = excluded.started_at
WHERE excluded.fetched_at >= fetched_at OR fetched_at > ?9
"""
_FILL_IN_START = "UPDATE calls SET started_at = ? WHERE sid = ? AND started_at IS NULL"
_MARK = """
INSERT OR IGNORE INTO complete_days SELECT :account_sid, :midnight
WHERE :removals IS (SELECT calls FROM removals) AND NOT EXISTS (
    SELECT 1 FROM calls
    WHERE account_sid = :account_sid AND started_at >= :midnight AND started_at < :next_midnight
        AND NOT settled
)
"""
_IS_MARKED = "SELECT 1 FROM complete_days WHERE account_sid = :account_sid AND day = :midnight"
_LISTED = """
SELECT sid, account_sid, body, request_id, fetched_at FROM calls
WHERE account_sid = :account_sid AND started_at >= :midnight AND started_at < :next_midnight
ORDER BY started_at, sid
"""


class DayNotCompleteError(Exception):
    """The day has no mark, or has it no longer: calls of it may be missing from the cache."""


class Cache:
    """The bodies of calls, in one file, which is created if it does not exist.

    Once `is_interrupted`, no other process is waited for any more.
    """

    def __init__(
        self, path: str | PathLike[str], is_interrupted: Callable[[], bool] = bool
    ) -> None:
        self._path = Path(path)
        self._is_interrupted = is_interrupted
        self.readable = self.writable = True
        self.not_stored = 0  # calls that were to be
        with cache_errors(self._path):
            try:
                self._db = connect(self._path, create=True, is_interrupted=is_interrupted)
            except sqlite3.OperationalError as error:
                if self._has_given_up(error):
                    raise KeyboardInterrupt from None
                raise
            self._removals = self._removed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def look_up(self, keys: Sequence[CallKey], refresh: Refresh = None) -> Iterator[list[Fetched]]:
        """Yield the calls that need not be requested again, in batches, in any order."""
        if not self.readable:
            return
        asked = {"keys": json.dumps(keys), "latest": latest(), "since": None, "refresh": refresh}
        if isinstance(refresh, datetime):
            asked |= {"since": microseconds(refresh), "refresh": None}
        with cache_errors(self._path):
            try:
                yield from in_batches(self._db.rows(_LOOK_UP, asked))
            except sqlite3.OperationalError as error:
                if not self._has_given_up(error):
                    raise  # else the run ends, with what has arrived

    def has_calls_of(self, account_sid: str) -> bool:
        """Say whether an account is known to have calls, final or not."""
        with cache_errors(self._path):
            (found,) = self._db.row(_HAS_CALLS, {"account_sid": account_sid})
        return bool(found)

    def complete_days(self, account_sid: str, days: Iterable[date]) -> set[date]:
        """Return those of these UTC days whose calls are all in the cache, and final."""
        with cache_errors(self._path):
            marked = {
                midnight
                for (midnight,) in self._db.rows(
                    "SELECT day FROM complete_days WHERE account_sid = ?", [account_sid]
                )
            }
        return {day for day in days if _midnight(day) in marked}

    def listed(self, account_sid: str, day: date) -> Iterator[list[Fetched]]:
        """Yield the calls of a complete day in batches, by start and SID.

        All are of one moment, whatever other processes write or erase meanwhile. A day without a
        mark raises :class:`DayNotCompleteError` before the first batch, and one with calls that
        were fetched while a clock was wrong before these.
        """
        if not self.readable:
            raise DayNotCompleteError(f"{day} of {account_sid} cannot be read from the cache")
        of_day = _of_day(account_sid, day)
        # A connection of its own, since this transaction lasts while other calls are stored.
        with (
            cache_errors(self._path),
            closing(connect_to_read(self._path, self._is_interrupted)) as db,
        ):
            db.execute("BEGIN")
            if db.row(_IS_MARKED, of_day) is None:
                raise DayNotCompleteError(f"{day} of {account_sid} is not complete in the cache")
            for batch in in_batches(db.rows(_LISTED, of_day)):
                if any(microseconds(each.fetched_at) > latest() for each in batch):
                    raise DayNotCompleteError(f"{day} of {account_sid} was listed in the future")
                yield batch

    def _removed(self) -> int:
        """Return how many calls were ever removed from the file."""
        match self._db.row("SELECT calls FROM removals"):
            case (int(calls),):
                return calls
        raise sqlite3.DataError("it is damaged")

    def mark_complete(self, account_sid: str, day: date) -> None:
        """Mark a UTC day of which every call has been listed and stored.

        Without effect if a call of that day in the cache is not final, or if calls were removed
        from the cache since it was opened: they may have been of this day.
        """
        if not self.writable:
            return
        of_day = _of_day(account_sid, day)
        try:
            self._db.execute(_MARK, of_day | {"removals": self._removals})
        except sqlite3.Error as error:
            self._stop_writing(error)

    def store(self, calls: Sequence[Fetched], table: pa.Table) -> list[PriceChange]:
        """Write valid calls, also given as a table; return those whose price has changed."""
        if not self.writable:
            self.not_stored += len(calls)
        if not calls or not self.writable:
            return []
        prices: list[Decimal | None] = table["price"].to_pylist()
        rows = _rows(calls, table, prices)
        try:
            with self._db.transaction():
                stored = list(self._db.rows(_STORED, [json.dumps([call.sid for call in calls])]))
                until = latest()
                self._db.executemany(_WRITE, [(*row, until) for row in rows])
                self._fill_in_starts(
                    {sid for sid, _, has_start, _ in stored if not has_start}, rows
                )
        except sqlite3.Error as error:
            self.not_stored += len(calls)
            self._stop_writing(error)
            return []
        at = {call.sid: microseconds(call.fetched_at) for call in calls}
        replaced = {
            sid: price
            for sid, price, _, before in stored
            if sid in at and _gives_way(before, at[sid], until)  # an index may be damaged
        }
        return _changes(replaced, calls, prices) if replaced else []

    def _fill_in_starts(self, sids: set[str], rows: Sequence[_Row]) -> None:
        """Place calls in their day though a newer record, of an old callkit, is left as it is."""
        if sids:
            starts = [(start, sid) for sid, *_, start in rows if sid in sids]
            self._db.executemany(_FILL_IN_START, starts)

    def go_on_without(self, error: CacheError) -> None:
        """Neither read nor write any more, so that a run keeps what it has fetched."""
        self.readable = self.writable = False
        warnings.warn(f"{error}. The run continues without it", CacheWarning, stacklevel=2)

    def _has_given_up(self, error: sqlite3.Error) -> bool:
        return is_busy(error) and self._is_interrupted()

    def _stop_writing(self, error: sqlite3.Error) -> None:
        self.writable = False
        why = "it is in use by another process" if is_busy(error) else error
        warnings.warn(
            f"Cannot write to the cache {str(self._path)!r} any more ({why}). The run "
            "continues without it",
            CacheWarning,
            stacklevel=3,
        )


def _gives_way(before: object, at: int, until: int) -> bool:
    """Whether a record fetched `before` has given way to one fetched `at` a time, as in _WRITE."""
    return not isinstance(before, int) or before <= at or before > until  # text is after any number


def _rows(
    calls: Sequence[Fetched], table: pa.Table, prices: Sequence[Decimal | None]
) -> list[_Row]:
    final = final_rows(table, [call.fetched_at for call in calls])
    starts = table["start_time"].cast(pa.int64()).to_pylist()
    return [
        (
            call.sid,
            call.account_sid,
            compressed(call.body),
            call.request_id,
            microseconds(call.fetched_at),
            None if price is None else f"{price:f}",
            is_final,
            start,
        )
        for call, price, is_final, start in zip(calls, prices, final, starts, strict=True)
    ]


def final_rows(table: pa.Table, fetched_at: Sequence[datetime]) -> list[bool]:
    """Say for each call whether its record was final when it was fetched.

    A record is final if the call has ended and is priced, or ended at least a day before the fetch
    (thirty days before, if it was completed and so will be billed). A record that was fetched too
    early does not grow older in a cache. If in doubt, a record is not final.
    """
    status = table["status"].cast(pa.string())
    end = pc.coalesce(table["end_time"], table["date_updated"])
    age = pc.subtract(pa.array(fetched_at, end.type), end)
    wait = pc.if_else(
        pc.equal(status, "completed"),  # the one that is billed
        pa.scalar(timedelta(days=30), age.type),
        pa.scalar(timedelta(days=1), age.type),
    )
    price_is_final = pc.or_(
        table["price"].is_valid(), pc.fill_null(pc.greater_equal(age, wait), False)
    )
    has_ended = pc.is_in(status, pa.array(ENDED_STATUSES))
    final: list[bool] = pc.and_(has_ended, price_is_final).to_pylist()
    return final


def _changes(
    old: dict[str, str | None], calls: Sequence[Fetched], prices: Sequence[Decimal | None]
) -> list[PriceChange]:
    changes = []
    for call, new in zip(calls, prices, strict=True):
        if call.sid in old:
            written = old[call.sid]
            try:
                before = None if written is None else one_price(written)
            except (TypeError, ValueError):  # of a body that was never valid
                continue
            if before != new:
                changes.append(PriceChange(call.sid, before, new))
    return changes


def _midnight(day: date) -> int:
    return (day - date(1970, 1, 1)) // timedelta(microseconds=1)


def _of_day(account_sid: str, day: date) -> dict[str, object]:
    midnight = _midnight(day)
    return {
        "account_sid": account_sid,
        "midnight": midnight,
        "next_midnight": midnight + 86_400_000_000,
    }
