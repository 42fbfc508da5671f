"""What calls cost, group by group, and how many minutes of them are billed."""

from __future__ import annotations

import operator
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from callkit.breakdown.columns import (
    ONE,
    any_of,
    divide,
    durations,
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

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Increment", "billed", "cost_breakdown", "increment_ms", "minutes"]

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
        Calls, one row each, as :func:`callkit.to_frame` gives them. Needs the columns ``status``,
        ``duration``, ``price`` (decimals; floats are refused) and ``price_unit``, and what the keys
        are read from.
    by : str or list of str, optional
        Columns of `df`, or keys derived from them: ``leg`` (root or child), ``hour`` (0 to 23) and
        ``weekday`` of the start in `tz`, ``channel`` (trunk for calls on a SIP trunk, else pstn,
        client, sip, sim or other by the other party's address), ``other_party`` (``from`` of
        inbound calls, ``to`` of others) and ``our_number`` (the opposite), ``country`` and
        ``number_type`` of the other party (see Notes).
    freq : str, optional
        The length of the periods, as pandas writes it: ``"D"``, ``"W"`` (from Monday), ``"MS"`` or
        ``"M"``, ``"QS"``, ``"YS"``, ``"h"``, multiples such as ``"6h"``, other quarters and years
        such as ``"YS-APR"``. Periods have a fixed origin: 1970-01-01 00:00 on the local clock, for
        weeks the Monday before.
    tz : str
        The IANA zone whose clock and calendar count. Twilio bills by UTC.
    increment : timedelta, str or int
        The billing increment that durations are rounded up to, in whole seconds: ``6`` and ``"6s"``
        are six of them.
    fill : bool
        Whether to put in rows of no calls, so that each combination of keys has every period from
        the first to the last in which calls started.
    margins : bool
        Whether to append totals, over each of period and keys and over any several together, as
        SQL's CUBE and, for two keys, pandas' crosstab have them. Currencies are never added.

    Returns
    -------
    DataFrame
        One row per group that has calls, in the order of the keys: ascending, categories in the
        order of their vocabulary, missing keys last. The columns are the keys, then the measures
        (``callkit.breakdown.measures.COST``); the dtypes do not depend on the calls:

        - ``period``, given `freq`, datetime64[us, tz]: when the period began in which the calls
          started. Calls that never started are a group of their own, without a period.
        - the keys in `by`, with the dtypes they have; ``price_unit`` last, unless `by` has it.
        - ``total_over``, str, given `margins`: in rows that are totals, the keys they are over,
          such as ``"period"`` or ``"period, direction"``; those keys are null there. Null in the
          rows of groups, which is how a total over a key is told from the group in which that key
          is missing. Totals come last. Keys of whole numbers or truth values become nullable
          (``Int64``, ``boolean``).
        - ``calls``, int64: the calls of every status.
        - ``priced_calls``, int64: those with a price, zero included, whatever their status.
        - ``unpriced_calls``, int64, and ``unpriced_duration``, timedelta64[ms]: the completed calls
          that have no price yet.
        - ``charges``, ``credits``, ``cost``, decimal128(18, 8): negative prices made positive,
          positive prices, and the former less the latter. Null if no call of the group has a
          price; but zero in the rows that `fill` puts in: what no calls cost is known.
        - ``billed_minutes``, decimal128(18, 8): over priced calls, each duration rounded up to the
          increment. Exact where the increment is a multiple of 3 s, else rounded half-even once,
          at the eighth place. A priced call without a duration adds none.
        - ``cost_per_billed_minute``, ``cost_per_call``, decimal128(18, 8): cost divided by billed
          minutes, and by priced calls, rounded half-even at the eighth place. Null where there is
          nothing to divide by.
        - ``largest_call``, decimal128(18, 8): the cost of the dearest call; below zero if all
          priced calls are credits.

        ``attrs["callkit"]`` says what it covers: what `df` says of its calls (counts asked, got and
        failed, as-of times), how many of them are counted, and `tz`.

    Raises
    ------
    FrameError
        `df` is no frame of calls, or has a call twice; a key, `freq`, `tz` or `increment` is none;
        `fill` lacks a `freq` or gives more rows than fit in memory; or an amount does not fit.

    Notes
    -----
    It is the connectivity cost: recording, transcription and the like are billed apart. A call
    belongs to the period in which it started, as Twilio bills it. For statistics and plots use
    ``frame["cost"].astype("float64")``.

    ``country`` and ``number_type`` are what the package phonenumbers says of the number; that tells
    countries apart that share a calling code (+1, +7, +44). ``country`` is a region in ISO 3166-1
    alpha-2 (``XK`` is Kosovo), or else, in small letters or with a plus sign: ``withheld`` (digits
    that spell ANONYMOUS, BLOCKED, RESTRICTED, UNAVAILABLE or UNKNOWN on a keypad, or the word
    itself), ``sip``, ``client``, ``sim``, ``other`` (another kind of address), ``international``
    (numbers of no country, such as +800), a calling code such as ``+44`` (a number that is in none
    of that code's countries), ``unparseable`` (what is no number in international form, such as
    911) or ``pseudonym`` (a number's, by :func:`callkit.pseudonymise`, that keeps no country).
    ``number_type`` is mobile, fixed, fixed-or-mobile (where numbers do not tell), toll-free,
    premium, shared-cost, voip, personal, pager, universal, voicemail or unknown, or withheld, sip,
    client, sim, other, unparseable or pseudonym.

    Examples
    --------
    >>> import pandas as pd, pyarrow as pa
    >>> from decimal import Decimal
    >>> calls = pd.DataFrame({
    ...     "status": ["completed", "completed", "busy"],
    ...     "duration": pd.to_timedelta([61, 30, 0], unit="s").as_unit("ms"),
    ...     "price": pd.Series(
    ...         [Decimal("-0.0260"), Decimal("-0.0130"), None],
    ...         dtype=pd.ArrowDtype(pa.decimal128(18, 8)),
    ...     ),
    ...     "price_unit": ["USD", "USD", "USD"],
    ... })
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
        """Find each group's charges, cost and dearest call."""
        most = np.bincount(groups.codes, np.abs(self.cost), minlength=len(groups))
        if (most > _MOST_TURNOVER).any():
            raise too_large()
        priced = np.where(self.priced, self.cost, np.iinfo(np.int64).min)
        charges = groups.total(np.maximum(self.cost, 0))
        return charges, groups.total(self.cost), groups.most(priced)


def increment_ms(increment: Increment) -> int:
    """Read a billing increment: a timedelta, what pandas reads as one, or a number of seconds."""
    wrong = (
        f"increment={increment!r} should be a whole number of seconds above zero, such as 60, "
        "'6s' or timedelta(minutes=1)"
    )
    try:
        step = _timedelta(increment)
    except (TypeError, ValueError) as error:
        raise FrameError(wrong) from error
    if not step >= _SECOND or step % _SECOND:  # NaT is never as long
        raise FrameError(wrong)
    return int(step // _SECOND) * 1000


def _timedelta(increment: Increment) -> pd.Timedelta:
    if isinstance(increment, timedelta | str):
        return pd.Timedelta(increment)
    return pd.Timedelta(operator.index(increment), unit="s")


def billed(length: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """Round durations up to the increment, all in milliseconds."""
    return -(-length // step) * step


def minutes(seconds: NDArray[np.int64]) -> pd.Series:
    """Turn seconds into minutes, as decimals."""
    whole, rest = np.divmod(seconds, _MINUTE)
    counted = whole * ONE + divide(rest * ONE, np.full_like(rest, _MINUTE))
    return money(counted)
