"""The keys that calls are grouped by: columns of the frame, or derived from them by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import pandas as pd

from callkit.breakdown.columns import instants, need, present
from callkit.breakdown.parties import channel, country, number_type, other_party, our_number
from callkit.breakdown.periods import local_clock, period_starts, zone
from callkit.errors import FrameError
from callkit.measures import LEGS, WEEKDAYS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["By", "names_of", "read_keys"]

By: TypeAlias = str | Sequence[str] | None

_PARTIES = ("direction", "from", "to")


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


_DERIVED = {
    "leg": _Derived(("parent_call_sid",), _leg),
    "hour": _Derived(("start_time",), _hour),
    "weekday": _Derived(("start_time",), _weekday),
    "channel": _Derived((*_PARTIES, "trunk_sid"), lambda df, _tz: channel(df)),
    "country": _Derived(_PARTIES, lambda df, _tz: country(df)),
    "number_type": _Derived(_PARTIES, lambda df, _tz: number_type(df)),
    "our_number": _Derived(_PARTIES, lambda df, _tz: our_number(df)),
    "other_party": _Derived(_PARTIES, lambda df, _tz: other_party(df)),
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


def _chosen(
    df: pd.DataFrame,
    codes: NDArray[np.int8],
    vocabulary: Sequence[str],
    *,
    ordered: bool = False,
) -> pd.Series:
    dtype = pd.CategoricalDtype(list(vocabulary), ordered=ordered)
    return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index=df.index)
