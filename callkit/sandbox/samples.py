"""Synthetic calls as a DataFrame, ready to be broken down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import callkit
from callkit.normalise import normalise
from callkit.sandbox.calls import body_of
from callkit.sandbox.generator import CallGenerator
from callkit.sandbox.rhythm import AS_OF

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["sample"]

_SEED = 7


def sample(calls: int = 1_000) -> pd.DataFrame:
    """Make a DataFrame of synthetic calls, to try things out: no account, no server, no file.

    Parameters
    ----------
    calls : int, default 1_000
        How many calls. They are those of ``callkit.sandbox.Sandbox(calls=calls)``.

    Returns
    -------
    pandas.DataFrame
        Calls of two accounts, billed in USD and EUR, from the first three months of 2025, with the
        columns and dtypes of :func:`callkit.to_frame` and in the order of their start. It is the
        same for everybody. No person, number or price in it is real.

    Raises
    ------
    ValueError
        `calls` is less than 1.

    Examples
    --------
    >>> df = callkit.sample()
    >>> callkit.cost_breakdown(df)[["price_unit", "calls", "cost"]]
      price_unit  calls         cost
    0        EUR    200  10.92936400
    1        USD    800  49.19060000
    """
    if calls < 1:
        raise ValueError(f"calls is {calls}, and should be at least 1")
    generator = CallGenerator(calls=calls, seed=_SEED)
    in_order = sorted(range(calls), key=generator.start_of)
    df = normalise(body_of(generator.call(index)) for index in in_order)
    df.attrs["callkit"] = {
        "version": callkit.__version__,
        "calls_asked": calls,
        "calls_got": calls,
        "calls_failed": 0,
        "as_of_first": AS_OF.isoformat(),
        "as_of_last": AS_OF.isoformat(),
    }
    return df
