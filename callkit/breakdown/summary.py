"""One page for somebody in a hurry: what the calls were, what they cost, and what changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from callkit.breakdown.columns import any_of, instants, need, prices
from callkit.breakdown.cost import cost_breakdown
from callkit.breakdown.duration import duration_breakdown
from callkit.breakdown.exact import money, units
from callkit.breakdown.page import as_html, as_text
from callkit.breakdown.parties import OUTBOUND
from callkit.breakdown.periods import frequency, period_bounds, zone
from callkit.schema import LIVE_STATUSES

__all__ = ["Summary", "summary"]

_NEEDED = ("sid", "status", "direction", "from", "to", "start_time")
_MOST = 10
_DAY = pd.Timedelta(days=1)
_COMPARED = ("calls", "answered_calls", "answer_seizure_ratio", "average_duration")
_OF_A_CALL = ("price_unit", "cost", "sid", "start_time", "duration")
_OF_A_DESTINATION = ("price_unit", "country", "number_type", "calls", "billed_minutes", "cost")


@dataclass(frozen=True, repr=False)
class Summary:
    """What :func:`summary` found: prints as one page, shows as tables in a notebook.

    It holds no telephone number, no name and no address: calls are named by their SIDs,
    destinations by country.

    Attributes
    ----------
    calls : int
        How many calls the frame has.
    first_start, last_start : Timestamp or NaT
        When the first and the last of them started, in `tz`.
    never_started : int
        How many never did.
    tz, freq : str
        What it was made with.
    outcomes : DataFrame
        ``status``, ``calls``, and their ``share`` (float64, of 1) of all calls.
    costs : DataFrame
        :func:`cost_breakdown` of all calls, one row per currency; ``open_calls``, int64: those that
        are queued, ringing or in progress; and ``final``, bool: no completed call lacks its price
        and none is open, among those without a currency either.
    durations : DataFrame
        :func:`duration_breakdown` of all calls: one row, or none without calls.
    dearest_calls : DataFrame
        At most ten per currency, the dearest first: ``price_unit``, ``cost``, ``sid``,
        ``start_time``, ``duration``.
    dearest_destinations : DataFrame
        At most ten per currency, of the calls that went out: ``price_unit``, ``country``,
        ``number_type``, ``calls``, ``billed_minutes``, ``cost``.
    changes : DataFrame
        Two periods, the earlier first, in each currency: ``period``, ``price_unit``, ``calls``,
        ``answered_calls``, ``answer_seizure_ratio``, ``average_duration``, ``cost``,
        ``unpriced_calls``. Empty where the frame does not cover two whole periods.
    """

    calls: int
    first_start: pd.Timestamp
    last_start: pd.Timestamp
    never_started: int
    tz: str
    freq: str
    outcomes: pd.DataFrame
    costs: pd.DataFrame
    durations: pd.DataFrame
    dearest_calls: pd.DataFrame
    dearest_destinations: pd.DataFrame
    changes: pd.DataFrame

    def __str__(self) -> str:
        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self)


def summary(df: pd.DataFrame, *, freq: str = "W", tz: str = "UTC") -> Summary:
    """Sum calls up on one page: outcomes, cost, durations, the dearest, and what changed.

    Parameters
    ----------
    df : DataFrame
        Calls, one row each, as :func:`callkit.to_frame` gives them. Needs what
        :func:`cost_breakdown` and :func:`duration_breakdown` need, ``sid``, ``from``, ``to`` and
        ``start_time``.
    freq : str
        The length of the periods to compare, as for :func:`cost_breakdown`.
    tz : str
        The IANA zone whose clock and calendar count.

    Returns
    -------
    Summary
        Its ``str()`` is a page of at most 100 columns; a notebook shows it as tables; its
        attributes are the tables as frames, exact.

    Raises
    ------
    FrameError
        As for :func:`cost_breakdown`.

    Notes
    -----
    The two periods compared are the last that the frame covers whole. A period is over once a call
    started after it: the last one with calls, which may be still running, is left out. The first
    one with calls counts as whole if a call started in its first 24 hours.

    Examples
    --------
    >>> page = summary(callkit.normalise([
    ...     {"sid": "CA" + "0" * 32, "status": "completed", "direction": "outbound-api",
    ...      "to": "+442079460000", "duration": "61", "price": "-0.026", "price_unit": "USD",
    ...      "start_time": "Sat, 01 Mar 2025 09:00:00 +0000"},
    ... ]))
    >>> page.dearest_destinations[["country", "number_type", "calls", "cost"]]
      country number_type  calls        cost
    0      GB       fixed      1  0.02600000
    """
    need(df, _NEEDED)
    frequency(freq)
    zone(tz)
    started = instants(df).dropna().dt.tz_convert(tz)
    return Summary(
        calls=len(df),
        first_start=started.min(),
        last_start=started.max(),
        never_started=len(df) - len(started),
        tz=tz,
        freq=freq,
        outcomes=_outcomes(df),
        costs=_costs(df),
        durations=duration_breakdown(df),
        dearest_calls=_dearest_calls(df, tz),
        dearest_destinations=_dearest_destinations(df),
        changes=_changes(df, freq, tz),
    )


def _outcomes(df: pd.DataFrame) -> pd.DataFrame:
    outcomes = duration_breakdown(df, "status")[["status", "calls"]]
    return outcomes.assign(share=outcomes["calls"] / max(len(df), 1))


def _costs(df: pd.DataFrame) -> pd.DataFrame:
    costs = cost_breakdown(df)
    still_open = any_of(df, "status", LIVE_STATUSES)
    of_each = df.loc[still_open, "price_unit"].value_counts(dropna=False)
    opened = costs["price_unit"].map(of_each).fillna(0).astype("int64")
    settled = (costs["unpriced_calls"] == 0) & (opened == 0)
    # Calls to be priced in a currency that nobody knows yet leave none final.
    anywhere = settled[costs["price_unit"].isna()].all()
    return costs.assign(open_calls=opened, final=np.logical_and(settled, anywhere))


def _dearest_calls(df: pd.DataFrame, tz: str) -> pd.DataFrame:
    cost = pd.Series(-units(prices(df)))
    charged = cost[cost > 0]
    unit = df["price_unit"].set_axis(cost.index)
    dearest = charged.groupby(unit[charged.index], dropna=False).nlargest(_MOST, keep="all")
    calls = df.iloc[dearest.index.get_level_values(-1)].reset_index(drop=True)
    calls["start_time"] = instants(calls).dt.tz_convert(tz)
    calls["cost"] = money(dearest.to_numpy(), np.ones(len(calls), dtype=bool))
    return _first_of_each(calls, "sid")[list(_OF_A_CALL)]


def _dearest_destinations(df: pd.DataFrame) -> pd.DataFrame:
    called = df[any_of(df, "direction", OUTBOUND)]
    where = cost_breakdown(called, ["country", "number_type"])
    return _first_of_each(where[(where["cost"] > 0).fillna(value=False)], "country")[
        list(_OF_A_DESTINATION)
    ]


def _first_of_each(rows: pd.DataFrame, tie_breaker: str) -> pd.DataFrame:
    """Choose the ten rows of each currency that cost most."""
    order = rows.sort_values(
        ["price_unit", "cost", tie_breaker], ascending=[True, False, True], kind="stable"
    )
    return order.groupby("price_unit", dropna=False, sort=False).head(_MOST).reset_index(drop=True)


def _changes(df: pd.DataFrame, freq: str, tz: str) -> pd.DataFrame:
    costs = cost_breakdown(df, freq=freq, tz=tz, fill=True)
    times = duration_breakdown(df, "price_unit", freq=freq, tz=tz, fill=True)
    columns = ["period", "price_unit", *_COMPARED, "cost", "unpriced_calls"]
    rows = pd.concat([times[columns[:-2]], costs[columns[-2:]]], axis="columns")
    rows = rows[rows["period"].isin(_compared(df, freq, tz))]
    return rows.sort_values(["price_unit", "period"], kind="stable", ignore_index=True)


def _compared(df: pd.DataFrame, freq: str, tz: str) -> pd.DatetimeIndex:
    """Find when the last two whole periods began; nothing if there are not two."""
    started = instants(df).dropna()
    if started.empty:
        return pd.DatetimeIndex([], dtype="datetime64[us, UTC]")
    periods = period_bounds(started.min(), started.max(), freq, tz)[:-1]
    whole = periods[int(started.min() >= periods[0] + _DAY) : -1]
    return whole[-2:] if len(whole) > 1 else whole[:0]
