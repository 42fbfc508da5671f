from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from callkit.fetch.settled import gist_of

END = datetime(2025, 3, 1, 12, tzinfo=UTC)
AT_THE_END = "Sat, 01 Mar 2025 12:00:00 +0000"


def settled(after: timedelta, **call: str | None) -> bool:
    body = json.dumps({"end_time": AT_THE_END, "price": None, **call}).encode()
    return gist_of(body, END + after).settled


MINUTE, DAY, MONTH = timedelta(minutes=1), timedelta(days=1), timedelta(days=30)


@pytest.mark.parametrize("status", ["completed", "busy", "failed", "no-answer", "canceled"])
def test_an_ended_call_with_a_price_is_settled_at_once(status: str) -> None:
    assert settled(MINUTE, status=status, price="-0.01")
    assert settled(MINUTE, status=status, price="0")


@pytest.mark.parametrize("status", ["busy", "failed", "no-answer", "canceled"])
def test_a_status_that_is_not_billed_settles_a_day_after_the_end(status: str) -> None:
    assert not settled(DAY - MINUTE, status=status)
    assert settled(DAY, status=status)


def test_a_completed_call_without_a_price_settles_thirty_days_after_the_end() -> None:
    assert not settled(MONTH - MINUTE, status="completed")
    assert not settled(MONTH - MINUTE, status="completed", price="")
    assert settled(MONTH, status="completed")


@pytest.mark.parametrize("status", ["queued", "ringing", "in-progress", "frozen", None, ""])
def test_a_call_that_has_not_ended_is_never_settled(status: str | None) -> None:
    assert not settled(MONTH * 100, status=status)
    assert not settled(MONTH * 100, status=status, price="-0.01")


def test_a_call_that_never_started_counts_from_its_last_update() -> None:
    assert settled(DAY, status="canceled", end_time=None, date_updated=AT_THE_END)


@pytest.mark.parametrize(
    "end",
    [
        *(None, "", "yesterday", "Sat, 01 Mar 2025 12:00:00 CET"),
        *("Sat, 01 Mar 99999999999 12:00:00 +0000", "Sat, 01 Mar 2025 12:00:00 +99999999999999"),
    ],
)
def test_a_call_whose_end_is_not_known_is_not_settled(end: str | None) -> None:
    assert not settled(MONTH * 100, status="completed", end_time=end)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"status": 1}', b"[" * 100_000, b"\xff"])
def test_a_body_that_cannot_be_read_is_not_settled(body: bytes) -> None:
    assert gist_of(body, END) == (None, False)
