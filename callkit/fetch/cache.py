"""Calls kept in a file, as they came, so that nothing settled is asked for twice.

One SQLite file, opened by as many processes as like. It holds personal data, so only its owner may
read it.
"""

from __future__ import annotations

import json
import sqlite3
import time
import warnings
import zlib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from callkit.errors import CacheWarning
from callkit.fetch.database import body_of, complaining, connect, microseconds, moment_at
from callkit.fetch.settled import gist_of
from callkit.outcomes import Failure, Fetched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from os import PathLike
    from types import TracebackType

    from callkit.outcomes import Outcome
    from callkit.sids import CallKey

__all__ = ["Cache", "PriceChange", "Refresh", "check_refresh"]

Refresh: TypeAlias = Literal["all", "unpriced"] | datetime | None

_WRITE_EVERY = 0.5  # seconds
_WRITE_AT_ONCE = 1_000
_GONE = "it was taken out of the cache while the run went on; another run asks for it again"
_LEVEL = 3  # beyond, zlib takes twice the time for a few percent

_SETTLED = """
SELECT calls.sid FROM json_each(?) AS asked JOIN calls ON calls.sid = asked.value ->> 0
WHERE settled AND coalesce(asked.value ->> 1 = calls.account_sid, 1)
"""
_WANTED = {"all": " AND 0", "unpriced": " AND price IS NOT NULL", None: ""}
_READ = """
SELECT asked.value, account_sid, body, request_id, fetched_at
FROM json_each(?) AS asked LEFT JOIN calls ON calls.sid = asked.value ORDER BY asked.key
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


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A call whose price is no longer what the cache had; None is "not priced"."""

    sid: str
    old: Decimal | None
    new: Decimal | None


class Cache:
    """The bodies of calls, in one file.

    Parameters
    ----------
    path : str or path
        The file; made if there is none.

    Attributes
    ----------
    price_changes : list of PriceChange
        What :meth:`keep` found changed.

    Raises
    ------
    CacheError
        It cannot be opened, is damaged, or is no cache of callkit's. It is not touched then.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = Path(path)
        self.price_changes: list[PriceChange] = []
        self._unwritten: list[Fetched] = []
        self._written_at = time.monotonic()
        self._broken = False
        with complaining(self._path):
            self._db = connect(self._path, create=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is not written yet, and close the file."""
        try:
            self._write()
        finally:
            self._db.close()

    def settled(self, keys: Sequence[CallKey], refresh: Refresh = None) -> set[str]:
        """Say which of some thousand calls need not be asked for again."""
        query = _SETTLED
        parameters: list[str | int] = [json.dumps(keys)]
        if isinstance(refresh, datetime):
            query += " AND fetched_at >= ?"
            parameters.append(microseconds(refresh))
        else:
            query += _WANTED[refresh]
        with complaining(self._path):
            return {sid for (sid,) in self._db.execute(query, parameters)}

    def read(self, sids: Sequence[str]) -> Iterator[Outcome]:
        """Yield calls in the order given; they count no attempts.

        A call that the cache no longer has, since another process has pruned it or erased its
        number meanwhile, is a failure: it must not get lost.
        """
        with complaining(self._path):
            for sid, account_sid, body, request_id, at in self._db.execute(
                _READ, [json.dumps(sids)]
            ):
                if body is None:
                    yield Failure(sid, None, "not_attempted", _GONE)
                    continue
                yield Fetched(sid, account_sid, body_of(body), request_id, moment_at(at), 0)

    def keep(self, outcomes: Iterable[Outcome]) -> None:
        """Take in what has arrived; it is written within a second.

        To be called several times a second, also when nothing has arrived.
        """
        self._unwritten += (outcome for outcome in outcomes if isinstance(outcome, Fetched))
        due = time.monotonic() - self._written_at >= _WRITE_EVERY
        if due or len(self._unwritten) >= _WRITE_AT_ONCE:
            self._write()

    def _write(self) -> None:
        fetched, self._unwritten = self._unwritten, []
        self._written_at = time.monotonic()
        if not fetched or self._broken:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:
                rows = [_row(outcome) for outcome in fetched]
                self._note_changes(rows)
                self._db.executemany(_WRITE, rows)
        except KeyboardInterrupt:
            self._unwritten = fetched  # to be written when the cache is closed
            raise
        except sqlite3.Error as error:
            self._broken = True
            warnings.warn(
                f"the cache {str(self._path)!r} can no longer be written ({error}); "
                "the run goes on without it",
                CacheWarning,
                stacklevel=2,
            )

    def _note_changes(self, rows: list[_Row]) -> None:
        old = dict(self._db.execute(_PRICES, [json.dumps([row[0] for row in rows])]))
        for sid, *_, price, _ in rows:
            if sid in old and (change := _change(sid, old[sid], price)) is not None:
                self.price_changes.append(change)


def check_refresh(refresh: object) -> None:
    """Refuse a ``refresh=`` that is none, before any work is done."""
    known = refresh is None or refresh in ("all", "unpriced")
    if known or (isinstance(refresh, datetime) and refresh.tzinfo is not None):
        return
    raise ValueError(
        f"refresh must be 'all', 'unpriced' or a datetime with a time zone, not {refresh!r}"
    )


_Row: TypeAlias = tuple[str, str, bytes, str | None, int, str | None, bool]


def _row(outcome: Fetched) -> _Row:
    gist = gist_of(outcome.body, outcome.fetched_at)
    return (
        outcome.sid,
        outcome.account_sid,
        zlib.compress(outcome.body, _LEVEL),
        outcome.request_id,
        microseconds(outcome.fetched_at),
        gist.price,
        gist.settled,
    )


def _change(sid: str, old: str | None, new: str | None) -> PriceChange | None:
    if old == new:
        return None
    try:
        before, after = (None if price is None else Decimal(price) for price in (old, new))
    except InvalidOperation:  # a broken price: the normaliser will name it
        return None
    return None if before == after else PriceChange(sid, before, after)
