"""cost_breakdown over calls whose figures are worked out by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from callkit import cost_breakdown, duration_breakdown
from callkit.breakdown.measures import COST
from callkit.errors import FrameError
from callkit.schema import ARROW_TYPES, MONEY
from tests.breakdown.synthetic import calls, in_plain_values

PARENT = f"CA{1:032x}"

# In Berlin, 30 March 2025 has 23 hours: at 01:00 UTC the clock goes from 02:00 to 03:00.
CALLS = calls(
    # over midnight in UTC; in Berlin it starts at 00:30 of the short day
    {"start": "2025-03-29T23:59:30+00:00", "duration": "61", "price": "-0.0260"},
    # over the end of the month in UTC; in Berlin it starts in April
    {
        "sid": PARENT,
        "start": "2025-03-31T23:55:00+00:00",
        "duration": "600",
        "price": "-0.1000",
    },
    # the leg that the call before dialled
    {
        "start": "2025-03-31T23:55:10+00:00",
        "duration": "590",
        "price": "-0.1300",
        "parent_call_sid": PARENT,
    },
    {
        "start": "2025-03-30T12:00:00+00:00",
        "duration": "59",
        "price": "-0.0135",
        "price_unit": "EUR",
    },
    # a credit
    {
        "start": "2025-03-30T13:00:00+00:00",
        "duration": "30",
        "price": "0.0050",
        "price_unit": "EUR",
    },
    # not priced yet
    {"start": "2025-03-30T14:00:00+00:00", "duration": "121", "price": None},
    # busy: never priced, and not waited for
    {"start": "2025-03-30T15:00:00+00:00", "duration": "0", "price": None, "status": "busy"},
    # never started
    {"duration": None, "price": None, "status": "canceled"},
)


def test_a_case_worked_by_hand_by_day_in_berlin() -> None:
    days = cost_breakdown(CALLS, freq="D", tz="Europe/Berlin")

    assert in_plain_values(days) == [
        # EUR, 30 March: charge 0.0135, credit 0.0050, cost 0.0085; 59 s and 30 s are 1 + 1 minutes;
        # 0.0085 / 2 = 0.00425 per minute and per call
        (
            "2025-03-30T00:00:00+01:00",
            "EUR",
            2,
            2,
            0,
            0,
            "0.0135",
            "0.005",
            "0.0085",
            "2",
            "0.00425",
            "0.00425",
            "0.0135",
        ),
        # USD, 30 March: one call priced, one not yet (121 s), one busy; 61 s are 2 minutes;
        # 0.0260 / 2 = 0.013 per minute, 0.0260 / 1 per call
        (
            "2025-03-30T00:00:00+01:00",
            "USD",
            3,
            1,
            1,
            121,
            "0.026",
            "0",
            "0.026",
            "2",
            "0.013",
            "0.026",
            "0.026",
        ),
        # USD, 1 April: 0.1000 + 0.1300 = 0.2300; 600 s and 590 s are 10 + 10 minutes;
        # 0.2300 / 20 = 0.0115 per minute, 0.2300 / 2 = 0.115 per call
        (
            "2025-04-01T00:00:00+02:00",
            "USD",
            2,
            2,
            0,
            0,
            "0.23",
            "0",
            "0.23",
            "20",
            "0.0115",
            "0.115",
            "0.13",
        ),
        # USD, never started: what it costs is not known, rather than nothing
        (None, "USD", 1, 0, 0, 0, None, None, None, "0", None, None, None),
    ]


def test_a_call_belongs_to_the_month_in_which_it_started() -> None:
    here = cost_breakdown(CALLS, freq="MS")[["period", "price_unit", "cost"]]
    assert in_plain_values(here) == [
        ("2025-03-01T00:00:00+00:00", "EUR", "0.0085"),
        ("2025-03-01T00:00:00+00:00", "USD", "0.256"),  # 0.0260 + 0.1000 + 0.1300
        (None, "USD", None),
    ]


def test_legs_are_told_apart() -> None:
    legs = cost_breakdown(CALLS[CALLS["price_unit"] == "USD"], "leg")[["leg", "calls", "cost"]]
    assert in_plain_values(legs) == [("root", 5, "0.126"), ("child", 1, "0.13")]


def test_a_price_counts_whatever_the_status() -> None:
    busy = calls({"status": "busy", "duration": "0", "price": "0.00000"})
    (row,) = in_plain_values(cost_breakdown(busy)[["priced_calls", "cost", "billed_minutes"]])
    assert row == (1, "0", "0")


def test_the_dearest_of_credits_is_below_zero() -> None:
    given = calls({"price": "0.5"}, {"price": "0.25"})
    (row,) = in_plain_values(cost_breakdown(given)[["charges", "credits", "largest_call"]])
    assert row == ("0", "0.75", "-0.25")


def test_means_are_rounded_half_even_at_the_eighth_place() -> None:
    up = calls({"price": "-0.00000003"}, {"price": "0"})  # 1.5 hundred-millionths
    down = calls({"price": "-0.00000005"}, {"price": "0"})  # 2.5 of them
    assert cost_breakdown(up)["cost_per_call"].tolist() == [Decimal("0.00000002")]
    assert cost_breakdown(down)["cost_per_call"].tolist() == [Decimal("0.00000002")]


@pytest.mark.parametrize(
    ("increment", "minutes"),
    [
        (60, "3"),  # 61 s → 120 s, 30 s → 60 s
        ("6s", "1.6"),  # 66 s, 30 s
        (timedelta(seconds=30), "2"),  # 90 s, 30 s
        (1, "1.51666667"),  # 91 s / 60, rounded once
        ("1h", "120"),
    ],
)
def test_billed_minutes_follow_the_increment(
    increment: int | str | timedelta, minutes: str
) -> None:
    two = calls({"duration": "61", "price": "-1"}, {"duration": "30", "price": "-1"})
    billed = cost_breakdown(two, increment=increment)[["billed_minutes"]]
    assert in_plain_values(billed) == [(minutes,)]


def test_a_price_without_a_currency_is_a_group() -> None:
    odd = calls({"price": "-1", "price_unit": None}, {"price": "-2"})
    assert in_plain_values(cost_breakdown(odd)[["price_unit", "cost"]]) == [
        ("USD", "2"),
        (None, "1"),
    ]


def test_currencies_never_add_even_where_by_names_them() -> None:
    frame = cost_breakdown(CALLS, ["price_unit", "status"])
    assert frame.columns[:2].tolist() == ["price_unit", "status"]


def test_only_what_occurs_has_a_row() -> None:
    assert cost_breakdown(CALLS, "status")["status"].drop_duplicates().tolist() == [
        "completed",
        "busy",
        "canceled",
    ]


def test_the_index_of_the_frame_does_not_matter() -> None:
    doubled = CALLS.set_axis([0] * len(CALLS))
    keys = ["leg", "hour", "channel"]
    pd.testing.assert_frame_equal(
        cost_breakdown(doubled, keys, freq="h"), cost_breakdown(CALLS, keys, freq="h")
    )


def test_the_frame_is_left_as_it_was() -> None:
    before = CALLS.copy()
    cost_breakdown(CALLS, ["leg", "channel", "weekday"], freq="D")
    pd.testing.assert_frame_equal(CALLS, before)


@pytest.mark.parametrize("rows", [0, 1, len(CALLS)])
def test_dtypes_do_not_depend_on_the_calls(rows: int) -> None:
    frame = cost_breakdown(CALLS[:rows], ["status", "hour"], freq="D", tz="Europe/Berlin")
    given = dict(frame.dtypes.astype(str))
    assert given == {
        "period": "datetime64[us, Europe/Berlin]",
        "status": "category",
        "hour": "Int64",
        "price_unit": "str",
        "calls": "int64",
        "priced_calls": "int64",
        "unpriced_calls": "int64",
        "unpriced_duration": "timedelta64[ms]",
        **dict.fromkeys(
            (
                "charges",
                "credits",
                "cost",
                "billed_minutes",
                "cost_per_billed_minute",
                "cost_per_call",
                "largest_call",
            ),
            "decimal128(18, 8)[pyarrow]",
        ),
    }
    assert frame["status"].dtype == CALLS["status"].dtype


def test_the_measures_are_those_that_are_described() -> None:
    frame = cost_breakdown(CALLS)
    arrow = pa.Table.from_pandas(frame[[column.name for column in COST]], preserve_index=False)
    assert arrow.schema.types == [ARROW_TYPES[column.kind] for column in COST]


def test_an_empty_frame_has_no_groups() -> None:
    assert len(cost_breakdown(CALLS[:0])) == 0


def test_decimals_of_plain_python_are_as_good() -> None:
    plain = CALLS.assign(price=CALLS["price"].astype(object))
    pd.testing.assert_frame_equal(cost_breakdown(plain, "leg"), cost_breakdown(CALLS, "leg"))


def test_amounts_at_the_edge_of_what_fits_are_exact() -> None:
    edge = calls({"price": "-9999999999.99999999", "duration": "60"})
    (row,) = in_plain_values(cost_breakdown(edge)[["cost", "cost_per_billed_minute"]])
    assert row == ("9999999999.99999999", "9999999999.99999999")


def test_sums_that_overflow_are_refused_even_where_they_cancel() -> None:
    both = [{"price": f"{sign}9999999999.99999999", "duration": "1"} for sign in ("", "-")]
    with pytest.raises(FrameError, match="does not fit"):
        cost_breakdown(calls(*both * 50))


def test_a_part_of_a_frame_is_read_from_where_it_begins() -> None:
    part = CALLS[2:5]
    assert in_plain_values(cost_breakdown(part)) == in_plain_values(cost_breakdown(part.copy()))
    assert cost_breakdown(part)["cost"].tolist() == [Decimal("0.0085"), Decimal("0.13")]


def test_a_frame_in_several_chunks_is_one() -> None:
    chunks = pd.concat([CALLS[5:], CALLS[:5]])
    pd.testing.assert_frame_equal(cost_breakdown(chunks, "leg"), cost_breakdown(CALLS, "leg"))


def test_a_call_that_stands_twice_is_refused() -> None:
    merged = pd.concat([CALLS, CALLS[1:2]])
    sentence = f"1 SID occurs more than once \\(for example {PARENT}.*many_to_one"
    with pytest.raises(FrameError, match=sentence):
        cost_breakdown(merged)
    with pytest.raises(FrameError, match="more than once"):
        duration_breakdown(merged)


@pytest.mark.parametrize("sid", ["short", "", "CA" + "é" * 16, "CA" + "1" * 16 + "2" * 16])
def test_whatever_the_sids_look_like(sid: str) -> None:
    once = CALLS[1:3].assign(sid=[PARENT, sid])
    assert cost_breakdown(once)["calls"].tolist() == [2]
    with pytest.raises(FrameError, match="more than once"):
        cost_breakdown(once.assign(sid=sid))


def test_rows_without_a_sid_are_not_the_same_call() -> None:
    assert cost_breakdown(CALLS.assign(sid=None))["calls"].sum() == len(CALLS)
    assert cost_breakdown(pd.concat([CALLS] * 2).drop(columns="sid"))["calls"].sum() == 16


@pytest.mark.parametrize("duration", ["60", "1"])
def test_sums_that_do_not_fit_are_refused(duration: str) -> None:
    edge = calls(*[{"price": "-9999999999.99999999", "duration": duration}] * 2)
    with pytest.raises(FrameError, match="does not fit"):
        cost_breakdown(edge)


def test_a_quotient_that_does_not_fit_is_refused() -> None:
    with pytest.raises(FrameError, match="does not fit"):
        cost_breakdown(calls({"price": "-9999999999", "duration": "1"}), increment=1)


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ([1, 2], "Expected a pandas DataFrame of calls, not a list: callkit.normalise makes one"),
        (pl.DataFrame({"sid": []}), r"not polars\.DataFrame: pass df\.to_pandas\(\)"),
        (
            CALLS.drop(columns=["price", "status"]),
            "Missing columns: 'status', 'price'",
        ),
        (
            CALLS.assign(price=CALLS["price"].astype("float64")),
            "'price' has dtype float64: expected exact decimals",
        ),
        (CALLS.assign(price=1), "'price' has dtype int64: expected exact decimals"),
        (
            CALLS.assign(price=pd.Series([Decimal(1), "x"] * 4, dtype=object)),
            "'price' holds values of several types",
        ),
        (CALLS.assign(duration=60), "'duration' has dtype int64: expected durations"),
        (
            CALLS.assign(
                price=pd.Series(
                    [Decimal("0.123456789")] * 8, dtype=pd.ArrowDtype(pa.decimal128(20, 9))
                )
            ),
            "'price' has more digits than fit into decimal",
        ),
    ],
)
def test_frames_that_cannot_be_broken_down(frame: Any, sentence: str) -> None:
    with pytest.raises(FrameError, match=sentence):
        cost_breakdown(frame)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"by": "dirction"},
            "Unknown key 'dirction'. Available .*direction.* Derived .*weekday",
        ),
        ({"by": 3}, "Invalid by=3: expected the name of a key"),
        ({"by": ["status", 3]}, "expected the name of a key or a list of names"),
        ({"freq": "fortnight"}, "Invalid freq 'fortnight': expected"),
        (
            {"freq": "D", "tz": "Mars/Olympus"},
            "Unknown time zone 'Mars/Olympus': .*'Europe/Berlin'",
        ),
        ({"tz": "../etc/passwd"}, "Unknown time zone"),
        ({"tz": None}, "Unknown time zone"),
        ({"increment": 0}, "Invalid increment 0: expected a whole number of seconds above zero"),
        ({"increment": -60}, "Invalid increment -60: expected"),
        ({"increment": 1.5}, "Invalid increment 1.5: expected"),
        ({"increment": "1500ms"}, "Invalid increment '1500ms': expected"),
        ({"increment": "NaT"}, "Invalid increment 'NaT': expected"),
        ({"increment": "soon"}, "Invalid increment 'soon': expected"),
    ],
)
def test_what_is_asked_for_wrongly_is_named(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FrameError, match=sentence):
        cost_breakdown(CALLS, **options)


def test_times_without_a_zone_are_refused() -> None:
    naive = CALLS.assign(start_time=CALLS["start_time"].dt.tz_localize(None))
    with pytest.raises(FrameError, match="'start_time' has dtype datetime64.*: expected instants"):
        cost_breakdown(naive, freq="D")


def test_prices_all_unknown_cost_nothing_known() -> None:
    unknown = calls({"price": None}, {"price": None})
    assert cost_breakdown(unknown)["cost"].isna().all()
    assert cost_breakdown(unknown)["cost"].dtype == pd.ArrowDtype(MONEY)
