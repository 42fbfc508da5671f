"""What calls cost, group by group."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from callkit.breakdown.billing import Increment, billed, increment_ms, minutes
from callkit.breakdown.columns import any_of, milliseconds, need, prices
from callkit.breakdown.exact import divide, durations, money, units
from callkit.breakdown.groups import Groups
from callkit.breakdown.keys import By, names_of, read_keys
from callkit.measures import COST
from callkit.schema import MONEY

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cost_breakdown"]

_NAMES = [column.name for column in COST]
_MINUTE = 60


def cost_breakdown(
    df: pd.DataFrame,
    by: By = None,
    *,
    freq: str | None = None,
    tz: str = "UTC",
    increment: Increment = timedelta(minutes=1),
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
        inbound calls, ``to`` of others) and ``our_number`` (the opposite).
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

    Returns
    -------
    DataFrame
        One row per group that has calls, in the order of the keys: ascending, categories in the
        order of their vocabulary, missing keys last. The columns are the keys, then the measures
        (:data:`callkit.measures.COST`); the dtypes do not depend on the calls:

        - ``period``, given `freq`, datetime64[us, tz]: when the period began in which the calls
          started. Calls that never started are a group of their own, without a period.
        - the keys in `by`, with the dtypes they have; ``price_unit`` last, unless `by` has it.
        - ``calls``, int64: the calls of every status.
        - ``priced_calls``, int64: those with a price, zero included, whatever their status.
        - ``unpriced_calls``, int64, and ``unpriced_duration``, timedelta64[ms]: the completed calls
          that have no price yet.
        - ``charges``, ``credits``, ``cost``, decimal128(18, 8): negative prices made positive,
          positive prices, and the former less the latter. Null if no call of the group has a price.
        - ``billed_minutes``, decimal128(18, 8): over priced calls, each duration rounded up to the
          increment. Exact where the increment is a multiple of 3 s, else rounded half-even once,
          at the eighth place. A priced call without a duration adds none.
        - ``cost_per_billed_minute``, ``cost_per_call``, decimal128(18, 8): cost divided by billed
          minutes, and by priced calls, rounded half-even at the eighth place. Null where there is
          nothing to divide by.
        - ``largest_call``, decimal128(18, 8): the cost of the dearest call; below zero if all
          priced calls are credits.

    Raises
    ------
    FrameError
        `df` is no frame of calls, a key, `freq`, `tz` or `increment` is none, or an amount does not
        fit.

    Notes
    -----
    It is the connectivity cost: recording, transcription and the like are billed apart. A call
    belongs to the period in which it started, as Twilio bills it. For statistics and plots use
    ``frame["cost"].astype("float64")``.

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
    step = increment_ms(increment)
    groups = Groups(read_keys(df, names, freq, tz, _NAMES))
    measures = _measures(df, groups, step)
    return pd.concat([groups.keys, measures[_NAMES]], axis="columns")


def _measures(df: pd.DataFrame, groups: Groups, step: int) -> pd.DataFrame:
    price = prices(df)
    priced = np.asarray(price.is_valid())
    length, _ = milliseconds(df, "duration")
    unpriced = any_of(df, "status", ["completed"]) & ~priced
    totals = groups.totals(
        billed=np.where(priced, billed(length, step), 0), unpriced=np.where(unpriced, length, 0)
    )
    seconds = totals["billed"] // 1000
    priced_calls = groups.count(priced)
    charges, cost, largest = _amounts(groups, price)
    known, timed = priced_calls > 0, seconds > 0
    everywhere = np.ones(len(groups), dtype=bool)
    return pd.DataFrame(
        {
            "calls": groups.count(),
            "priced_calls": priced_calls,
            "unpriced_calls": groups.count(unpriced),
            "unpriced_duration": durations(totals["unpriced"], everywhere),
            "charges": money(charges, known),
            "credits": money(charges - cost, known),
            "cost": money(cost, known),
            "billed_minutes": minutes(seconds),
            "cost_per_billed_minute": money(divide(cost, seconds, times=_MINUTE), known & timed),
            "cost_per_call": money(divide(cost, priced_calls), known),
            "largest_call": money(largest, known),
        }
    )


def _amounts(groups: Groups, price: pa.ChunkedArray) -> tuple[NDArray[np.int64], ...]:
    """Find each group's charges, cost and dearest call, in hundred-millionths."""
    zero = pa.scalar(0, MONEY)
    sums = groups.aggregate(
        {"price": price, "charge": pc.min_element_wise(price, zero, skip_nulls=False)},
        [("charge", "sum"), ("price", "sum"), ("price", "min")],
    )
    charges, cost, largest = (
        -units(sums[name]) for name in ("charge_sum", "price_sum", "price_min")
    )
    return charges, cost, largest
