"""The care of a cache: what is in it, what is too old, and whose calls have to go."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path

from callkit.cache.erasure import Mentions
from callkit.cache.file import body_of, complaining, connect, microseconds, moment_at
from callkit.errors import CacheError

_SHOWN_AT_MOST = 3  # accounts
_KIBIBYTE = 1 << 10


@dataclass(frozen=True)
class CacheInfo:
    """What a cache holds. It says nothing of who called whom; ``str()`` is a few lines.

    Attributes
    ----------
    calls, final, not_final : int
        How many calls it has; of how many the record is final, so that they are never asked for
        again, and of how many it is not.
    accounts : tuple of str
        Whose they are.
    fetched_first, fetched_last : datetime or None
        When the oldest and the newest record was fetched, in UTC; None without calls.
    size : int
        Bytes on disk, SQLite's journal included.
    """

    calls: int
    final: int
    not_final: int
    accounts: tuple[str, ...]
    fetched_first: datetime | None
    fetched_last: datetime | None
    size: int

    def __str__(self) -> str:
        times = (self.fetched_first, self.fetched_last)
        first, last = (f"{time:%Y-%m-%d %H:%M} UTC" if time else "-" for time in times)
        named = ", ".join(self.accounts[:_SHOWN_AT_MOST])
        more = len(self.accounts) - _SHOWN_AT_MOST
        return (
            f"calls          {self.calls:,}\n"
            f"  final        {self.final:,}\n"
            f"  not final    {self.not_final:,}\n"
            f"accounts       {named or '-'}{f' and {more:,} more' if more > 0 else ''}\n"
            f"first fetched  {first}\n"
            f"last fetched   {last}\n"
            f"on disk        {self.size / _KIBIBYTE:,.0f} KiB"
        )


def info(path: str | PathLike[str]) -> CacheInfo:
    """Say what a cache holds.

    Parameters
    ----------
    path : str or path
        The cache's file.

    Returns
    -------
    CacheInfo
        Counts, accounts and times; no personal data.

    Raises
    ------
    CacheError
        There is no such file, or it is damaged, in use, or no cache of callkit's.

    Examples
    --------
    >>> import callkit
    >>> from callkit.sandbox import Sandbox
    >>> sandbox = Sandbox(calls=100)
    >>> df = callkit.to_frame(sandbox.sids(20), client=sandbox.client(), cache="calls.sqlite")
    >>> callkit.cache.info("calls.sqlite").calls
    20
    """
    path = Path(path)
    with _opened(path) as db:
        files = [path, path.with_name(f"{path.name}-wal")]
        size = sum(file.stat().st_size for file in files if file.exists())
        calls, final, *times = db.execute(
            "SELECT count(*), total(settled), min(fetched_at), max(fetched_at) FROM calls"
        ).fetchone()
        first, last = (None if at is None else moment_at(at) for at in times)
        accounts = db.execute("SELECT DISTINCT account_sid FROM calls ORDER BY 1").fetchall()
    return CacheInfo(
        calls=calls,
        final=int(final),
        not_final=calls - int(final),
        accounts=tuple(account for (account,) in accounts),
        fetched_first=first,
        fetched_last=last,
        size=size,
    )


def prune(path: str | PathLike[str], older_than: timedelta) -> int:
    """Remove the calls that were fetched too long ago.

    What counts is when a record was fetched, not when the call was. Nothing of them stays in the
    file. A later run that names them asks the API again.

    Parameters
    ----------
    path : str or path
        The cache's file.
    older_than : timedelta
        How long ago is too long.

    Returns
    -------
    int
        How many calls were removed.

    Raises
    ------
    CacheError
        As for :func:`info`; a cache that cannot be used is not touched.
    ValueError
        `older_than` is negative.

    Examples
    --------
    >>> import callkit
    >>> from callkit.sandbox import Sandbox
    >>> sandbox = Sandbox(calls=100)
    >>> df = callkit.to_frame(sandbox.sids(20), client=sandbox.client(), cache="calls.sqlite")
    >>> callkit.cache.prune("calls.sqlite", timedelta(days=90))
    0
    """
    if older_than < timedelta(0):
        raise ValueError(f"older_than must be a length of time, zero or more, not {older_than!r}")
    age = older_than // timedelta(microseconds=1)
    before = max(0, microseconds(datetime.now(UTC)) - age)
    with _rewriting(Path(path)) as db:
        return db.execute("DELETE FROM calls WHERE fetched_at < ?", [before]).rowcount


def erase(path: str | PathLike[str], parties: Iterable[str]) -> int:
    """Erase every call that names one of these parties: the bytes, not only the rows.

    The file is written anew without the calls, and the journal emptied. What backups hold, and what
    a file system keeps of blocks that it has freed, is beyond callkit. A later run that names these
    calls fetches them again.

    Parameters
    ----------
    path : str or path
        The cache's file.
    parties : iterable of str
        Telephone numbers in international form, however punctuated, or addresses such as
        ``sip:amy@example.com`` and ``client:amy``. A number is looked for in everything that a
        call's record says: with and without its country code, and within a SIP address too. In
        doubt a call goes, since it can be fetched again.

    Returns
    -------
    int
        How many calls were erased.

    Raises
    ------
    CacheError
        As for :func:`info`; a cache that cannot be used is not touched. Or another process
        kept the file from being written anew: the message says to erase again.
    ValueError
        One of `parties` is neither number nor address, or they are one text rather than a list.

    Examples
    --------
    >>> import callkit
    >>> from callkit.sandbox import Sandbox
    >>> sandbox = Sandbox(calls=100)
    >>> df = callkit.to_frame(sandbox.sids(20), client=sandbox.client(), cache="calls.sqlite")
    >>> callkit.cache.erase("calls.sqlite", ["+1 (415) 555-0100"])
    0
    """
    if isinstance(parties, str):
        raise ValueError("parties must be a list of numbers and addresses, not one text")  # noqa: TRY004
    is_named = Mentions(parties)
    with _rewriting(Path(path)) as db:
        erased = [
            (sid,)
            for sid, body in db.execute("SELECT sid, body FROM calls")
            if is_named(body_of(body))
        ]
        db.executemany("DELETE FROM calls WHERE sid = ?", erased)
    return len(erased)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with complaining(path), closing(connect(path, create=False)) as db:
        yield db


@contextmanager
def _rewriting(path: Path) -> Iterator[sqlite3.Connection]:
    """Have others wait while calls are removed; then leave no byte of them in the file."""
    with _opened(path) as db:
        if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise CacheError(
                f"the cache {str(path)!r} is damaged; it was left as it is: move it away"
            )
        db.execute("BEGIN IMMEDIATE")
        with db:
            yield db
        # Zeros overwrite what is deleted, but not what SQLite without secure_delete has left.
        try:
            db.execute("VACUUM")
            busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            why = "another process is reading it" if busy else None
        except sqlite3.Error as error:
            why = str(error)
        if why is not None:
            raise CacheError(
                f"the calls are removed from the cache {str(path)!r}, but their bytes may still be "
                f"in the file, since {why}: do the same again when it is free"
            )
