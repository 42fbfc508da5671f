"""What ``started=`` and the other parameters of a date range may be given."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from callkit import CallList
from callkit.errors import CallListError
from callkit.fetch.responses import server_now
from tests.fuzz.damage import damaged
from tests.fuzz.kinds import RESULT, check_sentence

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["Dates"]

_NAIVE = datetime  # what users give has no zone, too
_WORDS = [
    *(b"-", b":", b"T", b"Z", b"W", b"+", b".", b" ", b"0000", b"0001", b"9999", b"10000", b"24"),
    *(b"99", b"W53", b"-7", b"366", b"\xd9\xa1", b"\xef\xbc\x91", b"\x00", b"+14:00", b"-23:59"),
    *(b"+24:00", b"+00:00:00.000001", b"9" * 400, b"today", b"yesterday", b"d", b"w", b"m", b"y"),
]
_TEXTS = [
    *(b"2025-03-01", b"2025-04-01", b"2025-03-01T12:30:00", b"2025-03-30T02:30:00+01:00"),
    *(
        b"20250301",
        b"2025-W10-1",
        b"2025-060",
        b"0001-01-01",
        b"9999-12-31T23:59:59Z",
        b"2024-02-29",
    ),
    *(b"today", b"yesterday", b"-7d", b"-12w", b"-24m", b"-365d", b"2025-03-02T00:00:00+05:45"),
    *(b"today", b"yesterday", b"-1d", b"-3w", b"-1m", b"-9999d", b"-9999w", b"-9999m"),
]
_MOMENTS: list[object] = [
    *(date.min, date.max, _NAIVE.min, _NAIVE.max, date(2025, 3, 1), _NAIVE(2025, 4, 1)),
    *(
        _NAIVE.min.replace(tzinfo=UTC),
        _NAIVE.max.replace(tzinfo=timezone(timedelta(hours=-12))),
    ),
    *(datetime(2025, 3, 30, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")), pd.NaT, None, 0, 1.5, True),
    *(pd.Timestamp.min, pd.Timestamp.max, pd.Timestamp("2025-03-01", tz="Asia/Kathmandu")),
    *(np.datetime64("2025-03-01"), np.datetime64("NaT"), float("nan"), b"2025-03-01", (), [], {}),
    *(pd.Period("2025-03"), pd.Timedelta("1D"), object(), "\ud800", pd.Timestamp("0001-01-01")),
]
_ZONES: list[Any] = [
    *("UTC", "UTC", "UTC", "Europe/Berlin", "Pacific/Apia", "America/New_York", "Etc/GMT+12", ""),
    *("../UTC", "/etc/passwd", "Europe", "posixrules", "x" * 5_000, "\0", "\ud800", None, 7, "é"),
]
_CLOCKS = [
    *(b"Sat, 01 Mar 2025 00:00:00 GMT", b"Mon, 01 Jan 0001 00:00:00 GMT", b"", b"now"),
    *(b"Fri, 31 Dec 9999 23:59:59 GMT", b"Thu, 01 Jan 1970 00:00:00 -2359"),
]
_PARTIES: list[Any] = [
    None,
    None,
    None,
    "+442079460000",
    "02079460000",
    "",
    "\0",
    "sip:",
    7,
    "\ud800",
]


class Dates:
    """Ranges of text, dates and other values, in zones, counted back from hostile clocks."""

    at_once = 200

    def make(self, rng: random.Random) -> tuple[object, Any, bytes, Any]:
        shape = rng.random()
        started: object = (_moment(rng), _moment(rng))
        if shape < 0.3:
            started = _moment(rng)
        elif shape < 0.35:
            started = [_moment(rng) for _ in range(rng.randrange(4))]
        clock = damaged(rng, rng.choice(_CLOCKS), _WORDS)
        zone = rng.choice(_ZONES if rng.random() < 0.1 else _ZONES[:7])
        party = rng.choice(_PARTIES) if rng.random() < 0.1 else None
        return started, zone, clock, party

    def outcomes(self, inputs: Sequence[Any]) -> list[str]:
        return [_outcome(*each) for each in inputs]


def _moment(rng: random.Random) -> object:
    if rng.random() < 0.25:
        return rng.choice(_MOMENTS)
    text = rng.choice(_TEXTS)
    if rng.random() < 0.6:
        text = damaged(rng, text, _WORDS)
    return text.decode("utf-8", "surrogateescape")


def _outcome(started: Any, zone: Any, clock: bytes, party: Any) -> str:
    try:
        asked = CallList(started=started, tz=zone, to=party)
        found = asked.between(server_now({"Date": clock.decode("latin-1")}))
    except CallListError as error:
        return check_sentence(error)
    assert found.start.utcoffset() == timedelta(0)
    assert found.start < found.end
    days = found.days()
    assert days[0] <= days[-1] < date.max
    assert len(days) <= 3_700
    asked.filters()
    repr(asked)
    return RESULT
