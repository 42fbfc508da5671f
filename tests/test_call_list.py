"""What a date range is: how it is written, which instants and UTC days it has, what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import callkit
from callkit import CallList
from callkit.call_list import Range
from callkit.errors import CallListError, SidListError
from callkit.normaliser import to_table
from tests.normaliser.calls import body, numbered, written
from tests.support.scripted import ACCOUNT, sid

if TYPE_CHECKING:
    import pyarrow as pa

    from callkit.sandbox import Sandbox

MARCH = ("2025-03-01", "2025-04-01")
NOW = datetime(2025, 3, 15, 12, tzinfo=UTC)
OTHER = "AC" + "b" * 32


def in_utc(started: Any, tz: str = "UTC", now: datetime | None = None) -> tuple[str, str]:
    """Write a range as two times in UTC, to the minute."""
    start, end = CallList(started=started, tz=tz).between(now)
    return f"{start:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}"


# How a range is written


@pytest.mark.parametrize(
    "started",
    [
        MARCH,
        list(MARCH),
        (" 2025-03-01", "2025-04-01\n"),
        (date(2025, 3, 1), date(2025, 4, 1)),
        ("2025-03-01T00:00", "2025-04-01 00:00:00"),
        ("2025-03-01T00:00Z", "2025-04-01T02:00+02:00"),
        (datetime(2025, 3, 1), datetime(2025, 4, 1)),  # noqa: DTZ001
        (datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC)),
        (pd.Timestamp("2025-03-01"), pd.Timestamp("2025-04-01", tz="UTC")),
        ("20250301", date(2025, 4, 1)),
    ],
)
def test_a_range_is_a_pair_of_dates_or_datetimes(started: Any) -> None:
    assert in_utc(started) == ("2025-03-01 00:00", "2025-04-01 00:00")


def test_a_date_is_its_midnight_in_the_zone() -> None:
    assert in_utc(("2025-01-01", "2025-01-02"), "America/New_York") == (
        "2025-01-01 05:00",
        "2025-01-02 05:00",
    )


def test_a_datetime_without_a_zone_is_in_the_zone_of_the_range() -> None:
    assert in_utc(("2025-01-01T09:00", "2025-01-01T17:00"), "Europe/Berlin") == (
        "2025-01-01 08:00",
        "2025-01-01 16:00",
    )


def test_a_datetime_with_a_zone_keeps_it() -> None:
    start = datetime(2025, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))
    end = datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=-3)))
    assert in_utc((start, end), "Europe/Berlin") == ("2024-12-31 15:00", "2025-01-01 03:00")


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("Asia/Kolkata", "18:30"),
        ("Asia/Kathmandu", "18:15"),
        ("America/St_Johns", "03:30"),
        ("Pacific/Chatham", "10:15"),
        ("Australia/Eucla", "15:15"),
        ("Pacific/Kiritimati", "10:00"),
    ],
)
def test_a_zone_may_be_minutes_off_the_hour(zone: str, midnight: str) -> None:
    start, _ = in_utc(("2025-02-02", "2025-02-03"), zone)
    assert start.split()[1] == midnight


# Summer time


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2025, 3, 30), 23),
        ("Europe/Berlin", date(2025, 10, 26), 25),
        ("America/New_York", date(2025, 3, 9), 23),
        ("America/New_York", date(2025, 11, 2), 25),
        ("Australia/Lord_Howe", date(2025, 4, 6), 24.5),
        ("Australia/Lord_Howe", date(2025, 10, 5), 23.5),
        ("Asia/Kolkata", date(2025, 3, 30), 24),
    ],
)
def test_a_local_day_is_as_long_as_the_clocks_make_it(zone: str, day: date, hours: float) -> None:
    start, end = CallList(started=(day, day + timedelta(days=1)), tz=zone).between()
    assert end - start == timedelta(hours=hours)


def test_a_day_whose_midnight_does_not_exist_begins_when_the_clocks_go_forward() -> None:
    assert in_utc(("2024-09-08", "2024-09-09"), "America/Santiago") == (
        "2024-09-08 04:00",
        "2024-09-09 03:00",
    )


def test_a_day_with_two_midnights_begins_at_the_first() -> None:
    assert in_utc(("2025-11-02", "2025-11-03"), "America/Havana") == (
        "2025-11-02 04:00",
        "2025-11-03 05:00",
    )


def test_a_date_that_a_zone_left_out_has_no_calls() -> None:
    with pytest.raises(CallListError, match="the second must be later than the first"):
        CallList(started=("2011-12-30", "2011-12-31"), tz="Pacific/Apia")


# Days counted back


@pytest.mark.parametrize(
    ("started", "first", "after"),
    [
        ("today", "2025-03-15", "2025-03-16"),
        ("yesterday", "2025-03-14", "2025-03-15"),
        ("-1d", "2025-03-14", "2025-03-15"),
        ("-3d", "2025-03-12", "2025-03-15"),
        ("-2w", "2025-03-01", "2025-03-15"),
        ("-1m", "2025-02-01", "2025-03-01"),
        ("-3m", "2024-12-01", "2025-03-01"),
        ("-15m", "2023-12-01", "2025-03-01"),
    ],
)
def test_days_are_counted_back_from_today(started: str, first: str, after: str) -> None:
    assert in_utc(started, now=NOW) == (f"{first} 00:00", f"{after} 00:00")


def test_today_is_that_of_the_zone() -> None:
    evening = datetime(2025, 3, 14, 23, 30, tzinfo=UTC)
    assert in_utc("today", "Europe/Berlin", evening) == ("2025-03-14 23:00", "2025-03-15 23:00")


def test_yesterday_may_have_had_23_hours() -> None:
    monday = datetime(2025, 3, 31, 6, tzinfo=UTC)
    assert in_utc("yesterday", "Europe/Berlin", monday) == ("2025-03-29 23:00", "2025-03-30 22:00")


# The UTC days that are listed


@pytest.mark.parametrize(
    ("started", "tz", "days"),
    [
        (("2025-03-01", "2025-03-02"), "UTC", [1]),
        (("2025-03-01", "2025-03-03"), "UTC", [1, 2]),
        (("2025-03-02", "2025-03-03"), "Europe/Berlin", [1, 2]),
        (("2025-03-02", "2025-03-03"), "America/St_Johns", [2, 3]),
        (("2025-03-02", "2025-03-03"), "Asia/Kathmandu", [1, 2]),
        (("2025-03-01T10:00", "2025-03-01T10:01"), "UTC", [1]),
        (("2025-03-01T23:59:59", "2025-03-02T00:00"), "UTC", [1]),
        (("2025-03-01T23:59:59", "2025-03-02T00:00:00.000001"), "UTC", [1, 2]),
    ],
)
def test_the_days_are_those_that_overlap_the_range(started: Any, tz: str, days: list[int]) -> None:
    within = CallList(started=started, tz=tz).between()
    assert within.days() == [date(2025, 3, day) for day in days]


moments = st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(moments, st.timedeltas(timedelta.resolution, timedelta(days=9)), moments)
def test_each_instant_of_a_range_is_in_one_of_its_days(
    start: datetime, lasts: timedelta, instant: datetime
) -> None:
    within = Range(start, start + lasts)
    if within.start <= instant < within.end:
        assert instant.date() in within.days()
    midnights = [datetime.combine(day, time(), UTC) for day in within.days()]
    assert all(within.start < each + timedelta(days=1) for each in midnights)
    assert all(each < within.end for each in midnights)


def started_at(*moments: datetime) -> pa.Table:
    table, _ = to_table(
        body(sid=numbered(number), start_time=written(moment))
        for number, moment in enumerate(moments)
    )
    return table


def test_a_range_has_its_first_instant_and_not_its_last() -> None:
    first, last = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 3, 2, tzinfo=UTC)
    second = timedelta(seconds=1)
    calls = started_at(first - second, first, last - second, last)
    assert Range(first, last).of(calls)["sid"].to_pylist() == [numbered(1), numbered(2)]


def test_a_call_that_never_started_is_in_no_range() -> None:
    table, _ = to_table([body(start_time=None)])
    assert len(Range(datetime(1, 1, 2, tzinfo=UTC), NOW).of(table)) == 0


# Filters


def test_without_filters_none_are_sent() -> None:
    assert CallList(started=MARCH).filters() == []


def test_filters_have_the_names_of_the_api() -> None:
    asked = CallList(
        started=MARCH,
        status="busy",
        to="+15550100",
        from_="client:amy",
        parent_call_sid=sid(10).upper(),
    )
    assert asked.filters() == [
        ("Status", "busy"),
        ("To", "+15550100"),
        ("From", "client:amy"),
        ("ParentCallSid", sid(10)),
    ]


@pytest.mark.parametrize("written", ["+1 (415) 555-0100", "+1-415-555-0100", " +14155550100 "])
def test_a_number_is_sent_in_e164_however_it_is_written(written: str) -> None:
    assert CallList(started=MARCH, to=written).filters() == [("To", "+14155550100")]


@pytest.mark.parametrize(
    ("filters", "holds"),
    [
        ({"status": "completed"}, True),
        ({"status": "busy"}, False),
        ({"to": "sip:zoe@example.com"}, True),
        ({"to": "sip:ZOE@example.com"}, True),
        ({"to": "sip:amy@example.com"}, False),
        ({"from_": "+1 415 555 0101"}, True),
        ({"from_": "+14155550102"}, False),
        ({"parent_call_sid": "CA" + "F" * 32}, True),
        ({"parent_call_sid": "CA" + "e" * 32}, False),
        ({"status": "completed", "from_": "+14155550102"}, False),
    ],
)
def test_whether_a_call_matches_the_filters(filters: dict[str, str], holds: bool) -> None:
    table, _ = to_table([body(), body(sid=numbered(1), status=None, to="", parent_call_sid=None)])
    asked = CallList(started=MARCH, **filters)
    assert asked.matching(table).to_pylist()[0] is holds


@pytest.mark.parametrize("name", ["status", "to", "from_", "parent_call_sid"])
def test_a_call_without_a_value_matches_no_filter(name: str) -> None:
    value = {"status": "completed", "parent_call_sid": sid(1)}.get(name, "+14155550101")
    asked = CallList(started=MARCH, **{name: value})
    table, _ = to_table([body(status=None, to=None, parent_call_sid="", **{"from": ""})])
    assert asked.matching(table).to_pylist() == [False]


# Accounts


@pytest.mark.parametrize(
    ("given", "accounts"),
    [
        (None, None),
        ("all", None),
        (ACCOUNT, (ACCOUNT,)),
        ([OTHER, ACCOUNT], (OTHER, ACCOUNT)),
        ((OTHER, ACCOUNT, OTHER), (OTHER, ACCOUNT)),
        ([OTHER, ACCOUNT, ACCOUNT.upper()], (OTHER, ACCOUNT)),
    ],
)
def test_accounts_are_listed_once_in_the_order_given(given: Any, accounts: Any) -> None:
    assert CallList(started=MARCH, account_sid=given).accounts == accounts


# What is refused


PAIR = "Invalid started .*: expected a pair of dates or datetimes, such as .* or 'today', "


@pytest.mark.parametrize(
    "started",
    [
        *("", "now", "Yesterday", "-0d", "-3", "-3y", "3d", "+3d", "-10000d", "-٣d", "2025-03"),
        *(None, 3, 2025.03, {}, (), ("2025-03-01",), (*MARCH, "2025-05-01"), b"-3d", set(MARCH)),
        *(iter(MARCH), ("2025-02-30", "2025-04-01"), ("2025-03-01", None), (1, 2)),
        (pd.NaT, pd.NaT),
        (date(2025, 1, 1), pd.NaT),
    ],
)
def test_what_is_no_range_is_refused(started: Any) -> None:
    with pytest.raises(CallListError, match=PAIR):
        CallList(started=started)


@pytest.mark.parametrize("number", ["12125550112", "(212) 555-0112", "0044 20 7946 0000"])
def test_a_number_without_its_country_would_match_no_call(number: str) -> None:
    with pytest.raises(CallListError, match="international form") as caught:
        CallList(started=MARCH, to=number)
    assert number not in str(caught.value)


def test_a_range_of_more_than_ten_years_is_a_typing_error() -> None:
    with pytest.raises(CallListError, match="longer than ten years"):
        CallList(started=("2025-03-01", "2205-04-01"))


@pytest.mark.parametrize(
    "started",
    [
        (date(1, 1, 1), date(2025, 1, 1)),
        ("0001-01-01", "0001-01-02"),
        (datetime(1, 1, 1), datetime(2025, 1, 1)),  # noqa: DTZ001
    ],
)
def test_a_date_that_has_no_time_in_utc_is_refused(started: Any) -> None:
    with pytest.raises(CallListError, match=PAIR):
        CallList(started=started, tz="Europe/Berlin")


@pytest.mark.parametrize("started", [MARCH[::-1], ("2025-03-01", "2025-03-01")])
def test_a_range_without_an_instant_is_refused(started: Any) -> None:
    expected = "Invalid started .*: the second must be later than the first, and is not included"
    with pytest.raises(CallListError, match=expected):
        CallList(started=started)


@pytest.mark.parametrize(
    ("invalid", "message"),
    [
        ({"tz": "Berlin"}, "Unknown time zone 'Berlin': expected an IANA name such as 'UTC' or"),
        ({"tz": None}, "Unknown time zone None: expected an IANA name"),
        ({"tz": "../UTC"}, "Unknown time zone '../UTC': expected"),
        ({"status": "Completed"}, "Invalid status 'Completed': expected 'queued', 'ringing', "),
        ({"status": ["busy"]}, r"Invalid status \['busy'\]: expected"),
        ({"to": " "}, "Invalid to: expected a number or an address as text"),
        ({"from_": 4155550100}, "Invalid from_: expected a number or an address as text"),
        ({"from_": "\ud800"}, "Invalid from_: expected a number or an address as text"),
        ({"parent_call_sid": "CA1"}, "Invalid parent_call_sid 'CA1': expected 'CA' followed by 32"),
        ({"account_sid": "AC1"}, "Invalid account_sid 'AC1': expected 'AC' followed by 32 hexa"),
        ({"account_sid": 5}, "Invalid account_sid 5: expected .*, a list of such, or 'all'"),
        ({"account_sid": [ACCOUNT, "all"]}, "Invalid account_sid 'all': expected"),
        ({"account_sid": [[ACCOUNT]]}, "Invalid account_sid .*: expected"),
        ({"account_sid": []}, "Invalid account_sid: the list is empty; expected at least one"),
    ],
)
def test_an_invalid_parameter_is_named_with_what_is_expected(
    invalid: dict[str, Any], message: str
) -> None:
    with pytest.raises(CallListError, match=message):
        CallList(started=MARCH, **invalid)


@pytest.mark.parametrize("name", ["to", "from_"])
def test_no_message_shows_a_party(name: str) -> None:
    with pytest.raises(CallListError) as caught:
        CallList(started=MARCH, **{name: "+14155550100\ud800"})
    assert "415" not in str(caught.value)


def test_its_repr_shows_no_party() -> None:
    shown = repr(CallList(started=MARCH, to="+14155550100", from_="client:amy", status="busy"))
    assert "busy" in shown
    assert not {"415", "amy"} & {shown[place : place + 3] for place in range(len(shown))}


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.binary(max_size=6),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.sampled_from([UTC, ZoneInfo("Asia/Kathmandu")])),
    st.sampled_from(["today", "-3d", "-9999m", "2025-03-01", "9999-12-31T23:59", "0001-01-01"]),
    st.sampled_from([pd.NaT, pd.Timestamp.max, pd.NA, pd.Series([1, 2]), pd.Interval(1, 2)]),
)
values = odd | st.tuples(odd, odd) | st.lists(odd, max_size=3) | st.iterables(odd, max_size=2)
NAMES = ("started", "tz", "status", "to", "from_", "parent_call_sid", "account_sid")
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York"])


@given(st.dictionaries(st.sampled_from(NAMES), values, max_size=3), zones)
def test_whatever_the_parameters_are_the_range_is_usable_or_refused(
    given: dict[str, Any], zone: str
) -> None:
    try:
        asked = CallList(**({"started": MARCH, "tz": zone} | given))
        within = asked.between(NOW)
    except CallListError:
        return
    assert within.start < within.end
    assert all(isinstance(value, str) for _, value in asked.filters())


def test_fetch_many_refuses_a_date_range(sandbox: Sandbox) -> None:
    expected = "Expected a SID list as a list, .* or path, not CallList"
    with sandbox.client() as client, pytest.raises(SidListError, match=expected):
        client.fetch_many(CallList(started=MARCH))  # type: ignore[arg-type]


def test_a_date_range_is_no_entry_of_a_list(sandbox: Sandbox) -> None:
    with sandbox.client() as client, pytest.raises(callkit.errors.InvalidSidError):
        callkit.to_frame([CallList(started=MARCH)], client=client)
