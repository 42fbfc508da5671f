"""Dates as Twilio writes them, against what `datetime` makes of the same numbers."""

from __future__ import annotations

import calendar
import locale
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from callkit.normaliser import to_table
from callkit.normaliser.dates import instants as cast_whole
from callkit.normaliser.dates import one_instant
from tests.normaliser.calls import (
    DAYS,
    MONTHS,
    SID,
    body,
    instants,
    numbered,
    read,
    steady,
    wall_clocks,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORM = "is not a date: expected the form 'Tue, 14 Nov 2023 10:00:00 +0000'"
ZONES = "expected an offset such as -0500, or GMT, UT or UTC"


offsets = st.builds(
    lambda sign, hours, minutes: (
        f"{sign}{hours:02}{minutes:02}",
        timedelta(hours=hours, minutes=minutes) * (1 if sign == "+" else -1),
    ),
    st.sampled_from("+-"),
    st.integers(0, 99) | st.integers(0, 14),
    st.integers(0, 59),
)
named_zones = st.sampled_from([(name, timedelta()) for name in ("GMT", "UT", "UTC", "-0000")])


@given(
    wall_clocks.filter(lambda local: 1900 < local.year < 9999),
    offsets | named_zones,
    st.booleans(),
    st.booleans(),
)
@steady
def test_every_form_gives_its_instant(
    local: datetime, zone: tuple[str, timedelta], with_weekday: bool, one_digit: bool
) -> None:
    weekday = f"{DAYS[local.weekday()]}, " if with_weekday else ""
    day = f"{local.day}" if one_digit else f"{local.day:02}"
    text = f"{weekday}{day} {MONTHS[local.month - 1]} {local.year:04} {local:%H:%M:%S} {zone[0]}"
    assert read("start_time", text) == (local - zone[1]).replace(tzinfo=UTC)


@given(st.lists(st.none() | instants, min_size=16))
@steady
def test_the_usual_form_is_cast_whole(dates: list[datetime | None]) -> None:
    texts = [date and written(date) for date in dates]
    assert cast_whole(pa.array(texts, pa.string())).to_pylist() == dates
    assert cast_whole(pa.array([None, *texts], pa.string())[1:]).to_pylist() == dates


def one_by_one(text: str) -> datetime | None:
    try:
        return one_instant(text)
    except ValueError:
        return None


edits = st.tuples(
    st.integers(0, 30), st.integers(0, 2), st.text(max_size=2) | st.sampled_from("0123456789")
)


@given(st.lists(st.tuples(instants, st.lists(edits, max_size=2)), min_size=16))
@steady
def test_the_cast_takes_nothing_that_one_by_one_is_refused(
    damaged: list[tuple[datetime, list[tuple[int, int, str]]]],
) -> None:
    texts = []
    for date, changes in damaged:
        text = written(date)
        for place, length, put in changes:
            text = text[:place] + put + text[place + length :]
        texts.append(text)
    for text, cast in zip(texts, cast_whole(pa.array(texts)).to_pylist(), strict=True):
        assert cast in {None, one_by_one(text)}


def test_the_cast_takes_each_day_that_there_is_and_no_other() -> None:
    texts, meant = [], []
    for year in (1900, 1904, 2000, 2023, 2024, 2100, 2400, 9996, 9999):
        for number, month in enumerate(MONTHS, start=1):
            for day in range(32):
                exists = 1 <= day <= calendar.monthrange(year, number)[1]
                instant = datetime(year, number, day if exists else 1, 10, tzinfo=UTC)
                weekday = DAYS[instant.weekday()]
                texts.append(f"{weekday}, {day:02} {month} {year} 10:00:00 +0000")
                meant.append(instant if exists else None)
    assert cast_whole(pa.array(texts)).to_pylist() == meant


@given(st.integers(1900, 2100), st.integers(1, 12), st.integers(29, 31), st.sampled_from(DAYS))
@steady
def test_a_day_that_no_month_has_is_refused(year: int, month: int, day: int, weekday: str) -> None:
    assume(day > calendar.monthrange(year, month)[1])
    date = f"{day} {MONTHS[month - 1]} {year} 10:00:00 +0000"
    assert read("start_time", date) is None
    assert read("start_time", f"{weekday}, {date}") is None


@given(instants, st.sampled_from(DAYS))
@steady
def test_a_weekday_must_be_the_dates_own(instant: datetime, weekday: str) -> None:
    text = weekday + written(instant)[3:]
    assert read("start_time", text) == (instant if weekday == DAYS[instant.weekday()] else None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Tue, 14 Nov 2023 24:00:00 +0000", "hour must be in 0..23"),
        ("Tue, 14 Nov 2023 10:60:00 +0000", "minute must be in 0..59"),
        ("Tue, 14 Nov 2023 10:00:61 +0000", "second must be in 0..59"),
        ("Sat, 31 Dec 2016 23:59:60 +0000", "a leap second, which the column cannot hold"),
        ("Mon, 14 Nov 2023 10:00:00 +0000", "the weekday is 'Mon', but that day is a Tue"),
        ("Di, 14 Nov 2023 10:00:00 +0000", "the weekday is 'Di', but that day is a Tue"),
        ("tue, 14 Nov 2023 10:00:00 +0000", "the weekday is 'tue', but that day is a Tue"),
        ("14 Foo 2023 10:00:00 +0000", "unknown month 'Foo', expected Jan, Feb, Mar"),
        ("14 NOV 2023 10:00:00 +0000", "unknown month 'NOV', expected Jan, Feb, Mar"),
        ("Wed, 31 Feb 2024 10:00:00 +0000", "day is out of range for month"),
        ("Wed, 00 Feb 2024 10:00:00 +0000", "day is out of range for month"),
        ("14 Nov 1899 10:00:00 +0000", "the year is '1899', expected four digits from 1900 on"),
        ("14 Nov 0023 10:00:00 +0000", "the year is '0023', expected four digits from 1900 on"),
        ("14 Nov 23 10:00:00 +0000", "the year is '23', expected four digits from 1900 on"),
        ("14 Nov 123 10:00:00 +0000", "the year is '123', expected four digits from 1900 on"),
        ("14 Nov 12023 10:00:00 +0000", "the year is '12023', expected four digits from 1900 on"),
        ("Fri, 31 Dec 9999 23:30:00 -0100", "date value out of range"),
        ("Tue, 14 Nov 2023 10:00 +0000", "the seconds are missing, expected a time such as"),
        ("Tue, 14 Nov 2023 10:00:00 EST", f"unknown zone 'EST', {ZONES}"),
        ("Tue, 14 Nov 2023 10:00:00 Z", f"unknown zone 'Z', {ZONES}"),
        ("Tue, 14 Nov 2023 10:00:00 gmt", f"unknown zone 'gmt', {ZONES}"),
        ("Tue, 14 Nov 2023 10:00:00 +00:00", f"unknown zone '+00:00', {ZONES}"),
        ("Tue, 14 Nov 2023 10:00:00 +0060", f"unknown zone '+0060', {ZONES}"),
        ("Tue, 14 Nov 2023 10:00:00 +000", f"unknown zone '+000', {ZONES}"),
        ("Tue, 14 Nov 2023 10:00:00 +0000junk", f"unknown zone '+0000junk', {ZONES}"),
        ("Tue, 14 Nov 2023 10:00:00 +0000\n", f"unknown zone '+0000\\n', {ZONES}"),
        ("Tue, 14 Nov 2023 10:00:00 +0000 (UTC)", f"unknown zone '+0000 (UTC)', {ZONES}"),
        ("Tue, 14 Nov 2023 10:00:00  +0000", f"unknown zone ' +0000', {ZONES}"),
        ("Tue, 14 Nov 2023 10:00:00", FORM),
        ("Tue, 14 Nov 2023 10:00:00\n+0000", FORM),
        ("Tue, 14 Nov 2023", FORM),
        ("Tue, ١٤ Nov 2023 10:00:00 +0000", FORM),
        ("Tue, 14 N(x)ov 2023 10:00:00 +0000", FORM),
        ("Tue, 14 Nov 2023 10 : 00 : 00 +0000", FORM),
        ("Tue,  14 Nov 2023 10:00:00 +0000", FORM),
        ("Tue, 14 Nov\r\n 2023 10:00:00 +0000", FORM),
        (" Tue, 14 Nov 2023 10:00:00 +0000", FORM),
        ("14/11/2023", FORM),
        ("1699956000", FORM),
        (" ", FORM),
    ],
)
@pytest.mark.parametrize("others", [0, 20])
def test_what_is_no_date_is_refused_by_name(text: str, why: str, others: int) -> None:
    sent = [body(end_time=text), *(body(sid=numbered(n)) for n in range(others))]
    [failure] = to_table(sent)[1]
    assert failure.sid == SID
    assert failure.message.startswith(f"end_time: {text!r} is not a date")
    assert why in failure.message


@pytest.mark.parametrize("part", ["(", "\r\n", " ", "14 ", "Tue, ", "1", "x"])
def test_a_long_text_is_refused_in_no_time(part: str) -> None:
    with pytest.raises(ValueError, match="is not a date") as caught:
        one_instant(part * 100_000)
    assert len(str(caught.value)) < 250


@pytest.fixture(scope="module")
def compiled_locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of locales compiled from glibc's sources, as far as this machine has them."""
    folder = tmp_path_factory.mktemp("locales")
    localedef = shutil.which("localedef")
    for name in ("de_DE", "tr_TR"):
        if localedef:
            command = [localedef, "-i", name, "-f", "UTF-8", folder / f"{name}.UTF-8"]
            subprocess.run(command, capture_output=True, check=False)
    return folder


@pytest.fixture(params=["de_DE.UTF-8", "tr_TR.UTF-8"])
def _elsewhere(
    request: pytest.FixtureRequest, compiled_locales: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    before = locale.setlocale(locale.LC_ALL)
    if (compiled_locales / request.param).exists():
        monkeypatch.setenv("LOCPATH", str(compiled_locales))
    try:
        locale.setlocale(locale.LC_ALL, request.param)
    except locale.Error:
        pytest.skip(f"the locale {request.param} is not installed here, nor can it be compiled")
    assert f"{datetime(2023, 3, 14, tzinfo=UTC):%a %b}" != "Tue Mar"
    yield
    locale.setlocale(locale.LC_ALL, before)


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize("text", ["Tue, 14 Mar 2023 10:00:00 +0000", "14 Mar 2023 05:00:00 -0500"])
def test_the_locale_is_not_asked(text: str) -> None:
    assert read("start_time", text) == datetime(2023, 3, 14, 10, tzinfo=UTC)
    assert read("start_time", "Di, 14 Mär 2023 10:00:00 +0000") is None
