"""The two breakdowns: what calls cost, and where the minutes went, group by group."""

import operator
from datetime import timedelta
from typing import TypeAlias

import numpy as np
import pandas as pd

from callkit.breakdown.exact import (
    Flags,
    Ints,
    any_of,
    divide,
    durations,
    long_division,
    milliseconds,
    money,
    need,
    prices,
    too_large,
)
from callkit.breakdown.groups import Groups, Measured, tabulate
from callkit.breakdown.keys import By, names_of
from callkit.breakdown.measures import COST, DURATION
from callkit.errors import FrameError
from callkit.schema import ENDED_STATUSES

Increment: TypeAlias = timedelta | str | int

_SECOND = timedelta(seconds=1)
# Charges and credits that fit add up to at most 2e18. A sum below this limit, even one computed in
# floats, does not overflow an int64.
_MOST_TURNOVER = 4e18


def cost_breakdown(
    df: pd.DataFrame,
    by: By = None,
    *,
    freq: str | None = None,
    tz: str = "UTC",
    increment: Increment = timedelta(minutes=1),
    fill: bool = False,
    margins: bool = False,
) -> pd.DataFrame:
    """Add up what calls cost, by period and any key, each currency separately, to the last digit.

    Parameters
    ----------
    df : DataFrame
        Calls, one row each, as :func:`callkit.to_frame` returns them, with the columns ``status``,
        ``duration``, ``price`` (decimals; floats are refused), ``price_unit``, and the keys.
    by : str or list of str, optional
        Columns of `df`, or keys derived from them: ``leg`` (root or child), ``hour`` (0 to 23) and
        ``weekday`` of the start in `tz`, ``channel`` (trunk for calls on a SIP trunk, else pstn,
        client, sip, sim or other, from the other party's address), ``other_party`` (``from`` of
        inbound calls, ``to`` of others) and ``our_number`` (the opposite), ``country`` and
        ``number_type`` of the other party (see Notes).
    freq : str, optional
        The length of the periods, as pandas writes it: ``"D"``, ``"W"`` (from Monday), ``"MS"`` or
        ``"M"``, ``"QS"``, ``"YS"``, ``"h"``, multiples such as ``"6h"``, other quarters and years
        such as ``"YS-APR"``. Periods are counted from 1970-01-01 00:00 on the local clock, weeks
        from the Monday before.
    tz : str
        The IANA time zone whose clock and calendar are used. Twilio bills by UTC.
    increment : timedelta, str or int
        The billing increment that durations are rounded up to: whole seconds, as ``6`` or ``"6s"``.
    fill : bool
        Whether to add rows without calls, so each combination of keys has every period from the
        first to the last in which calls started.
    margins : bool
        Whether to append totals over each combination of period and keys, as SQL's CUBE does.
        Currencies are never added together.

    Returns
    -------
    DataFrame
        One row per group that has calls, sorted by the keys: ascending, categories in the order of
        their vocabulary, missing keys last. The columns are the keys, then the measures
        (``callkit.breakdown.measures.COST``). The dtypes do not depend on the calls: counts are
        int64, amounts and minutes decimal128(18, 8), rounded half-even at the eighth place.

        - ``period``, given `freq`, datetime64[us, tz]: the start of the period in which the calls
          started. Calls that never started form a group without a period.
        - the keys in `by`, with the dtypes they have; ``price_unit`` last, unless `by` has it.
        - ``total_over``, str, given `margins`: in totals, which come last, the keys totalled over,
          such as ``"period, direction"``, which are null there; null in the rows of groups. Keys of
          integers or booleans become nullable (``Int64``, ``boolean``).
        - ``calls``, ``priced_calls``: all calls; those with a price, zero included, whatever their
          status.
        - ``unpriced_calls``, ``unpriced_duration`` (timedelta64[ms]): completed calls without a
          price.
        - ``charges``, ``credits``, ``cost``: negative prices made positive, positive prices, and
          the former less the latter. Null if no call in the group has a price; zero in rows added
          by `fill`.
        - ``billed_minutes``: the sum over priced calls, each duration rounded up to the increment.
          A priced call without a duration adds none.
        - ``cost_per_billed_minute``, ``cost_per_call``: cost divided by billed minutes, and by
          priced calls. Null where the divisor is zero.
        - ``largest_call``: the cost of the most expensive call; negative if all prices are credits.

        ``attrs["callkit"]`` holds what `df` records of its calls (counts requested, fetched and
        failed; as-of times), how many of them are counted, and `tz`.

    Raises
    ------
    FrameError
        `df` is not a DataFrame of calls, or has duplicates; a key, `freq`, `tz` or `increment` is
        invalid; `fill` lacks a `freq` or gives more rows than fit in memory; or an amount does not
        fit.

    Notes
    -----
    Cost is connectivity cost: recording, transcription and the like are billed separately. A call
    belongs to the period in which it started, as Twilio bills it. For statistics and plots use
    ``frame["cost"].astype("float64")``.

    The package phonenumbers finds ``country`` and ``number_type``; it distinguishes countries that
    share a calling code (+1, +7, +44). ``country`` is a region in ISO 3166-1 alpha-2 (``XK`` is
    Kosovo), or else ``withheld`` (digits that spell ANONYMOUS, BLOCKED, RESTRICTED, UNAVAILABLE or
    UNKNOWN on a keypad, or the word itself), ``sip``, ``client``, ``sim``, ``other`` (another kind
    of address), ``international`` (numbers of no country, such as +800), a calling code such as
    ``+44`` (a number in none of that code's countries), ``unparseable`` (not in international form,
    such as 911) or ``pseudonym`` (of a number, by :func:`callkit.pseudonymise`, without the
    country). ``number_type`` is mobile, fixed, fixed-or-mobile (if the number is ambiguous),
    toll-free, premium and so on, or what the address is instead of a number.

    Examples
    --------
    >>> call = {"status": "completed", "duration": "61", "price": "-0.026", "price_unit": "USD"}
    >>> calls = callkit.normalise([{**call, "sid": f"CA{n:032}"} for n in range(3)])
    >>> cost_breakdown(calls)[["price_unit", "calls", "cost", "billed_minutes"]]
      price_unit  calls        cost  billed_minutes
    0        USD      3  0.07800000      6.00000000
    """
    names = names_of(by)
    if "price_unit" not in names:
        names.append("price_unit")
    need(df, ["status", "duration", "price", "price_unit"])
    measure = _Bills(df, increment).by_group
    return tabulate(df, names, COST, measure, freq=freq, tz=tz, fill=fill, margins=margins)


class _Bills:
    """What is known of each call's price, in hundred-millionths and milliseconds."""

    def __init__(self, df: pd.DataFrame, increment: Increment) -> None:
        step = _increment_ms(increment)
        price, self.priced = prices(df)
        length, _ = milliseconds(df, "duration")
        self.unpriced = any_of(df, "status", ["completed"]) & ~self.priced
        self.cost = -price
        self.billed = _billed(length, self.priced, step)
        self.unpriced_length = np.where(self.unpriced, length, 0)

    def by_group(self, groups: Groups) -> Measured:
        turnover = np.bincount(groups.codes, np.abs(self.cost), minlength=len(groups))
        if (turnover > _MOST_TURNOVER).any():
            raise too_large()
        calls, priced = groups.count(), groups.count(self.priced)
        charges, cost = groups.total(np.maximum(self.cost, 0)), groups.total(self.cost)
        largest = groups.most(np.where(self.priced, self.cost, np.iinfo(np.int64).min))
        seconds = groups.total(self.billed) // 1000
        known = (priced > 0) | (calls == 0)  # the cost of no calls is known to be zero
        return {
            "calls": calls,
            "priced_calls": priced,
            "unpriced_calls": groups.count(self.unpriced),
            "unpriced_duration": durations(groups.total(self.unpriced_length)),
            "charges": money(charges, known),
            "credits": money(charges - cost, known),
            "cost": money(cost, known),
            "billed_minutes": _minutes(seconds),
            "cost_per_billed_minute": money(divide(cost, seconds, times=60), seconds > 0),
            "cost_per_call": money(divide(cost, priced), priced > 0),
            "largest_call": money(np.where(priced > 0, largest, 0), priced > 0),
        }


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
    """Count calls and measure how long they lasted, by period and any key.

    Rows, keys, ``attrs["callkit"]`` and errors are as for :func:`cost_breakdown`.

    Parameters
    ----------
    df : DataFrame
        Calls, one row each, as :func:`callkit.to_frame` returns them, with the columns ``status``,
        ``direction``, ``duration``, ``queue_time``, ``price``, and the keys.
    by, freq, tz, increment, fill, margins
        As for :func:`cost_breakdown`. Here ``price_unit`` is a key like any other.

    Returns
    -------
    DataFrame
        The keys, then the measures (``callkit.breakdown.measures.DURATION``). The dtypes do not
        depend on the calls: counts are int64, durations timedelta64[ms].

        - ``calls``, ``ended_calls``: all calls; those completed, busy, failed, no-answer or
          canceled (not live, nor of a status that is missing or not in Twilio's reference).
        - ``answered_calls``: completed calls that lasted longer than zero.
        - ``answer_seizure_ratio`` (ASR), float64: answered calls by ended calls; null if none
          ended.
        - ``total_duration``, ``average_duration`` (ACD), ``median_duration``, ``p95_duration``,
          ``longest_duration``: over answered calls. The average is rounded half-even to the
          millisecond. The p-th percentile of n durations is the one of rank ⌈p · n / 100⌉ from the
          shortest: one that occurred, as in SQL's ``percentile_disc``. The total is zero, the
          others null, if no call was answered.
        - ``priced_calls``, ``billed_minutes`` (decimal128(18, 8)): as in :func:`cost_breakdown`.
        - ``rounding_waste``: billed but not spoken: billed minutes less durations, of priced calls.
        - ``queued_calls``: the outbound-api calls that have a queue time, zero included.
        - ``average_queue_time``, ``median_queue_time``: over those; null without any.

    Examples
    --------
    >>> calls = callkit.normalise([
    ...     {"sid": f"CA{n:032}", "status": "completed", "duration": seconds}
    ...     for n, seconds in enumerate(["61", "30", "0"])
    ... ])
    >>> duration_breakdown(calls)[["ended_calls", "answered_calls", "average_duration"]]
       ended_calls  answered_calls       average_duration
    0            3               2 0 days 00:00:45.500000
    """
    need(df, ["status", "direction", "duration", "queue_time", "price"])
    names, measure = names_of(by), _Times(df, increment).by_group
    return tabulate(df, names, DURATION, measure, freq=freq, tz=tz, fill=fill, margins=margins)


class _Times:
    """How each call went and how long it took, in milliseconds."""

    def __init__(self, df: pd.DataFrame, increment: Increment) -> None:
        step = _increment_ms(increment)
        self.length, _ = milliseconds(df, "duration")
        self.ended = any_of(df, "status", ENDED_STATUSES)
        self.answered = any_of(df, "status", ["completed"]) & (self.length > 0)
        _, self.priced = prices(df)
        self.billed = _billed(self.length, self.priced, step)
        self.waste = np.where(self.priced, self.billed - self.length, 0)
        self.wait, timed = milliseconds(df, "queue_time")
        self.queued = timed & any_of(df, "direction", ["outbound-api"])

    def by_group(self, groups: Groups) -> Measured:
        ended, spoken = groups.count(self.ended), groups.count(self.answered)
        nothing = np.full(len(groups), np.nan)
        total = groups.total(np.where(self.answered, self.length, 0))
        median, p95, longest = groups.nearest_ranks(self.length, self.answered, [50, 95, 100])
        queued = groups.count(self.queued)
        waited = groups.total(np.where(self.queued, self.wait, 0))
        (median_wait,) = groups.nearest_ranks(self.wait, self.queued, [50])
        return {
            "calls": groups.count(),
            "ended_calls": ended,
            "answered_calls": spoken,
            "answer_seizure_ratio": np.divide(spoken, ended, out=nothing, where=ended > 0),
            "total_duration": durations(total),
            "average_duration": durations(divide(total, spoken), spoken > 0),
            "median_duration": durations(median, spoken > 0),
            "p95_duration": durations(p95, spoken > 0),
            "longest_duration": durations(longest, spoken > 0),
            "priced_calls": groups.count(self.priced),
            "billed_minutes": _minutes(groups.total(self.billed) // 1000),
            "rounding_waste": durations(groups.total(self.waste)),
            "queued_calls": queued,
            "average_queue_time": durations(divide(waited, queued), queued > 0),
            "median_queue_time": durations(median_wait, queued > 0),
        }


def answered(df: pd.DataFrame) -> Flags:
    """For each call, whether it was answered: completed, and longer than zero."""
    length, _ = milliseconds(df, "duration")
    return any_of(df, "status", ["completed"]) & (length > 0)


def _increment_ms(increment: Increment) -> int:
    invalid = FrameError(
        f"Invalid increment {increment!r}: expected a whole number of seconds above zero, such "
        "as 60, '6s' or timedelta(minutes=1)"
    )
    try:
        if isinstance(increment, timedelta | str):
            step = pd.Timedelta(increment)
        else:
            step = pd.Timedelta(operator.index(increment), unit="s")
    except (TypeError, ValueError) as error:
        raise invalid from error
    if not step >= _SECOND or step % _SECOND:  # NaT is never as long
        raise invalid
    return int(step // _SECOND) * 1000


def _billed(length: Ints, priced: Flags, step: int) -> Ints:
    """Round the durations of priced calls up to the increment, all in milliseconds."""
    return np.where(priced, -(-length // step) * step, 0)


def _minutes(seconds: Ints) -> pd.Series:
    return money(long_division(seconds, np.full_like(seconds, 60)))
