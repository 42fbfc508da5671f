"""A SQLite file that other processes use too, and that may have been crafted."""

import ctypes
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from callkit.forks import renewed_in_children

Parameters: TypeAlias = dict[str, Any] | list[Any]

PATIENCE = 60.0  # seconds to wait for another process's turn
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.02  # seconds between two attempts
_ONCE_INTERRUPTED = 0.5  # seconds: the other's turn may be about to end
_LONGEST_VALUE = 1 << 26  # bytes
_LONGEST_STATEMENT = 1 << 16  # bytes
# In a crafted file the same rows may be found again and again. Reading all rows of any other takes
# fewer steps of SQLite than the file has bytes.
_ENDLESS = "it is damaged: reading it does not end"
_SHORTEST_ROW = 16  # bytes
_ROWS_AT_ONCE = 1_000
_STEPS_AT_ONCE = 1_000_000
_STEPS_FOR_ANY_FILE = 20_000_000  # about a second


def address(path: Path, options: str) -> str:
    """Name a file for SQLite, which takes some plain names for something else."""
    return f"file:{quote(os.fsencode(path.absolute()))}?{options}"


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process has its turn."""
    return _code(error) == sqlite3.SQLITE_BUSY


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)


def _code(error: sqlite3.Error) -> int:
    # Its low byte is the plain code: https://www.sqlite.org/rescode.html
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


class Database:
    """A connection that waits for other processes in short steps, so that interrupts are heard.

    SQLite itself waits in C, and does not wait at all at some moments: while another process turns
    the journal on, for example. A process forked meanwhile gets a connection of its own.

    `is_interrupted` says whether a noted interrupt is to end a wait; one that raises, from its
    handler, always does.
    """

    def __init__(
        self, path: Path, *, read_only: bool = False, is_interrupted: Callable[[], bool] = bool
    ) -> None:
        self._path = path
        self._address = address(path, "mode=ro" if read_only else "mode=rw")
        self._is_interrupted = is_interrupted
        self._steps = 0
        self._raised: BaseException | None = None
        self._connection: sqlite3.Connection | None = self._connect()
        renewed_in_children(self)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._address, uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
        with ExitStack() as until_set_up:
            until_set_up.callback(connection.close)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _LONGEST_STATEMENT)
            watch = self._watch()
            next(watch)  # from now on it is within its block
            connection.set_progress_handler(watch.__next__, _STEPS_AT_ONCE)
            for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
                connection.execute(f"PRAGMA {pragma}")
            # What is replaced or deleted becomes zeros.
            connection.execute("PRAGMA secure_delete = ON")
            until_set_up.pop_all()
        return connection

    @property
    def connection(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def execute(self, statement: str, parameters: Parameters | None = None) -> sqlite3.Cursor:
        """Execute a statement, waiting for another process's turn to end; read on with `rows`."""
        return self._patiently(lambda: self.connection.execute(statement, parameters or []))

    def executemany(self, statement: str, parameters: Iterable[tuple[Any, ...]]) -> None:
        """Execute a statement for many rows, within a transaction."""
        with self._heard():
            self.connection.executemany(statement, parameters)

    def rows(self, statement: str, parameters: Parameters | None = None) -> Iterator[Any]:
        """Execute a query, and yield its rows as they are read."""
        found = self.execute(statement, parameters)
        for number in count():
            with self._heard():
                row = found.fetchone()
            if row is None:
                return
            if number % _ROWS_AT_ONCE == 0 and _SHORTEST_ROW * number > self._size():
                raise sqlite3.DataError(_ENDLESS)
            yield row

    def row(self, statement: str, parameters: Parameters | None = None) -> Any:
        """Return the first row of what a query finds, or None."""
        return next(self.rows(statement, parameters), None)

    @contextmanager
    def transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        """Do all of the block or none of it."""
        self.execute(f"BEGIN {kind}")
        connection = self.connection
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if connection is self._connection and connection.in_transaction:
                connection.rollback()
            raise

    def checkpoint(self) -> bool:
        """Empty the journal into the file; return whether no other process prevented it."""
        until = time.monotonic() + PATIENCE
        for pause in _pauses():
            busy, *_ = self.row("PRAGMA wal_checkpoint(TRUNCATE)")
            if not busy:
                return True
            if time.monotonic() >= until:
                break
            time.sleep(pause)
        return False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def renew_in_child(self) -> None:
        """Never use the parent's connection, nor close it: that would end the parent's work.

        One more reference is counted than there is, so that not even the end of the interpreter
        closes it.
        """
        if self._connection is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
            self._connection = None

    def _patiently(self, execute: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        until = time.monotonic() + PATIENCE
        self._steps = 0
        for pause in _pauses():
            try:
                with self._heard():
                    return execute()
            except sqlite3.OperationalError as error:
                if self._is_interrupted():
                    until = min(until, time.monotonic() + _ONCE_INTERRUPTED)
                if not is_busy(error) or time.monotonic() >= until:
                    raise
            time.sleep(pause)
        raise AssertionError  # the pauses never end

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Raise what a signal's handler raised in the middle of a statement, which it has ended."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raised, self._raised = self._raised, None
            if raised is not None:
                raise raised from None
            if _code(error) == sqlite3.SQLITE_INTERRUPT:
                raise sqlite3.DataError(_ENDLESS) from None
            raise

    def _watch(self) -> Iterator[bool]:
        """Say after every so many steps whether a statement is endless.

        A generator goes on within its block, so that what the handler of a signal raises is caught
        here; from a function it would be raised before the first line, and SQLite would forget it.
        """
        while True:
            try:
                self._steps += _STEPS_AT_ONCE
                yield self._steps > _STEPS_FOR_ANY_FILE + self._size()
            except GeneratorExit:
                return
            except BaseException as error:  # noqa: BLE001  (it is raised once the statement ends)
                self._raised = error
                yield True

    def _size(self) -> int:
        size = 0
        for file in (self._path, self._path.with_name(f"{self._path.name}-wal")):
            with suppress(OSError):
                size += file.stat().st_size
        return size
