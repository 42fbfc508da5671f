"""Dates as Bulk Export files have them, against what `datetime` makes of the same numbers."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callkit.normaliser import to_table
from callkit.normaliser.dates import instants as cast_whole
from callkit.normaliser.dates import one_instant
from tests.normaliser.calls import (
    SID,
    body,
    instants,
    numbered,
    read,
    steady,
    wall_clocks,
    written,
)

FORM = "expected the form 'Tue, 14 Nov 2023 10:00:00 +0000' or '2023-11-14T10:00:00Z'"
ZONES = "expected Z for UTC, or an offset such as -05:00"

zones = st.just(("Z", timedelta())) | st.builds(
    lambda sign, hours, minutes, colon: (
        f"{sign}{hours:02}{colon}{minutes:02}",
        timedelta(hours=hours, minutes=minutes) * (1 if sign == "+" else -1),
    ),
    st.sampled_from("+-"),
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from(["", ":"]),
)
fractions = st.just(("", 0)) | st.builds(
    lambda digits, zeros: (f".{digits}{'0' * zeros}", int(digits.ljust(6, "0"))),
    st.text("0123456789", min_size=1, max_size=6),
    st.integers(0, 9),
)


def iso(instant: datetime) -> str:
    return f"{instant.year:04}-{instant:%m-%dT%H:%M:%S}Z"


@given(wall_clocks.filter(lambda local: 1900 < local.year < 9999), zones, fractions)
@steady
def test_every_form_gives_its_instant(
    local: datetime, zone: tuple[str, timedelta], fraction: tuple[str, int]
) -> None:
    text = iso(local).replace("Z", fraction[0] + zone[0])
    exact = local.replace(microsecond=fraction[1], tzinfo=UTC)
    assert read("start_time", text) == exact - zone[1]


@given(st.lists(st.tuples(st.none() | instants, st.booleans()), min_size=16))
@steady
def test_a_column_of_both_forms_is_cast_whole(dates: list[tuple[datetime | None, bool]]) -> None:
    texts = [date and (iso if in_iso else written)(date) for date, in_iso in dates]
    assert cast_whole(pa.array(texts, pa.string())).to_pylist() == [date for date, _ in dates]


edits = st.tuples(
    st.integers(0, 19), st.integers(0, 2), st.text(max_size=2) | st.sampled_from("0123456789")
)


@given(st.lists(st.tuples(instants, st.lists(edits, max_size=2)), min_size=16))
@steady
def test_the_cast_takes_nothing_that_one_by_one_is_refused(
    damaged: list[tuple[datetime, list[tuple[int, int, str]]]],
) -> None:
    texts = []
    for date, changes in damaged:
        text = iso(date)
        for place, length, put in changes:
            text = text[:place] + put + text[place + length :]
        texts.append(text)
    for text, cast in zip(texts, cast_whole(pa.array(texts)).to_pylist(), strict=True):
        assert cast in {None, one_by_one(text)}


def one_by_one(text: str) -> datetime | None:
    try:
        return one_instant(text)
    except ValueError:
        return None


def test_the_cast_takes_each_day_that_there_is_and_no_other() -> None:
    texts, meant = [], []
    for year in (1900, 1904, 2000, 2023, 2024, 2100, 2400, 9996, 9999):
        for month in range(20):
            for day in range(40):
                exists = 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
                texts.append(f"{year}-{month:02}-{day:02}T10:00:00Z")
                meant.append(datetime(year, month, day, 10, tzinfo=UTC) if exists else None)
    assert cast_whole(pa.array(texts)).to_pylist() == meant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2023-11-14T10:00:00", f"the time zone is missing, {ZONES}"),
        ("2023-11-14T10:00:00.250", f"the time zone is missing, {ZONES}"),
        ("2023-11-14T10:00:00 ", f"unknown zone ' ', {ZONES}"),
        ("2023-11-14T10:00:00z", f"unknown zone 'z', {ZONES}"),
        ("2023-11-14T10:00:00+01", f"unknown zone '+01', {ZONES}"),
        ("2023-11-14T10:00:00+24:00", f"unknown zone '+24:00', {ZONES}"),
        ("2023-11-14T10:00:00+01:60", f"unknown zone '+01:60', {ZONES}"),
        ("2023-11-14T10:00:00Zjunk", f"unknown zone 'Zjunk', {ZONES}"),
        ("2023-11-14T10:00:00Z\n", f"unknown zone 'Z\\n', {ZONES}"),
        ("2023-02-30T10:00:00Z", "day is out of range for month"),
        ("2023-13-01T10:00:00Z", "month must be in 1..12"),
        ("2023-11-14T24:00:00Z", "hour must be in 0..23"),
        ("2023-11-14T10:60:00Z", "minute must be in 0..59"),
        ("2016-12-31T23:59:60Z", "a leap second, which the column cannot hold"),
        ("1899-11-14T10:00:00Z", "the year is '1899', expected four digits from 1900 on"),
        ("0001-01-01T00:00:00Z", "the year is '0001', expected four digits from 1900 on"),
        ("9999-12-31T23:30:00-01:00", "date value out of range"),
        ("2023-11-14T10:00Z", "the seconds are missing, expected a time such as 10:00:00"),
        (
            "2023-11-14T10:00:00.1234567Z",
            "the seconds have a fraction of 7 digits, expected at most 6",
        ),
        ("2023-11-14T10:00:00.Z", FORM),
        ("2023-11-14T10:00:00,5Z", f"unknown zone ',5Z', {ZONES}"),
        ("2023-11-14 10:00:00Z", FORM),
        ("20231114T100000Z", FORM),
        ("2023-W46-2T10:00:00Z", FORM),
        ("2023-11-14", FORM),
        ("+02023-11-14T10:00:00Z", FORM),
        ("٢٠٢٣-11-14T10:00:00Z", FORM),
    ],
)
@pytest.mark.parametrize("others", [0, 20])
def test_what_is_no_date_is_refused_by_name(text: str, why: str, others: int) -> None:
    sent = [body(end_time=text), *(body(sid=numbered(n)) for n in range(others))]
    [failure] = to_table(sent)[1]
    assert failure.sid == SID
    assert failure.message.startswith(f"end_time: {text!r} is not a date")
    assert why in failure.message


@pytest.mark.parametrize("name", ["date_created", "date_updated", "start_time", "end_time"])
def test_every_date_of_a_call_may_be_in_it(name: str) -> None:
    assert read(name, "2023-11-14T10:00:00Z") == datetime(2023, 11, 14, 10, tzinfo=UTC)


@pytest.mark.parametrize("part", [".1", "1", "Z", "\n"])
def test_a_long_text_is_refused_in_no_time(part: str) -> None:
    with pytest.raises(ValueError, match="is not a date") as caught:
        one_instant("2023-11-14T10:00:00" + part * 100_000)
    assert len(str(caught.value)) < 250
