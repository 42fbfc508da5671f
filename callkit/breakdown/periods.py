"""Which period a call belongs to: stretches of the local clock and calendar, of fixed origin."""

import re
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from callkit.errors import FrameError

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_MONDAY = -3  # days; 1970-01-01 was a Thursday
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


class Frequency(NamedTuple):
    """A length of period: so many of numpy's `unit` (us, D or M), counted from `origin`."""

    unit: str
    length: int
    origin: int = 0


def frequency(freq: object) -> Frequency:
    """Read a pandas alias.

    As in pandas, an anchor names the first month where the alias ends in ``S`` (``"QS-FEB"``), the
    last month elsewhere (``"Q-JAN"``, ``"QE-JAN"``): those three mean the same quarters.
    """
    match = _ALIAS.fullmatch(freq) if isinstance(freq, str) else None
    if match is None:
        raise FrameError(
            f"Invalid freq {freq!r}: expected 's', 'min', 'h', 'D', 'W' (from Monday), 'M' or "
            "'MS', 'Q' or 'QS', 'Y' or 'YS', with a number in front for multiples ('6h') and "
            "a month behind for other quarters and years ('YS-APR')"
        )
    name = match["short"] or match["long"]
    unit, length = _UNITS[name]
    origin = _MONDAY if name == "W" else 0
    if match["anchor"]:
        origin = (_NAMES.index(match["anchor"]) + (match["edge"] != "S")) % length
    return Frequency(unit, int(match["count"] or 1) * length, origin)


def zone(tz: str) -> ZoneInfo:
    """Look up an IANA time zone."""
    try:
        return ZoneInfo(tz)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise FrameError(
            f"Unknown time zone {tz!r}: expected an IANA name such as 'UTC' or 'Europe/Berlin'"
        ) from error


def local_clock(instants: pd.Series, tz: str) -> pd.Series:
    """Read the clock on the wall in `tz` at each instant: naive ``datetime64[us]``."""
    wall: pd.Series = instants.dt.tz_convert(_as_pandas(tz)).dt.tz_localize(None)
    return wall


def period_starts(instants: pd.Series, freq: str, tz: str) -> pd.Series:
    """Find when the period began in which each instant lies; null where the instant is.

    Days, months and multiples of the clock's units are counted from 1970-01-01 00:00 on the local
    clock, weeks from the Monday before, so which other instants there are never moves a period. A
    period begins when its first clock reading is first shown; where that reading is skipped (a
    midnight that does not exist), when the clock jumps over it. An hour that the clock shows twice
    is two periods of an hour, or twice as many shorter ones; longer periods hold both.
    """
    every = frequency(freq)
    wall = local_clock(instants, tz)
    codes, labels = pd.factorize(_labels(wall.to_numpy("datetime64[us]"), every))
    first, last = _when_shown(pd.DatetimeIndex(labels), tz)
    starts = np.append(first, _NAT)[codes]  # the code of a missing instant is -1
    if every.unit == "us" and every.length <= _HOUR and (first != last).any():
        again = np.append(last, _NAT)[codes]
        starts = np.where(again <= instants.to_numpy("datetime64[us]"), again, starts)
    local = pd.DatetimeIndex(starts).tz_localize("UTC").tz_convert(_as_pandas(tz))
    return pd.Series(local, index=instants.index, name="period")


def period_bounds(first: pd.Timestamp, last: pd.Timestamp, freq: str, tz: str) -> pd.DatetimeIndex:
    """Find when each period began from that of instant `first` to that of `last`, and the next."""
    every = frequency(freq)
    # where the clock is put back or days are left out, the next period may not have the next label
    margin = 2 if every.unit != "us" else _DAY // every.length + 2
    ends = pd.Series(pd.DatetimeIndex([first, last]).as_unit("us"))
    labels = _labels(local_clock(ends, tz).to_numpy("datetime64[us]"), every)
    tick = f"datetime64[{every.unit}]"
    counted = labels.astype(tick).view("int64")
    count = np.ptp(counted) // every.length
    if count > _MOST_PERIODS:
        raise FrameError(
            f"freq={freq!r} makes {count:,} periods from {first} to {last}: use a longer freq"
        )
    low, high = counted.min() - margin * every.length, counted.max() + margin * every.length
    ticks = np.arange(low, high + 1, every.length).view(tick)
    shown = _when_shown(pd.DatetimeIndex(ticks.astype("datetime64[us]")), tz)
    bounds = np.unique(np.concatenate(shown))
    # a label that the clock never showed began no period, and what is longer than an hour begins
    # only where its label was shown first
    begun = pd.Series(pd.DatetimeIndex(bounds).tz_localize("UTC"))
    bounds = bounds[(period_starts(begun, freq, tz) == begun).to_numpy(bool)]
    begin, until = ends.dt.tz_localize(None).to_numpy("datetime64[us]")
    chosen = slice(
        np.searchsorted(bounds, begin, "right") - 1, np.searchsorted(bounds, until, "right") + 1
    )
    return pd.DatetimeIndex(bounds[chosen]).tz_localize("UTC").tz_convert(_as_pandas(tz))


def _as_pandas(tz: str) -> str | ZoneInfo:
    # by its name, pandas makes the dtype of the frame's own columns
    return "UTC" if tz == "UTC" else zone(tz)


def _labels(wall: NDArray[np.datetime64], every: Frequency) -> NDArray[np.datetime64]:
    ticks = wall.astype(f"datetime64[{every.unit}]")
    counted = ticks.view("int64") - every.origin
    floored = counted - counted % every.length + every.origin
    labels: NDArray[np.datetime64] = np.where(np.isnat(ticks), ticks, floored.view(ticks.dtype))
    return labels.astype("datetime64[us]")


def _when_shown(
    labels: pd.DatetimeIndex, tz: str
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Find the first and the last instant at which the clock in `tz` showed each label."""
    where = _as_pandas(tz)
    shown = [
        labels.tz_localize(where, ambiguous=np.full(len(labels), dst), nonexistent="shift_forward")
        .tz_convert("UTC")
        .tz_localize(None)
        .to_numpy("datetime64[us]")
        for dst in (True, False)
    ]
    return np.minimum(*shown), np.maximum(*shown)
