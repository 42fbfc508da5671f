"""How many calls were up at once, and how many started in a second: what capacity must cover."""

import numpy as np
import pandas as pd

from callkit.breakdown.exact import Ints, covering, each_once, instants, long_division, money, need
from callkit.breakdown.keys import frequency, period_bounds, zone
from callkit.errors import FrameError

_SECOND = 1_000_000


def calls_in_progress(df: pd.DataFrame, *, freq: str, tz: str = "UTC") -> pd.DataFrame:
    """Count the calls in progress at the same time, and those that start in one second, by period.

    Only the calls in the frame count: not the account's others, nor legs missing from a SID list.

    Parameters
    ----------
    df : DataFrame
        Calls as :func:`callkit.to_frame` returns them, with ``start_time`` and ``end_time``.
    freq, tz
        As for :func:`cost_breakdown`. Each period lasts until the next begins.

    Returns
    -------
    DataFrame
        One row per period, from the first to the last with a call started or in progress, empty
        ones included:

        - ``period``, datetime64[us, tz]: when it began.
        - ``calls_started``, int64: the calls that started in it.
        - ``peak_in_progress``, int64: the most calls that were in progress at any moment of it.
        - ``mean_in_progress``, decimal128(18, 8): the total time of calls within it, divided by its
          length, rounded half-even. The first and the last period count as a whole, although the
          frame may cover only part of them.
        - ``peak_starts_per_second``, int64: the most calls that started in one second of the clock.

        ``attrs["callkit"]`` is as for :func:`cost_breakdown`; ``calls_covered`` are those started.

    Raises
    ------
    FrameError
        As for :func:`cost_breakdown`; also calls that end before they start, or too many periods.

    Notes
    -----
    A call is in progress from its start until just before its end: one that ends as another starts
    does not overlap it, and one of zero length never counts. A started call without an end lasts
    until a second after the latest start or end in the frame. ``start_time`` is when a call was
    dialled, so ringing counts, as it does for carriers.

    Examples
    --------
    >>> times = pd.to_datetime([f"2025-03-01T{at}Z" for at in ("09:00", "09:20", "09:30", "10:20")])
    >>> calls = pd.DataFrame({"start_time": times[:2], "end_time": times[2:]})
    >>> calls_in_progress(calls, freq="h").drop(columns="period")
       calls_started  peak_in_progress  mean_in_progress  peak_starts_per_second
    0              2                 2        1.16666667                       1
    1              0                 1        0.33333333                       0
    """
    need(df, ["start_time", "end_time"])
    frequency(freq)
    zone(tz)
    each_once(df)
    starts, ends = _intervals(df)
    span = [starts.min(), max(starts.max(), ends.max() - 1)] if len(starts) else [0, 0]
    first, last = pd.to_datetime(span, unit="us", utc=True)
    periods = period_bounds(first, last, freq, tz)
    bounds, count = periods.asi8, len(periods) - 1
    ordered = np.sort(starts)
    of_start = np.searchsorted(bounds, ordered, side="right") - 1
    seconds = ordered // _SECOND
    opening = np.flatnonzero(np.diff(seconds, prepend=seconds[:1] - 1))
    fastest = np.zeros(count, dtype=np.int64)
    np.maximum.at(fastest, of_start[opening], np.diff(opening, append=len(seconds)))
    peak, mean = _sweep(bounds, ordered, np.sort(ends))
    table = pd.DataFrame(
        {
            "period": periods[:-1],
            "calls_started": np.bincount(of_start, minlength=count).astype(np.int64),
            "peak_in_progress": peak,
            "mean_in_progress": money(mean),
            "peak_starts_per_second": fastest,
        }
    )
    return covering(table if len(starts) else table[:0], df, tz, calls=len(starts))


def _intervals(df: pd.DataFrame) -> tuple[Ints, Ints]:
    starts, ends = (
        instants(df, name).dt.tz_localize(None).to_numpy("datetime64[us]")
        for name in ("start_time", "end_time")
    )
    started = ~np.isnat(starts)
    starts, ends = starts[started], ends[started]
    backwards = int((ends < starts).sum())
    if backwards:
        raise FrameError(
            f"Number of calls that end before they start: {backwards:,}. Remove them "
            "first, for example with df[~(df['end_time'] < df['start_time'])]"
        )
    if not len(starts):
        return starts.view("int64"), ends.view("int64")
    known = np.fmax(starts.max(), np.fmax.reduce(ends))
    until = np.where(np.isnat(ends), known + np.timedelta64(_SECOND, "us"), ends)
    return starts.view("int64"), until.view("int64")


def _sweep(bounds: Ints, starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Find the peak and the mean of calls up in each period, the mean in hundred-millionths.

    Between any two neighbours among the starts, the ends and the bounds, the number of calls up is
    constant: those started by then less those ended.
    """
    moments = np.sort(np.concatenate([bounds, starts, ends]))
    up = np.searchsorted(starts, moments[:-1], "right") - np.searchsorted(
        ends, moments[:-1], "right"
    )
    lengths = np.diff(moments)
    unit = np.gcd.reduce(lengths)  # in whole seconds, where the times are, nothing overflows
    first = np.searchsorted(moments[:-1], bounds[:-1])
    time_up = np.add.reduceat(up * (lengths // unit), first)
    return np.maximum.reduceat(up, first), long_division(time_up, np.diff(bounds) // unit)
