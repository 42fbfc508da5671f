"""Billed minutes: each call's duration rounded up to the billing increment."""

from __future__ import annotations

import operator
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from callkit.breakdown.exact import ONE, divide, money
from callkit.errors import FrameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Increment", "billed", "increment_ms", "minutes"]

Increment: TypeAlias = timedelta | str | int

_SECOND = timedelta(seconds=1)


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
    whole, rest = np.divmod(seconds, 60)
    counted = whole * ONE + divide(rest * ONE, np.full_like(rest, 60))
    return money(counted, np.ones(len(seconds), dtype=bool))
