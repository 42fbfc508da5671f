"""Dates as Twilio writes them, by RFC 2822 (now RFC 5322) → instants in UTC.

The usual form, ``Tue, 14 Nov 2023 10:00:00 +0000``, is cast by the column. Other forms are read one
by one: the weekday may be missing, the day may have one digit, and the zone may be any offset, or
GMT, UT or UTC. Nothing here depends on the locale.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from callkit.normaliser.body import abridged

Numbers: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_INSTANT = pa.timestamp("us", tz="UTC")
_FIRST_CENTURY = 19  # RFC 5322 §3.3
_YEAR = re.compile("(19|[2-9][0-9])[0-9]{2}")

_USUAL = np.frombuffer(b"Tue, 14 Nov 2023 10:00:00 +0000", np.uint8)
_MARKS = np.array([3, 4, 7, 11, 16, 19, 22, 25, 26, 27, 28, 29, 30])
_NUMERALS = np.array([5, 6, 12, 13, 14, 15, 17, 18, 20, 21, 23, 24])
_MOST = np.array([[3], [9], [9], [9], [9], [9], [2], [9], [5], [9], [5], [9]])
_WEIGHTS = np.array([1 << 16, 1 << 8, 1])
_DAY_CODES, _MONTH_CODES = (
    pa.array([list(name.encode()) for name in names] @ _WEIGHTS) for names in (_DAYS, _MONTHS)
)

_FORM = re.compile(
    r"(?:(?P<weekday>\w+), )?(?P<day>[0-9]{1,2}) (?P<month>\w+) (?P<year>[0-9]+) "
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))? (?P<zone>.+)",
    re.DOTALL,
)
_OFFSET = re.compile(r"([+-])([0-9]{2})([0-5][0-9])")
_UTC = {"GMT", "UT", "UTC"}


def instants(text: pa.Array) -> pa.Array:
    """Cast dates in their usual form (``Tue, 14 Nov 2023 10:00:00 +0000``); null the others."""
    usual = pc.equal(pc.binary_length(text), len(_USUAL))
    rows = pc.indices_nonzero(usual).to_numpy()
    dates = text.filter(usual).cast(pa.binary(len(_USUAL)))
    octets = np.frombuffer(dates.buffers()[1], np.uint8)[dates.offset * len(_USUAL) :]
    times = np.full(len(text), "NaT", "datetime64[us]")
    times[rows] = _times(octets[: len(rows) * len(_USUAL)].reshape(-1, len(_USUAL)))
    return pa.array(times, _INSTANT)


def _times(octets: Numbers) -> Numbers:
    """Read one text in each row of `octets`; NaT where it is not a date in the usual form."""
    digits = (octets[:, _NUMERALS] - np.int64(ord("0"))).T
    day, century, year, hour, minute, second = digits[::2] * 10 + digits[1::2]
    month = _places(octets[:, 8:11], _MONTH_CODES)
    months = ((century * 100 + year - 1970) * 12 + month).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    times = days.astype("datetime64[s]") + (hour * 3600 + minute * 60 + second)
    right = (octets[:, _MARKS] == _USUAL[_MARKS]).all(axis=1)
    right &= ((digits >= 0) & (digits <= _MOST)).all(axis=0)
    right &= (month >= 0) & (century >= _FIRST_CENTURY)
    right &= (days.astype("datetime64[M]") == months) & (times.astype("datetime64[D]") == days)
    # 1 January 1970 was a Thursday; RFC 5322 §3.3: the weekday must be the date's own.
    right &= (days.astype(np.int64) + 3) % 7 == _places(octets[:, :3], _DAY_CODES)
    return np.where(right, times, np.datetime64("NaT"))


def _places(octets: Numbers, codes: pa.Array) -> Numbers:
    """Find which of the listed names each row holds; -1 if none."""
    places: Numbers = pc.index_in(pa.array(octets @ _WEIGHTS), codes).fill_null(-1).to_numpy()
    return places


def one_instant(text: str) -> datetime:
    """Read one date.

    Examples
    --------
    >>> one_instant("4 Nov 2025 10:00:00 -0500").isoformat()
    '2025-11-04T15:00:00+00:00'
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError(
            f"{abridged(text)} is not a date: expected the form 'Tue, 14 Nov 2023 10:00:00 +0000'"
        )
    try:
        return _instant(form)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{abridged(text)} is not a date: {error}") from None


def _instant(form: re.Match[str]) -> datetime:
    weekday, month, year, second = form["weekday"], form["month"], form["year"], form["second"]
    if month not in _MONTHS:
        raise ValueError(f"unknown month {abridged(month)}, expected {', '.join(_MONTHS)}")
    if not _YEAR.fullmatch(year):
        raise ValueError(f"the year is {abridged(year)}, expected four digits from 1900 on")
    if second is None:
        raise ValueError("the seconds are missing, expected a time such as 10:00:00")
    if second == "60":
        raise ValueError("a leap second, which the column cannot hold")
    local = datetime(
        int(year),
        _MONTHS.index(month) + 1,
        int(form["day"]),
        int(form["hour"]),
        int(form["minute"]),
        int(second),
        tzinfo=UTC,
    )
    if weekday not in {None, _DAYS[local.weekday()]}:
        raise ValueError(
            f"the weekday is {abridged(weekday)}, but that day is a {_DAYS[local.weekday()]}"
        )
    return local - _offset(form["zone"])


def _offset(zone: str) -> timedelta:
    if zone in _UTC:
        return timedelta()
    offset = _OFFSET.fullmatch(zone)
    if offset is None:
        raise ValueError(
            f"unknown zone {abridged(zone)}, expected an offset such as -0500, or GMT, UT or UTC"
        )
    away = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
    return -away if offset[1] == "-" else away
