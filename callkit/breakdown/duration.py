"""Where the minutes went, group by group."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from callkit.breakdown.billing import Increment, billed, increment_ms, minutes
from callkit.breakdown.columns import any_of, milliseconds, need, prices
from callkit.breakdown.exact import divide, durations
from callkit.breakdown.groups import Groups
from callkit.breakdown.keys import By, names_of, read_keys
from callkit.measures import DURATION

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["answered", "duration_breakdown"]

_NAMES = [column.name for column in DURATION]
_ENDED = ("completed", "busy", "failed", "no-answer", "canceled")


def duration_breakdown(
    df: pd.DataFrame,
    by: By = None,
    *,
    freq: str | None = None,
    tz: str = "UTC",
    increment: Increment = timedelta(minutes=1),
) -> pd.DataFrame:
    """Count calls and measure how long they lasted, by period and by any key.

    Parameters
    ----------
    df : DataFrame
        Calls, one row each, as :func:`callkit.to_frame` gives them. Needs the columns ``status``,
        ``direction``, ``duration``, ``queue_time`` and ``price``, and what the keys are read from.
    by, freq, tz, increment
        As for :func:`cost_breakdown`.

    Returns
    -------
    DataFrame
        One row per group that has calls, sorted as in :func:`cost_breakdown`. The columns are
        ``period``, given `freq`, and the keys in `by`; then the measures
        (:data:`callkit.measures.DURATION`), whose dtypes do not depend on the calls:

        - ``calls``, int64: the calls of every status.
        - ``ended_calls``, int64: those completed, busy, failed, no-answer or canceled. Calls that
          are queued, ringing or in progress are not among them, nor is a status that is missing or
          that Twilio's reference does not list.
        - ``answered_calls``, int64: those completed that lasted longer than zero.
        - ``answer_seizure_ratio``, float64: answered calls divided by ended calls (ASR). Null if
          none has ended.
        - ``total_duration``, ``average_duration`` (ACD), ``median_duration``, ``p95_duration``,
          ``longest_duration``, timedelta64[ms]: over answered calls. The average is rounded
          half-even to the millisecond. The p-th percentile of n durations is the one of rank
          ⌈p · n / 100⌉ from the shortest: one that occurred, and SQL's ``percentile_disc``. The
          total is zero, the others null, if no call was answered.
        - ``priced_calls``, int64, and ``billed_minutes``, decimal128(18, 8): as in
          :func:`cost_breakdown`, over calls with a price.
        - ``rounding_waste``, timedelta64[ms]: billed but not spoken, that is the billed minutes of
          calls with a price less their durations.
        - ``queued_calls``, int64: the outbound-api calls that have a queue time, zero included.
        - ``average_queue_time``, ``median_queue_time``, timedelta64[ms]: over those. Null if there
          are none.

    Raises
    ------
    FrameError
        `df` is no frame of calls, or a key, `freq`, `tz` or `increment` is none.

    Examples
    --------
    >>> import pandas as pd
    >>> calls = pd.DataFrame({
    ...     "status": ["completed", "completed", "busy", "in-progress"],
    ...     "direction": "outbound-api",
    ...     "duration": pd.to_timedelta([61, 30, 0, None], unit="s").as_unit("ms"),
    ...     "queue_time": pd.to_timedelta([0, 5, 0, 0], unit="ms").as_unit("ms"),
    ...     "price": None,
    ... })
    >>> duration_breakdown(calls).loc[0, ["ended_calls", "answered_calls", "average_duration"]]
    ended_calls                              3
    answered_calls                           2
    average_duration    0 days 00:00:45.500000
    Name: 0, dtype: object
    """
    need(df, ["status", "direction", "duration", "queue_time", "price"])
    step = increment_ms(increment)
    groups = Groups(read_keys(df, names_of(by), freq, tz, _NAMES))
    length, _ = milliseconds(df, "duration")
    spoken = answered(df)
    measures = _counted(groups, any_of(df, "status", _ENDED), spoken) | _spoken(
        groups, length, spoken
    )
    measures |= _paid(groups, length, np.asarray(prices(df).is_valid()), step)
    measures |= _queued(groups, df)
    return pd.concat([groups.keys, pd.DataFrame(measures)[_NAMES]], axis="columns")


def answered(df: pd.DataFrame) -> NDArray[np.bool_]:
    """Say of each call whether it was answered: completed, and longer than zero."""
    length, _ = milliseconds(df, "duration")
    return any_of(df, "status", ["completed"]) & (length > 0)


def _counted(
    groups: Groups, ended: NDArray[np.bool_], spoken: NDArray[np.bool_]
) -> dict[str, object]:
    ended_calls, answered_calls = groups.count(ended), groups.count(spoken)
    ratio = np.full(len(groups), np.nan)
    np.divide(answered_calls, ended_calls, out=ratio, where=ended_calls > 0)
    return {
        "calls": groups.count(),
        "ended_calls": ended_calls,
        "answered_calls": answered_calls,
        "answer_seizure_ratio": ratio,
    }


def _spoken(
    groups: Groups, length: NDArray[np.int64], spoken: NDArray[np.bool_]
) -> dict[str, object]:
    total = groups.totals(spoken=np.where(spoken, length, 0))["spoken"]
    count = groups.count(spoken)
    median, p95, longest = groups.nearest_ranks(length, spoken, [50, 95, 100])
    known = count > 0
    return {
        "total_duration": durations(total, np.ones_like(known)),
        "average_duration": durations(divide(total, count), known),
        "median_duration": durations(median, known),
        "p95_duration": durations(p95, known),
        "longest_duration": durations(longest, known),
    }


def _paid(
    groups: Groups, length: NDArray[np.int64], priced: NDArray[np.bool_], step: int
) -> dict[str, object]:
    paid = np.where(priced, billed(length, step), 0)
    totals = groups.totals(paid=paid, waste=paid - np.where(priced, length, 0))
    return {
        "priced_calls": groups.count(priced),
        "billed_minutes": minutes(totals["paid"] // 1000),
        "rounding_waste": durations(totals["waste"], np.ones(len(groups), dtype=bool)),
    }


def _queued(groups: Groups, df: pd.DataFrame) -> dict[str, object]:
    wait, timed = milliseconds(df, "queue_time")
    chosen = timed & any_of(df, "direction", ["outbound-api"])
    total = groups.totals(wait=np.where(chosen, wait, 0))["wait"]
    count = groups.count(chosen)
    (median,) = groups.nearest_ranks(wait, chosen, [50])
    return {
        "queued_calls": count,
        "average_queue_time": durations(divide(total, count), count > 0),
        "median_queue_time": durations(median, count > 0),
    }
