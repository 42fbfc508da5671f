"""Calls as received, in one SQLite file for any number of processes; private to its owner."""

import json
import sqlite3
import warnings
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Literal, Self, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from callkit.cache.file import cache_errors, connect
from callkit.errors import CacheWarning
from callkit.normaliser.casts import one_price
from callkit.outcomes import Fetched, PriceChange
from callkit.schema import ENDED_STATUSES
from callkit.sids import CallKey

Refresh: TypeAlias = Literal["all", "unpriced"] | datetime | None

_LOOK_UP = """
SELECT calls.sid, account_sid, body, request_id, fetched_at
FROM json_each(:keys) AS asked JOIN calls ON calls.sid = asked.value ->> 0
WHERE settled AND coalesce(asked.value ->> 1 = account_sid, 1)
    AND coalesce(fetched_at >= :since, 1)
    AND CASE :refresh WHEN 'all' THEN 0 WHEN 'unpriced' THEN price IS NOT NULL ELSE 1 END
"""
_PRICES = """
SELECT calls.sid, price FROM json_each(?) AS asked JOIN calls ON calls.sid = asked.value
"""
_WRITE = """
INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sid) DO UPDATE SET
    account_sid = excluded.account_sid, body = excluded.body, request_id = excluded.request_id,
    fetched_at = excluded.fetched_at, price = excluded.price, settled = excluded.settled
WHERE excluded.fetched_at >= fetched_at
"""


class Cache:
    """The bodies of calls, in one file, which is created if it does not exist."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = Path(path)
        self.writable = True
        with cache_errors(self._path):
            self._db = connect(self._path, create=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def look_up(self, keys: Sequence[CallKey], refresh: Refresh = None) -> list[Fetched]:
        """Return the calls that need not be requested again, in any order."""
        asked: dict[str, object] = {"keys": json.dumps(keys), "since": None, "refresh": refresh}
        if isinstance(refresh, datetime):
            asked |= {"since": microseconds(refresh), "refresh": None}
        with cache_errors(self._path):
            return [
                Fetched(sid, account_sid, body_of(body), request_id, moment_at(at), attempts=0)
                for sid, account_sid, body, request_id, at in self._db.execute(_LOOK_UP, asked)
            ]

    def store(self, calls: Sequence[Fetched], table: pa.Table) -> list[PriceChange]:
        """Write valid calls, also given as a table; return those whose price has changed."""
        if not calls or not self.writable:
            return []
        prices: list[Decimal | None] = table["price"].to_pylist()
        final = final_rows(table, [call.fetched_at for call in calls])
        rows = [
            (
                call.sid,
                call.account_sid,
                zlib.compress(call.body, 3),  # beyond, twice the time saves a few percent
                call.request_id,
                microseconds(call.fetched_at),
                None if price is None else f"{price:f}",
                is_final,
            )
            for call, price, is_final in zip(calls, prices, final, strict=True)
        ]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:
                old = dict(self._db.execute(_PRICES, [json.dumps([call.sid for call in calls])]))
                self._db.executemany(_WRITE, rows)
        except sqlite3.Error as error:
            self.writable = False
            warnings.warn(
                f"Cannot write to the cache {str(self._path)!r} any more ({error}). The run "
                "continues without it",
                CacheWarning,
                stacklevel=2,
            )
            return []
        return _changes(old, calls, prices) if old else []


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
            except ValueError:  # of a body that was never valid
                continue
            if before != new:
                changes.append(PriceChange(call.sid, before, new))
    return changes


def body_of(stored: bytes) -> bytes:
    try:
        return zlib.decompress(stored)
    except (TypeError, zlib.error):
        raise sqlite3.DataError("the body of a call is damaged") from None


def microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def moment_at(microseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(microseconds / 1e6, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise sqlite3.DataError(f"{microseconds!r} is not a valid time") from None
