from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callkit.cache.store import final_rows
from callkit.normaliser import to_table

END = datetime(2025, 3, 1, 12, tzinfo=UTC)
AT_THE_END = "Sat, 01 Mar 2025 12:00:00 +0000"


def is_final(after: timedelta, **call: str | None) -> bool:
    body = {"sid": "CA" + "0" * 32, "end_time": AT_THE_END, "price": None, **call}
    table, failures = to_table([body])
    assert failures == []
    [final] = final_rows(table, [END + after])
    return final


MINUTE, DAY, MONTH = timedelta(minutes=1), timedelta(days=1), timedelta(days=30)


@pytest.mark.parametrize("status", ["completed", "busy", "failed", "no-answer", "canceled"])
def test_an_ended_call_with_a_price_is_final_at_once(status: str) -> None:
    assert is_final(MINUTE, status=status, price="-0.01")
    assert is_final(MINUTE, status=status, price="0")


@pytest.mark.parametrize("status", ["busy", "failed", "no-answer", "canceled"])
def test_a_status_that_is_not_billed_is_final_a_day_after_the_end(status: str) -> None:
    assert not is_final(DAY - MINUTE, status=status)
    assert is_final(DAY, status=status)


def test_a_completed_call_without_a_price_is_final_thirty_days_after_the_end() -> None:
    assert not is_final(MONTH - MINUTE, status="completed")
    assert not is_final(MONTH - MINUTE, status="completed", price="")
    assert is_final(MONTH, status="completed")


@pytest.mark.parametrize("status", ["queued", "ringing", "in-progress", "frozen", None, ""])
def test_a_call_that_has_not_ended_is_never_final(status: str | None) -> None:
    assert not is_final(MONTH * 100, status=status)
    assert not is_final(MONTH * 100, status=status, price="-0.01")


def test_a_call_that_never_started_counts_from_its_last_update() -> None:
    assert is_final(DAY, status="canceled", end_time=None, date_updated=AT_THE_END)


@pytest.mark.parametrize("end", [None, ""])
def test_a_call_whose_end_is_not_known_is_not_final(end: str | None) -> None:
    assert not is_final(MONTH * 100, status="completed", end_time=end)


def test_no_calls_have_no_final_rows() -> None:
    table, _ = to_table([])
    assert final_rows(table, []) == []
