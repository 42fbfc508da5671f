"""The keys that calls are grouped by: columns of the frame, or derived from them by name."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from callkit import addresses
from callkit.addresses import CHANNELS, NUMBER_TYPES, Origin, read_pseudonym
from callkit.breakdown.exact import any_of, instants, need, present
from callkit.breakdown.measures import LEGS, WEEKDAYS
from callkit.breakdown.periods import local_clock, period_starts, zone
from callkit.errors import FrameError

By: TypeAlias = str | Sequence[str] | None

OUTBOUND = ("outbound-api", "outbound-dial", "trunking-terminating")
_INBOUND = ("inbound", "trunking-originating")
_TRUNKING = ("trunking-originating", "trunking-terminating")
_PARTIES = ("direction", "from", "to")


def channel_of_party(party: str) -> str:
    """Find the channel of an address or its pseudonym."""
    kept = read_pseudonym(party)
    return addresses.channel_of(party) if kept is None else kept[0]


def origin_of_party(party: str) -> Origin:
    """Find country and number type of an address, or those that its pseudonym keeps."""
    kept = read_pseudonym(party)
    return addresses.origin_of(party) if kept is None else kept[1]


def names_of(by: By) -> list[str]:
    """List the names in `by`, each once."""
    if by is None:
        return []
    names: object = [by] if isinstance(by, str) else by
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise FrameError(f"Invalid by={by!r}: expected the name of a key or a list of names")
    return list(dict.fromkeys(names))


def read_keys(
    df: pd.DataFrame, names: Sequence[str], freq: str | None, tz: str, taken: Sequence[str]
) -> pd.DataFrame:
    """Make the frame of keys: the period where `freq` is given, then one column for each name.

    A column of the frame goes before a derived key of the same name. `taken` are the names of the
    measures of the same table.
    """
    zone(tz)
    keys: dict[str, pd.Series] = {}
    if freq is not None:
        need(df, ["start_time"])
        keys["period"] = period_starts(instants(df), freq, tz)
    for name in names:
        if name in keys or name in taken:
            raise FrameError(
                f"Cannot group by {name!r}: a breakdown has a column of that name. Rename yours"
            )
        keys[name] = _key(df, name, tz)
    return pd.DataFrame(keys, index=df.index)


def _key(df: pd.DataFrame, name: str, tz: str) -> pd.Series:
    if name in df.columns:
        column = df[name]
        if isinstance(column, pd.DataFrame):
            raise FrameError(
                f"Cannot group by {name!r}: the DataFrame has {column.shape[1]} columns of "
                "that name"
            )
        return column
    if name not in _DERIVED:
        columns = ", ".join(map(str, df.columns))
        raise FrameError(
            f"Unknown key {name!r}. Available columns: {columns}. Derived keys: "
            f"{', '.join(_DERIVED)}"
        )
    needed, derive = _DERIVED[name]
    need(df, needed)
    return derive(df, tz)


def _leg(df: pd.DataFrame, _tz: str) -> pd.Series:
    return _category(df, present(df, "parent_call_sid").astype("int8"), LEGS)


def _hour(df: pd.DataFrame, tz: str) -> pd.Series:
    hours: pd.Series = local_clock(instants(df), tz).dt.hour.astype("Int64")
    return hours


def _weekday(df: pd.DataFrame, tz: str) -> pd.Series:
    days = local_clock(instants(df), tz).dt.day_of_week
    return _category(df, days.fillna(-1).to_numpy("int8"), WEEKDAYS, ordered=True)


def _category(
    df: pd.DataFrame, codes: NDArray[np.int8], names: Sequence[str], *, ordered: bool = False
) -> pd.Series:
    dtype = pd.CategoricalDtype(list(names), ordered=ordered)
    return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index=df.index)


def _channel(df: pd.DataFrame, _tz: str) -> pd.Series:
    """Find the channel of each call: a trunk, or else that of the other party's address."""
    kinds = _of_other_party(df, channel_of_party, pd.CategoricalDtype(list(CHANNELS)))
    return kinds.mask(any_of(df, "direction", _TRUNKING) | present(df, "trunk_sid"), "trunk")


def _country(df: pd.DataFrame, _tz: str) -> pd.Series:
    dtype = pd.StringDtype(na_value=np.nan)
    return _of_other_party(df, lambda party: origin_of_party(party).country, dtype)


def _number_type(df: pd.DataFrame, _tz: str) -> pd.Series:
    dtype = pd.CategoricalDtype(list(NUMBER_TYPES))
    return _of_other_party(df, lambda party: origin_of_party(party).number_type, dtype)


def _side(df: pd.DataFrame, *, inbound: str, outbound: str) -> pd.Series:
    parties = df[outbound].where(any_of(df, "direction", OUTBOUND))
    return parties.where(~any_of(df, "direction", _INBOUND), df[inbound])


def _of_other_party(
    df: pd.DataFrame, derive: Callable[[str], str], dtype: pd.CategoricalDtype | pd.StringDtype
) -> pd.Series:
    """Derive a key of each call from its other party's address; each address is read once."""
    callers, calling = pd.factorize(df["from"])
    callees, called = pd.factorize(df["to"])
    codes = np.where(any_of(df, "direction", _INBOUND), callers, -1)
    outward = any_of(df, "direction", OUTBOUND) & (callees >= 0)
    codes = np.where(outward, len(calling) + callees, codes)
    parties = [*calling.tolist(), *called.tolist()]
    known = pd.array([derive(str(party)) for party in parties], dtype=dtype)
    return pd.Series(known.take(codes, allow_fill=True), index=df.index)


# What each derived key is read from, and how.
_DERIVED: dict[str, tuple[Sequence[str], Callable[[pd.DataFrame, str], pd.Series]]] = {
    "leg": (("parent_call_sid",), _leg),
    "hour": (("start_time",), _hour),
    "weekday": (("start_time",), _weekday),
    "channel": ((*_PARTIES, "trunk_sid"), _channel),
    "country": (_PARTIES, _country),
    "number_type": (_PARTIES, _number_type),
    "our_number": (_PARTIES, lambda df, _tz: _side(df, inbound="to", outbound="from")),
    "other_party": (_PARTIES, lambda df, _tz: _side(df, inbound="from", outbound="to")),
}
