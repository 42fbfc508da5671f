"""Calls kept in a file as received, so that nothing final is requested twice.

One SQLite file, opened by as many processes as like. It holds personal data, so only its owner may
read it.
"""

import json
import sqlite3
import warnings
import zlib
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Literal, Self, TypeAlias

from callkit.cache.file import body_of, cache_errors, connect, microseconds, moment_at
from callkit.errors import CacheWarning
from callkit.normaliser.casts import one_price
from callkit.outcomes import Fetched, PriceChange
from callkit.sids import CallKey

Refresh: TypeAlias = Literal["all", "unpriced"] | datetime | None

_LEVEL = 3  # beyond, zlib takes twice the time for a few percent

_LOOK_UP = """
SELECT calls.sid, account_sid, body, request_id, fetched_at
FROM json_each(?) AS asked JOIN calls ON calls.sid = asked.value ->> 0
WHERE settled AND coalesce(asked.value ->> 1 = account_sid, 1)
"""
_WANTED = {"all": " AND 0", "unpriced": " AND price IS NOT NULL", None: ""}
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
    """The bodies of calls, in one file.

    Parameters
    ----------
    path : str or path
        The file; created if it does not exist.

    Raises
    ------
    CacheError
        It cannot be opened, is damaged, or is not a cache of callkit's. It is not touched then.
    """

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
        query = _LOOK_UP
        parameters: list[str | int] = [json.dumps(keys)]
        if isinstance(refresh, datetime):
            query += " AND fetched_at >= ?"
            parameters.append(microseconds(refresh))
        else:
            query += _WANTED[refresh]
        with cache_errors(self._path):
            return [
                Fetched(sid, account_sid, body_of(body), request_id, moment_at(at), attempts=0)
                for sid, account_sid, body, request_id, at in self._db.execute(query, parameters)
            ]

    def store(
        self, calls: Sequence[Fetched], prices: Sequence[Decimal | None], final: Sequence[bool]
    ) -> list[PriceChange]:
        """Write calls that are valid, with their prices and whether their records are final.

        Returns
        -------
        list of PriceChange
            The calls whose price is no longer what the file had.

        Warns
        -----
        CacheWarning
            The file can no longer be written, which is reported once.
        """
        if not calls or not self.writable:
            return []
        rows = [_row(*each) for each in zip(calls, prices, final, strict=True)]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:
                changes = self._changes(calls, prices)
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
        return changes

    def _changes(
        self, calls: Sequence[Fetched], prices: Sequence[Decimal | None]
    ) -> list[PriceChange]:
        old = dict(self._db.execute(_PRICES, [json.dumps([call.sid for call in calls])]))
        changes = []
        for call, new in zip(calls, prices, strict=True):
            if call.sid in old:
                try:
                    before = None if old[call.sid] is None else one_price(old[call.sid])
                except ValueError:  # of a body that was never valid
                    continue
                if before != new:
                    changes.append(PriceChange(call.sid, before, new))
        return changes


def _row(
    call: Fetched, price: Decimal | None, final: bool
) -> tuple[str, str, bytes, str | None, int, str | None, bool]:
    return (
        call.sid,
        call.account_sid,
        zlib.compress(call.body, _LEVEL),
        call.request_id,
        microseconds(call.fetched_at),
        None if price is None else f"{price:f}",
        final,
    )
