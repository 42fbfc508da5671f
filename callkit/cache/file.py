"""The file of a cache: its format, how it is opened, and what may be wrong with it."""

import errno
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from itertools import chain
from pathlib import Path

from callkit.cache.database import Database, address, is_busy
from callkit.errors import CacheError
from callkit.forks import renewed_in_children
from callkit.regular_files import check_regular_or_absent

_APPLICATION_ID = 0x63616C6C  # "call"
SQLITES_OWN = ("", "-wal", "-shm", "-journal")  # https://www.sqlite.org/tempfiles.html
_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT 100"
# What makes a file of each version one of the next; a new file is of version 0.
_UPGRADES = (
    (
        """
CREATE TABLE IF NOT EXISTS calls (
    sid TEXT PRIMARY KEY,
    account_sid TEXT NOT NULL,
    body BLOB NOT NULL,  -- as received, compressed by zlib
    request_id TEXT,
    fetched_at INTEGER NOT NULL,  -- microseconds since 1970, UTC
    price TEXT,  -- in plain decimal notation
    settled INTEGER NOT NULL  -- whether the record is final
)""",
        f"PRAGMA application_id = {_APPLICATION_ID}",
        "PRAGMA user_version = 1",
    ),
    (
        # In microseconds since 1970, UTC; null if it never started or was stored by version 1.
        "ALTER TABLE calls ADD COLUMN started_at INTEGER",
        """
CREATE INDEX calls_by_start ON calls (account_sid, started_at) WHERE started_at IS NOT NULL""",
        """
CREATE TABLE complete_days (  -- every call of the day is in the cache and final
    account_sid TEXT NOT NULL,
    day INTEGER NOT NULL,  -- its midnight, in microseconds since 1970, UTC
    PRIMARY KEY (account_sid, day)
) WITHOUT ROWID""",
        "CREATE TABLE removals (calls INTEGER NOT NULL)  -- one row: how many, ever",
        "INSERT INTO removals VALUES (0)",
        # Triggers, so that nothing that changes or removes a call can forget the marks of days. A
        # day has 86,400,000,000 microseconds.
        """
CREATE TRIGGER call_added AFTER INSERT ON calls WHEN NOT NEW.settled BEGIN
    DELETE FROM complete_days WHERE account_sid = NEW.account_sid
        AND day > NEW.started_at - 86400000000 AND day <= NEW.started_at;
END""",
        """
CREATE TRIGGER call_changed AFTER UPDATE ON calls
WHEN NOT NEW.settled OR NEW.started_at IS NOT OLD.started_at OR NEW.account_sid <> OLD.account_sid
BEGIN
    DELETE FROM complete_days WHERE account_sid = NEW.account_sid
        AND day > NEW.started_at - 86400000000 AND day <= NEW.started_at;
    DELETE FROM complete_days WHERE account_sid = OLD.account_sid
        AND day > OLD.started_at - 86400000000 AND day <= OLD.started_at;
END""",
        """
CREATE TRIGGER call_removed AFTER DELETE ON calls BEGIN
    UPDATE removals SET calls = calls + 1;
    DELETE FROM complete_days WHERE account_sid = OLD.account_sid
        AND day > OLD.started_at - 86400000000 AND day <= OLD.started_at;
END""",
        "PRAGMA user_version = 2",
    ),
)
_VERSION = len(_UPGRADES)


def connect(path: Path, *, create: bool, is_interrupted: Callable[[], bool] = bool) -> Database:
    """Open a cache file and make it private to its owner; `create` it if it does not exist.

    A file of an older callkit is upgraded; one of another program, or of a newer callkit, is
    refused and left unchanged, and so is anything but a regular file.
    """
    is_there = check_regular_or_absent(path)
    for end in SQLITES_OWN[1:]:
        _check_beside(Path(f"{os.path.realpath(path)}{end}"))
    if not is_there:
        if not create:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        _create(path)
    if not (create and path.stat().st_size == 0):
        _refuse_foreign(path)
    path.chmod(0o600)
    db = Database(path, is_interrupted=is_interrupted)
    with ExitStack() as until_checked:
        until_checked.callback(db.close)
        if _checked_version(db, path) < _VERSION:
            _upgrade(db)
        # Only now: the mark that identifies the file must be in the file itself, not its journal.
        db.execute("PRAGMA journal_mode = WAL")  # readers and a writer at once
        db.execute("PRAGMA synchronous = NORMAL")
        until_checked.pop_all()
    return db


def _check_beside(file: Path) -> None:
    """Refuse anything but a regular file that SQLite would open, and change, beside a cache."""
    try:
        check_regular_or_absent(file)
    except OSError as error:
        raise CacheError(
            f"Cannot use {str(file)!r}, which belongs to a cache: {error.strerror}"
        ) from error


def connect_to_read(path: Path, is_interrupted: Callable[[], bool]) -> Database:
    """Open, a second time, a cache file that this process has open."""
    return Database(path, read_only=True, is_interrupted=is_interrupted)


def _create(path: Path) -> None:
    """Make an empty file; another process may do so at the same time."""
    # Closing it would release this process's locks, so no thread may open it before that:
    # https://www.sqlite.org/howtocorrupt.html
    with _creating.lock, suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


class _Creating:
    def __init__(self) -> None:
        self.renew_in_child()
        renewed_in_children(self)

    def renew_in_child(self) -> None:
        self.lock = threading.Lock()


_creating = _Creating()


def _refuse_foreign(path: Path) -> None:
    """Read the mark of a callkit cache, without changing anything beside or in the file.

    SQLite reads it, not Python: see :func:`_create`. Told that nobody changes the file, it neither
    locks it nor looks for a journal; the mark itself never changes.
    """
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    with closing(sqlite3.connect(address(path, "mode=ro&immutable=1"), uri=True)) as db:
        # Or else a file that another process is just making larger would look damaged.
        db.execute("PRAGMA writable_schema = ON")
        try:
            (mark,) = db.execute("PRAGMA application_id").fetchone()
        except sqlite3.DatabaseError:
            mark = None
    if path.stat().st_size == 0:  # as after a run that was killed before it stored anything
        raise _unusable(path, "it is an empty file, without calls")
    if mark != _APPLICATION_ID:
        kind = "not a database" if mark is None else "a database of another program"
        raise _unusable(path, f"it is {kind}, or damaged")


def _unusable(path: Path, why: str) -> CacheError:
    return CacheError(
        f"Cannot use {str(path)!r} as a cache: {why}. It was left unchanged; choose another file"
    )


def _checked_version(db: Database, path: Path) -> int:
    """Return the version of the file; refuse tables, views or triggers that callkit never made."""
    with db.transaction("DEFERRED"):
        (version,) = db.row("PRAGMA user_version")
        if version > _VERSION:
            raise CacheError(
                f"The cache {str(path)!r} has format {version}, but this version of callkit reads "
                f"format {_VERSION}. Update callkit or choose another file"
            )
        objects = sorted(map(_plain, db.rows(_OBJECTS)))
    if version < 0 or objects != _objects_of(version):
        raise _unusable(path, "its tables are not those that callkit creates")
    return int(version)


def _plain(row: tuple[object, ...]) -> str:
    """Write a table, index or trigger without comments, which differ between versions."""
    *names, statement = row
    without = re.sub(r"--.*", "", str(statement))
    return " ".join([*map(str, names), *without.split()])


@cache
def _objects_of(version: int) -> list[str]:
    """Make a file of a version, in memory, and return what it then contains."""
    with closing(sqlite3.connect(":memory:")) as db:
        for statement in chain.from_iterable(_UPGRADES[:version]):
            db.execute(statement)
        return sorted(map(_plain, db.execute(_OBJECTS)))


def _upgrade(db: Database) -> None:
    with db.transaction():
        # Read again, since another process may have upgraded the file meanwhile.
        (version,) = db.row("PRAGMA user_version")
        for statement in chain.from_iterable(_UPGRADES[version:]):
            db.execute(statement)


@contextmanager
def cache_errors(path: Path) -> Iterator[None]:
    """Turn errors into a CacheError that describes in one sentence what is wrong with the file."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"Cannot open the cache {str(path)!r}: {error.strerror or error}"
        ) from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if isinstance(error, sqlite3.Error) and is_busy(error):
            raise CacheError(
                f"The cache {str(path)!r} is in use by another process. Try again when that "
                "process has finished"
            ) from error
        why, _, _ = str(error).partition("\n")
        raise CacheError(
            f"Cannot use the cache {str(path)!r}: {why}. Move it or choose another file"
        ) from error
