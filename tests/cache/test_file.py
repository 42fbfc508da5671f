from __future__ import annotations

import os
import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.cache import database
from callkit.cache.store import Cache
from callkit.errors import CacheError
from tests.cache.test_store import call, fill, keys, looked_up, store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


def test_only_its_owner_may_read_it(path: Path) -> None:
    previous = os.umask(0)
    try:
        with Cache(path) as cache:
            store(cache, call(1))
            modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(previous)
    assert modes == {0o600}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04 a spreadsheet", "is not a database, or damaged. It was left unchanged"),
        (b"SQLite format 3\x00" + b"\x00" * 84, "is not a database, or damaged"),
    ],
)
def test_a_foreign_file_is_refused_and_not_touched(
    path: Path, content: bytes, sentence: str
) -> None:
    path.write_bytes(content)
    path.chmod(0o644)
    with pytest.raises(CacheError, match=sentence):
        Cache(path)
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_another_programs_database_is_refused_and_not_touched(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE accounts (id)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(CacheError, match="a database of another program"):
        Cache(path)
    assert path.read_bytes() == before


def test_a_damaged_cache_is_told_in_one_sentence(path: Path) -> None:
    fill(path, *(call(number) for number in range(500)))
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    with (
        pytest.raises(CacheError, match="Cannot use the cache .*Move it"),
        Cache(path) as cache,
    ):
        looked_up(cache, keys(*range(500)))


def test_a_cache_of_a_newer_callkit_is_refused(path: Path) -> None:
    fill(path, call(1))
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 3")
    db.close()
    with pytest.raises(CacheError, match="has format 3, .* Update callkit"):
        Cache(path)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("missing/calls.sqlite", "Cannot open the cache .*: No such file or directory"),
        (".", "Cannot open the cache .*: Expected a regular file, .* is a directory"),
        ("/proc/calls.sqlite", "Cannot open the cache"),
    ],
)
def test_a_place_where_no_cache_can_be_is_told_in_one_sentence(
    tmp_path: Path, place: str, sentence: str
) -> None:
    with pytest.raises(CacheError, match=sentence) as caught:
        Cache(tmp_path / place)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [10**18, "noon"])
def test_a_time_that_is_none_is_told_in_one_sentence(path: Path, damage: object) -> None:
    fill(path, call(1))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE calls SET fetched_at = ?", [damage])
    db.close()
    with pytest.raises(CacheError, match=f"{damage!r} is not a valid time"), Cache(path) as cache:
        looked_up(cache, keys(1))


@pytest.mark.parametrize("damage", [b"\x78\x5e\x00", "text"])
def test_a_body_that_is_damaged_is_told_in_one_sentence(path: Path, damage: object) -> None:
    fill(path, call(1))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE calls SET body = ?", [damage])
    db.close()
    with pytest.raises(CacheError, match="the body of a call is damaged"), Cache(path) as cache:
        looked_up(cache, keys(1))
    with pytest.raises(CacheError, match="is damaged"):
        callkit.cache.erase(path, ["client:amy"])


def test_a_path_with_a_nul_character_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="cannot contain a NUL character"):
        Cache(tmp_path / "calls\0.sqlite")


def test_a_cache_that_others_do_not_let_go_of_is_told_in_one_sentence(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    fill(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CacheError, match="is in use by another process"):
        Cache(path)
    other.close()
