"""What holds of the breakdowns of any calls."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from callkit import cost_breakdown, duration_breakdown
from callkit.breakdown.exact import divide, long_division
from tests.breakdown.synthetic import calls

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SUMS = ["calls", "priced_calls", "unpriced_calls", "unpriced_duration", "charges", "credits"]
SUMS += ["cost", "billed_minutes"]
TIMES = ["calls", "ended_calls", "answered_calls", "total_duration", "rounding_waste"]

row = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["completed", "busy", "in-progress", None]),
        "direction": st.sampled_from(["inbound", "outbound-api", "outbound-dial", None]),
        "duration": st.none() | st.integers(0, 100_000).map(str),
        "queue_time": st.none() | st.integers(0, 9_999).map(str),
        "price": st.none()
        | st.decimals(-10_000_000, 10_000_000, places=8, allow_nan=False).map("{:f}".format),
        "price_unit": st.sampled_from(["USD", "EUR", None]),
        "parent_call_sid": st.none() | st.just("CA" + "0" * 32),
        "start": st.none()
        | st.datetimes(pd.Timestamp("2024-10-01"), pd.Timestamp("2025-11-30")).map(
            lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}+00:00"
        ),
    }
)
frames: SearchStrategy[pd.DataFrame] = st.lists(row, min_size=1, max_size=25).map(
    lambda rows: calls(*rows)
)
bys = st.lists(st.sampled_from(["status", "direction", "leg", "hour", "weekday"]), max_size=2)
freqs = st.sampled_from([None, "15min", "h", "6h", "D", "W", "MS", "QS-FEB", "YS"])
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])


def totals(frame: pd.DataFrame, sums: list[str]) -> list[list[object]]:
    """Add rows up by currency, in Python's own exact numbers."""
    added: dict[object, list[object]] = {}
    units = frame["price_unit"].astype(object).where(frame["price_unit"].notna(), None)
    for unit, values in zip(units, frame[sums].astype(object).to_numpy(), strict=True):
        known = [0 if pd.isna(value) else value for value in values]
        so_far = added.setdefault(unit, [0 * value for value in known])
        added[unit] = [a + b for a, b in zip(so_far, known, strict=True)]  # type: ignore[operator]
    return [[unit, *added[unit]] for unit in sorted(added, key=str)]


@settings(max_examples=60)
@given(frame=frames, by=bys, freq=freqs, tz=zones)
def test_groups_add_up_to_the_total(
    frame: pd.DataFrame, by: list[str], freq: str | None, tz: str
) -> None:
    whole = totals(cost_breakdown(frame), SUMS)
    assert totals(cost_breakdown(frame, by, freq=freq, tz=tz), SUMS) == whole

    spoken = duration_breakdown(frame, "price_unit")
    parts = duration_breakdown(frame, ["price_unit", *by], freq=freq, tz=tz)
    assert totals(parts, TIMES) == totals(spoken, TIMES)


@settings(max_examples=60)
@given(frame=frames, by=bys, freq=freqs, tz=zones, cut=st.integers(0, 25))
def test_breakdowns_of_a_split_frame_are_those_of_the_whole(
    frame: pd.DataFrame, by: list[str], freq: str | None, tz: str, cut: int
) -> None:
    whole = cost_breakdown(frame, by, freq=freq, tz=tz)
    keys = whole.columns[: whole.columns.get_loc("calls")].tolist()
    parts = [cost_breakdown(part, by, freq=freq, tz=tz) for part in (frame[:cut], frame[cut:])]
    together = pd.concat([part for part in parts if len(part)], ignore_index=True)
    assert (together.dtypes == whole.dtypes).all()
    groups = together.groupby(keys, dropna=False, observed=True)[SUMS]
    # Not min_count=1: pandas 3.0 ignores it for Arrow's decimals.
    again = groups.sum().mask(groups.count() == 0)
    pd.testing.assert_frame_equal(
        again.reset_index().astype(whole[keys + SUMS].dtypes.to_dict()), whole[keys + SUMS]
    )


@settings(max_examples=60)
@given(frame=frames, by=bys, freq=freqs, tz=zones, seed=st.integers(0, 99))
def test_the_order_of_rows_never_matters(
    frame: pd.DataFrame, by: list[str], freq: str | None, tz: str, seed: int
) -> None:
    shuffled = frame.sample(frac=1, random_state=seed)
    for breakdown in (cost_breakdown, duration_breakdown):
        pd.testing.assert_frame_equal(
            breakdown(shuffled, by, freq=freq, tz=tz), breakdown(frame, by, freq=freq, tz=tz)
        )


@settings(max_examples=60)
@given(frame=frames, freq=freqs, tz=zones)
def test_a_change_of_zone_changes_no_total(frame: pd.DataFrame, freq: str | None, tz: str) -> None:
    here, there = (cost_breakdown(frame, freq=freq, tz=zone) for zone in ("UTC", tz))
    assert totals(here, SUMS) == totals(there, SUMS)


@given(
    dividend=st.integers(-(10**17), 10**17),
    divisor=st.integers(1, 10**12),
    times=st.sampled_from([1, 60]),
)
def test_division_is_exact_and_rounds_half_even(dividend: int, divisor: int, times: int) -> None:
    exact = Fraction(dividend * times, divisor)
    if abs(exact) < 10**17:
        assert divide(np.array([dividend]), np.array([divisor]), times=times) == [round(exact)]


@given(dividend=st.integers(0, 10**18), divisor=st.integers(1, 9 * 10**17))
def test_long_division_is_exact_and_rounds_half_even(dividend: int, divisor: int) -> None:
    exact = Fraction(dividend * 10**8, divisor)
    if exact < 2**62:
        assert long_division(np.array([dividend]), np.array([divisor])) == [round(exact)]


def test_a_divisor_of_zero_gives_zero() -> None:
    assert divide(np.array([5, 7, -5, 1]), np.array([2, 2, 2, 0])).tolist() == [2, 4, -2, 0]
