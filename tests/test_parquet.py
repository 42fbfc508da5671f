from __future__ import annotations

import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import callkit
from callkit import FetchError, ParquetError
from callkit.schema import ATTRIBUTES, SCHEMA
from tests.scripted import ACCOUNT, TOKEN, ScriptedServer, call_body, sid

if TYPE_CHECKING:
    from pathlib import Path

    from callkit import Client
    from callkit.sandbox import Sandbox

ABSENT = callkit.normalise([call_body(sid(1))])


@pytest.fixture
def calls(sandbox: Sandbox, client: Client) -> pd.DataFrame:
    return callkit.to_frame(sandbox.sid_frame(600), client=client)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.parquet"


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("rows", [0, 1, 600])
def test_calls_come_back_as_they_went(calls: pd.DataFrame, path: Path, rows: int) -> None:
    df = calls.head(rows)
    callkit.to_parquet(df, path)
    pd.testing.assert_frame_equal(callkit.read_parquet(path), df)


def test_columns_without_a_value_come_back_as_they_went(path: Path) -> None:
    assert ABSENT.drop(columns="sid").isna().all(axis=None)
    callkit.to_parquet(ABSENT, path)
    pd.testing.assert_frame_equal(callkit.read_parquet(path), ABSENT)


def test_categories_that_nobody_listed_come_back_as_they_went(path: Path) -> None:
    df = callkit.normalise([call_body(sid(1), status="frozen"), call_body(sid(2), status="busy")])
    callkit.to_parquet(df, path)
    pd.testing.assert_frame_equal(callkit.read_parquet(path), df)


def test_frames_of_two_files_concatenate_without_a_dtype_changing(
    calls: pd.DataFrame, tmp_path: Path
) -> None:
    frames = [calls.head(0), calls.head(10), ABSENT, calls.tail(10)]
    for number, df in enumerate(frames):
        callkit.to_parquet(df, tmp_path / f"{number}.parquet")
    read = [callkit.read_parquet(tmp_path / f"{number}.parquet") for number in range(4)]
    together = pd.concat(read, ignore_index=True)
    pd.testing.assert_series_equal(together.dtypes, calls.dtypes)


def test_the_file_has_the_schemas_types(calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(calls, path)
    assert pq.read_schema(path).equals(SCHEMA)


@pytest.mark.parametrize("column", ATTRIBUTES, ids=lambda column: column.name)
def test_each_field_carries_its_meaning(calls: pd.DataFrame, path: Path, column: object) -> None:
    callkit.to_parquet(calls.head(0), path)
    expected = SCHEMA.field(column.name).metadata  # type: ignore[attr-defined]
    written = pq.read_schema(path).field(column.name).metadata  # type: ignore[attr-defined]
    assert expected.items() <= written.items()
    assert written[b"description"].decode().endswith(".")


def test_the_file_says_what_made_it_and_as_of_when(calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(calls, path)
    footer = json.loads(pq.read_metadata(path).metadata[b"callkit"])
    assert footer == calls.attrs["callkit"]
    assert footer["version"] == callkit.__version__
    assert callkit.read_parquet(path).attrs == calls.attrs


def test_the_file_is_compressed_with_zstandard(calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(calls, path)
    assert pq.read_metadata(path).row_group(0).column(0).compression == "ZSTD"


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


def test_a_breakdown_comes_back_as_it_went(calls: pd.DataFrame, path: Path) -> None:
    cost = callkit.cost_breakdown(calls, by="direction", freq="W", tz="Europe/Berlin")
    callkit.to_parquet(cost, path)
    pd.testing.assert_frame_equal(callkit.read_parquet(path), cost)


def test_a_breakdowns_fields_carry_their_meaning(calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(callkit.cost_breakdown(calls, by="direction"), path)
    schema = pq.read_schema(path)
    assert schema.field("cost").metadata[b"unit"] == b"price_unit"
    assert all(field.metadata[b"description"] for field in schema)


def test_ones_own_columns_stand_beside_the_calls(calls: pd.DataFrame, path: Path) -> None:
    campaign = pd.Series(["a", "b", None, "d", "e"], dtype="str")
    df = calls.head(5).assign(campaign=campaign, weight=range(5))
    callkit.to_parquet(df, path)
    pd.testing.assert_frame_equal(callkit.read_parquet(path), df)


def test_chosen_columns_come_in_the_order_asked_for(calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(calls, path)
    df = callkit.read_parquet(path, columns=["price", "sid"])
    pd.testing.assert_frame_equal(df, calls[["price", "sid"]])


def test_a_named_index_becomes_a_column_and_another_is_left_out(
    calls: pd.DataFrame, path: Path
) -> None:
    callkit.to_parquet(calls.head(5).iloc[::-1].set_index("sid"), path)
    df = callkit.read_parquet(path)
    assert df["sid"].tolist() == calls["sid"].head(5).tolist()[::-1]
    assert df.index.tolist() == [0, 1, 2, 3, 4]


def test_a_file_that_was_there_stays_until_the_new_one_is_whole(
    calls: pd.DataFrame, path: Path
) -> None:
    callkit.to_parquet(calls, path)
    before = path.read_bytes()
    with pytest.raises(ParquetError):
        callkit.to_parquet(calls.assign(price="much"), path)
    assert path.read_bytes() == before
    assert left_in(path.parent) == ["calls.parquet"]


def test_float_prices_are_refused_with_advice(calls: pd.DataFrame, path: Path) -> None:
    with pytest.raises(ParquetError, match="column 'price' is float64 .* prices are exact"):
        callkit.to_parquet(calls.assign(price=calls["price"].astype("float64")), path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing/calls.parquet", "cannot be written: No such file or directory"),
        ("", "cannot be written: Is a directory"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_in_one_sentence(
    tmp_path: Path, name: str, sentence: str
) -> None:
    with pytest.raises(ParquetError, match=sentence):
        callkit.to_parquet(ABSENT, tmp_path / name)


def test_to_parquet_takes_a_pandas_frame(path: Path) -> None:
    with pytest.raises(ParquetError, match="takes a pandas DataFrame, not list"):
        callkit.to_parquet([1], path)  # type: ignore[arg-type]


def test_reading_what_is_not_there_or_no_parquet_is_told_in_one_sentence(path: Path) -> None:
    with pytest.raises(ParquetError, match="cannot be read: No such file"):
        callkit.read_parquet(path)
    path.write_bytes(b"no parquet at all")
    with pytest.raises(ParquetError, match="is no Parquet file"):
        callkit.read_parquet(path)


def test_a_missing_column_is_named_beside_those_there_are(path: Path) -> None:
    callkit.to_parquet(ABSENT, path)
    with pytest.raises(ParquetError, match="has no column 'cost'; it has account_sid, "):
        callkit.read_parquet(path, columns=["cost"])


def test_export_writes_what_to_frame_returns(sandbox: Sandbox, client: Client, path: Path) -> None:
    sids = sandbox.sid_frame(600)
    out = callkit.export(sids, path, client=client)
    assert (out.path, out.calls, out.failures_path) == (path, 600, None)
    assert left_in(path.parent) == ["calls.parquet"]
    pd.testing.assert_frame_equal(callkit.read_parquet(path), callkit.to_frame(sids, client=client))


def test_export_writes_both_files_and_then_raises(
    sandbox: Sandbox, client: Client, path: Path
) -> None:
    known, unknown = sandbox.sids(20), sandbox.unknown_sids(2)
    with pytest.raises(FetchError, match="2 failures: 2 not_found, of 22 calls") as caught:
        callkit.export(known + unknown, path, client=client)
    assert callkit.read_parquet(path)["sid"].tolist() == known
    assert pd.read_csv(path.with_suffix(".failures.csv"))["sid"].tolist() == unknown
    pd.testing.assert_frame_equal(caught.value.frame, callkit.read_parquet(path))
    assert caught.value.failures["sid"].tolist() == unknown


def test_export_takes_an_old_failures_file_away(
    sandbox: Sandbox, client: Client, path: Path
) -> None:
    stale = path.with_suffix(".failures.csv")
    stale.write_text("sid\n")
    callkit.export(sandbox.sids(5), path, client=client)
    assert not stale.exists()


def test_export_finds_out_first_whether_it_can_write(tmp_path: Path) -> None:
    with (
        ScriptedServer() as server,
        callkit.Client(account_sid=ACCOUNT, auth_token=TOKEN, base_url=server.url) as client,
    ):
        with pytest.raises(ParquetError, match="cannot be written"):
            callkit.export([sid(1)], tmp_path / "missing" / "calls.parquet", client=client)
        assert server.paths == []


def test_export_that_is_broken_off_leaves_nothing_behind(
    client: Client, sandbox: Sandbox, path: Path
) -> None:
    def interrupted() -> object:
        yield from sandbox.sids(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        callkit.export(interrupted(), path, client=client)  # type: ignore[arg-type]
    assert left_in(path.parent) == []


def test_files_obey_the_umask(path: Path) -> None:
    previous = os.umask(0o027)
    try:
        callkit.to_parquet(ABSENT, path)
    finally:
        os.umask(previous)
    assert path.stat().st_mode & 0o777 == 0o640


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
    """Express durations as SQL engines see them: seconds, and milliseconds of queue time."""
    per_second = {"duration": 1, "queue_time": 1000}.get(name)
    if per_second is None:
        return values
    return [
        None if value is None else round(value.total_seconds() * per_second) for value in values
    ]


def test_prices_keep_their_digits_through_the_file(path: Path) -> None:
    prices = ["-0.01700", "-9999999999.99999999", "0", None, "0.00000001"]
    df = callkit.normalise([call_body(sid(i), price=price) for i, price in enumerate(prices)])
    callkit.to_parquet(df, path)
    read = callkit.read_parquet(path)["price"]
    assert [None if pd.isna(p) else p for p in read] == [p and Decimal(p) for p in prices]
    assert read.dtype == pd.ArrowDtype(pa.decimal128(18, 8))
