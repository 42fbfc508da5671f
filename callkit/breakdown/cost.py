"""What calls cost, group by group, and how many minutes of them are billed."""

import operator
from datetime import timedelta
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from callkit.breakdown.exact import (
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
from callkit.breakdown.groups import Groups, Layout, tabulate
from callkit.breakdown.keys import By, names_of
from callkit.breakdown.measures import COST
from callkit.errors import FrameError

Increment: TypeAlias = timedelta | str | int

_SECOND = timedelta(seconds=1)
_MINUTE = 60
# Charges and credits that fit come to 2e18 at most; what comes to less than this, even reckoned in
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
    """Add up what calls cost, by period and by any key, each currency apart, to the last digit.

    Parameters
    ----------
    df : DataFrame
        Calls, one row each, as :func:`callkit.to_frame` returns them. Needs the columns ``status``,
        ``duration``, ``price`` (decimals; floats are refused) and ``price_unit``, and those that
        the keys are read from.
    by : str or list of str, optional
        Columns of `df`, or keys derived from them: ``leg`` (root or child), ``hour`` (0 to 23) and
        ``weekday`` of the start in `tz`, ``channel`` (trunk for calls on a SIP trunk, else pstn,
        client, sip, sim or other by the other party's address), ``other_party`` (``from`` of
        inbound calls, ``to`` of others) and ``our_number`` (the opposite), ``country`` and
        ``number_type`` of the other party (see Notes).
    freq : str, optional
        The length of the periods, as pandas writes it: ``"D"``, ``"W"`` (from Monday), ``"MS"`` or
        ``"M"``, ``"QS"``, ``"YS"``, ``"h"``, multiples such as ``"6h"``, other quarters and years
        such as ``"YS-APR"``. Periods are counted from 1970-01-01 00:00 on the local clock, weeks
        from the Monday before.
    tz : str
        The IANA zone whose clock and calendar count. Twilio bills by UTC.
    increment : timedelta, str or int
        The billing increment that durations are rounded up to, in whole seconds, such as ``6`` or
        ``"6s"``.
    fill : bool
        Whether to add rows of no calls, so that each combination of keys has every period from the
        first to the last in which calls started.
    margins : bool
        Whether to append totals, over each of period and keys and over any several together, as
        SQL's CUBE has them. Currencies are never added.

    Returns
    -------
    DataFrame
        One row per group that has calls, in the order of the keys: ascending, categories in the
        order of their vocabulary, missing keys last. The columns are the keys, then the measures
        (``callkit.breakdown.measures.COST``); the dtypes do not depend on the calls:

        - ``period``, given `freq`, datetime64[us, tz]: the start of the period in which the calls
          started. Calls that never started are a group of their own, without a period.
        - the keys in `by`, with the dtypes they have; ``price_unit`` last, unless `by` has it.
        - ``total_over``, str, given `margins`: in totals, which come last, the keys they are over,
          such as ``"period"`` or ``"period, direction"``, which are null there; null in the rows of
          groups. Keys of whole numbers or truth values become nullable (``Int64``, ``boolean``).
        - ``calls``, int64: the calls of every status.
        - ``priced_calls``, int64: those with a price, zero included, whatever their status.
        - ``unpriced_calls``, int64, and ``unpriced_duration``, timedelta64[ms]: the completed calls
          that have no price yet.
        - ``charges``, ``credits``, ``cost``, decimal128(18, 8): negative prices made positive,
          positive prices, and the former less the latter. Null if no call of the group has a
          price; but zero in the rows that `fill` adds: what no calls cost is known.
        - ``billed_minutes``, decimal128(18, 8): over priced calls, each duration rounded up to the
          increment; the sum is rounded half-even at the eighth place, where it is not exact. A
          priced call without a duration adds none.
        - ``cost_per_billed_minute``, ``cost_per_call``, decimal128(18, 8): cost divided by billed
          minutes, and by priced calls, rounded half-even. Null where the divisor is zero.
        - ``largest_call``, decimal128(18, 8): the cost of the most expensive call; below zero if
          all priced calls are credits.

        ``attrs["callkit"]`` holds what `df` reports of its calls (counts asked, got and failed,
        as-of times), how many of them are counted, and `tz`.

    Raises
    ------
    FrameError
        `df` is not a DataFrame of calls, or has duplicates; a key, `freq`, `tz` or `increment` is
        invalid; `fill` lacks a `freq` or gives more rows than fit in memory; or an amount does not
        fit.

    Notes
    -----
    It is the connectivity cost: recording, transcription and the like are billed apart. A call
    belongs to the period in which it started, as Twilio bills it. For statistics and plots use
    ``frame["cost"].astype("float64")``.

    ``country`` and ``number_type`` are those that the package phonenumbers finds; it tells apart
    countries that share a calling code (+1, +7, +44). ``country`` is a region in ISO 3166-1 alpha-2
    (``XK`` is Kosovo), or else ``withheld`` (digits that spell ANONYMOUS, BLOCKED, RESTRICTED,
    UNAVAILABLE or UNKNOWN on a keypad, or the word itself), ``sip``, ``client``, ``sim``, ``other``
    (another kind of address), ``international`` (numbers of no country, such as +800), a calling
    code such as ``+44`` (a number in none of that code's countries), ``unparseable`` (no number in
    international form, such as 911) or ``pseudonym`` (a number's, by :func:`callkit.pseudonymise`,
    that keeps no country). ``number_type`` is mobile, fixed, fixed-or-mobile (where numbers do not
    tell), toll-free, premium and so on, or what the address is instead of a number.

    Examples
    --------
    >>> calls = callkit.normalise([
    ...     {"sid": f"CA{n:032}", "status": "completed", "duration": seconds, "price": price,
    ...      "price_unit": "USD"}
    ...     for n, (seconds, price) in enumerate([("61", "-0.026"), ("30", "-0.013"), ("0", None)])
    ... ])
    >>> cost_breakdown(calls)[["price_unit", "calls", "priced_calls", "cost", "billed_minutes"]]
      price_unit  calls  priced_calls        cost  billed_minutes
    0        USD      3             2  0.03900000      3.00000000
    """
    names = names_of(by)
    if "price_unit" not in names:
        names.append("price_unit")
    need(df, ["status", "duration", "price", "price_unit"])
    bills = _Bills(df, increment_ms(increment))
    layout = Layout(names, freq, tz, fill=fill, margins=margins, never_totalled="price_unit")
    return tabulate(df, layout, COST, bills.by_group)


class _Bills:
    """What is known of each call's price, in hundred-millionths and milliseconds."""

    def __init__(self, df: pd.DataFrame, step: int) -> None:
        price, self.priced = prices(df)
        length, _ = milliseconds(df, "duration")
        self.unpriced = any_of(df, "status", ["completed"]) & ~self.priced
        self.cost = -price
        self.billed = np.where(self.priced, billed(length, step), 0)
        self.unpriced_length = np.where(self.unpriced, length, 0)

    def by_group(self, groups: Groups) -> dict[str, object]:
        calls, priced = groups.count(), groups.count(self.priced)
        charges, cost, largest = self._amounts(groups)
        seconds = groups.total(self.billed) // 1000
        known = (priced > 0) | (calls == 0)  # no calls cost nothing
        return {
            "calls": calls,
            "priced_calls": priced,
            "unpriced_calls": groups.count(self.unpriced),
            "unpriced_duration": durations(groups.total(self.unpriced_length)),
            "charges": money(charges, known),
            "credits": money(charges - cost, known),
            "cost": money(cost, known),
            "billed_minutes": minutes(seconds),
            "cost_per_billed_minute": money(divide(cost, seconds, times=_MINUTE), seconds > 0),
            "cost_per_call": money(divide(cost, priced), priced > 0),
            "largest_call": money(np.where(priced > 0, largest, 0), priced > 0),
        }

    def _amounts(self, groups: Groups) -> tuple[NDArray[np.int64], ...]:
        """Find each group's charges, cost and most expensive call."""
        most = np.bincount(groups.codes, np.abs(self.cost), minlength=len(groups))
        if (most > _MOST_TURNOVER).any():
            raise too_large()
        priced = np.where(self.priced, self.cost, np.iinfo(np.int64).min)
        charges = groups.total(np.maximum(self.cost, 0))
        return charges, groups.total(self.cost), groups.most(priced)


def increment_ms(increment: Increment) -> int:
    """Read a billing increment: a timedelta, what pandas reads as one, or a number of seconds."""
    try:
        if isinstance(increment, timedelta | str):
            step = pd.Timedelta(increment)
        else:
            step = pd.Timedelta(operator.index(increment), unit="s")
    except (TypeError, ValueError) as error:
        raise _wrong(increment) from error
    if not step >= _SECOND or step % _SECOND:  # NaT is never as long
        raise _wrong(increment)
    return int(step // _SECOND) * 1000


def _wrong(increment: object) -> FrameError:
    return FrameError(
        f"Invalid increment {increment!r}: expected a whole number of seconds above zero, such "
        "as 60, '6s' or timedelta(minutes=1)"
    )


def billed(length: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """Round durations up to the increment, all in milliseconds."""
    return -(-length // step) * step


def minutes(seconds: NDArray[np.int64]) -> pd.Series:
    """Turn seconds into minutes, as decimals."""
    return money(long_division(seconds, np.full_like(seconds, _MINUTE)))
