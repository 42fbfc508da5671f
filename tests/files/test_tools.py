"""What pandas, Polars and DuckDB make of our files by themselves; Spark has a file of its own."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

import callkit
from callkit.breakdown.measures import KEYS, MEASURES
from callkit.schema import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BREAKDOWNS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "cost": lambda calls: callkit.cost_breakdown(
        calls, by=["direction", "country"], freq="MS", tz="Europe/Berlin"
    ),
    "duration": lambda calls: callkit.duration_breakdown(calls, by=["leg", "weekday"]),
    "trees": callkit.roll_up,
    "in progress": lambda calls: callkit.calls_in_progress(calls, freq="D"),
}
COLUMNS = {column.name: column for column in (*ATTRIBUTES, *KEYS, *MEASURES)}


@pytest.fixture
def dataset(calls: pd.DataFrame, tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    callkit.to_parquet(calls, folder, by_month=True)
    return folder


@pytest.fixture(params=BREAKDOWNS)
def breakdown(request: pytest.FixtureRequest, calls: pd.DataFrame, path: Path) -> pd.DataFrame:
    df = BREAKDOWNS[request.param](calls)
    callkit.to_parquet(df, path)
    return df


def test_plain_pandas_agrees_on_every_value(calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(calls, path)
    plain = pd.read_parquet(path)
    assert list(plain.columns) == list(calls.columns)
    for name in calls.columns:
        assert plain[name].dropna().tolist() == calls[name].dropna().tolist(), name
        assert plain[name].isna().tolist() == calls[name].isna().tolist(), name


def test_polars_agrees_on_every_value(calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(calls, path)
    frame = pl.read_parquet(path)
    assert frame.schema["price"] == pl.Decimal(18, 8)
    for name in calls.columns:
        assert frame[name].cast(_plain(frame[name].dtype)).to_list() == _values(calls[name]), name


def test_duckdb_agrees_on_every_value(calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(calls, path)
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        relation = db.sql(f"SELECT * FROM '{path}'")
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        rows = relation.fetchall()
    assert types["price"] == "DECIMAL(18,8)"
    assert types["start_time"] == "TIMESTAMP WITH TIME ZONE"
    for name, values in zip(calls.columns, zip(*rows, strict=True), strict=True):
        assert list(values) == _in_sql(name, _values(calls[name])), name


def test_plain_pandas_knows_the_months_of_a_dataset(calls: pd.DataFrame, dataset: Path) -> None:
    plain = pd.read_parquet(dataset)
    assert plain.groupby("month", observed=True)["sid"].agg(set).to_dict() == _by_month(calls)


def test_polars_knows_the_months_of_a_dataset(calls: pd.DataFrame, dataset: Path) -> None:
    frame = pl.read_parquet(dataset, hive_partitioning=True)
    assert frame.schema["month"] == pl.String
    months = frame.group_by("month").agg("sid").iter_rows()
    assert {month: set(sids) for month, sids in months} == _by_month(calls)
    assert frame["price"].sum() == calls["price"].sum()


def test_duckdb_knows_the_months_of_a_dataset(calls: pd.DataFrame, dataset: Path) -> None:
    with closing(duckdb.connect()) as db:
        relation = db.sql(f"FROM read_parquet('{dataset}/*/*.parquet', hive_partitioning = true)")
        months = relation.aggregate("month, list(sid)").fetchall()
        [(total,)] = relation.aggregate("sum(price)").fetchall()
    assert {month: set(sids) for month, sids in months} == _by_month(calls)
    assert total == calls["price"].sum()


def test_polars_agrees_on_every_value_of_a_breakdown(breakdown: pd.DataFrame, path: Path) -> None:
    frame = pl.read_parquet(path)
    for name in breakdown.columns:
        values = frame[name].cast(_plain(frame[name].dtype)).to_list()
        assert values == _values(breakdown[name]), name


def test_duckdb_agrees_on_every_value_of_a_breakdown(breakdown: pd.DataFrame, path: Path) -> None:
    with closing(duckdb.connect()) as db:
        db.execute("SET TimeZone = 'UTC'")
        rows = db.sql(f"FROM '{path}'").fetchall()
    for name, values in zip(breakdown.columns, zip(*rows, strict=True), strict=True):
        assert list(values) == _in_sql(name, _values(breakdown[name])), name


def test_each_field_of_a_breakdown_carries_unit_and_description(
    breakdown: pd.DataFrame, path: Path
) -> None:
    for field in pq.read_schema(path):
        column = COLUMNS[field.name]
        assert field.metadata[b"description"].decode() == column.description
        assert field.metadata.get(b"unit", b"").decode() == (column.unit or "")


def test_tools_without_arrow_find_units_and_descriptions_as_json(
    breakdown: pd.DataFrame, path: Path
) -> None:
    with closing(duckdb.connect()) as db:
        [(by_duckdb,)] = db.sql(
            "SELECT decode(value) FROM parquet_kv_metadata($path) "
            "WHERE decode(key) = 'callkit.columns'",
            params={"path": str(path)},
        ).fetchall()
    by_polars = pl.read_parquet_metadata(path)["callkit.columns"]
    assert json.loads(by_duckdb) == json.loads(by_polars)
    for name in breakdown.columns:
        told, column = json.loads(by_duckdb)[name], COLUMNS[name]
        assert (told["description"], told.get("unit")) == (column.description, column.unit)
        assert told["personal"] == str(column.personal).lower()


def _plain(dtype: pl.DataType) -> pl.DataType | type[pl.DataType]:
    return pl.String if isinstance(dtype, pl.Categorical | pl.Enum) else dtype


def _values(values: pd.Series[Any]) -> list[Any]:
    """Return plain Python values, None for what is absent."""
    plain = [None if pd.isna(value) else value for value in values]
    convert = {pd.Timestamp: "to_pydatetime", pd.Timedelta: "to_pytimedelta"}
    return [
        getattr(value, convert[type(value)])() if type(value) in convert else value
        for value in plain
    ]


def _in_sql(name: str, values: list[Any]) -> list[Any]:
    """Express durations as SQL engines see them: as whole numbers of the column's unit."""
    per_second = {"s": 1, "ms": 1000}.get(COLUMNS[name].unit or "")
    if per_second is None:
        return values
    return [
        None if value is None else round(value.total_seconds() * per_second) for value in values
    ]


def _by_month(calls: pd.DataFrame) -> dict[str, set[str]]:
    months = calls["start_time"].dt.strftime("%Y-%m").fillna("none")
    return {str(month): set(sids) for month, sids in calls["sid"].groupby(months)}
