from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from callkit.cache.store import Cache
from callkit.errors import CacheWarning
from callkit.normaliser import to_table
from callkit.outcomes import Fetched, PriceChange
from callkit.sids import CallKey
from tests.support.scripted import ACCOUNT, sid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from callkit.cache.store import Refresh

OTHER = "AC" + "b" * 32
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def call(number: int, price: str | None = "-0.01", at: datetime = NOON) -> Fetched:
    body = json.dumps({"sid": sid(number), "status": "completed", "price": price}).encode()
    return Fetched(sid(number), ACCOUNT, body, f"RQ{number}", at, 1)


def keys(*numbers: int) -> list[CallKey]:
    return [CallKey(sid(number), None) for number in numbers]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


def store(cache: Cache, *calls: Fetched) -> list[PriceChange]:
    """Store calls as the fetch loop does."""
    table, _ = to_table([each.body for each in calls], [each.sid for each in calls])
    return cache.store(calls, table)


def fill(path: Path, *calls: Fetched) -> list[PriceChange]:
    with Cache(path) as cache:
        return store(cache, *calls)


def looked_up(cache: Cache, asked: Sequence[CallKey], refresh: Refresh = None) -> list[Fetched]:
    return [each for batch in cache.look_up(asked, refresh) for each in batch]


def final(cache: Cache, *numbers: int, refresh: Refresh = None) -> set[str]:
    return {each.sid for each in looked_up(cache, keys(*numbers), refresh)}


def test_what_is_stored_comes_back_as_it_came(path: Path) -> None:
    fill(path, call(1), call(2))
    with Cache(path) as cache:
        [again] = looked_up(cache, keys(2))
    assert again == replace(call(2), attempts=0)


def test_only_calls_whose_records_are_final_come_back(path: Path) -> None:
    fill(path, call(1), call(2, price=None))
    with Cache(path) as cache:
        assert final(cache, 1, 2, 3) == {sid(1)}


def test_a_call_of_another_account_is_another_call(path: Path) -> None:
    fill(path, call(1))
    with Cache(path) as cache:
        assert len(looked_up(cache, [CallKey(sid(1), ACCOUNT)])) == 1
        assert looked_up(cache, [CallKey(sid(1), OTHER)]) == []


def test_refresh_asks_again(path: Path) -> None:
    old = NOON - timedelta(days=9)
    unpriced = {"sid": sid(3), "status": "busy", "end_time": "Wed, 01 Jan 2025 00:00:00 +0000"}
    fill(path, call(1, at=old), call(2), replace(call(3), body=json.dumps(unpriced).encode()))
    with Cache(path) as cache:
        assert final(cache, 1, 2, 3) == {sid(1), sid(2), sid(3)}
        assert final(cache, 1, 2, 3, refresh="all") == set()
        assert final(cache, 1, 2, 3, refresh="unpriced") == {sid(1), sid(2)}
        assert final(cache, 1, 2, 3, refresh=NOON) == {sid(2), sid(3)}


def test_a_price_that_changed_is_reported_old_and_new(path: Path) -> None:
    fill(path, call(1, "-0.01"), call(2, None), call(3, "-0.02"), call(4, "0.5"))
    later = NOON + timedelta(hours=1)
    changes = fill(
        path,
        call(1, "-0.015", later),
        call(2, "-0.03", later),
        call(3, "-0.0200", later),
        call(4, "0.5", later),
    )
    assert changes == [
        PriceChange(sid(1), Decimal("-0.01"), Decimal("-0.015")),
        PriceChange(sid(2), None, Decimal("-0.03")),
    ]


def test_a_price_that_was_never_valid_is_no_price_that_changed(path: Path) -> None:
    fill(path, call(1))
    with Cache(path) as cache:
        cache._db.execute("UPDATE calls SET price = '1E+50'")
    assert fill(path, call(1, "-0.02", NOON + timedelta(hours=1))) == []


def test_an_older_body_never_replaces_a_newer(path: Path) -> None:
    fill(path, call(1, "-0.02", NOON))
    fill(path, call(1, "-0.01", NOON - timedelta(hours=1)))
    with Cache(path) as cache:
        [kept] = looked_up(cache, keys(1))
    assert b"-0.02" in kept.body


class TestClockThatWasAYearAhead:
    """Records that were fetched, as it seems, in a year's time."""

    now = datetime.now(UTC)
    ahead = now + timedelta(days=365)

    def test_its_calls_are_requested_again(self, path: Path) -> None:
        fill(path, call(1, at=self.ahead), call(2, at=self.now))
        with Cache(path) as cache:
            assert final(cache, 1, 2) == {sid(2)}

    def test_its_records_give_way_to_others_and_changes_are_reported_once(self, path: Path) -> None:
        fill(path, call(1, "-0.01", self.ahead))
        changes = [fill(path, call(1, "-0.02", self.now)) for _ in range(2)]
        assert changes == [[PriceChange(sid(1), Decimal("-0.01"), Decimal("-0.02"))], []]
        with Cache(path) as cache:
            assert final(cache, 1) == {sid(1)}

    def test_a_record_of_the_next_hours_is_newer_all_the_same(self, path: Path) -> None:
        fill(path, call(1, "-0.02", self.now + timedelta(hours=3)))
        assert fill(path, call(1, "-0.01", self.now)) == []  # its price has not changed to this
        with Cache(path) as cache:
            [kept] = looked_up(cache, keys(1))
        assert b"-0.02" in kept.body


def test_what_is_stored_is_there_for_others_at_once(path: Path) -> None:
    with Cache(path) as cache, Cache(path) as other:
        store(cache, call(1))
        assert final(other, 1) == {sid(1)}


def test_two_may_write_at_once(path: Path) -> None:
    def write(first: int) -> None:
        with Cache(path) as cache:
            for number in range(first, first + 500):
                store(cache, call(number))

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 1_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Cache(path) as cache:
        assert len(final(cache, *range(2_000))) == 1_000


def test_a_cache_that_can_no_longer_be_written_warns_once_and_loses_nothing(path: Path) -> None:
    def write_twice() -> None:
        with Cache(path) as cache:
            cache._db.execute("PRAGMA query_only = 1")
            for number in (1, 2):
                store(cache, call(number))

    with pytest.warns(CacheWarning, match="Cannot write to the cache") as caught:
        write_twice()
    assert len(caught) == 1
