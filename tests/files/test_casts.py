from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import callkit
from callkit.errors import ParquetError
from callkit.schema import SCHEMA
from tests.support.scripted import call_body, sid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ONE = callkit.normalise(
    [call_body(sid(1), price="-0.0170", start_time="Mon, 01 Jan 2024 00:00:00 +0000", duration="5")]
)
NOON, NAIVE_NOON = datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, 12)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("price", -0.017, "of type float64 .* expected exact decimals"),
        ("price", "-0.017", "of type str .* expected exact decimals"),
        ("price", pd.Series([-0.017], dtype=object), "of type double .* expected exact decimals"),
        ("price", pd.Series([Decimal("0.123456789")]), "Rescaling .* would cause data loss"),
        ("start_time", pd.Timestamp(NAIVE_NOON), "times with a time zone"),
        ("start_time", 1_704_110_400, "of type int64 .* times with a time zone"),
        ("start_time", "2024-01-01T12:00:00Z", "times with a time zone"),
        ("start_time", date(2024, 1, 1), "times with a time zone"),
        ("duration", 5, "of type int64 .* timedeltas"),
        ("duration", pd.Timedelta("1.5s"), "would lose data"),
        ("to", 4.917123456789e12, "of type float64 does not fit string"),
        ("to", pd.Series([b"+1"]), "of type binary does not fit string"),
        ("status", 3, "expected text"),
        ("status", pd.Categorical([3]), "expected text"),
    ],
)
def test_what_does_not_hold_what_its_name_promises_is_refused(
    path: Path, name: str, value: Any, sentence: str
) -> None:
    with pytest.raises(ParquetError, match=f"Column '{name}' .*{sentence}") as caught:
        callkit.to_parquet(ONE.assign(**{name: value}), path)
    assert "\n" not in str(caught.value)
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("price", pd.Series([Decimal("-0.0170")], dtype=object)),
        ("start_time", ONE["start_time"].astype(object)),
        ("start_time", ONE["start_time"].dt.tz_convert("Asia/Tokyo")),
        ("start_time", ONE["start_time"].astype("datetime64[ns, UTC]")),
        ("duration", pd.Timedelta("5s")),
        ("sid", ONE["sid"].astype("category")),
        ("sid", ONE["sid"].astype("string")),
        ("sid", ONE["sid"].astype(object)),
        ("status", ONE["status"].astype("str")),
    ],
)
def test_the_same_in_another_dtype_is_the_same(path: Path, name: str, value: Any) -> None:
    callkit.to_parquet(ONE.assign(**{name: value}), path)
    pd.testing.assert_frame_equal(callkit.read_parquet(path), ONE)


@pytest.mark.parametrize("name", SCHEMA.names)
def test_nothing_but_nan_is_nothing(path: Path, name: str) -> None:
    callkit.to_parquet(ONE.assign(**{name: np.nan}), path)
    assert pq.read_schema(path).equals(SCHEMA)
    assert callkit.read_parquet(path)[name].isna().all()


@pytest.mark.parametrize(
    "values",
    [[NOON, NAIVE_NOON], [NOON, 5], [pd.Timedelta("1s"), 5], [date(2024, 1, 1), NOON], ["a", b"b"]],
    ids=["a naive time", "a number for a time", "a number for a timedelta", "a time", "bytes"],
)
def test_objects_that_would_be_made_alike_are_refused(path: Path, values: list[object]) -> None:
    with pytest.raises(ParquetError, match="Column 'x' mixes types: .* would be written as"):
        callkit.to_parquet(pd.DataFrame({"x": pd.Series(values, dtype=object)}), path)


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, "a"]),
        pd.Series([1j]),
        pd.Series([2**70], dtype=object),
        pd.Series(["\ud800"], dtype=object),
        pd.Series([Decimal("Infinity")]),
        pd.Series(pd.arrays.SparseArray([1.0, 0.0])),
        pd.Series([{}]),
        pd.Series([object()]),
    ],
    ids=["mixed", "complex", "2**70", "surrogate", "infinity", "sparse", "empty struct", "object"],
)
def test_what_parquet_cannot_hold_is_told_in_one_sentence(
    path: Path, values: pd.Series[Any]
) -> None:
    with pytest.raises(ParquetError, match="Cannot write") as caught:
        callkit.to_parquet(pd.DataFrame({"x": values}), path)
    assert "'x'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("price", pa.array(["x"]), "expected exact decimals"),
        ("price", pa.array([-0.017]), "of type double .* expected exact decimals"),
        ("price", pa.array([Decimal(10) ** 20]), "does not fit in precision 18"),
        ("start_time", pa.array([NAIVE_NOON]), "times with a time zone"),
        ("start_time", pa.array([5]), "times with a time zone"),
        ("sid", pa.array([{"a": 1}]), "expected text"),
        ("sid", pa.array([5]), "expected text"),
        ("duration", pa.array([2**64 - 1], pa.uint64()), "not in range"),
    ],
)
def test_a_foreign_file_that_holds_something_else_is_refused(
    path: Path, name: str, values: pa.Array, sentence: str
) -> None:
    pq.write_table(pa.table({name: values}), path)
    with pytest.raises(ParquetError, match=f"calls.parquet' cannot be read: .*{sentence}"):
        callkit.read_parquet(path)


def _copy_by_pandas(path: Path, copy: Path) -> None:
    pd.read_parquet(path).to_parquet(copy)


def _copy_by_polars(path: Path, copy: Path) -> None:
    pl.read_parquet(path).write_parquet(copy)


def _copy_by_duckdb(path: Path, copy: Path) -> None:
    with duckdb.connect() as db:
        db.sql(f"COPY (FROM '{path}') TO '{copy}'")


@pytest.mark.parametrize("copied", [_copy_by_pandas, _copy_by_polars, _copy_by_duckdb])
@pytest.mark.parametrize("rows", [0, 600])
def test_another_tools_copy_is_read_as_the_file_itself(
    calls: pd.DataFrame, path: Path, copied: Callable[[Path, Path], None], rows: int
) -> None:
    callkit.to_parquet(calls.head(rows), path)
    copied(path, path.with_name("copy.parquet"))
    copy = callkit.read_parquet(path.with_name("copy.parquet"))
    pd.testing.assert_frame_equal(copy, calls.head(rows))
