"""The keys that calls are grouped by: columns of the frame, keys derived from them, and periods."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from callkit.addresses import (
    CHANNELS,
    NUMBER_TYPES,
    Origin,
    channel_of,
    origin_of,
    read_pseudonym,
)
from callkit.breakdown.exact import any_of, instants, need
from callkit.breakdown.measures import LEGS, WEEKDAYS
from callkit.errors import FrameError

By: TypeAlias = str | Sequence[str] | None
Moments: TypeAlias = NDArray[np.datetime64]

OUTBOUND = ("outbound-api", "outbound-dial", "trunking-terminating")
_INBOUND = ("inbound", "trunking-originating")
_PARTIES = ("direction", "from", "to")
_HOUR = 3_600_000_000
_MOST_PERIODS = 10_000_000
_NAT = np.datetime64("NaT", "us")
_UNITS = {"s": ("us", 1_000_000), "min": ("us", 60_000_000), "h": ("us", _HOUR), "D": ("D", 1)}
_UNITS |= {"W": ("D", 7), "M": ("M", 1), "Q": ("M", 3), "Y": ("M", 12)}
_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_ALIAS = re.compile(
    r"(?P<count>[1-9][0-9]{0,4})?"
    r"(?:(?P<short>s|min|h|D|W)"
    rf"|(?P<long>[MQY])(?P<edge>[SE]?)(?:-(?P<anchor>{'|'.join(_NAMES)}))?)"
)


def channel_of_party(party: str) -> str:
    kept = read_pseudonym(party)
    return channel_of(party) if kept is None else kept[0]


def origin_of_party(party: str) -> Origin:
    """Find country and number type of an address, or those that its pseudonym keeps."""
    kept = read_pseudonym(party)
    return origin_of(party) if kept is None else kept[1]


def names_of(by: By) -> list[str]:
    if by is None:
        return []
    names: object = [by] if isinstance(by, str) else by
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise FrameError(f"Invalid by={by!r}: expected the name of a key or a list of names")
    return list(dict.fromkeys(names))


def read_keys(
    df: pd.DataFrame, names: Sequence[str], freq: str | None, tz: str, taken: Sequence[str]
) -> pd.DataFrame:
    """Return the period, given `freq`, and each name: a column or a derived key; none `taken`."""
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
    codes = df["parent_call_sid"].notna().astype("int8").to_numpy()
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(LEGS)), index=df.index)


def _hour(df: pd.DataFrame, tz: str) -> pd.Series:
    return pd.Series(_local_clock(instants(df), tz).dt.hour, dtype="Int64")


def _weekday(df: pd.DataFrame, tz: str) -> pd.Series:
    codes = _local_clock(instants(df), tz).dt.day_of_week.fillna(-1).to_numpy("int8")
    days = pd.Categorical.from_codes(codes, pd.Index(WEEKDAYS), ordered=True)
    return pd.Series(days, index=df.index)


def _channel(df: pd.DataFrame, _tz: str) -> pd.Series:
    kinds = _of_other_party(df, channel_of_party, pd.CategoricalDtype(list(CHANNELS)))
    trunked = any_of(df, "direction", ["trunking-originating", "trunking-terminating"])
    return kinds.mask(trunked | df["trunk_sid"].notna().to_numpy(bool), "trunk")


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


class _Frequency(NamedTuple):
    """A length of period: so many of numpy's `unit` (us, D or M), counted from `origin`."""

    unit: str
    length: int
    origin: int = 0


def frequency(freq: object) -> _Frequency:
    """Read a pandas alias.

    As in pandas, an anchor names the first month where the alias ends in ``S`` (``"QS-FEB"``), the
    last month elsewhere (``"Q-JAN"``, ``"QE-JAN"``): those three mean the same quarters.
    """
    match = _ALIAS.fullmatch(freq) if isinstance(freq, str) else None
    if match is None:
        raise FrameError(
            f"Invalid freq {freq!r}: expected 's', 'min', 'h', 'D', 'W' (from Monday), 'M' or "
            "'MS', 'Q' or 'QS', 'Y' or 'YS', with a number before it for multiples ('6h') and "
            "a month after it for other quarters and years ('YS-APR')"
        )
    name = match["short"] or match["long"]
    unit, length = _UNITS[name]
    origin = -3 if name == "W" else 0  # 1970-01-01 was a Thursday
    if match["anchor"]:
        origin = (_NAMES.index(match["anchor"]) + (match["edge"] != "S")) % length
    return _Frequency(unit, int(match["count"] or 1) * length, origin)


def zone(tz: str) -> str | ZoneInfo:
    """Look up an IANA time zone; UTC keeps its name, of which pandas makes the frame's dtype."""
    try:
        return tz if tz == "UTC" else ZoneInfo(tz)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise FrameError(
            f"Unknown time zone {tz!r}: expected an IANA name such as 'UTC' or 'Europe/Berlin'"
        ) from error


def _local_clock(instants: pd.Series, tz: str) -> pd.Series:
    wall: pd.Series = instants.dt.tz_convert(zone(tz)).dt.tz_localize(None)
    return wall


def period_starts(instants: pd.Series, freq: str, tz: str) -> pd.Series:
    """Find when the period began in which each instant lies; null where the instant is.

    A period begins when its first clock reading is first shown; where that reading is skipped (a
    midnight that does not exist), when the clock jumps over it. An hour that the clock shows twice
    is two periods of an hour, or twice as many shorter ones; longer periods hold both.
    """
    every = frequency(freq)
    codes, labels = pd.factorize(_labels(instants, every, tz))
    first, last = _when_shown(pd.DatetimeIndex(labels), tz)
    starts = np.append(first, _NAT)[codes]  # the code of a missing instant is -1
    if every.unit == "us" and every.length <= _HOUR and (first != last).any():
        again = np.append(last, _NAT)[codes]
        starts = np.where(again <= instants.to_numpy("datetime64[us]"), again, starts)
    local = pd.DatetimeIndex(starts).tz_localize("UTC").tz_convert(zone(tz))
    return pd.Series(local, index=instants.index, name="period")


def period_bounds(first: pd.Timestamp, last: pd.Timestamp, freq: str, tz: str) -> pd.DatetimeIndex:
    """Find when each period began from that of instant `first` to that of `last`, and the next."""
    every = frequency(freq)
    # where the clock is put back or days are left out, the next period may not have the next label
    margin = 2 + (24 * _HOUR // every.length if every.unit == "us" else 0)
    ends = pd.Series(pd.DatetimeIndex([first, last]).as_unit("us"))
    tick = f"datetime64[{every.unit}]"
    counted = _labels(ends, every, tz).astype(tick).view("int64")
    count = np.ptp(counted) // every.length
    if count > _MOST_PERIODS:
        raise FrameError(
            f"freq={freq!r} makes {count:,} periods from {first} to {last}: use a longer freq"
        )
    beyond = margin * every.length
    ticks = np.arange(counted.min() - beyond, counted.max() + beyond + 1, every.length).view(tick)
    shown = _when_shown(pd.DatetimeIndex(ticks.astype("datetime64[us]")), tz)
    bounds = np.unique(np.concatenate(shown))
    # a label that the clock never showed began no period, and what is longer than an hour begins
    # only where its label was shown first
    begun = pd.Series(pd.DatetimeIndex(bounds).tz_localize("UTC"))
    bounds = bounds[(period_starts(begun, freq, tz) == begun).to_numpy(bool)]
    begin, until = np.searchsorted(
        bounds, ends.dt.tz_localize(None).to_numpy("datetime64[us]"), "right"
    )
    return pd.DatetimeIndex(bounds[begin - 1 : until + 1]).tz_localize("UTC").tz_convert(zone(tz))


def _labels(instants: pd.Series, every: _Frequency, tz: str) -> Moments:
    """Find the clock reading at which the period of each instant is counted to begin."""
    wall = _local_clock(instants, tz).to_numpy("datetime64[us]")
    ticks = wall.astype(f"datetime64[{every.unit}]")
    counted = ticks.view("int64") - every.origin
    floored = counted - counted % every.length + every.origin
    labels: Moments = np.where(np.isnat(ticks), ticks, floored.view(ticks.dtype))
    return labels.astype("datetime64[us]")


def _when_shown(labels: pd.DatetimeIndex, tz: str) -> tuple[Moments, Moments]:
    """Find the first and the last instant at which the clock in `tz` showed each label."""
    where = zone(tz)
    shown = [
        labels.tz_localize(where, ambiguous=np.full(len(labels), dst), nonexistent="shift_forward")
        .tz_convert("UTC")
        .tz_localize(None)
        .to_numpy("datetime64[us]")
        for dst in (True, False)
    ]
    return np.minimum(*shown), np.maximum(*shown)
