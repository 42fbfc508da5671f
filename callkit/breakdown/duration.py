"""Where the minutes went, group by group."""

from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from callkit.breakdown.cost import Increment, billed, increment_ms, minutes
from callkit.breakdown.exact import any_of, divide, durations, milliseconds, need, prices
from callkit.breakdown.groups import Groups, Layout, tabulate
from callkit.breakdown.keys import By, names_of
from callkit.breakdown.measures import DURATION
from callkit.schema import ENDED_STATUSES


def duration_breakdown(
    df: pd.DataFrame,
    by: By = None,
    *,
    freq: str | None = None,
    tz: str = "UTC",
    increment: Increment = timedelta(minutes=1),
    fill: bool = False,
    margins: bool = False,
) -> pd.DataFrame:
    """Count calls and measure how long they lasted, by period and by any key.

    Parameters
    ----------
    df : DataFrame
        Calls, one row each, as :func:`callkit.to_frame` returns them. Needs the columns ``status``,
        ``direction``, ``duration``, ``queue_time`` and ``price``, and those that the keys are read
        from.
    by, freq, tz, increment, fill, margins
        As for :func:`cost_breakdown`. Here ``price_unit`` is a key like another.

    Returns
    -------
    DataFrame
        One row per group that has calls, sorted as in :func:`cost_breakdown`. The columns are
        ``period``, given `freq`, the keys in `by`, and ``total_over``, given `margins`; then the
        measures (``callkit.breakdown.measures.DURATION``), whose dtypes do not depend on the calls:

        - ``calls``, int64: the calls of every status.
        - ``ended_calls``, int64: those completed, busy, failed, no-answer or canceled; neither live
          ones, nor a status that is missing or that Twilio's reference does not list.
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
        - ``average_queue_time``, ``median_queue_time``, timedelta64[ms]: over
          those; null without any.

        ``attrs["callkit"]`` is as for :func:`cost_breakdown`.

    Raises
    ------
    FrameError
        As for :func:`cost_breakdown`.

    Examples
    --------
    >>> calls = callkit.normalise([
    ...     {"sid": f"CA{n:032}", "status": status, "duration": seconds}
    ...     for n, (status, seconds) in enumerate(
    ...         [("completed", "61"), ("completed", "30"), ("busy", "0"), ("in-progress", None)]
    ...     )
    ... ])
    >>> duration_breakdown(calls).loc[0, ["ended_calls", "answered_calls", "average_duration"]]
    ended_calls                              3
    answered_calls                           2
    average_duration    0 days 00:00:45.500000
    Name: 0, dtype: object
    """
    need(df, ["status", "direction", "duration", "queue_time", "price"])
    times = _Times(df, increment_ms(increment))
    layout = Layout(names_of(by), freq, tz, fill=fill, margins=margins)
    return tabulate(df, layout, DURATION, times.by_group)


def answered(df: pd.DataFrame) -> NDArray[np.bool_]:
    """Say of each call whether it was answered: completed, and longer than zero."""
    length, _ = milliseconds(df, "duration")
    return any_of(df, "status", ["completed"]) & (length > 0)


class _Times:
    """How each call went and how long it took, in milliseconds."""

    def __init__(self, df: pd.DataFrame, step: int) -> None:
        self.length, _ = milliseconds(df, "duration")
        self.ended = any_of(df, "status", ENDED_STATUSES)
        self.answered = any_of(df, "status", ["completed"]) & (self.length > 0)
        _, self.priced = prices(df)
        self.billed = np.where(self.priced, billed(self.length, step), 0)
        self.waste = np.where(self.priced, self.billed - self.length, 0)
        self.wait, timed = milliseconds(df, "queue_time")
        self.queued = timed & any_of(df, "direction", ["outbound-api"])

    def by_group(self, groups: Groups) -> dict[str, object]:
        ended, spoken = groups.count(self.ended), groups.count(self.answered)
        ratio = np.full(len(groups), np.nan)
        np.divide(spoken, ended, out=ratio, where=ended > 0)
        return {
            "calls": groups.count(),
            "ended_calls": ended,
            "answered_calls": spoken,
            "answer_seizure_ratio": ratio,
            **self._spoken(groups, spoken),
            "priced_calls": groups.count(self.priced),
            "billed_minutes": minutes(groups.total(self.billed) // 1000),
            "rounding_waste": durations(groups.total(self.waste)),
            **self._waited(groups),
        }

    def _spoken(self, groups: Groups, count: NDArray[np.int64]) -> dict[str, object]:
        total = groups.total(np.where(self.answered, self.length, 0))
        median, p95, longest = groups.nearest_ranks(self.length, self.answered, [50, 95, 100])
        return {
            "total_duration": durations(total),
            "average_duration": durations(divide(total, count), count > 0),
            "median_duration": durations(median, count > 0),
            "p95_duration": durations(p95, count > 0),
            "longest_duration": durations(longest, count > 0),
        }

    def _waited(self, groups: Groups) -> dict[str, object]:
        total = groups.total(np.where(self.queued, self.wait, 0))
        count = groups.count(self.queued)
        (median,) = groups.nearest_ranks(self.wait, self.queued, [50])
        return {
            "queued_calls": count,
            "average_queue_time": durations(divide(total, count), count > 0),
            "median_queue_time": durations(median, count > 0),
        }
