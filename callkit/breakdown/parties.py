"""Keys read off the two ends of a call: which is ours, and what the other one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from callkit.breakdown.columns import any_of, present
from callkit.breakdown.numbers import origin_of, scheme_of
from callkit.measures import CHANNELS, NUMBER_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OUTBOUND", "channel", "country", "number_type", "other_party", "our_number"]

_INBOUND = ("inbound", "trunking-originating")
OUTBOUND = ("outbound-api", "outbound-dial", "trunking-terminating")


def other_party(df: pd.DataFrame) -> pd.Series:
    """Read who called, if inbound, else who was called."""
    return _side(df, inbound="from", outbound="to")


def our_number(df: pd.DataFrame) -> pd.Series:
    """Read who was called, if inbound, else who called."""
    return _side(df, inbound="to", outbound="from")


def country(df: pd.DataFrame) -> pd.Series:
    """Find the country of the other party's number."""
    return _of_each_party(
        df, lambda address: origin_of(address).country, pd.StringDtype(na_value=np.nan)
    )


def number_type(df: pd.DataFrame) -> pd.Series:
    """Find the type of the other party's number."""
    dtype = pd.CategoricalDtype(list(NUMBER_TYPES))
    return _of_each_party(df, lambda address: origin_of(address).number_type, dtype)


def channel(df: pd.DataFrame) -> pd.Series:
    """Find what carried the call: a trunk, or else what the other party's address says."""
    kinds = _of_each_party(df, scheme_of, pd.CategoricalDtype(list(CHANNELS)))
    trunk = any_of(df, "direction", ("trunking-originating", "trunking-terminating"))
    return kinds.mask(trunk | present(df, "trunk_sid"), "trunk")


def _side(df: pd.DataFrame, *, inbound: str, outbound: str) -> pd.Series:
    parties = df[outbound].where(any_of(df, "direction", OUTBOUND))
    return parties.where(~any_of(df, "direction", _INBOUND), df[inbound])


def _of_each_party(
    df: pd.DataFrame,
    told: Callable[[str], str],
    dtype: pd.CategoricalDtype | pd.StringDtype,
) -> pd.Series:
    """Say of each call what its other party's address tells; each address is read once."""
    callers, calling = pd.factorize(df["from"])
    callees, called = pd.factorize(df["to"])
    codes = np.where(any_of(df, "direction", _INBOUND), callers, -1)
    outward = any_of(df, "direction", OUTBOUND) & (callees >= 0)
    codes = np.where(outward, len(calling) + callees, codes)
    addresses = [*calling.tolist(), *called.tolist()]
    known = pd.array([told(str(address)) for address in addresses], dtype=dtype)
    return pd.Series(known.take(codes, allow_fill=True), index=df.index)
