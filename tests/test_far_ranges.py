"""Date ranges beyond what can be listed, and beyond the calendar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callkit import CallList
from callkit.errors import CallListError

FIRST_DAY = datetime(1, 1, 1, tzinfo=UTC)
LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize("started", ["-3654d", "-522w", "-9999w"])
def test_days_counted_back_reach_ten_years_back_and_no_further(started: str) -> None:
    with pytest.raises(CallListError, match="the range is longer than ten years"):
        CallList(started=started)


@pytest.mark.parametrize(
    ("started", "clock"),
    [
        *(("yesterday", FIRST_DAY), ("-1m", FIRST_DAY), ("-7d", FIRST_DAY)),
        *(("today", LAST_DAY), ("-9999m", datetime(800, 1, 1, tzinfo=UTC))),
    ],
)
def test_a_day_beyond_the_calendar_by_the_servers_clock_is_refused(
    started: str, clock: datetime
) -> None:
    with pytest.raises(CallListError, match="Invalid started"):
        CallList(started=started).between(clock)


def test_a_range_that_ends_on_the_last_day_of_the_calendar_is_refused() -> None:
    with pytest.raises(CallListError, match="Invalid started"):
        CallList(started="-7d", tz="America/New_York").between(LAST_DAY.replace(hour=23))


@pytest.mark.parametrize(
    "parameters",
    [
        {"started": "x" * 5_000},
        {"started": ("x" * 5_000, "2025-01-01")},
        {"started": "today", "tz": "x" * 5_000},
        {"started": "today", "status": "x" * 5_000},
        {"started": "today", "parent_call_sid": "x" * 5_000},
        {"started": "today", "account_sid": "x" * 5_000},
    ],
)
def test_a_refusal_repeats_only_the_beginning_of_a_long_value(parameters: dict[str, str]) -> None:
    with pytest.raises(CallListError) as refusal:
        CallList(**parameters)
    assert len(str(refusal.value)) < 400
