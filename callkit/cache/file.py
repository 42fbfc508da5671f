"""The file of a cache: its format, how it is opened, and what may be wrong with it."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from callkit.errors import CacheError

_APPLICATION_ID = 0x63616C6C  # "call"
_PATIENCE_WITH_OTHERS = 60.0  # seconds to wait for another process's turn
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


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open a cache file and make it private to its owner; `create` it if it does not exist.

    A file of an older callkit is upgraded; one of another program, or of a newer callkit, is
    refused and left unchanged.
    """
    _refuse_foreign(path, create=create)
    path.touch(mode=0o600)
    path.chmod(0o600)
    db = sqlite3.connect(
        path, timeout=_PATIENCE_WITH_OTHERS, isolation_level=None, check_same_thread=False
    )
    with ExitStack() as until_checked:
        until_checked.callback(db.close)
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise CacheError(
                f"The cache {str(path)!r} has format {version}, but this version of callkit reads "
                f"format {_VERSION}. Update callkit or choose another file"
            )
        db.execute("PRAGMA secure_delete = ON")  # what is replaced or deleted becomes zeros
        if version < _VERSION:
            _upgrade(db)
        # Only now: the mark that identifies the file must be in the file itself, not its journal.
        db.execute("PRAGMA journal_mode = WAL")  # readers and a writer at once
        db.execute("PRAGMA synchronous = NORMAL")
        until_checked.pop_all()
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open, a second time, a cache file that this process has open.

    Through SQLite alone, since closing a file that Python opened would release the locks of this
    process on it: https://www.sqlite.org/howtocorrupt.html
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=_PATIENCE_WITH_OTHERS,
        isolation_level=None,
        check_same_thread=False,
    )


def _upgrade(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    with db:
        # Read again, since another process may have upgraded the file meanwhile.
        (version,) = db.execute("PRAGMA user_version").fetchone()
        for statements in _UPGRADES[version:]:
            for statement in statements:
                db.execute(statement)


def _refuse_foreign(path: Path, *, create: bool) -> None:
    """Look at the file's first bytes alone, since SQLite might write to what it opens."""
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "A path cannot contain a NUL character")
    if create and not path.exists():
        return
    with path.open("rb") as file:
        head = file.read(100)
    is_database = head.startswith(b"SQLite format 3\x00")
    is_ours = head[68:72] == _APPLICATION_ID.to_bytes(4, "big")  # where the file format keeps it
    if not (is_database and is_ours) and (head or not create):
        kind = "a database of another program" if is_database else "not a database"
        raise CacheError(
            f"Cannot use {str(path)!r} as a cache: it is {kind}, or damaged. It was left "
            "unchanged; choose another file"
        )


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
        # Its low byte is the plain code: https://www.sqlite.org/rescode.html
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise CacheError(
                f"The cache {str(path)!r} is in use by another process. Try again when that "
                "process has finished"
            ) from error
        why, _, _ = str(error).partition("\n")
        raise CacheError(
            f"Cannot use the cache {str(path)!r}: {why}. Move it or choose another file"
        ) from error
