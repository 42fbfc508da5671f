"""The date column of a SID list: what it may hold, and on which UTC day a call then started."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from callkit.errors import InvalidSidError, SidListError
from callkit.sids import CallKey, read_dated_sids
from callkit.start_days import start_days

if TYPE_CHECKING:
    from pathlib import Path

    from callkit.sids import SidSource

ONE, TWO, THREE = (f"CA{digit * 32}" for digit in "abc")
ACCOUNT = "AC" + "1" * 32
FIRST, SECOND = date(2025, 3, 1), date(2025, 3, 2)
IN_NEW_YORK = timezone(timedelta(hours=-5))
LATE = datetime(2025, 3, 1, 23, 30, tzinfo=IN_NEW_YORK)  # on 2 March in UTC


def days(source: SidSource, column: str = "when") -> dict[str, date]:
    return start_days(read_dated_sids(source, column))


def day_of(value: Any, dtype: Any = object) -> date | None:
    """Read the day of one call whose date is `value`."""
    frame = pd.DataFrame({"sid": [ONE], "when": pd.Series([value], dtype=dtype)})
    return days(frame).get(ONE)


@pytest.mark.parametrize(
    "value",
    [
        "2025-03-01",
        " 2025-03-01 ",
        "2025-03-01T23:30:00",
        "2025-03-01 23:30:00",
        "2025-03-01T23:30:00Z",
        "2025-03-01 23:30:00.123456+00:00",
        "2025-03-02T00:30:00+01:00",
        "Sat, 01 Mar 2025 23:30:00 +0000",
        "Sun, 02 Mar 2025 00:30:00 +0100",
        FIRST,
        datetime(2025, 3, 1, 23, 30),  # noqa: DTZ001
        datetime(2025, 3, 1, 23, 30, tzinfo=UTC),
        pd.Timestamp("2025-03-01 23:30"),
        pd.Timestamp("2025-03-02 00:30", tz="Europe/Berlin"),
    ],
    ids=repr,
)
def test_a_date_or_time_is_a_day_in_utc(value: object) -> None:
    assert day_of(value) == FIRST


@pytest.mark.parametrize(
    "dtype",
    [
        "datetime64[s]",
        "datetime64[ns]",
        "datetime64[us, America/New_York]",
        pd.ArrowDtype(pa.timestamp("us")),
        pd.ArrowDtype(pa.timestamp("ms", "America/New_York")),
    ],
    ids=str,
)
def test_a_column_of_times_is_converted_to_utc_where_it_has_a_zone(dtype: Any) -> None:
    has_zone = "York" in str(dtype)
    value = LATE if has_zone else LATE.replace(tzinfo=None)
    assert day_of(value, dtype) == (SECOND if has_zone else FIRST)


@pytest.mark.parametrize("dtype", ["str", "category", pd.ArrowDtype(pa.string())], ids=str)
def test_text_may_be_of_any_dtype(dtype: Any) -> None:
    assert day_of("2025-03-01T23:30:00-05:00", dtype) == SECOND


def test_a_column_of_dates_may_be_arrows() -> None:
    assert day_of(FIRST, pd.ArrowDtype(pa.date32())) == FIRST


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        *((value, object) for value in (None, "", "  ", float("nan"), pd.NA, pd.NaT)),
        *((None, dtype) for dtype in ("str", "datetime64[us]", "datetime64[us, UTC]", "float64")),
        (None, pd.ArrowDtype(pa.timestamp("us"))),
        (None, pd.ArrowDtype(pa.date32())),
    ],
    ids=repr,
)
def test_a_call_without_a_date_is_left_out(value: object, dtype: Any) -> None:
    assert day_of(value, dtype) is None


@pytest.mark.parametrize(
    "value",
    [
        *("0001-01-01", "1900-01-01", "1970-01-01T00:00:00Z", "9999-12-31"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-05:00"),
        date.min,
        date.max,
        datetime.max.replace(tzinfo=IN_NEW_YORK),
    ],
    ids=repr,
)
def test_a_date_on_which_no_call_can_have_started_is_left_out(value: object) -> None:
    assert day_of(value) is None


@pytest.mark.parametrize("year", [-20_000, 1, 9_999, 20_000])
def test_so_is_one_in_a_column_of_times(year: int) -> None:
    times = np.array([year - 1970], "datetime64[Y]").astype("datetime64[s]")
    assert days(pd.DataFrame({"sid": [ONE], "when": times})) == {}


@pytest.mark.parametrize(
    "value", ["13/04/2025", "01.03.2025 12:30", "2025-02-30", "2025-3-1", "03/01/2025 11:30:00 PM"]
)
def test_a_date_in_another_form_is_named(value: str) -> None:
    expected = f"Row 1 has '{value}' in the date column 'when': expected .* '2025-03-01', "
    with pytest.raises(SidListError, match=expected):
        day_of(value)


@pytest.mark.parametrize(
    "value",
    ["+442079460000", "020-7946-0000", "01.23.45.67.89", "Ada Lovelace", "1741822200", "x" * 300],
)
def test_text_that_may_be_personal_data_is_not_shown(value: str) -> None:
    with pytest.raises(SidListError, match="Row 1 has text that is not a date in") as caught:
        day_of(value)
    assert value[:8] not in str(caught.value)


@pytest.mark.parametrize("value", [1741822200, 45717.5, True, LATE.time(), b"2025-03-01", [FIRST]])
def test_what_is_neither_text_nor_time_is_named_by_its_type(value: object) -> None:
    expected = f"Row 1 has a value of type {type(value).__name__} in the date column 'when'"
    with pytest.raises(SidListError, match=expected):
        day_of(value)


def test_the_row_of_a_wrong_date_is_named() -> None:
    frame = pd.DataFrame({"sid": [ONE, TWO, THREE], "when": ["2025-03-01", None, "March"]})
    with pytest.raises(SidListError, match="Row 3 has"):
        days(frame)


def test_the_first_date_of_a_call_counts() -> None:
    frame = pd.DataFrame(
        {"sid": [ONE, TWO, ONE.upper(), TWO], "when": [FIRST, None, SECOND, SECOND]}
    )
    assert days(frame) == {ONE: FIRST, TWO: SECOND}


@pytest.mark.parametrize("index", ["sid", "when", ["sid", "when"]])
def test_the_date_may_be_in_the_index_as_the_sid_may(index: Any) -> None:
    frame = pd.DataFrame({"sid": [ONE, TWO], "when": [FIRST, SECOND]}).set_index(index)
    assert days(frame) == {ONE: FIRST, TWO: SECOND}


def test_the_calls_are_those_of_the_list_without_the_dates() -> None:
    frame = pd.DataFrame(
        {"sid": [ONE.upper(), TWO, ONE], "account_sid": [ACCOUNT, None, None], "when": FIRST}
    )
    expected = [CallKey(ONE, ACCOUNT), CallKey(TWO, None)]
    assert read_dated_sids(frame, "when").keys == expected


def test_an_empty_frame_has_no_dates() -> None:
    assert days(pd.DataFrame({"sid": [], "when": []})) == {}


@pytest.mark.parametrize(("suffix", "separator"), [("csv", ","), ("tsv", "\t")])
def test_a_csv_file_may_have_a_date_column(tmp_path: Path, suffix: str, separator: str) -> None:
    path = tmp_path / f"sids.{suffix}"
    rows = [("when", "sid", "account_sid"), ("2025-03-01", ONE, ACCOUNT), ("", TWO, "")]
    path.write_text("\n".join(separator.join(row) for row in rows))
    dated = read_dated_sids(path, "when")
    assert dated.keys == [CallKey(ONE, ACCOUNT), CallKey(TWO, None)]
    assert start_days(dated) == {ONE: FIRST}


def test_the_end_of_a_row_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "sids.csv").write_text(f"sid,when\n{ONE}\n{TWO},2025-03-01\n")
    assert days(tmp_path / "sids.csv") == {TWO: FIRST}


def test_a_parquet_file_may_have_a_date_column(tmp_path: Path) -> None:
    path = tmp_path / "sids.parquet"
    pd.DataFrame({"sid": [ONE, TWO], "when": [LATE, None]}).to_parquet(path)
    assert days(path) == {ONE: SECOND}


def test_a_parquet_file_may_name_a_zone_that_nobody_knows(tmp_path: Path) -> None:
    when = pa.array([LATE], pa.timestamp("us", "Mars/Olympus"))
    pq.write_table(pa.table({"sid": [ONE], "when": when}), tmp_path / "sids.parquet")
    assert days(tmp_path / "sids.parquet") == {ONE: SECOND}


def test_a_list_with_dates_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)
    with ThreadPoolExecutor() as pool:
        pool.submit(path.write_text, f"sid,when\n{ONE},2025-03-01\n")
        assert days(path) == {ONE: FIRST}


def test_a_missing_date_column_is_answered_with_those_there_are(tmp_path: Path) -> None:
    expected = "has no column 'date'. Available columns: 'sid', 'when'"
    frame = pd.DataFrame({"sid": [ONE], "when": [FIRST]})
    frame.to_csv(tmp_path / "sids.csv", index=False)
    frame.to_parquet(tmp_path / "sids.parquet")
    for source in (frame, tmp_path / "sids.csv", tmp_path / "sids.parquet"):
        with pytest.raises(SidListError, match=expected):
            read_dated_sids(source, "date")


def test_a_date_column_that_is_there_twice_is_refused() -> None:
    frame = pd.DataFrame([[ONE, FIRST, FIRST]], columns=["sid", "when", "when"])
    with pytest.raises(SidListError, match="has 2 columns named 'when': keep one"):
        read_dated_sids(frame, "when")


def test_the_sids_are_no_dates() -> None:
    with pytest.raises(SidListError, match="Row 1 has text that is not a date .* column 'sid'"):
        days(pd.DataFrame({"sid": [ONE]}), "sid")


@pytest.mark.parametrize(
    "source", [[ONE], pd.Series([ONE]), iter([ONE])], ids=["list", "Series", "iterator"]
)
def test_a_list_without_columns_has_no_date_column(source: SidSource) -> None:
    expected = "Cannot read the date column 'when' from a .*: it needs a DataFrame, or a CSV"
    with pytest.raises(SidListError, match=expected):
        read_dated_sids(source, "when")


def test_a_text_file_has_no_date_column(tmp_path: Path) -> None:
    (tmp_path / "sids.txt").write_text(ONE)
    with pytest.raises(SidListError, match="date column 'when' from the text file '.*sids.txt'"):
        read_dated_sids(tmp_path / "sids.txt", "when")


def test_a_malformed_sid_is_refused_as_ever() -> None:
    with pytest.raises(InvalidSidError, match="row 1: 'CA1'"):
        read_dated_sids(pd.DataFrame({"sid": ["CA1"], "when": [FIRST]}), "when")
