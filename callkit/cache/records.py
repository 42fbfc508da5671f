"""The records of calls as they are kept in a cache, and what must be true of them."""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from callkit.outcomes import Fetched

_LONGEST_BODY = 1 << 25  # bytes: that of a page
AT_ONCE = 4_000  # calls in memory
_BYTES_AT_ONCE = 1 << 24
_CLOCKS_DIFFER_BY = timedelta(days=1)  # at most, or one of them is wrong

# SQLite keeps any value in any column, whatever its type is to be.
IS_DAMAGED = """
typeof(sid) <> 'text' OR typeof(account_sid) <> 'text' OR typeof(body) <> 'blob'
OR typeof(request_id) NOT IN ('text', 'null') OR typeof(fetched_at) <> 'integer'
OR typeof(price) NOT IN ('text', 'null') OR typeof(settled) <> 'integer'
OR typeof(started_at) NOT IN ('integer', 'null')
"""


def in_batches(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[Fetched]]:
    """Make calls of rows, as many at a time as fit in memory."""
    batch: list[Fetched] = []
    size = 0
    for row in rows:
        batch.append(_fetched(*row))
        size += len(batch[-1].body)
        if len(batch) == AT_ONCE or size >= _BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _fetched(
    sid: object, account_sid: object, body: object, request_id: object, fetched_at: object
) -> Fetched:
    if not (
        isinstance(sid, str)
        and isinstance(account_sid, str)
        and (request_id is None or isinstance(request_id, str))
    ):
        raise sqlite3.DataError("the record of a call is damaged")
    return Fetched(sid, account_sid, body_of(body), request_id, moment_at(fetched_at), attempts=0)


def compressed(body: bytes) -> bytes:
    return zlib.compress(body, 3)  # beyond, twice the time saves a few percent


def body_of(stored: object) -> bytes:
    """Decompress a body, but no further than a body can be long."""
    inflating = zlib.decompressobj()
    try:
        body = inflating.decompress(stored, _LONGEST_BODY) if isinstance(stored, bytes) else b""
    except zlib.error:
        body = b""
    if not inflating.eof:
        raise sqlite3.DataError("the body of a call is damaged")
    return body


def latest() -> int:
    """Return the latest time at which a record can have been fetched.

    One of a later time was fetched while a clock was wrong. Whether it is final was decided by that
    clock, so it is requested again, and any other record of the call takes its place.
    """
    return microseconds(datetime.now(UTC) + _CLOCKS_DIFFER_BY)


def microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def moment_at(microseconds: object) -> datetime:
    try:
        if isinstance(microseconds, int):
            return datetime.fromtimestamp(microseconds / 1e6, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise sqlite3.DataError(f"{microseconds!r:.40} is not a valid time")
