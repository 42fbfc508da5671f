"""Exact money and means: integers in, integers out, rounded half-even once at the end.

Money is counted in hundred-millionths of the price unit, the last place of ``decimal128(18, 8)``;
every amount that fits that type fits an ``int64``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from callkit.errors import FrameError
from callkit.schema import MONEY

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ONE", "divide", "durations", "long_division", "money", "too_large", "units"]

ONE = 10**MONEY.scale
_MOST = 10**MONEY.precision - 1
_AS_DECIMAL = pa.decimal128(MONEY.precision + 1, 0)


def units(amounts: pa.ChunkedArray) -> NDArray[np.int64]:
    """Count the hundred-millionths in each amount; 0 where it is null.

    Arrow keeps a decimal as a whole number of its last place, in 16 bytes, the least first; of 18
    digits the first eight bytes hold all.
    """
    counted = [np.empty(0, dtype=np.int64)]
    for chunk in amounts.cast(MONEY).chunks:
        words = np.frombuffer(chunk.buffers()[1] or b"", dtype="<i8")
        counted.append(words[2 * chunk.offset :: 2][: len(chunk)])
    return np.where(amounts.is_valid(), np.concatenate(counted), 0)


def money(counted: NDArray[np.int64], known: NDArray[np.bool_]) -> pd.Series:
    """Turn hundred-millionths back into decimals, null where not `known`."""
    if (np.abs(counted) > _MOST).any():
        raise too_large()
    whole = pa.array(counted, mask=~known).cast(_AS_DECIMAL)
    amounts = pc.multiply(whole, pa.scalar(Decimal(1) / ONE, pa.decimal128(8, 8))).cast(MONEY)
    return pd.Series(amounts, dtype=pd.ArrowDtype(MONEY))


def durations(counted: NDArray[np.int64], known: NDArray[np.bool_]) -> pd.Series:
    """Turn milliseconds into ``timedelta64[ms]``, null where not `known`."""
    values = counted.astype("timedelta64[ms]")
    values[~known] = np.timedelta64("NaT", "ms")
    return pd.Series(values)


def divide(
    dividend: NDArray[np.int64], divisor: NDArray[np.int64], *, times: int = 1
) -> NDArray[np.int64]:
    """Divide, multiply by `times` and round half-even, as one exact step; 0 where nothing divides.

    Examples
    --------
    >>> divide(np.array([5, 7, -5, 1]), np.array([2, 2, 2, 0])).tolist()
    [2, 4, -2, 0]
    """
    divisors = np.where(divisor == 0, 1, divisor)
    whole, rest = np.divmod(np.where(divisor == 0, 0, dividend), divisors)
    if (np.abs(whole) > _MOST // times).any():
        raise too_large()
    more, rest = np.divmod(rest * times, divisors)
    return _half_even(whole * times + more, rest, divisors)


def long_division(dividend: NDArray[np.int64], divisor: NDArray[np.int64]) -> NDArray[np.int64]:
    """Divide into hundred-millionths, digit by digit, so that nothing overflows; round half-even.

    Examples
    --------
    >>> long_division(np.array([10**17, 1]), np.array([3 * 10**17, 8 * 10**8])).tolist()
    [33333333, 0]
    """
    quotient, rest = np.divmod(dividend, divisor)
    for _ in range(MONEY.scale):
        digit, rest = np.divmod(rest * 10, divisor)
        quotient = quotient * 10 + digit
    return _half_even(quotient, rest, divisor)


def _half_even(
    quotient: NDArray[np.int64], rest: NDArray[np.int64], divisor: NDArray[np.int64]
) -> NDArray[np.int64]:
    above = rest > divisor - rest
    tie = rest == divisor - rest
    rounded: NDArray[np.int64] = quotient + (above | (tie & (quotient % 2 == 1)))
    return rounded


def too_large() -> FrameError:
    """Say that an amount does not fit."""
    return FrameError(
        "an amount of this breakdown is ten thousand million or more, which does not fit "
        "decimal(18, 8): break it down further"
    )
