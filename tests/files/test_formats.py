from __future__ import annotations

import csv
import json
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import callkit
from callkit.errors import ParquetError
from callkit.files.exporting import format_named
from callkit.files.formats import csv_file, json_lines, read_csv, read_json_lines
from callkit.normaliser import to_table
from callkit.schema import SCHEMA
from tests.support.scripted import call_body, sid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callkit.files import FormatName

FORMATS = pytest.mark.parametrize(
    ("written", "read"),
    [(csv_file, read_csv), (json_lines, read_json_lines)],
    ids=["csv", "jsonl"],
)
ODD_NAME = 'Zoë "Z",\r\n\u2028;\t\\ =1+1'
CALL: dict[str, Any] = {
    "caller_name": ODD_NAME,
    "duration": "65",
    "price": "-0.0001",
    "price_unit": "USD",
    "queue_time": "1500",
    "start_time": "Sun, 09 Mar 2025 09:05:17 +0100",
    "status": "completed",
    "to": "+14155550100",
}
BODIES = [
    call_body(sid(1), **CALL),
    call_body(sid(2)),
    call_body(
        sid(3),
        **CALL
        | {
            "price": "0.00000001",
            "caller_name": "\r",
            "status": "frozen",
            "end_time": "2025-03-09T08:06:22.25Z",
        },
    ),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls"


def write(written: Any, path: Path, bodies: Sequence[bytes] = BODIES) -> pd.DataFrame:
    """Write bodies as two tables, and give the frame that they make."""
    tables = [to_table(bodies[:2])[0], to_table(bodies[2:])[0]]
    with written(path, SCHEMA, dict) as write_table:
        for table in tables:
            write_table(table)
    return callkit.normalise(bodies)


@FORMATS
@pytest.mark.parametrize("bodies", [BODIES, BODIES[:1], BODIES[1:2], []])
def test_calls_come_back_as_they_went(
    path: Path, written: Any, read: Any, bodies: Sequence[bytes]
) -> None:
    df = write(written, path, bodies)
    pd.testing.assert_frame_equal(read(path, SCHEMA), df)


@FORMATS
def test_many_calls_come_back_as_they_went(
    calls: pd.DataFrame, path: Path, written: Any, read: Any
) -> None:
    callkit.to_parquet(calls, path)
    table = pa.parquet.read_table(path, schema=SCHEMA)
    with written(path, SCHEMA, dict) as write_table:
        write_table(table)
    pd.testing.assert_frame_equal(read(path, SCHEMA), calls)


@FORMATS
@pytest.mark.parametrize("name", ["x" * 3_000_000, "x\r\n" * 1_000_000], ids=["line", "lines"])
def test_a_call_of_several_megabytes_comes_back_as_it_went(
    path: Path, written: Any, read: Any, name: str
) -> None:
    bodies = [BODIES[0], call_body(sid(4), **CALL | {"caller_name": name}), BODIES[1]]
    df = write(written, path, bodies)
    pd.testing.assert_frame_equal(read(path, SCHEMA), df)


@FORMATS
def test_a_schema_of_fewer_columns_is_written_and_read(path: Path, written: Any, read: Any) -> None:
    schema = pa.schema([SCHEMA.field(name) for name in ("sid", "price", "status")])
    with written(path, schema, dict) as write_table:
        write_table(to_table(BODIES)[0].select(schema.names))
    expected = callkit.normalise(BODIES)[schema.names]
    pd.testing.assert_frame_equal(read(path, schema), expected)


def test_csv_holds_fixed_point_decimals_whole_units_and_iso_times(path: Path) -> None:
    write(csv_file, path)
    with path.open(encoding="utf-8", newline="") as file:
        first, absent, third = csv.DictReader(file)
    assert list(first) == SCHEMA.names
    held = {name: value for name, value in first.items() if value}
    assert held == {
        "caller_name": ODD_NAME,
        "duration": "65",
        "price": "-0.00010000",
        "price_unit": "USD",
        "queue_time": "1500",
        "sid": sid(1),
        "start_time": "2025-03-09T08:05:17Z",
        "status": "completed",
        "to": "+14155550100",
    }
    assert set(absent.values()) == {sid(2), ""}
    assert third["price"] == "0.00000001"
    assert third["end_time"] == "2025-03-09T08:06:22.250000Z"


def test_json_lines_hold_prices_as_text_and_nulls(path: Path) -> None:
    write(json_lines, path)
    first, absent, third = map(json.loads, path.read_bytes().splitlines())
    assert list(first) == SCHEMA.names
    held = {name: value for name, value in first.items() if value is not None}
    assert held == {
        "caller_name": ODD_NAME,
        "duration": 65,
        "price": "-0.00010000",
        "price_unit": "USD",
        "queue_time": 1500,
        "sid": sid(1),
        "start_time": "2025-03-09T08:05:17Z",
        "status": "completed",
        "to": "+14155550100",
    }
    assert set(absent.values()) == {sid(2), None}
    assert third["price"] == "0.00000001"
    assert third["end_time"] == "2025-03-09T08:06:22.250000Z"


def test_pandas_polars_and_duckdb_read_the_same_from_csv(path: Path) -> None:
    write(csv_file, path)
    names = ["caller_name", "duration", "start_time"]
    plain = pd.read_csv(path, parse_dates=["start_time"])
    polars = pl.read_csv(path, try_parse_dates=True)
    with closing(duckdb.connect()) as db:
        db.execute("SET TimeZone = 'UTC'")
        rows = db.sql(f"SELECT {', '.join(names)} FROM read_csv('{path}')").fetchall()
    assert [row[0] for row in rows] == [ODD_NAME, None, "\r"]
    assert [row[1] for row in rows] == [65, None, 65]
    assert polars["caller_name"].to_list() == [ODD_NAME, None, "\r"]
    assert polars["duration"].to_list() == [65, None, 65]
    assert plain["duration"].dropna().tolist() == [65, 65]
    assert plain["start_time"][0].to_pydatetime() == polars["start_time"][0] == rows[0][2]


def test_prices_stay_exact_in_the_hands_of_readers(path: Path) -> None:
    total = [(Decimal("-0.00009999"),)]
    prices = ["-0.00010000", None, "0.00000001"]
    with closing(duckdb.connect()) as db:
        write(csv_file, path)
        held = f"read_csv('{path}', all_varchar = true)"
        assert db.sql(f"SELECT sum(price::DECIMAL(18, 8)) FROM {held}").fetchall() == total
        write(json_lines, path)
        held = f"read_json('{path}', format = 'newline_delimited')"
        assert db.sql(f"SELECT sum(price::DECIMAL(18, 8)) FROM {held}").fetchall() == total
        assert [price for (price,) in db.sql(f"SELECT price FROM {held}").fetchall()] == prices
    assert pl.read_ndjson(path)["price"].to_list() == prices
    plain = pd.read_json(path, lines=True, dtype={"price": "str"})
    assert plain["price"].dropna().tolist() == prices[::2]


@pytest.mark.parametrize(
    ("name", "path", "sentence"),
    [
        ("parquet", "y.CSV", "'y.CSV' would contain parquet: pass format='csv'"),
        ("csv", "y.PARQUET", "'y.PARQUET' would contain csv: pass format='parquet'"),
        ("csv", "y.XLSX", "workbook 'y.XLSX'"),
    ],
)
def test_an_ending_in_capitals_promises_the_same_format(
    name: FormatName, path: str, sentence: str
) -> None:
    with pytest.raises(ParquetError, match=sentence):
        format_named(name, Path(path), by_month=False)


def test_a_format_may_have_its_ending_in_capitals() -> None:
    upper = format_named("csv", Path("y.CSV"), by_month=False)
    assert upper == format_named("csv", Path("y.csv"), by_month=False)
