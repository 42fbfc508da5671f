"""Dates as RFC 5322 (the successor of RFC 2822) writes them → instants in UTC.

Nothing here asks the locale. The form that Twilio uses is cast by the column; what that does not
take is read one by one, by the grammar of RFC 5322 §3.3 and its obsolete forms in §4.3.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from callkit.normalise.amounts import matching
from callkit.normalise.body import abridged

__all__ = ["instants", "one_instant"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EARLIEST_YEAR = 1900  # RFC 5322 §3.3

_YEAR = "(19|[2-9][0-9])[0-9]{2}"
_LEAP_YEAR = (
    "(19(0[48]|[2468][048]|[13579][26])|[2-9][0-9](0[48]|[2468][048]|[13579][26])"
    "|([2468][048]|[3579][26])00)"
)
_USUAL_FORM = (
    "^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), "
    f"((0[1-9]|1[0-9]|2[0-8]) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {_YEAR}"
    f"|(29|30) (Jan|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {_YEAR}"
    f"|31 (Jan|Mar|May|Jul|Aug|Oct|Dec) {_YEAR}"
    f"|29 Feb {_LEAP_YEAR})"
    " ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9] [+]0000$"
)

_ANY_FORM = re.compile(
    r"(?:(?P<weekday>[a-z]{3}) ?, ?)?"
    r"(?P<day>[0-9]{1,2}) ?(?P<month>[a-z]{3}) ?(?P<year>[0-9]{2,9}) "
    r"(?P<hour>[0-9]{2}) ?: ?(?P<minute>[0-9]{2})(?: ?: ?(?P<second>[0-9]{2}))?"
    r"(?: (?P<sign>[+-])(?P<hours>[0-9]{2})(?P<minutes>[0-5][0-9])| ?(?P<zone>[a-z]{1,3}))",
    re.ASCII | re.IGNORECASE,
)
_FOLD = re.compile(r"\r\n(?=[ \t])")
_SPACES = re.compile(r"[ \t]+")
_COMMENT_PARTS = re.compile(r"\\.|[()]", re.DOTALL)
_ZONES = {"UT": 0, "GMT": 0, "EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7}
_ZONES |= {"PDT": -7, "PST": -8}
_ZONES |= dict.fromkeys("ABCDEFGHIKLMNOPQRSTUVWXYZ", 0)  # §4.3: take the military ones for -0000


def instants(text: pa.Array) -> pa.Array:
    """Cast dates in their usual form (``Tue, 14 Nov 2023 10:00:00 +0000``); null the others."""
    usual = matching(text, _USUAL_FORM)
    month = pc.index_in(pc.utf8_slice_codeunits(usual, 8, 11), pa.array(_MONTHS))
    iso = pc.binary_join_element_wise(
        pc.utf8_slice_codeunits(usual, 12, 16),
        pa.array([f"{number:02}" for number in range(1, 13)]).take(month),
        pc.binary_join_element_wise(
            pc.utf8_slice_codeunits(usual, 5, 7), pc.utf8_slice_codeunits(usual, 17, 25), "T"
        ),
        "-",
    )
    times = iso.cast(pa.timestamp("us"))
    weekday = pc.index_in(pc.utf8_slice_codeunits(usual, 0, 3), pa.array(_DAYS))
    agreeing = pc.equal(pc.day_of_week(times).cast(pa.int32()), weekday)  # RFC 5322 §3.3
    if not pc.all(agreeing).as_py():
        times = pc.if_else(agreeing, times, pa.scalar(None, times.type))
    return times.cast(pa.timestamp("us", tz="UTC"))


def one_instant(text: str) -> datetime:
    """Read one date by RFC 5322.

    Examples
    --------
    >>> one_instant("14 Nov 23 10:00 EST (that is New York)").isoformat()
    '2023-11-14T15:00:00+00:00'
    """
    form = _ANY_FORM.fullmatch(_SPACES.sub(" ", _without_comments(text)).strip(" "))
    if form is None:
        raise ValueError(
            f"{abridged(text)} is not a date as RFC 5322 writes it "
            "('Tue, 14 Nov 2023 10:00:00 +0000')"
        )
    try:
        return _instant(form)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{abridged(text)} is not a date: {error}") from None


def _instant(form: re.Match[str]) -> datetime:
    if form["second"] == "60":
        raise ValueError("a leap second is more than this column can hold")
    month = form["month"].capitalize()
    if month not in _MONTHS:
        raise ValueError(f"there is no month {month!r}")
    local = datetime(
        _year(form["year"]),
        _MONTHS.index(month) + 1,
        int(form["day"]),
        int(form["hour"]),
        int(form["minute"]),
        int(form["second"] or 0),
        tzinfo=UTC,
    )
    if form["weekday"] and form["weekday"].capitalize() != _DAYS[local.weekday()]:
        raise ValueError(f"that day is a {_DAYS[local.weekday()]}")
    return local - _offset(form)


def _year(digits: str) -> int:
    """Read a year; §4.3 says which century fewer than four digits mean."""
    year = int(digits)
    match len(digits):
        case 2:
            return year + (2000 if digits < "50" else 1900)
        case 3:
            return year + 1900
    if year < _EARLIEST_YEAR:
        raise ValueError(f"years begin with {_EARLIEST_YEAR}")
    return year


def _offset(form: re.Match[str]) -> timedelta:
    if form["zone"]:
        zone = form["zone"].upper()
        if zone not in _ZONES:
            raise ValueError(f"RFC 5322 knows no zone {zone!r}")
        return timedelta(hours=_ZONES[zone])
    away = timedelta(hours=int(form["hours"]), minutes=int(form["minutes"]))
    return -away if form["sign"] == "-" else away


def _without_comments(text: str) -> str:
    """Put a space for each comment: parentheses nest, and a backslash quotes what follows it."""
    text = _FOLD.sub("", text)
    kept = []
    depth = begin = 0
    for part in _COMMENT_PARTS.finditer(text):
        if part[0] == "(":
            if depth == 0:
                kept.append(text[begin : part.start()])
            depth += 1
        elif part[0] == ")" and depth > 0:
            depth -= 1
            begin = part.end()
    return " ".join([*kept, text[begin:]]) if depth == 0 else text
