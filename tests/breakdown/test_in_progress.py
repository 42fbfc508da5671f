"""Calls up at once, over calls whose figures are worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callkit.breakdown import calls_in_progress
from callkit.breakdown.measures import IN_PROGRESS
from callkit.errors import FrameError
from callkit.schema import ARROW_TYPES
from tests.breakdown.synthetic import calls, in_plain_values


def on(clock: str, until: str | None, **more: str) -> dict[str, str | None]:
    """A call of 1 March 2025, by the clock in UTC."""
    end = until and f"2025-03-01T{until}+00:00"
    return {"start": f"2025-03-01T{clock}+00:00", "end": end, **more}


def test_a_case_worked_by_hand() -> None:
    frame = calls(
        on("09:00:00", "09:30:00"),
        on("09:30:00", "10:15:00"),  # starts as the first ends: never up with it
        on("09:45:00", "10:00:00"),
        on("09:45:00", "09:45:00", status="busy"),  # starts, and is never up
        on("12:59:00", "13:00:00"),
        {"status": "canceled"},  # never started
    )
    assert in_plain_values(calls_in_progress(frame, freq="h")) == [
        # 30 min + 30 min + 15 min = 75 min of 60; two started at 09:45:00
        ("2025-03-01T09:00:00+00:00", 4, 2, "1.25", 2),
        ("2025-03-01T10:00:00+00:00", 0, 1, "0.25", 0),  # 15 min of 60
        ("2025-03-01T11:00:00+00:00", 0, 0, "0", 0),
        ("2025-03-01T12:00:00+00:00", 1, 1, "0.01666667", 1),  # 1 / 60; up until just before 13:00
    ]


def test_a_call_without_an_end_is_up_a_second_longer_than_anything_is_known() -> None:
    frame = calls(
        on("09:00:00", None, status="in-progress"),
        on("09:10:00", "09:20:00"),
        on("09:59:59", None, status="ringing"),
    )
    assert in_plain_values(calls_in_progress(frame, freq="h")) == [
        # until 10:00:00: 3,600 s + 600 s + 1 s = 4,201 s of 3,600
        ("2025-03-01T09:00:00+00:00", 3, 2, "1.16694444", 1),
    ]


@pytest.mark.parametrize(
    ("until", "mean"),
    [
        ("00:00:27", "0.00007812"),  # 27 s of 4 days are 0.000078125
        ("00:01:21", "0.00023438"),  # 81 s are 0.000234375
    ],
)
def test_means_are_rounded_half_even(until: str, mean: str) -> None:
    got = calls_in_progress(calls(on("00:00:00", until)), freq="4D")
    assert in_plain_values(got[["mean_in_progress"]]) == [(mean,)]


def test_a_day_of_twenty_three_hours_is_shorter() -> None:
    frame = calls({"start": "2025-03-29T22:00:00+00:00", "end": "2025-03-31T00:00:00+00:00"})
    got = calls_in_progress(frame, freq="D", tz="Europe/Berlin")
    assert in_plain_values(got[["period", "mean_in_progress"]]) == [
        ("2025-03-29T00:00:00+01:00", "0.04166667"),  # 1 h of 24
        ("2025-03-30T00:00:00+01:00", "1"),  # 23 h of 23
        ("2025-03-31T00:00:00+02:00", "0.08333333"),  # 2 h of 24
    ]


def test_an_hour_that_the_clock_shows_twice_is_two() -> None:
    frame = calls({"start": "2025-10-26T00:30:00+00:00", "end": "2025-10-26T02:00:00+00:00"})
    got = calls_in_progress(frame, freq="h", tz="Europe/Berlin")
    assert in_plain_values(got[["period", "mean_in_progress"]]) == [
        ("2025-10-26T02:00:00+02:00", "0.5"),
        ("2025-10-26T02:00:00+01:00", "1"),
    ]


spans = st.lists(
    st.tuples(st.integers(0, 20_000), st.none() | st.integers(0, 9_000)), min_size=1, max_size=12
)


@settings(max_examples=60)
@given(spans=spans, freq=st.sampled_from(["15min", "h", "7min"]))
def test_a_count_second_by_second_says_the_same(
    spans: list[tuple[int, int | None]], freq: str
) -> None:
    epoch = pd.Timestamp("2025-03-01T00:00Z")
    rows = [
        {"start": str(epoch + pd.Timedelta(start, "s"))}
        | ({} if length is None else {"end": str(epoch + pd.Timedelta(start + length, "s"))})
        for start, length in spans
    ]
    known = max(start + (length or 0) for start, length in spans) + 1
    ends = [known if length is None else start + length for start, length in spans]
    step = int(pd.Timedelta("1h" if freq == "h" else freq).total_seconds())
    got = calls_in_progress(calls(*rows), freq=freq)

    for row in got.to_dict("records"):
        begin = int((row["period"] - epoch).total_seconds())
        seconds = range(begin, begin + step)
        up = [sum(s <= t < e for (s, _), e in zip(spans, ends, strict=True)) for t in seconds]
        started = [sum(s == t for s, _ in spans) for t in seconds]
        mean = round(Fraction(sum(up), step) * 10**8)
        assert (row["peak_in_progress"], row["calls_started"]) == (max(up), sum(started))
        assert row["mean_in_progress"].scaleb(8) == mean
        assert row["peak_starts_per_second"] == max(started)
    assert got["calls_started"].sum() == len(spans)


def test_row_order_never_matters() -> None:
    frame = calls(on("09:00:00", "09:30:00"), on("09:10:00", "09:20:00"), on("09:20:00", None))
    turned = calls_in_progress(frame[::-1], freq="min")
    pd.testing.assert_frame_equal(turned, calls_in_progress(frame, freq="min"))


def test_microseconds_do_not_overflow() -> None:
    start = pd.to_datetime(["2025-01-01T00:00:00.000001Z"] * 2).as_unit("us")
    end = pd.to_datetime(["2025-12-31T00:00:00Z"] * 2).as_unit("us")
    frame = pd.DataFrame({"start_time": start, "end_time": end})
    got = calls_in_progress(frame, freq="YS")
    # 364 of 365 days, twice, less a millionth of a second
    assert in_plain_values(got[["mean_in_progress"]]) == [("1.99452055",)]


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_dtypes_do_not_depend_on_the_calls(rows: int) -> None:
    frame = calls(on("09:00:00", "09:30:00"), {"status": "canceled"})
    got = calls_in_progress(frame[len(frame) - rows :], freq="D", tz="Europe/Berlin")
    assert str(got.pop("period").dtype) == "datetime64[us, Europe/Berlin]"
    arrow = pa.Table.from_pandas(got, preserve_index=False)
    assert arrow.schema.names == [column.name for column in IN_PROGRESS]
    assert arrow.schema.types == [ARROW_TYPES[column.kind] for column in IN_PROGRESS]


def test_a_call_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(FrameError, match="calls that end before they start: 1. Remove them first"):
        calls_in_progress(calls(on("09:00:00", "08:00:00")), freq="h")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"freq": "fortnight"}, "Invalid freq 'fortnight'"),
        ({"freq": "h", "tz": "Mars"}, "Unknown time zone 'Mars'"),
        ({"freq": "s"}, "freq='s' makes [0-9,]+ periods from 1990.* to 2025.*: use a longer freq"),
    ],
)
def test_what_is_asked_for_wrongly_is_named(options: dict[str, str], sentence: str) -> None:
    frame = calls(on("09:00:00", "09:30:00"), {"start": "1990-01-01T00:00:00+00:00"})
    with pytest.raises(FrameError, match=sentence):
        calls_in_progress(frame, **options)


def test_times_without_a_zone_are_refused() -> None:
    frame = calls(on("09:00:00", "09:30:00"))
    naive = frame.assign(end_time=frame["end_time"].dt.tz_localize(None))
    with pytest.raises(FrameError, match="'end_time' has dtype datetime64.*: expected instants"):
        calls_in_progress(naive, freq="h")
