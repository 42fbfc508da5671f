"""Dates by RFC 5322, against what `datetime` makes of the same numbers."""

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

from callkit.normalise import to_table
from callkit.normalise.dates import instants as cast_whole
from callkit.normalise.dates import one_instant
from tests.normalise.calls import (
    COLUMNS,
    DAYS,
    MONTHS,
    body,
    instants,
    steady,
    wall_clocks,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read(text: str) -> datetime | None:
    """Read one date through the column, as `normalise` does; None if it is refused."""
    values, broken = typed_column(COLUMNS["start_time"], pa.array([text]))
    assert bool(broken) == (values[0].as_py() is None)
    value: datetime | None = values[0].as_py()
    return value


offsets = st.builds(
    lambda sign, hours, minutes: (
        f"{sign}{hours:02}{minutes:02}",
        timedelta(hours=hours, minutes=minutes) * (1 if sign == "+" else -1),
    ),
    st.sampled_from("+-"),
    st.integers(0, 99) | st.integers(0, 14),
    st.integers(0, 59),
)
NAMED = {"UT": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6}
NAMED |= {"PST": -8, "PDT": -7} | dict.fromkeys("ABCDEFGHIKLMNOPQRSTUVWXYZ", 0)
named_zones = st.sampled_from([(name, timedelta(hours=away)) for name, away in NAMED.items()])
gaps = st.sampled_from([" ", "  ", "\t", "\r\n ", " (so (to) say\\) it) ", "(a)(b) ", " \r\n\t"])
cases = st.sampled_from([str, str.lower, str.upper])


@given(
    wall_clocks.filter(lambda local: local.year < 9999),
    offsets | named_zones,
    gaps,
    cases,
    st.data(),
)
@steady
def test_every_form_gives_its_instant(
    local: datetime, zone: tuple[str, timedelta], gap: str, case: type[str], data: st.DataObject
) -> None:
    if data.draw(st.booleans(), "without seconds"):
        local = local.replace(second=0)
    years = [f"{local.year:04}"]
    if 1950 <= local.year <= 2049:
        years.append(f"{local.year % 100:02}")
    if 1900 <= local.year <= 2899:
        years.append(f"{local.year - 1900:03}")
    day = data.draw(st.sampled_from([f"{local.day}", f"{local.day:02}"]))
    month = case(MONTHS[local.month - 1])
    weekday = data.draw(st.sampled_from(["", f"{case(DAYS[local.weekday()])},{gap}"]))
    colon = data.draw(st.sampled_from([":", " : ", "(h):"]))
    time = f"{local.hour:02}{colon}{local.minute:02}"
    if local.second or data.draw(st.booleans()):
        time += f"{colon}{local.second:02}"
    text = gap.join([day, month, data.draw(st.sampled_from(years)), time, case(zone[0])])
    end = data.draw(st.sampled_from(["", " ", "(the end)"]))
    assert read(f"{weekday}{text}{end}") == (local - zone[1]).replace(tzinfo=UTC)


@given(instants)
@steady
def test_the_usual_form_is_cast_whole(instant: datetime) -> None:
    assert cast_whole(pa.array([written(instant), None])).to_pylist() == [instant, None]


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
    assert read(date) is None
    assert read(f"{weekday}, {date}") is None


@given(instants, st.sampled_from(DAYS))
@steady
def test_a_weekday_must_be_the_dates_own(instant: datetime, weekday: str) -> None:
    text = weekday + written(instant)[3:]
    assert read(text) == (instant if weekday == DAYS[instant.weekday()] else None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Tue, 14 Nov 2023 24:00:00 +0000", "hour must be in 0..23"),
        ("Tue, 14 Nov 2023 10:60:00 +0000", "minute must be in 0..59"),
        ("Tue, 14 Nov 2023 10:00:61 +0000", "second must be in 0..59"),
        ("Sat, 31 Dec 2016 23:59:60 +0000", "a leap second is more than this column can hold"),
        ("Mon, 14 Nov 2023 10:00:00 +0000", "that day is a Tue"),
        ("Tue, 14 Nov 2023 10:00:00 CET", "RFC 5322 knows no zone 'CET'"),
        ("Tue, 14 Nov 2023 10:00:00 J", "RFC 5322 knows no zone 'J'"),
        ("14 Foo 2023 10:00:00 +0000", "there is no month 'Foo'"),
        ("14 Nov 1899 10:00:00 +0000", "years begin with 1900"),
        ("14 Nov 0023 10:00:00 +0000", "years begin with 1900"),
        ("14 Nov 12023 10:00:00 +0000", "year 12023 is out of range"),
        ("Fri, 31 Dec 9999 23:30:00 -0100", "date value out of range"),
        ("Tue, 14 Nov 2023 10:00:00", "is not a date as RFC 5322 writes it"),
        ("Tue, 14 Nov 2023", "is not a date as RFC 5322 writes it"),
        ("Tue, 14 Nov 2023 10:00:00 +00:00", "is not a date as RFC 5322 writes it"),
        ("Tue, 14 Nov 2023 10:00:00 +0060", "is not a date as RFC 5322 writes it"),
        ("Tue, 14 Nov 2023 10:00:00 +000", "is not a date as RFC 5322 writes it"),
        ("Tue, 14 Nov 2023 10:00:00 +0000junk", "is not a date as RFC 5322 writes it"),
        ("Tue, 14 Nov 2023 10:00:00 +0000\n", "is not a date as RFC 5322 writes it"),
        ("Tue, 14 Nov 2023 10:00:00\n+0000", "is not a date as RFC 5322 writes it"),
        ("Tue, ١٤ Nov 2023 10:00:00 +0000", "is not a date as RFC 5322 writes it"),
        ("Tue, 14 Nov 2023 10:00:00 +0000 (open", "is not a date as RFC 5322 writes it"),
        ("Tue, 14 Nov 2023 10:00:00 +0000 shut)", "is not a date as RFC 5322 writes it"),
        ("Tue, 14 N(x)ov 2023 10:00:00 +0000", "is not a date as RFC 5322 writes it"),
        ("Di, 14 Nov 2023 10:00:00 +0000", "is not a date as RFC 5322 writes it"),
        ("2023-11-14T10:00:00Z", "is not a date as RFC 5322 writes it"),
        ("14/11/2023", "is not a date as RFC 5322 writes it"),
        ("1699956000", "is not a date as RFC 5322 writes it"),
        (" ", "is not a date as RFC 5322 writes it"),
    ],
)
def test_what_is_no_date_is_refused_by_name(text: str, why: str) -> None:
    [failure] = to_table([body(end_time=text)])[1]
    assert failure.message.startswith(f"end_time: {text!r} is not a date")
    assert why in failure.message


@pytest.mark.parametrize(
    "text", ["(" * 100_000, "\r\n" * 100_000, " " * 100_000 + "x", "()" * 50_000]
)
def test_a_long_text_is_refused_in_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date"):
        one_instant(text)


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
@pytest.mark.parametrize(
    "text",
    [
        "Tue, 14 Mar 2023 10:00:00 +0000",
        "tue, 14 mar 23 05:00 EST",
        "TUE, 14 MAR 2023 10:00:00 -0000 (dienstags)",
    ],
)
def test_the_locale_is_not_asked(text: str) -> None:
    assert read(text) == datetime(2023, 3, 14, 10, tzinfo=UTC)
    assert read("Di, 14 Mär 2023 10:00:00 +0000") is None
