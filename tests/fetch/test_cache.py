from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from callkit import CacheWarning
from callkit.fetch import cache as cache_module
from callkit.fetch.cache import Cache, PriceChange, check_refresh
from callkit.outcomes import Failure, Fetched
from callkit.sids import CallKey
from tests.support.scripted import ACCOUNT, sid

if TYPE_CHECKING:
    from pathlib import Path

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


def fill(path: Path, *calls: Fetched) -> list[PriceChange]:
    with Cache(path) as cache:
        cache.keep(calls)
    return cache.price_changes


def test_what_is_kept_comes_back_as_it_came(path: Path) -> None:
    fill(path, call(1), call(2))
    with Cache(path) as cache:
        [again] = cache.read([sid(2)])
    assert again == replace(call(2), attempts=0)


def test_calls_come_back_in_the_order_asked_for(path: Path) -> None:
    fill(path, *(call(number) for number in range(9)))
    with Cache(path) as cache:
        wanted = [sid(number) for number in (5, 3, 8, 0)]
        assert [fetched.sid for fetched in cache.read(wanted)] == wanted


def test_a_call_that_was_taken_out_meanwhile_is_a_failure(path: Path) -> None:
    fill(path, call(1))
    with Cache(path) as cache:
        gone, there = cache.read([sid(2), sid(1)])
    assert isinstance(gone, Failure)
    assert (gone.sid, gone.reason) == (sid(2), "not_attempted")
    assert there.sid == sid(1)


def test_a_failure_is_not_kept(path: Path) -> None:
    with Cache(path) as cache:
        cache.keep([Failure(sid(1), ACCOUNT, "not_found", "")])
    with Cache(path) as cache:
        assert cache.settled(keys(1)) == set()


def test_only_settled_calls_count_as_such(path: Path) -> None:
    fill(path, call(1), call(2, price=None))
    with Cache(path) as cache:
        assert cache.settled(keys(1, 2, 3)) == {sid(1)}


def test_a_call_of_another_account_is_another_call(path: Path) -> None:
    fill(path, call(1))
    with Cache(path) as cache:
        assert cache.settled([CallKey(sid(1), ACCOUNT)]) == {sid(1)}
        assert cache.settled([CallKey(sid(1), OTHER)]) == set()


def test_refresh_asks_again(path: Path) -> None:
    old, unpriced = NOON - timedelta(days=9), {"status": "busy", "end_time": "1 Jan 2025 0:00 GMT"}
    body = json.dumps(unpriced).encode()
    fill(path, call(1, at=old), call(2), replace(call(3), body=body))
    with Cache(path) as cache:
        asked = keys(1, 2, 3)
        assert cache.settled(asked) == {sid(1), sid(2), sid(3)}
        assert cache.settled(asked, "all") == set()
        assert cache.settled(asked, "unpriced") == {sid(1), sid(2)}
        assert cache.settled(asked, NOON) == {sid(2), sid(3)}


@pytest.mark.parametrize("refresh", ["none", True, 1, datetime(2025, 1, 1)])  # noqa: DTZ001
def test_a_refresh_that_is_none_is_refused(refresh: object) -> None:
    with pytest.raises(ValueError, match="refresh must be 'all', 'unpriced' or a datetime with"):
        check_refresh(refresh)


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


def test_an_older_body_never_replaces_a_newer(path: Path) -> None:
    fill(path, call(1, "-0.02", NOON))
    fill(path, call(1, "-0.01", NOON - timedelta(hours=1)))
    with Cache(path) as cache:
        [kept] = cache.read([sid(1)])
    assert isinstance(kept, Fetched)
    assert b"-0.02" in kept.body


def test_what_has_arrived_is_written_without_waiting_for_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "_WRITE_EVERY", 0.0)
    with Cache(path) as cache, Cache(path) as other:
        cache.keep([call(1)])
        assert other.settled(keys(1)) == {sid(1)}


def test_two_may_write_at_once(path: Path) -> None:
    def write(first: int) -> None:
        with Cache(path) as cache:
            for number in range(first, first + 500):
                cache.keep([call(number)])
                cache._write()

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 1_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Cache(path) as cache:
        assert len(cache.settled(keys(*range(2_000)))) == 1_000


def test_a_cache_that_can_no_longer_be_written_warns_once_and_loses_nothing(path: Path) -> None:
    def write_twice() -> None:
        with Cache(path) as cache:
            cache._db.execute("PRAGMA query_only = 1")
            for number in (1, 2):
                cache.keep([call(number)])
                cache._write()

    with pytest.warns(CacheWarning, match="can no longer be written") as caught:
        write_twice()
    assert len(caught) == 1
