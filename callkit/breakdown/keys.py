"""The keys that calls are grouped by: columns of the frame, or derived from them by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from callkit.breakdown.columns import any_of, instants, need, present
from callkit.breakdown.periods import local_clock, period_starts, zone
from callkit.errors import FrameError
from callkit.measures import CHANNELS, LEGS, WEEKDAYS

__all__ = ["By", "names_of", "read_keys"]

By: TypeAlias = str | Sequence[str] | None

_INBOUND = ("inbound", "trunking-originating")
_OUTBOUND = ("outbound-api", "outbound-dial", "trunking-terminating")
_PREFIX = r"^([A-Za-z]+):"


class _Derived(NamedTuple):
    needs: tuple[str, ...]
    of: Callable[[pd.DataFrame, str], pd.Series]


def _leg(df: pd.DataFrame, _tz: str) -> pd.Series:
    return _chosen(df, present(df, "parent_call_sid").astype("int8"), LEGS)


def _hour(df: pd.DataFrame, tz: str) -> pd.Series:
    hours: pd.Series = local_clock(instants(df), tz).dt.hour.astype("Int64")
    return hours


def _weekday(df: pd.DataFrame, tz: str) -> pd.Series:
    days = local_clock(instants(df), tz).dt.day_of_week
    return _chosen(df, days.fillna(-1).to_numpy("int8"), WEEKDAYS, ordered=True)


def _other_party(df: pd.DataFrame, _tz: str) -> pd.Series:
    return _side(df, inbound="from", outbound="to")


def _our_number(df: pd.DataFrame, _tz: str) -> pd.Series:
    return _side(df, inbound="to", outbound="from")


def _channel(df: pd.DataFrame, tz: str) -> pd.Series:
    party = _other_party(df, tz)
    addresses, distinct = pd.factorize(party)
    prefixes = pd.Series(distinct, dtype="str").str.extract(_PREFIX, expand=False).str.lower()
    prefixes = prefixes.fillna("pstn").where(prefixes != "sips", "sip")
    kinds = pd.Index(CHANNELS).get_indexer(pd.Index(prefixes))
    kinds = np.where(kinds < 0, CHANNELS.index("other"), kinds)
    codes = np.append(kinds, -1)[addresses]  # the code of a missing party is -1
    trunk = any_of(df, "direction", ("trunking-originating", "trunking-terminating"))
    trunk |= present(df, "trunk_sid")
    return _chosen(df, np.where(trunk, CHANNELS.index("trunk"), codes), CHANNELS)


_DERIVED = {
    "leg": _Derived(("parent_call_sid",), _leg),
    "hour": _Derived(("start_time",), _hour),
    "weekday": _Derived(("start_time",), _weekday),
    "channel": _Derived(("direction", "from", "to", "trunk_sid"), _channel),
    "our_number": _Derived(("direction", "from", "to"), _our_number),
    "other_party": _Derived(("direction", "from", "to"), _other_party),
}


def names_of(by: By) -> list[str]:
    """List the names in `by`, each once."""
    if by is None:
        return []
    names: object = [by] if isinstance(by, str) else by
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise FrameError(f"by={by!r} should be the name of a key, or a list of names")
    return list(dict.fromkeys(names))


def read_keys(
    df: pd.DataFrame, names: Sequence[str], freq: str | None, tz: str, taken: Sequence[str]
) -> pd.DataFrame:
    """Make the frame of keys: the period where `freq` is given, then one column for each name.

    A column of the frame goes before a derived key of the same name. `taken` are the names of the
    measures beside which the keys will stand.
    """
    zone(tz)
    keys: dict[str, pd.Series] = {}
    if freq is not None:
        need(df, ["start_time"])
        keys["period"] = period_starts(instants(df), freq, tz)
    for name in names:
        if name in keys or name in taken:
            raise FrameError(
                f"by={name!r} is what a breakdown calls a column of its own: rename it"
            )
        keys[name] = _key(df, name, tz)
    return pd.DataFrame(keys, index=df.index)


def _key(df: pd.DataFrame, name: str, tz: str) -> pd.Series:
    if name in df.columns:
        column = df[name]
        if isinstance(column, pd.DataFrame):
            raise FrameError(f"by={name!r} is the name of {column.shape[1]} columns of the frame")
        return column
    if name not in _DERIVED:
        columns = ", ".join(map(str, df.columns))
        raise FrameError(
            f"by={name!r} is neither a column of the frame ({columns}) nor a key derived from "
            f"them ({', '.join(_DERIVED)})"
        )
    need(df, _DERIVED[name].needs)
    return _DERIVED[name].of(df, tz)


def _side(df: pd.DataFrame, *, inbound: str, outbound: str) -> pd.Series:
    parties = df[outbound].where(any_of(df, "direction", _OUTBOUND))
    return parties.where(~any_of(df, "direction", _INBOUND), df[inbound])


def _chosen(
    df: pd.DataFrame,
    codes: np.ndarray[tuple[int], np.dtype[np.integer]],
    vocabulary: Sequence[str],
    *,
    ordered: bool = False,
) -> pd.Series:
    dtype = pd.CategoricalDtype(list(vocabulary), ordered=ordered)
    return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index=df.index)
