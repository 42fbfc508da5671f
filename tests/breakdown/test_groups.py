"""Empty periods and totals beside the groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from callkit import cost_breakdown, duration_breakdown
from callkit.breakdown.keys import period_bounds, period_starts
from callkit.errors import FrameError
from tests.breakdown.synthetic import calls, in_plain_values
from tests.breakdown.test_properties import SUMS, TIMES, bys, frames, freqs, zones

IN, OUT = {"direction": "inbound"}, {"direction": "outbound-api"}
CALLS = calls(
    {**IN, "start": "2025-03-01T09:00:00+00:00", "duration": "60", "price": "-1"},
    {**OUT, "start": "2025-03-01T09:00:00+00:00", "duration": "30", "price": "-2"},
    {**OUT, "start": "2025-03-03T09:00:00+00:00", "duration": "90", "price": None},
    {**IN, "start": "2025-03-03T09:00:00+00:00", "price": "-4", "price_unit": "EUR"},
    {"direction": None, "start": "2025-03-03T09:00:00+00:00", "price": "-8"},
    {**OUT, "status": "canceled", "price": None},
)


def test_empty_periods_are_put_in_for_every_combination() -> None:
    frame = cost_breakdown(CALLS[CALLS["price_unit"] == "USD"], "direction", freq="D", fill=True)
    assert in_plain_values(frame[["period", "direction", "calls", "cost"]]) == [
        ("2025-03-01T00:00:00+00:00", "inbound", 1, "1"),
        ("2025-03-01T00:00:00+00:00", "outbound-api", 1, "2"),
        ("2025-03-01T00:00:00+00:00", None, 0, "0"),
        ("2025-03-02T00:00:00+00:00", "inbound", 0, "0"),
        ("2025-03-02T00:00:00+00:00", "outbound-api", 0, "0"),
        ("2025-03-02T00:00:00+00:00", None, 0, "0"),
        ("2025-03-03T00:00:00+00:00", "inbound", 0, "0"),
        ("2025-03-03T00:00:00+00:00", "outbound-api", 1, None),  # a call, and no price is known
        ("2025-03-03T00:00:00+00:00", None, 1, "8"),
        (None, "outbound-api", 1, None),  # never started: a group, not a period
    ]


def test_no_calls_cost_nothing_and_have_no_mean() -> None:
    frame = cost_breakdown(CALLS[:3], freq="D", fill=True)
    assert in_plain_values(frame)[1] == (
        ("2025-03-02T00:00:00+00:00", "USD", 0, 0, 0, 0, "0", "0", "0", "0", None, None, None)
    )
    times = duration_breakdown(CALLS[:3], freq="D", fill=True)
    assert in_plain_values(times)[1] == (
        (
            "2025-03-02T00:00:00+00:00",
            0,
            0,
            0,
            None,
            0,
            None,
            None,
            None,
            None,
            0,
            "0",
            0,
            0,
            None,
            None,
        )
    )


@pytest.mark.parametrize(
    ("first", "last", "freq", "tz", "periods"),
    [
        # the hour from 02:00 to 03:00 is left out, and shown twice
        ("2025-03-30T00:30Z", "2025-03-30T01:30Z", "h", "Europe/Berlin", ["01:00+01", "03:00+02"]),
        (
            "2025-10-26T00:30Z",
            "2025-10-26T02:30Z",
            "h",
            "Europe/Berlin",
            ["02:00+02", "02:00+01", "03:00+01"],
        ),
        (
            "2025-10-26T00:50Z",
            "2025-10-26T01:10Z",
            "15min",
            "Europe/Berlin",
            ["02:45+02", "02:00+01"],
        ),
        (
            "2025-03-29T22:30Z",
            "2025-03-30T22:30Z",
            "12h",
            "Europe/Berlin",
            ["12:00+01", "00:00+01", "12:00+02", "00:00+02"],
        ),
        # midnight does not exist
        (
            "2018-11-03T12:00Z",
            "2018-11-05T12:00Z",
            "D",
            "America/Sao_Paulo",
            ["00:00-03", "01:00-02", "00:00-02"],
        ),
        # 30 December 2011 was left out
        ("2011-12-29T12:00Z", "2011-12-31T00:00Z", "D", "Pacific/Apia", ["00:00-10", "00:00+14"]),
        ("2025-01-31T12:00Z", "2025-03-01T12:00Z", "MS", "UTC", ["00:00+00"] * 3),
    ],
)
def test_the_periods_between_are_those_that_the_clock_shows(
    first: str, last: str, freq: str, tz: str, periods: list[str]
) -> None:
    bounds = period_bounds(pd.Timestamp(first), pd.Timestamp(last), freq, tz)
    assert [f"{start:%H:%M%z}"[:8] for start in bounds[:-1]] == periods
    assert bounds[-2] <= pd.Timestamp(last) < bounds[-1]


@given(frame=frames, freq=freqs.filter(bool), tz=zones)
def test_no_call_starts_outside_the_periods_between(
    frame: pd.DataFrame, freq: str, tz: str
) -> None:
    starts = frame["start_time"].dropna()
    if len(starts):
        bounds = period_bounds(starts.min(), starts.max(), freq, tz)
        here = bounds[np.searchsorted(bounds.asi8, starts.astype("int64"), side="right") - 1]
        assert here.tolist() == period_starts(starts, freq, tz).tolist()


def test_filling_needs_periods() -> None:
    with pytest.raises(FrameError, match="needs freq, for example freq='D'"):
        cost_breakdown(CALLS, fill=True)


def test_filling_beyond_measure_is_refused() -> None:
    ends = [{"start": "2025-01-01T00:00:00+00:00"}, {"start": "2025-03-03T11:59:00+00:00"}]
    many = calls(*ends, *[{}] * 120)
    sentence = "fill=True would add 88,560 periods of 'min' for each of 122 combinations of keys"
    with pytest.raises(FrameError, match=sentence):
        cost_breakdown(many, "sid", freq="min", fill=True)


def test_nothing_started_nothing_filled() -> None:
    frame = cost_breakdown(CALLS[-1:], freq="D", fill=True)
    assert in_plain_values(frame[["period", "calls"]]) == [(None, 1)]


def test_totals_are_over_each_key_and_over_all_together() -> None:
    frame = cost_breakdown(CALLS, "direction", freq="MS", margins=True)
    march = "2025-03-01T00:00:00+00:00"
    columns = ["period", "direction", "price_unit", "total_over", "calls", "cost"]
    assert in_plain_values(frame[columns]) == [
        (march, "inbound", "EUR", None, 1, "4"),
        (march, "inbound", "USD", None, 1, "1"),
        (march, "outbound-api", "USD", None, 2, "2"),
        (march, None, "USD", None, 1, "8"),  # whose direction is not known
        (None, "outbound-api", "USD", None, 1, None),  # which never started
        (None, "inbound", "EUR", "period", 1, "4"),
        (None, "inbound", "USD", "period", 1, "1"),
        (None, "outbound-api", "USD", "period", 3, "2"),
        (None, None, "USD", "period", 1, "8"),
        (march, None, "EUR", "direction", 1, "4"),
        (march, None, "USD", "direction", 4, "11"),
        (None, None, "USD", "direction", 1, None),
        (None, None, "EUR", "period, direction", 1, "4"),
        (None, None, "USD", "period, direction", 5, "11"),
    ]


def test_the_totals_of_two_keys_are_those_of_a_crosstab() -> None:
    known = CALLS[CALLS["direction"].notna() & CALLS["start_time"].notna()]
    day = known["start_time"].dt.floor("D")
    cross = pd.crosstab(day, known["direction"], margins=True)
    frame = duration_breakdown(known, "direction", freq="D", margins=True)
    for over, key, margin in (
        ("period", "direction", cross.loc["All"]),
        ("direction", "period", cross["All"]),
    ):
        totals = frame[frame["total_over"] == over].set_index(key)["calls"]
        assert totals.to_dict() == margin.drop("All").to_dict()
    assert frame["calls"].iloc[-1] == cross.loc["All", "All"]


def test_percentiles_of_totals_are_of_the_calls() -> None:
    frame = duration_breakdown(CALLS, "direction", margins=True)
    total = frame[frame["total_over"] == "direction"][["calls", "median_duration"]]
    assert in_plain_values(total) == [(6, 60)]  # 30, 60 and 90 s


def test_durations_are_totalled_over_currencies_too() -> None:
    frame = duration_breakdown(CALLS, "price_unit", margins=True)
    assert in_plain_values(frame[["price_unit", "total_over", "calls"]]) == [
        ("EUR", None, 1),
        ("USD", None, 5),
        (None, "price_unit", 6),
    ]


def test_without_keys_there_is_nothing_to_total() -> None:
    assert cost_breakdown(CALLS, margins=True)["total_over"].isna().all()


@pytest.mark.parametrize("rows", [0, 1, len(CALLS)])
@pytest.mark.parametrize("by", ["status", "leg", "weekday", "price", "start_time", "country"])
def test_keys_keep_their_dtypes(by: str, rows: int) -> None:
    plain = duration_breakdown(CALLS[:rows], by, freq="D", tz="Europe/Berlin")
    frame = duration_breakdown(CALLS[:rows], by, freq="D", tz="Europe/Berlin", margins=True)
    assert frame.drop(columns="total_over").dtypes.to_dict() == plain.dtypes.to_dict()
    assert frame["total_over"].dtype == "str"


def test_keys_that_could_not_be_missing_become_nullable() -> None:
    own = CALLS.assign(team=np.arange(6), new=[True, False] * 3, share=0.5)
    frame = duration_breakdown(own, ["team", "new", "share"], margins=True)
    assert frame[["team", "new", "share"]].dtypes.astype(str).tolist() == [
        "Int64",
        "boolean",
        "float64",
    ]


@settings(max_examples=20)
@given(frame=frames, by=bys, freq=freqs.filter(lambda freq: freq not in {"15min", "h"}), tz=zones)
def test_totals_are_the_breakdown_by_fewer_keys(
    frame: pd.DataFrame, by: list[str], freq: str | None, tz: str
) -> None:
    options: dict[str, Any] = {"tz": tz, "fill": freq is not None}
    for breakdown, sums in ((cost_breakdown, SUMS), (duration_breakdown, TIMES)):
        rows = breakdown(frame, by, freq=freq, margins=True, **options)
        groups = rows[rows["total_over"].isna()].drop(columns="total_over")
        whole = breakdown(frame, by, freq=freq, **options)
        pd.testing.assert_frame_equal(groups, whole, check_dtype=False)
        for key in dict.fromkeys(by):
            fewer = [name for name in by if name != key]
            total = rows[rows["total_over"] == key].reset_index(drop=True)
            wanted = breakdown(frame, fewer, freq=freq, **options)
            # an empty combination of keys is filled in either way
            columns = ["period", *sums] if freq else sums
            pd.testing.assert_frame_equal(total[columns], wanted[columns])


def test_a_key_named_like_the_mark_is_refused() -> None:
    with pytest.raises(FrameError, match="Cannot group by 'total_over': a breakdown has a column"):
        cost_breakdown(CALLS.assign(total_over="x"), "total_over", margins=True)
