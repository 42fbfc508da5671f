"""Managing a cache: what it contains, removing old calls, erasing a person's calls."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path

from callkit.cache.database import Database
from callkit.cache.file import cache_errors, connect
from callkit.cache.mentions import Mentions
from callkit.cache.records import IS_DAMAGED, body_of, microseconds, moment_at
from callkit.errors import CacheError
from callkit.printable import printable
from callkit.renamed import renamed_attributes

_SHOWN_AT_MOST = 3  # accounts
_COUNTS = f"""
SELECT count(*) FILTER (WHERE {IS_DAMAGED}), count(*), count(*) FILTER (WHERE settled),
    min(fetched_at), max(fetched_at)
FROM calls
"""  # noqa: S608  (it is constant)


@renamed_attributes(settled="final", unsettled="not_final")
@dataclass(frozen=True)
class CacheInfo:
    """The contents of a cache, without personal data; ``str()`` gives a few lines.

    Attributes
    ----------
    calls, final, not_final : int
        Number of calls; of final ones, which are not requested again; and of all others.
    complete_days : int
        Number of days, in UTC and counted per account, all of whose calls are in the cache and
        final. A date range does not list them again.
    accounts : tuple of str
        The accounts of the calls.
    fetched_first, fetched_last : datetime or None
        When the oldest and the newest records were fetched, in UTC; None without calls.
    size : int
        Bytes on disk, SQLite's journal included.
    """

    calls: int
    final: int
    not_final: int
    complete_days: int
    accounts: tuple[str, ...]
    fetched_first: datetime | None
    fetched_last: datetime | None
    size: int

    def __str__(self) -> str:
        times = (self.fetched_first, self.fetched_last)
        first, last = (f"{time:%Y-%m-%d %H:%M} UTC" if time else "-" for time in times)
        named = ", ".join(map(printable, self.accounts[:_SHOWN_AT_MOST]))
        more = len(self.accounts) - _SHOWN_AT_MOST
        return (
            f"calls          {self.calls:,}\n"
            f"  final        {self.final:,}\n"
            f"  not final    {self.not_final:,}\n"
            f"complete days  {self.complete_days:,}\n"
            f"accounts       {named or '-'}{f' and {more:,} more' if more > 0 else ''}\n"
            f"first fetched  {first}\n"
            f"last fetched   {last}\n"
            f"on disk        {self.size / 1024:,.0f} KiB"
        )


def info(path: str | PathLike[str]) -> CacheInfo:
    """Return what a cache contains.

    Parameters
    ----------
    path : str or path
        The cache file.

    Returns
    -------
    CacheInfo
        Counts, accounts and times; no personal data.

    Raises
    ------
    CacheError
        The file does not exist, is damaged or in use, or is not a callkit cache.

    Examples
    --------
    >>> sandbox = callkit.sandbox.Sandbox(calls=100)
    >>> df = callkit.to_frame(sandbox.sids(20), client=sandbox.client(), cache="calls.sqlite")
    >>> callkit.cache.info("calls.sqlite").calls
    20
    """
    path = Path(path)
    with cache_errors(path), closing(connect(path, create=False)) as db:
        files = [path, path.with_name(f"{path.name}-wal")]
        size = sum(file.stat().st_size for file in files if file.exists())
        damaged, calls, final, *times = db.row(_COUNTS)
        if damaged:
            raise _damaged(path)
        first, last = (None if at is None else moment_at(at) for at in times)
        (complete_days,) = db.row("SELECT count(day) FROM complete_days")
        accounts = list(db.rows("SELECT DISTINCT account_sid FROM calls ORDER BY 1"))
    return CacheInfo(
        calls=calls,
        final=final,
        not_final=calls - final,
        complete_days=complete_days,
        accounts=tuple(account for (account,) in accounts),
        fetched_first=first,
        fetched_last=last,
        size=size,
    )


def prune(path: str | PathLike[str], older_than: timedelta) -> int:
    """Remove the calls that were fetched (not made) longer ago than a given time.

    None of their bytes stay in the file. A later run that lists these calls requests them again.

    Parameters
    ----------
    path : str or path
        The cache file.
    older_than : timedelta
        The time since the fetch beyond which a call is removed.

    Returns
    -------
    int
        Number of calls removed.

    Raises
    ------
    CacheError
        As for :func:`info`; a cache that cannot be used is not touched.
    ValueError
        `older_than` is negative.

    Examples
    --------
    >>> sandbox = callkit.sandbox.Sandbox(calls=100)
    >>> df = callkit.to_frame(sandbox.sids(20), client=sandbox.client(), cache="calls.sqlite")
    >>> callkit.cache.prune("calls.sqlite", timedelta(0))
    20
    """
    if older_than < timedelta(0):
        raise ValueError(f"Invalid older_than {older_than!r}: expected a timedelta of zero or more")
    before = max(0, microseconds(datetime.now(UTC)) - older_than // timedelta(microseconds=1))
    with _rewriting(Path(path)) as db:
        return db.execute("DELETE FROM calls WHERE fetched_at < ?", [before]).rowcount


def erase(path: str | PathLike[str], parties: Iterable[str]) -> int:
    """Erase every call that involves one of these parties, including its bytes in the file.

    The file is rewritten and its journal emptied. callkit cannot erase backups, or blocks that the
    file system has freed. A later run that lists these calls requests them again.

    Parameters
    ----------
    path : str or path
        The cache file.
    parties : iterable of str
        Telephone numbers in international form, with any punctuation, or addresses such as
        ``sip:amy@example.com`` and ``client:amy``. A number is searched for in the whole record of
        a call and inside SIP addresses: with or without its country code, whatever is dialled
        before it, and, from seven digits on, without its first ones. If in doubt, a call is erased,
        since it can be fetched again.

    Returns
    -------
    int
        Number of calls erased.

    Raises
    ------
    CacheError
        As for :func:`prune`. Also if another process prevented the rewriting: erase again.
    ValueError
        An entry of `parties` is neither a number nor an address, or `parties` is a string.

    Examples
    --------
    >>> sandbox = callkit.sandbox.Sandbox(calls=100)
    >>> df = callkit.to_frame(sandbox.sids(20), client=sandbox.client(), cache="calls.sqlite")
    >>> callkit.cache.erase("calls.sqlite", ["+1 (415) 555-0100"])
    0
    """
    if isinstance(parties, str):
        raise ValueError(  # noqa: TRY004
            "Invalid parties: expected a list of numbers and addresses, not a single string"
        )
    is_named = Mentions(parties)
    with _rewriting(Path(path)) as db:
        erased = [
            (sid,)
            for sid, body in db.rows("SELECT sid, body FROM calls")
            if is_named(body_of(body))
        ]
        db.executemany("DELETE FROM calls WHERE sid = ?", erased)
    return len(erased)


def _check_whole(db: Database, path: Path) -> None:
    if db.row("PRAGMA quick_check(1)") != ("ok",) or any(db.row(_COUNTS)[:1]):
        raise _damaged(path)


def _damaged(path: Path) -> CacheError:
    return CacheError(
        f"The cache {str(path)!r} is damaged and was left unchanged. Move it elsewhere; the next "
        "run creates a new one"
    )


@contextmanager
def _rewriting(path: Path) -> Iterator[Database]:
    """Lock the cache while calls are removed; then remove their bytes from the file."""
    with cache_errors(path), closing(connect(path, create=False)) as db:
        _check_whole(db, path)
        with db.transaction():
            yield db
        # secure_delete overwrites what is deleted now, but not what was deleted without it before.
        try:
            db.execute("VACUUM")
            why = None if db.checkpoint() else "another process is reading it"
        except sqlite3.Error as error:
            why = str(error)
        if why is not None:
            raise CacheError(
                f"The calls were removed from the cache {str(path)!r}, but their bytes may "
                f"still be in the file because {why}. Run the same command again when the file "
                "is free"
            )
