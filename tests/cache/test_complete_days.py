"""Days of an account that were listed completely."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.cache import records
from callkit.cache.store import Cache, DayNotCompleteError
from callkit.errors import CacheWarning
from callkit.outcomes import Fetched
from tests.cache.test_store import OTHER, fill, store
from tests.support.scripted import ACCOUNT, sid
from tests.upgrades import calls as of_old

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST, SECOND = date(2025, 3, 1), date(2025, 3, 2)
MORNING = datetime(2025, 3, 1, 8, tzinfo=UTC)
LISTED_AT = datetime(2025, 3, 9, tzinfo=UTC)
HER_NUMBER = "+14155552671"
OLD_CACHE = Path(of_old.__file__).with_name("0.1.0") / "calls.sqlite"
OLD_DAY = date(2023, 11, 14)


def call(
    number: int,
    start: datetime | None = MORNING,
    price: str | None = "-0.01",
    at: datetime = LISTED_AT,
) -> Fetched:
    body = {
        "sid": sid(number),
        "status": "completed",
        "price": price,
        "from": HER_NUMBER,
        "start_time": None if start is None else format_datetime(start),
    }
    return Fetched(sid(number), ACCOUNT, json.dumps(body).encode(), f"RQ{number}", at, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


@pytest.fixture
def marked(path: Path) -> Path:
    """A cache whose first day is complete, with two calls; a third is of the second day."""
    with Cache(path) as cache:
        store(cache, call(1), call(2), call(3, MORNING + timedelta(days=1)))
        cache.mark_complete(ACCOUNT, FIRST)
    return path


def complete(path: Path, account_sid: str = ACCOUNT) -> set[date]:
    with Cache(path) as cache:
        return cache.complete_days(account_sid, [FIRST, SECOND])


def listed(path: Path, day: date = FIRST) -> list[str]:
    with Cache(path) as cache:
        return [each.sid for batch in cache.listed(ACCOUNT, day) for each in batch]


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement, [sid(1)])


def test_a_day_is_complete_once_it_is_marked(path: Path) -> None:
    fill(path, call(1))
    assert complete(path) == set()
    with Cache(path) as cache:
        cache.mark_complete(ACCOUNT, FIRST)
        cache.mark_complete(ACCOUNT, FIRST)
    assert complete(path) == {FIRST}


def test_a_day_is_complete_for_its_account_alone(marked: Path) -> None:
    assert complete(marked, OTHER) == set()


def test_a_day_without_calls_may_be_complete(path: Path) -> None:
    with Cache(path) as cache:
        cache.mark_complete(ACCOUNT, FIRST)
    assert complete(path) == {FIRST}
    assert listed(path) == []


def test_only_days_that_are_asked_about_are_told(marked: Path) -> None:
    with Cache(marked) as cache:
        assert cache.complete_days(ACCOUNT, [SECOND]) == set()
        assert cache.complete_days(ACCOUNT, []) == set()


def test_a_day_with_a_call_that_is_not_final_is_not_marked(path: Path) -> None:
    with Cache(path) as cache:
        store(cache, call(1), call(2, price=None))
        cache.mark_complete(ACCOUNT, FIRST)
    assert complete(path) == set()


def test_a_call_of_another_day_or_account_does_not_count(path: Path) -> None:
    with Cache(path) as cache:
        midnight = datetime(2025, 3, 2, tzinfo=UTC)
        store(
            cache, call(1), call(2, midnight, None), replace(call(3, price=None), account_sid=OTHER)
        )
        cache.mark_complete(ACCOUNT, FIRST)
    assert complete(path) == {FIRST}


def test_a_call_that_never_started_belongs_to_no_day(path: Path) -> None:
    with Cache(path) as cache:
        store(cache, call(1), call(2, start=None, price=None))
        cache.mark_complete(ACCOUNT, FIRST)
    assert listed(path) == [sid(1)]


def test_the_calls_of_a_day_come_back_as_they_were_stored(marked: Path) -> None:
    with Cache(marked) as cache:
        assert list(cache.listed(ACCOUNT, FIRST)) == [
            [replace(call(1), attempts=0), replace(call(2), attempts=0)]
        ]


def test_the_calls_of_a_day_come_by_start_and_sid(path: Path) -> None:
    first, last = MORNING.replace(hour=0), MORNING.replace(hour=23, minute=59, second=59)
    with Cache(path) as cache:
        store(cache, call(1, last), call(4), call(3), call(2, first))
        cache.mark_complete(ACCOUNT, FIRST)
    assert listed(path) == [sid(2), sid(3), sid(4), sid(1)]


def test_an_offset_does_not_move_a_call_to_another_utc_day(path: Path) -> None:
    in_berlin = datetime.fromisoformat("2025-03-02T00:30:00+01:00")
    with Cache(path) as cache:
        store(cache, call(1, in_berlin))
        cache.mark_complete(ACCOUNT, FIRST)
    assert listed(path) == [sid(1)]


def test_the_calls_of_a_day_that_is_not_complete_are_not_listed(path: Path) -> None:
    fill(path, call(1))
    with pytest.raises(DayNotCompleteError, match=f"2025-03-01 of {ACCOUNT} is not complete"):
        listed(path)


def test_a_day_that_was_listed_while_the_clock_was_a_year_ahead_is_listed_again(path: Path) -> None:
    now = datetime.now(UTC)
    for at, is_listed in [(now + timedelta(days=365), False), (now, True)]:
        with Cache(path) as cache:
            store(cache, call(1, at=at), call(2, at=at))
            cache.mark_complete(ACCOUNT, FIRST)
        if is_listed:
            assert listed(path) == [sid(1), sid(2)]
        else:
            with pytest.raises(DayNotCompleteError, match="listed in the future"):
                listed(path)


def test_what_is_removed_while_a_day_is_listed_is_in_the_list_all_the_same(path: Path) -> None:
    with Cache(path) as cache:
        count = records.AT_ONCE + 1
        store(cache, *(call(number) for number in range(count)))
        cache.mark_complete(ACCOUNT, FIRST)
        batches = cache.listed(ACCOUNT, FIRST)
        got = len(next(batches))
        change(path, "DELETE FROM calls WHERE sid <> ?")
        assert got + sum(map(len, batches)) == count


def test_calls_are_stored_while_a_day_is_listed(marked: Path) -> None:
    with Cache(marked) as cache:
        for batch in cache.listed(ACCOUNT, FIRST):
            store(
                cache,
                *(replace(each, fetched_at=each.fetched_at + timedelta(days=1)) for each in batch),
            )
        assert cache.writable


def test_a_path_may_have_any_characters(tmp_path: Path) -> None:
    path = tmp_path / "100 % of März?#.sqlite"
    with Cache(path) as cache:
        store(cache, call(1))
        cache.mark_complete(ACCOUNT, FIRST)
    assert listed(path) == [sid(1)]


def test_another_process_that_closes_the_file_leaves_it_to_this_one(marked: Path) -> None:
    use = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT 1 FROM calls').close()"
    with Cache(marked) as cache:
        store(cache, call(4))
        list(cache.listed(ACCOUNT, FIRST))
        subprocess.run([sys.executable, "-c", use, str(marked)], check=True)
        assert marked.with_name(f"{marked.name}-wal").exists()


@pytest.mark.parametrize(
    "remove",
    [
        lambda path: callkit.cache.prune(path, timedelta(0)),
        lambda path: callkit.cache.erase(path, [HER_NUMBER]),
        lambda path: change(path, "DELETE FROM calls WHERE sid = ?"),
    ],
    ids=["pruned", "erased", "deleted otherwise"],
)
def test_a_day_is_no_longer_complete_without_one_of_its_calls(
    marked: Path, remove: Callable[[Path], object]
) -> None:
    remove(marked)
    assert complete(marked) == set()


def test_removing_calls_of_other_days_leaves_a_day_complete(marked: Path) -> None:
    fill(marked, call(3, MORNING + timedelta(days=1), at=datetime(2025, 3, 10, tzinfo=UTC)))
    with Cache(marked) as cache:
        cache.mark_complete(ACCOUNT, SECOND)
    change(marked, "DELETE FROM calls WHERE sid = ?")
    assert complete(marked) == {SECOND}


@pytest.mark.parametrize(
    "newer",
    [
        call(1, price=None, at=LISTED_AT + timedelta(days=1)),
        call(9, price=None),
        call(1, MORNING + timedelta(days=1), at=LISTED_AT + timedelta(days=1)),
        replace(call(1, at=LISTED_AT + timedelta(days=1)), account_sid=OTHER),
    ],
    ids=["no longer final", "a new call, not final", "of another day", "of another account"],
)
def test_a_record_that_takes_the_mark_away(marked: Path, newer: Fetched) -> None:
    fill(marked, newer)
    assert complete(marked) == set()


@pytest.mark.parametrize(
    "newer",
    [
        call(1, price="-0.02", at=LISTED_AT + timedelta(days=1)),
        call(9),
        call(9, start=None, price=None),
        call(1, price=None, at=LISTED_AT - timedelta(days=1)),
    ],
    ids=["final again", "a new final call", "never started", "older than what is stored"],
)
def test_a_record_that_leaves_the_mark(marked: Path, newer: Fetched) -> None:
    fill(marked, newer)
    assert complete(marked) == {FIRST}


def test_a_day_is_not_marked_if_calls_were_removed_since_the_cache_was_opened(path: Path) -> None:
    with Cache(path) as cache:
        store(cache, call(1), call(2))
        change(path, "DELETE FROM calls WHERE sid = ?")
        cache.mark_complete(ACCOUNT, FIRST)
    assert complete(path) == set()


def test_a_day_is_marked_by_the_next_run_after_a_removal(marked: Path) -> None:
    change(marked, "DELETE FROM calls WHERE sid = ?")
    with Cache(marked) as cache:
        store(cache, call(1), call(2))
        cache.mark_complete(ACCOUNT, FIRST)
    assert complete(marked) == {FIRST}


def test_a_day_that_cannot_be_marked_warns_once_and_loses_nothing(path: Path) -> None:
    def mark_twice() -> None:
        with Cache(path) as cache:
            cache._db.execute("PRAGMA query_only = 1")
            for day in (FIRST, SECOND):
                cache.mark_complete(ACCOUNT, day)
            assert not cache.writable

    with pytest.warns(CacheWarning, match="Cannot write to the cache") as caught:
        mark_twice()
    assert len(caught) == 1
    assert complete(path) == set()


def test_info_counts_complete_days(marked: Path) -> None:
    with Cache(marked) as cache:
        cache.mark_complete(OTHER, FIRST)
    info = callkit.cache.info(marked)
    assert info.complete_days == 2
    assert "complete days  2\n" in str(info)


def test_an_erased_call_leaves_no_byte_of_its_sid(marked: Path) -> None:
    fill(marked, replace(call(4), body=call(4).body.replace(HER_NUMBER.encode(), b"client:amy")))
    with Cache(marked) as cache:
        cache.mark_complete(ACCOUNT, FIRST)
    callkit.cache.erase(marked, [HER_NUMBER])
    raw = marked.read_bytes()
    assert sid(1).encode() not in raw
    assert sid(4).encode() in raw


# Files of version 1, which knew no days


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copy(OLD_CACHE, tmp_path))


def listed_again(calls: list[of_old.Call], at: timedelta) -> list[Fetched]:
    return [
        Fetched(each.sid, of_old.ACCOUNT, each.body, each.request_id, each.fetched_at + at, 1)
        for each in calls
    ]


def test_a_call_of_version_1_belongs_to_no_day(old: Path) -> None:
    with Cache(old) as cache:
        cache.mark_complete(of_old.ACCOUNT, OLD_DAY)
        assert list(cache.listed(of_old.ACCOUNT, OLD_DAY)) == []


@pytest.mark.parametrize("at", [timedelta(days=1), -timedelta(days=1)], ids=["newer", "older"])
def test_a_day_listed_again_is_complete_whichever_record_is_newer(old: Path, at: timedelta) -> None:
    same_day = [of_old.FINAL[0], of_old.FINAL[1], of_old.FINAL[2]]
    with Cache(old) as cache:
        store(cache, *listed_again(same_day, at))
        cache.mark_complete(of_old.ACCOUNT, OLD_DAY)
        [batch] = cache.listed(of_old.ACCOUNT, OLD_DAY)
    kept = max(timedelta(0), at)
    assert batch == [replace(each, attempts=0) for each in listed_again(same_day, kept)]


def test_a_newer_record_of_version_1_that_is_not_final_keeps_its_day_from_being_complete(
    old: Path,
) -> None:
    not_final = of_old.NOT_FINAL[1]
    priced = replace(
        listed_again([not_final], -timedelta(hours=1))[0],
        body=json.dumps(not_final.sent | {"price": "-0.01"}).encode(),
    )
    with Cache(old) as cache:
        store(cache, priced)
        cache.mark_complete(of_old.ACCOUNT, OLD_DAY)
        assert cache.complete_days(of_old.ACCOUNT, [OLD_DAY]) == set()


@pytest.mark.parametrize(
    "care",
    [
        callkit.cache.info,
        lambda path: callkit.cache.prune(path, timedelta(days=36_500)),
        lambda path: callkit.cache.erase(path, ["client:nobody"]),
    ],
    ids=["info", "prune", "erase"],
)
def test_a_cache_of_version_1_is_looked_after_as_any_other(
    old: Path, care: Callable[[Path], object]
) -> None:
    care(old)
    info = callkit.cache.info(old)
    assert (info.calls, info.complete_days) == (16, 0)


def test_several_processes_may_upgrade_a_file_at_once(old: Path) -> None:
    upgrade = "import sys; from callkit.cache import info; info(sys.argv[1])"
    processes = [subprocess.Popen([sys.executable, "-c", upgrade, str(old)]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    with closing(sqlite3.connect(old)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_file_that_cannot_be_upgraded_is_left_as_it_was(old: Path) -> None:
    with closing(sqlite3.connect(old)) as db, db:
        db.execute("CREATE TABLE removals (calls)")
    with pytest.raises(callkit.errors.CacheError, match="its tables are not those that callkit"):
        Cache(old)
    with closing(sqlite3.connect(old)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert len(db.execute("SELECT * FROM calls").fetchone()) == 7
