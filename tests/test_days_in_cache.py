"""Days of a date range that are complete in the cache are not listed again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import callkit
from callkit import CallList
from callkit.sandbox import Sandbox
from tests.test_date_ranges import TEN_DAYS, same

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALL_FINAL = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def final() -> Iterator[Sandbox]:
    with Sandbox(calls=2_000, now=ALL_FINAL) as sandbox:
        yield sandbox


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


def listed(sandbox: Sandbox, cache: Path, asked: CallList | None = None, **options: Any) -> int:
    """Fetch ten days, and count the requests that it took."""
    before = sandbox.served.total()
    with sandbox.client() as client:
        asked = asked or CallList(started=TEN_DAYS)
        callkit.to_frame(asked, client=client, cache=cache, **options)
    return sandbox.served.total() - before


def marked(cache: Path) -> int:
    return callkit.cache.info(cache).complete_days


def test_a_day_that_is_complete_is_not_listed_again(final: Sandbox, cache: Path) -> None:
    assert (listed(final, cache), marked(cache)) == (10, 10)
    assert listed(final, cache) == 0


def test_a_frame_from_the_cache_is_that_of_the_first_run(final: Sandbox, cache: Path) -> None:
    asked = CallList(started=("2025-03-02T11:30", "2025-03-07T04:00"))
    listed(final, cache)
    got = callkit.to_frame(asked, client=final.client(), cache=cache)
    same(got, callkit.to_frame(asked, client=final.client()))


def test_days_of_a_wider_range_that_are_missing_are_listed(final: Sandbox, cache: Path) -> None:
    listed(final, cache)
    assert listed(final, cache, CallList(started=("2025-02-27", "2025-03-12"))) == 3


def test_a_day_is_remembered_for_its_account_alone(final: Sandbox, cache: Path) -> None:
    listed(final, cache)
    assert listed(final, cache, CallList(started=TEN_DAYS, account_sid=final.subaccount_sid)) == 10


@pytest.mark.parametrize("refresh", ["all", "unpriced", datetime(2025, 7, 1, tzinfo=UTC)])
def test_refresh_lists_all_days_again(final: Sandbox, cache: Path, refresh: Any) -> None:
    listed(final, cache)
    assert listed(final, cache, refresh=refresh) == 10


def test_a_range_with_filters_is_listed_again(final: Sandbox, cache: Path) -> None:
    asked = CallList(started=TEN_DAYS, status="completed")
    assert (listed(final, cache, asked), marked(cache)) == (10, 0)
    assert listed(final, cache, asked) == 10


def test_a_range_with_filters_hides_no_call_from_the_next_run(final: Sandbox, cache: Path) -> None:
    listed(final, cache, CallList(started=TEN_DAYS, status="completed"))
    whole = callkit.to_frame(CallList(started=TEN_DAYS), client=final.client(), cache=cache)
    same(whole, callkit.to_frame(CallList(started=TEN_DAYS), client=final.client()))


def test_days_that_are_complete_do_not_answer_for_filters(final: Sandbox, cache: Path) -> None:
    listed(final, cache)
    asked = CallList(started=TEN_DAYS, status="busy")
    got = callkit.to_frame(asked, client=final.client(), cache=cache)
    assert set(got["status"]) == {"busy"}


def test_days_at_the_edges_of_a_zones_range_are_not_remembered(final: Sandbox, cache: Path) -> None:
    listed(final, cache, CallList(started=TEN_DAYS, tz="America/New_York"))
    with final.client() as client:
        whole = callkit.to_frame(CallList(started=TEN_DAYS), client=client, cache=cache)
    same(whole, callkit.to_frame(CallList(started=TEN_DAYS), client=final.client()))
    assert (marked(cache), callkit.cache.info(cache).calls > len(whole)) == (10, True)


def test_a_day_that_ended_less_than_a_day_ago_is_not_remembered(cache: Path) -> None:
    with Sandbox(calls=10, now=datetime(2024, 12, 20, tzinfo=UTC)) as empty:
        listed(empty, cache, CallList(started=("2024-12-15", "2024-12-20")))
    assert marked(cache) == 4


def test_a_day_with_a_call_that_is_not_final_is_listed_again(cache: Path) -> None:
    now = datetime(2025, 3, 12, 1, tzinfo=UTC)
    with Sandbox(calls=20_000, now=now) as sandbox:
        listed(sandbox, cache)
        unpriced = callkit.to_frame(CallList(started=TEN_DAYS), client=sandbox.client())
        unpriced = unpriced[(unpriced["status"] == "completed") & unpriced["price"].isna()]
        days = unpriced["start_time"].dt.date.nunique()
        assert days > 0
        assert listed(sandbox, cache) == days


def test_a_day_is_listed_again_after_one_of_its_calls_is_erased(
    final: Sandbox, cache: Path
) -> None:
    listed(final, cache)
    before = callkit.to_frame(CallList(started=TEN_DAYS), client=final.client(), cache=cache)
    party = before["from"].iloc[0]
    callkit.cache.erase(cache, [party])
    of_party = before[(before["from"] == party) | (before["to"] == party)]
    assert listed(final, cache) == of_party["start_time"].dt.date.nunique()


def test_listing_again_brings_erased_calls_back(final: Sandbox, cache: Path) -> None:
    listed(final, cache)
    before = callkit.to_frame(CallList(started=TEN_DAYS), client=final.client(), cache=cache)
    callkit.cache.erase(cache, [before["from"].iloc[0]])
    same(callkit.to_frame(CallList(started=TEN_DAYS), client=final.client(), cache=cache), before)


def test_all_days_are_listed_again_after_the_cache_is_pruned(final: Sandbox, cache: Path) -> None:
    listed(final, cache)
    callkit.cache.prune(cache, timedelta(0))
    assert listed(final, cache) == 10
