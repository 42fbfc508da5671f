"""Cache files that somebody has made to do harm."""

from __future__ import annotations

import os
import signal
import sqlite3
import struct
import threading
import tracemalloc
import zlib
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

import pytest

import callkit
from callkit.cache.store import Cache
from callkit.errors import CacheError
from tests.cache.test_store import NOON, call, fill, keys, looked_up
from tests.support.scripted import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Use: TypeAlias = "Callable[[Path], object]"


def look_up(path: Path) -> None:
    with Cache(path) as cache:
        looked_up(cache, keys(*range(20)))


ADMIN: dict[str, Use] = {
    "info": callkit.cache.info,
    "prune": lambda path: callkit.cache.prune(path, timedelta(0)),
    "erase": lambda path: callkit.cache.erase(path, ["client:amy"]),
}
each_use = pytest.mark.parametrize("use", [look_up, *ADMIN.values()], ids=["run", *ADMIN])
each_admin = pytest.mark.parametrize("use", ADMIN.values(), ids=ADMIN)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


def craft(path: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    """Change a cache of a few calls behind callkit's back."""
    fill(path, *map(call, range(5)))
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement, values)


ENDLESS = """
WITH RECURSIVE endless(sid) AS (SELECT 'CA' UNION ALL SELECT sid FROM endless)
SELECT sid, '' AS account_sid, x'00' AS body, '' AS request_id, 0 AS fetched_at,
    '' AS price, 1 AS settled, 0 AS started_at FROM endless
"""
TABLES = {
    "a view in place of a table": ["DROP TABLE calls", f"CREATE VIEW calls AS {ENDLESS}"],
    "a view that is named beside it": [f"CREATE VIEW others AS {ENDLESS}"],
    "a trigger that calls itself": [
        "CREATE TRIGGER again AFTER UPDATE ON removals BEGIN UPDATE removals SET calls = 1; END"
    ],
    "another trigger of the same name": [
        "DROP TRIGGER call_removed",
        "CREATE TRIGGER call_removed AFTER DELETE ON calls BEGIN SELECT randomblob(1e9); END",
    ],
    "a generated column": ["ALTER TABLE calls ADD COLUMN more AS (zeroblob(1e9))"],
    "an index of an expression": ["CREATE INDEX more ON calls (hex(zeroblob(length(body))))"],
    "a missing table": ["DROP TABLE complete_days"],
    "a missing trigger": ["DROP TRIGGER call_removed"],
    "a text that hides in a comment": [
        "CREATE TABLE [calls --] (sid TEXT PRIMARY KEY)",
    ],
}


@each_use
@pytest.mark.parametrize("statements", TABLES.values(), ids=TABLES)
def test_tables_that_callkit_never_made_are_refused_and_left_alone(
    path: Path, statements: list[str], use: Use
) -> None:
    craft(path, *statements)
    before = path.read_bytes()
    with pytest.raises(CacheError, match="its tables are not those that callkit creates"):
        use(path)
    assert path.read_bytes() == before


VALUES = {
    "sid": b"CA",
    "account_sid": b"\xff",
    "body": 7,
    "request_id": b"\x00",
    "fetched_at": "yesterday",
    "settled": "1e308",
    "started_at": b"noon",
    "price": b"-1",
}


@each_admin
@pytest.mark.parametrize(("column", "value"), VALUES.items(), ids=VALUES)
def test_values_of_the_wrong_type_are_refused_and_left_alone(
    path: Path, column: str, value: object, use: Use
) -> None:
    craft(path, f"UPDATE calls SET {column} = ? WHERE rowid = 3", values=(value,))
    before = path.read_bytes()
    with pytest.raises(CacheError, match="is damaged and was left unchanged"):
        use(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("column", ["account_sid", "body", "request_id", "fetched_at"])
def test_values_of_the_wrong_type_are_no_calls(path: Path, column: str) -> None:
    craft(path, f"UPDATE calls SET {column} = ? WHERE rowid = 3", values=(VALUES[column],))
    with pytest.raises(CacheError, match="Cannot use the cache"):
        look_up(path)


def test_a_record_whose_time_is_text_gives_way(path: Path) -> None:
    craft(path, "UPDATE calls SET fetched_at = 'soon'")
    fill(path, call(1, at=NOON))
    with Cache(path) as cache:
        assert len(looked_up(cache, keys(1))) == 1


@pytest.mark.parametrize("text", ["\udcff", "x\udc80y"])
def test_text_that_is_not_utf_8_is_refused(path: Path, text: str) -> None:
    raw = text.encode("utf-8", "surrogateescape").hex()
    craft(path, f"UPDATE calls SET account_sid = CAST(x'{raw}' AS TEXT)")
    for use in [look_up, callkit.cache.info]:
        with pytest.raises(CacheError, match="Cannot use the cache"):
            use(path)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM removals", "UPDATE removals SET calls = 'many'", "UPDATE removals SET calls=0.5"],
)
def test_a_count_of_removals_that_is_none_is_refused(path: Path, statement: str) -> None:
    craft(path, statement)
    with pytest.raises(CacheError, match="Cannot use the cache .*: it is damaged"):
        look_up(path)


def test_a_body_that_grows_without_end_is_decompressed_no_further_than_a_page_is_long(
    path: Path,
) -> None:
    bomb = zlib.compress(bytes(1 << 29), 9)
    craft(path, "UPDATE calls SET body = ?", values=(bomb,))

    def fails() -> None:
        for use in (look_up, ADMIN["erase"]):
            with pytest.raises(CacheError, match="the body of a call is damaged"):
                use(path)

    tracemalloc.start()
    try:
        fails()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 200_000_000


def test_long_bodies_are_looked_up_a_few_at_a_time(path: Path) -> None:
    long = b'{"a": "' + bytes(1 << 23) + b'"}'
    craft(path, "UPDATE calls SET body = ?", values=(zlib.compress(long, 9),))
    with Cache(path) as cache:
        assert [len(batch) for batch in cache.look_up(keys(*range(5)))] == [2, 2, 1]


@each_use
@pytest.mark.parametrize("pages", [2**31, 2**32 - 2])
def test_a_file_that_says_it_is_huge_is_refused(path: Path, pages: int, use: Use) -> None:
    craft(path)
    octets = bytearray(path.read_bytes())
    octets[28:32] = struct.pack(">I", pages)
    path.write_bytes(octets)
    with pytest.raises(CacheError, match="malformed"):
        use(path)


@each_admin
def test_pages_that_are_read_again_and_again_are_refused(path: Path, use: Use) -> None:
    craft(path)
    lead_astray(path)
    with pytest.raises(CacheError, match="is damaged|it is damaged"):
        use(path)


def test_a_query_that_would_read_pages_again_and_again_ends(path: Path) -> None:
    craft(path)
    lead_astray(path)
    with (
        Cache(path) as cache,
        pytest.raises(CacheError, match="it is damaged: reading it does not end"),
    ):
        cache.complete_days(ACCOUNT, [NOON.date()])


def test_a_statement_that_would_run_for_ever_ends(path: Path) -> None:
    craft(path)
    with Cache(path) as cache, pytest.raises(sqlite3.DataError, match="reading it does not end"):
        cache._db.row(f"SELECT count(*) FROM ({ENDLESS})")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heard_in_the_middle_of_a_statement(path: Path, number: signal.Signals) -> None:
    class HeardError(BaseException):
        """What a handler raises."""

    def hear(*_: object) -> None:
        raise HeardError

    previous = signal.signal(number, hear)
    try:
        with Cache(path) as cache:
            threading.Timer(0.01, os.kill, (os.getpid(), number)).start()
            with pytest.raises(HeardError):
                cache._db.row(f"SELECT count(*) FROM ({ENDLESS})")
    finally:
        signal.signal(number, previous)


def lead_astray(path: Path) -> None:
    """Put ten pages under the table of days, each of which leads to the next 600 times."""
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'complete_days'"
        ).fetchone()
    octets = bytearray(path.read_bytes())
    size = int.from_bytes(octets[16:18], "big")
    pages = len(octets) // size
    last = pages + 10
    octets[(root - 1) * size : root * size] = _leading_to(pages + 1, size)
    for number in range(pages + 1, last):
        octets += _leading_to(number + 1, size)
    octets += _leading_to(None, size)
    octets[28:32] = struct.pack(">I", last)
    path.write_bytes(octets)


def _leading_to(child: int | None, size: int) -> bytes:
    """Make a page of an index, all of whose entries are the same bytes."""
    entry = b"\x2d\x03\x51\x06" + ACCOUNT.encode() + struct.pack(">q", 0)
    if child is None:
        at = size - len(entry)
        header = struct.pack(">BHHHBH", 10, 0, 1, at, 0, at)
        return header.ljust(at, b"\0") + entry
    entry = struct.pack(">I", child) + entry
    at = size - len(entry)
    header = struct.pack(">BHHHBI", 2, 0, 600, at, 0, child)
    return (header + 600 * struct.pack(">H", at)).ljust(at, b"\0") + entry
