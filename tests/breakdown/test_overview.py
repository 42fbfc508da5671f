"""A one-page overview."""

from __future__ import annotations

import pandas as pd
import pytest

import callkit
from callkit.breakdown import Summary, summary
from callkit.errors import FrameError
from tests.breakdown.synthetic import calls, in_plain_values

OUT = {"direction": "outbound-api", "from": "+12125550123", "duration": "60"}
GB, US = {**OUT, "to": "+442079460000"}, {**OUT, "to": "+14155550123"}


def at(day: int) -> str:
    return f"2025-03-{day:02}T12:00:00+00:00"


CALLS = calls(
    {**GB, "start": at(3), "price": "-1"},  # a Monday
    {**GB, "start": at(4), "price": "-1", "price_unit": "EUR"},
    {**US, "start": at(10), "price": "-4"},
    {**US, "start": at(11), "price": "0.5"},
    {**US, "start": at(12), "price": None, "status": "busy", "duration": "0"},
    {**US, "start": at(17), "price": None},
    {**US, "start": at(18), "price": None, "status": "in-progress", "duration": None},
    {"direction": "inbound", "from": "+442079460001", "to": "+12125550123", "start": at(18)}
    | {"duration": "61", "price": "-2"},
    {**US, "price": None, "status": "canceled", "duration": "0", "price_unit": None},
)


@pytest.fixture
def page() -> Summary:
    return summary(CALLS)


def test_the_period_covered(page: Summary) -> None:
    assert (page.calls, page.never_started) == (9, 1)
    assert (page.first_start, page.last_start) == (pd.Timestamp(at(3)), pd.Timestamp(at(18)))


def test_calls_by_outcome(page: Summary) -> None:
    assert in_plain_values(page.outcomes) == [
        ("in-progress", 1, 1 / 9),
        ("completed", 6, 6 / 9),
        ("busy", 1, 1 / 9),
        ("canceled", 1, 1 / 9),
    ]


def test_a_cost_is_final_when_every_call_is_over_and_priced(page: Summary) -> None:
    columns = ["price_unit", "cost", "unpriced_calls", "open_calls", "final"]
    assert in_plain_values(page.costs[columns]) == [
        ("EUR", "1", 0, 0, True),
        ("USD", "6.5", 1, 1, False),  # 1 + 4 - 0.5 + 2
        (None, None, 0, 0, True),
    ]


def test_the_durations_are_those_of_the_breakdown(page: Summary) -> None:
    columns = ["ended_calls", "answered_calls", "answer_seizure_ratio", "average_duration"]
    # 5 calls of 60 s and one of 61 s
    assert in_plain_values(page.durations[columns]) == [(8, 6, 0.75, 60.167)]


def test_the_most_expensive_calls_of_each_currency(page: Summary) -> None:
    assert in_plain_values(page.most_expensive_calls[["price_unit", "cost", "start_time"]]) == [
        ("EUR", "1", at(4)),
        ("USD", "4", at(10)),
        ("USD", "2", at(18)),
        ("USD", "1", at(3)),
    ]
    assert page.most_expensive_calls["sid"][1] == CALLS["sid"][2]


def test_the_most_expensive_destinations_are_of_calls_that_went_out(page: Summary) -> None:
    columns = ["price_unit", "country", "number_type", "calls", "cost"]
    assert in_plain_values(page.most_expensive_destinations[columns]) == [
        ("EUR", "GB", "fixed", 1, "1"),
        ("USD", "US", "fixed-or-mobile", 5, "3.5"),
        ("USD", "GB", "fixed", 1, "1"),
    ]


def test_the_last_two_whole_periods_are_compared(page: Summary) -> None:
    # the week from the 17th may be going on
    assert in_plain_values(page.changes) == [
        ("2025-03-03T00:00:00+00:00", "EUR", 1, 1, 1.0, 60.0, "1", 0),
        ("2025-03-10T00:00:00+00:00", "EUR", 0, 0, None, None, "0", 0),
        ("2025-03-03T00:00:00+00:00", "USD", 1, 1, 1.0, 60.0, "1", 0),
        ("2025-03-10T00:00:00+00:00", "USD", 3, 2, 2 / 3, 60.0, "3.5", 0),
        ("2025-03-03T00:00:00+00:00", None, 0, 0, None, None, "0", 0),
        ("2025-03-10T00:00:00+00:00", None, 0, 0, None, None, "0", 0),
    ]


@pytest.mark.parametrize(
    ("days", "compared"),
    [
        ((3, 10, 17), 2),
        ((4, 10, 17), 0),  # the first week may have begun before the calls did
        ((4, 10, 17, 24), 2),
        ((3, 10), 0),
        ((3, 24), 2),  # weeks without calls are weeks
    ],
)
def test_a_period_that_may_be_cut_is_not_compared(days: tuple[int, ...], compared: int) -> None:
    frame = calls(*[{**US, "start": at(day), "price": "-1"} for day in days])
    assert len(summary(frame).changes) == compared


def test_there_are_ten_at_most_and_ties_go_by_sid() -> None:
    frame = calls(*[{**US, "to": f"+1415555010{n % 7}", "price": "-1"} for n in range(30)])
    assert summary(frame).most_expensive_calls["sid"].tolist() == sorted(frame["sid"])[:10]


def test_the_page_reads_well_in_a_terminal(page: Summary) -> None:
    text = str(page)
    assert max(map(len, text.splitlines())) <= 80
    for line in (
        "9 calls\n=======",
        "Started from 2025-03-03 12:00 to 2025-03-18 12:00 (UTC).\n  1 never started.",
        "6 of 8 calls that ended were answered: ASR 75.0 %.",
        "USD is not final (completed calls without a price: 1; calls not ended: 1).",
        f"{CALLS['sid'][2]}  2025-03-10 12:00   0:01:00  4.0000   USD",
        "USD ASR                        100.0 %                 66.7 %  -33.3 points",
        "USD cost                        1.0000                 3.5000      +250.0 %",
    ):
        assert line in text
    assert repr(page) == text


@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin"])
def test_no_line_of_the_overview_of_the_sample_wraps_at_80_columns(tz: str) -> None:
    text = str(summary(callkit.sample(), tz=tz))
    assert "CA3c47ab774df4cff76800af1d25124965" in text  # the whole SID, 34 characters
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_a_large_account_fits_into_80_columns() -> None:
    """Charges of almost a million, and a call of almost a thousand."""
    charged = [{**US, "start": at(3), "price": "-999.9999", "duration": "86399"}] * 1000
    credit = {**US, "start": at(3), "price": "999.9999", "duration": "0"}
    text = str(summary(calls(*charged, credit)))
    assert "999,999.9000" in text
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_wide_amounts_fit() -> None:
    frame = calls({**US, "start": at(3), "price": "-1234567890.12345678", "duration": "99999999"})
    assert max(map(len, str(summary(frame)).splitlines())) <= 100


def test_the_page_shows_no_personal_data(page: Summary) -> None:
    everything = str(page) + page._repr_html_()
    assert "5550123" not in everything
    assert "79460" not in everything


def test_a_notebook_gets_tables_and_what_comes_from_calls_is_escaped() -> None:
    odd = calls({**US, "start": at(3), "price": "-1", "price_unit": "<b>", "status": "<i>"})
    html = summary(odd)._repr_html_()
    assert html.count("<table") == 4
    assert "<b>" not in html
    assert "<i>" not in html


def test_without_calls_it_says_so() -> None:
    nothing = summary(CALLS[:0])
    assert str(nothing) == "0 calls\n=======\n  No calls."
    assert nothing.costs.empty


def test_calls_of_which_none_started_or_cost_anything() -> None:
    text = str(summary(CALLS[-1:]))
    for line in ("1 call\n", "1 never started", "ASR 0.0 %", "No call was charged."):
        assert line in text


def test_two_hours_of_one_name_are_compared() -> None:
    hours = ("2025-10-25T23:00", "2025-10-26T00:10", "2025-10-26T01:10", "2025-10-26T02:10")
    frame = calls(*[{**US, "start": f"{hour}:00+00:00", "price": "-1"} for hour in hours])
    assert str(summary(frame, freq="h", tz="Europe/Berlin")).count("from 2025-10-26 02:00") == 2


def test_the_zone_counts() -> None:
    page = summary(CALLS, tz="Asia/Kathmandu")
    assert "from 2025-03-03 17:45 to 2025-03-18 17:45 (Asia/Kathmandu)" in str(page)
    assert str(page.most_expensive_calls["start_time"].dtype) == "datetime64[us, Asia/Kathmandu]"


def test_a_frame_without_the_columns_is_refused() -> None:
    with pytest.raises(FrameError, match="Missing columns: 'sid'"):
        summary(CALLS.drop(columns="sid"))


def test_no_currency_is_final_while_calls_wait_for_a_price_in_an_unknown_one() -> None:
    waiting = {"price": None, "price_unit": None}
    page = summary(calls({"price": "-1"}, {"price": "-2", "price_unit": "EUR"}, waiting))
    assert page.costs["final"].tolist() == [False, False, False]


@pytest.mark.parametrize("name", ["calls", "destinations"])
def test_the_old_names_name_the_new_ones(page: Summary, name: str) -> None:
    with pytest.raises(AttributeError, match=f"use 'most_expensive_{name}'"):
        getattr(page, f"dearest_{name}")
