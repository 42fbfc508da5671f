"""Which period a call belongs to, where clock and calendar are awkward."""

from __future__ import annotations

import pandas as pd
import pytest

from callkit.breakdown.keys import frequency, period_starts
from callkit.errors import FrameError


def start_of(instant: str, freq: str, tz: str) -> str:
    (start,) = period_starts(pd.Series([pd.Timestamp(instant).as_unit("us")]), freq, tz)
    return str(start)


@pytest.mark.parametrize(
    ("freq", "start"),
    [
        ("s", "2025-05-15 13:47:21+00:00"),
        ("15min", "2025-05-15 13:45:00+00:00"),
        ("h", "2025-05-15 13:00:00+00:00"),
        ("6h", "2025-05-15 12:00:00+00:00"),
        ("D", "2025-05-15 00:00:00+00:00"),
        ("2D", "2025-05-14 00:00:00+00:00"),  # 20,222 days after 1970-01-01
        ("W", "2025-05-12 00:00:00+00:00"),  # a Monday
        ("2W", "2025-05-05 00:00:00+00:00"),  # 1,444 fortnights after 1969-12-29
        ("MS", "2025-05-01 00:00:00+00:00"),
        ("M", "2025-05-01 00:00:00+00:00"),
        ("ME", "2025-05-01 00:00:00+00:00"),
        ("5MS", "2025-01-01 00:00:00+00:00"),  # 660 = 5 · 132 months after January 1970
        ("QS", "2025-04-01 00:00:00+00:00"),
        ("QS-FEB", "2025-05-01 00:00:00+00:00"),
        ("Q-JAN", "2025-05-01 00:00:00+00:00"),
        ("YS", "2025-01-01 00:00:00+00:00"),
        ("YS-APR", "2025-04-01 00:00:00+00:00"),
        ("YE-MAR", "2025-04-01 00:00:00+00:00"),
        ("Y-JUN", "2024-07-01 00:00:00+00:00"),
    ],
)
def test_periods_are_counted_from_a_fixed_origin(freq: str, start: str) -> None:
    assert start_of("2025-05-15T13:47:21.5+00:00", freq, "UTC") == start


@pytest.mark.parametrize(
    ("instant", "freq", "tz", "start"),
    [
        # Berlin puts the clock back from 03:00 to 02:00: the hour occurs twice
        ("2025-10-26T00:30Z", "h", "Europe/Berlin", "2025-10-26 02:00:00+02:00"),
        ("2025-10-26T01:30Z", "h", "Europe/Berlin", "2025-10-26 02:00:00+01:00"),
        ("2025-10-26T00:50Z", "15min", "Europe/Berlin", "2025-10-26 02:45:00+02:00"),
        ("2025-10-26T01:50Z", "15min", "Europe/Berlin", "2025-10-26 02:45:00+01:00"),
        ("2025-10-26T00:30Z", "2h", "Europe/Berlin", "2025-10-26 02:00:00+02:00"),
        ("2025-10-26T02:30Z", "2h", "Europe/Berlin", "2025-10-26 02:00:00+02:00"),
        # a day of 25 hours, and one of 23
        ("2025-10-26T22:59Z", "D", "Europe/Berlin", "2025-10-26 00:00:00+02:00"),
        ("2025-10-26T23:00Z", "D", "Europe/Berlin", "2025-10-27 00:00:00+01:00"),
        ("2025-03-30T21:59Z", "D", "Europe/Berlin", "2025-03-30 00:00:00+01:00"),
        ("2025-03-30T22:00Z", "D", "Europe/Berlin", "2025-03-31 00:00:00+02:00"),
        # the clock jumps from 02:00 to 03:00, where a period of two hours should begin
        ("2025-03-30T01:30Z", "2h", "Europe/Berlin", "2025-03-30 03:00:00+02:00"),
        # midnight does not exist
        ("2018-11-04T03:30Z", "D", "America/Sao_Paulo", "2018-11-04 01:00:00-02:00"),
        ("2018-11-04T02:30Z", "D", "America/Sao_Paulo", "2018-11-03 00:00:00-03:00"),
        # midnight occurs twice: one day
        ("2025-11-02T04:30Z", "D", "America/Havana", "2025-11-02 00:00:00-04:00"),
        ("2025-11-02T05:30Z", "D", "America/Havana", "2025-11-02 00:00:00-04:00"),
        # half an hour occurs twice
        ("2025-04-05T14:45Z", "30min", "Australia/Lord_Howe", "2025-04-06 01:30:00+11:00"),
        ("2025-04-05T15:15Z", "30min", "Australia/Lord_Howe", "2025-04-06 01:30:00+10:30"),
        # summer time is the one with the smaller name, and winter time is "daylight saving"
        ("2025-10-26T00:30Z", "h", "Europe/Dublin", "2025-10-26 01:00:00+01:00"),
        ("2025-10-26T01:30Z", "h", "Europe/Dublin", "2025-10-26 01:00:00+00:00"),
        # 30 December 2011 was left out
        ("2011-12-30T09:59Z", "D", "Pacific/Apia", "2011-12-29 00:00:00-10:00"),
        ("2011-12-30T10:00Z", "D", "Pacific/Apia", "2011-12-31 00:00:00+14:00"),
        ("2025-03-31T18:29Z", "YS-APR", "Asia/Kolkata", "2024-04-01 00:00:00+05:30"),
        ("2025-03-31T18:30Z", "YS-APR", "Asia/Kolkata", "2025-04-01 00:00:00+05:30"),
        ("1969-12-31T23:00Z", "2D", "UTC", "1969-12-30 00:00:00+00:00"),
    ],
)
def test_the_local_clock_and_calendar_decide(instant: str, freq: str, tz: str, start: str) -> None:
    assert start_of(instant, freq, tz) == start


@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin"])
def test_what_never_started_has_no_period(tz: str) -> None:
    starts = period_starts(pd.Series([pd.NaT], dtype="datetime64[us, UTC]"), "MS", tz)
    assert starts.isna().all()
    assert str(starts.dtype) == f"datetime64[us, {tz}]"


@pytest.mark.parametrize(
    "freq", ["", "0D", "-1D", "1.5h", "B", "W-WED", "QS-FOO", "ms", "D-JAN", "d h", 3, "M-FEBS"]
)
def test_what_is_no_period_is_refused(freq: object) -> None:
    with pytest.raises(FrameError, match="Invalid freq .*: expected"):
        frequency(freq)


@pytest.mark.parametrize("same", [("YS-APR", "Y-MAR", "YE-MAR"), ("QS-FEB", "Q-JAN", "QE-JAN")])
def test_an_anchor_names_the_first_month_or_the_last(same: tuple[str, ...]) -> None:
    assert len(set(map(frequency, same))) == 1
