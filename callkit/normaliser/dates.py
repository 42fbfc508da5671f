"""Dates in the two forms that Twilio writes, as instants: RFC 2822 in answers, ISO 8601 in files.

The usual forms, ``Tue, 14 Nov 2023 10:00:00 +0000`` and ``2023-11-14T10:00:00Z``, are cast by the
column. Other forms are read one by one. By RFC 2822 (now RFC 5322) the weekday may be missing, the
day may have one digit, and the zone may be any offset, or GMT, UT or UTC. By ISO 8601 seconds may
have a fraction that microseconds can hold, and the zone may be an offset. A date without a zone is
refused. Nothing here depends on the locale.
"""

import re
import reprlib
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Numbers: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 60

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

_USUAL_ISO = np.frombuffer(b"2023-11-14T10:00:00Z", np.uint8)
_ISO_MARKS = np.array([4, 7, 10, 13, 16, 19])
_ISO_NUMERALS = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18])
_ISO_MOST = np.array([[9], [9], [9], [9], [1], [9], [3], [9], [2], [9], [5], [9], [5], [9]])

_FORM = re.compile(
    r"(?:(?P<weekday>\w+), )?(?P<day>[0-9]{1,2}) (?P<month>\w+) (?P<year>[0-9]+) "
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))? (?P<zone>.+)",
    re.DOTALL,
)
_ISO_FORM = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})T"
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?)?"
    r"(?P<zone>[^0-9.:].*)?",
    re.DOTALL,
)
_OFFSET = re.compile(r"([+-])([0-9]{2})([0-5][0-9])")
_ISO_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3]):?([0-5][0-9])")
_UTC = {"GMT", "UT", "UTC"}
_FRACTION_DIGITS = 6


def abridged(value: object) -> str:
    """Show `value` in a message: its repr, the middle left out where it is long."""
    return _SHOWN.repr(value)


def instants(text: pa.Array) -> pa.Array:
    """Cast dates in the usual forms, and null the others."""
    lengths = pc.binary_length(text)
    times = np.full(len(text), "NaT", "datetime64[us]")
    for form, times_of in ((_USUAL, _times), (_USUAL_ISO, _iso_times)):
        usual = pc.equal(lengths, len(form))
        if usual.true_count:
            rows = pc.indices_nonzero(usual).to_numpy()
            dates = text.filter(usual).cast(pa.binary(len(form)))
            octets = np.frombuffer(dates.buffers()[1], np.uint8)[dates.offset * len(form) :]
            times[rows] = times_of(octets[: len(rows) * len(form)].reshape(-1, len(form)))
    return pa.array(times, _INSTANT)


def _times(octets: Numbers) -> Numbers:
    """Read one text in each row of `octets`; NaT where it is not a date in the form of RFC 2822."""
    digits = (octets[:, _NUMERALS] - np.int64(ord("0"))).T
    day, century, year, hour, minute, second = digits[::2] * 10 + digits[1::2]
    month = _places(octets[:, 8:11], _MONTH_CODES)
    time = hour * 3600 + minute * 60 + second
    days, times, right = _counted(century * 100 + year, month, day, time)
    right &= (octets[:, _MARKS] == _USUAL[_MARKS]).all(axis=1)
    right &= ((digits >= 0) & (digits <= _MOST)).all(axis=0)
    right &= (month >= 0) & (century >= _FIRST_CENTURY)
    # 1 January 1970 was a Thursday; RFC 5322 §3.3: the weekday must be the date's own.
    right &= (days.astype(np.int64) + 3) % 7 == _places(octets[:, :3], _DAY_CODES)
    return np.where(right, times, np.datetime64("NaT"))


def _iso_times(octets: Numbers) -> Numbers:
    """Read one text in each row of `octets`; NaT where it is not a date in the form of ISO 8601."""
    digits = (octets[:, _ISO_NUMERALS] - np.int64(ord("0"))).T
    century, year, month, day, hour, minute, second = digits[::2] * 10 + digits[1::2]
    time = hour * 3600 + minute * 60 + second
    _, times, right = _counted(century * 100 + year, month - 1, day, time)
    right &= (octets[:, _ISO_MARKS] == _USUAL_ISO[_ISO_MARKS]).all(axis=1)
    right &= ((digits >= 0) & (digits <= _ISO_MOST)).all(axis=0)
    right &= (month >= 1) & (month <= len(_MONTHS)) & (century >= _FIRST_CENTURY)
    return np.where(right, times, np.datetime64("NaT"))


def _counted(
    year: Numbers, month: Numbers, day: Numbers, time: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """Return days and times, and whether the month has that day, and the day that time of day.

    Months count from 0, times of day are seconds.
    """
    months = ((year - 1970) * 12 + month).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    times = days.astype("datetime64[s]") + time
    exists = (days.astype("datetime64[M]") == months) & (times.astype("datetime64[D]") == days)
    return days, times, exists


def _places(octets: Numbers, codes: pa.Array) -> Numbers:
    """Find which of the listed names each row holds; -1 if none."""
    places: Numbers = pc.index_in(pa.array(octets @ _WEIGHTS), codes).fill_null(-1).to_numpy()
    return places


def one_instant(text: str) -> datetime:
    """Read a date in any form that is accepted, or raise a ValueError that says what is wrong."""
    iso = _ISO_FORM.fullmatch(text)
    form = iso or _FORM.fullmatch(text)
    if form is None:
        raise ValueError(
            f"{abridged(text)} is not a date: expected the form 'Tue, 14 Nov 2023 10:00:00 +0000' "
            "or '2023-11-14T10:00:00Z'"
        )
    try:
        return _instant(form) if iso is None else _iso_instant(iso)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{abridged(text)} is not a date: {error}") from None


def _instant(form: re.Match[str]) -> datetime:
    weekday, month = form["weekday"], form["month"]
    if month not in _MONTHS:
        raise ValueError(f"unknown month {abridged(month)}, expected {', '.join(_MONTHS)}")
    local = _local(form, _MONTHS.index(month) + 1)
    if weekday not in {None, _DAYS[local.weekday()]}:
        raise ValueError(
            f"the weekday is {abridged(weekday)}, but that day is a {_DAYS[local.weekday()]}"
        )
    return local - _offset(form["zone"])


def _iso_instant(form: re.Match[str]) -> datetime:
    local = _local(form, int(form["month"]))
    fraction = (form["fraction"] or "").rstrip("0")
    if len(fraction) > _FRACTION_DIGITS:
        raise ValueError(
            f"the seconds have a fraction of {len(fraction)} digits, expected at most "
            f"{_FRACTION_DIGITS}"
        )
    exact = local.replace(microsecond=int(fraction.ljust(_FRACTION_DIGITS, "0")))
    return exact - _iso_offset(form["zone"])


def _local(form: re.Match[str], month: int) -> datetime:
    """Make the wall clock's time, without regard to the zone."""
    year, second = form["year"], form["second"]
    if not _YEAR.fullmatch(year):
        raise ValueError(f"the year is {abridged(year)}, expected four digits from 1900 on")
    if second is None:
        raise ValueError("the seconds are missing, expected a time such as 10:00:00")
    if second == "60":
        raise ValueError("a leap second, which the column cannot hold")
    return datetime(
        int(year),
        month,
        int(form["day"]),
        int(form["hour"]),
        int(form["minute"]),
        int(second),
        tzinfo=UTC,
    )


def _offset(zone: str) -> timedelta:
    if zone in _UTC:
        return timedelta()
    offset = _OFFSET.fullmatch(zone)
    if offset is None:
        raise ValueError(
            f"unknown zone {abridged(zone)}, expected an offset such as -0500, or GMT, UT or UTC"
        )
    return _away(offset)


def _iso_offset(zone: str | None) -> timedelta:
    if zone == "Z":
        return timedelta()
    expected = "expected Z for UTC, or an offset such as -05:00"
    if zone is None:
        raise ValueError(f"the time zone is missing, {expected}")
    offset = _ISO_OFFSET.fullmatch(zone)
    if offset is None:
        raise ValueError(f"unknown zone {abridged(zone)}, {expected}")
    return _away(offset)


def _away(offset: re.Match[str]) -> timedelta:
    away = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
    return -away if offset[1] == "-" else away
