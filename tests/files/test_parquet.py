from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import callkit
from callkit.errors import ParquetError
from callkit.schema import ATTRIBUTES, SCHEMA
from tests.support.scripted import call_body, sid

if TYPE_CHECKING:
    from pathlib import Path

    from callkit import Client
    from callkit.sandbox import Sandbox

ABSENT = callkit.normalise([call_body(sid(1))])


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


@pytest.mark.parametrize("by_month", [False, True])
@pytest.mark.parametrize("left_out", ["rows", "sid"])
def test_a_file_of_other_rows_does_not_say_how_many_calls_were_got(
    calls: pd.DataFrame, tmp_path: Path, left_out: str, by_month: bool
) -> None:
    df = calls[calls["direction"] == "inbound"] if left_out == "rows" else calls.drop(columns="sid")
    callkit.to_parquet(df, tmp_path / "calls", by_month=by_month)
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    said = [set(json.loads(pq.read_metadata(path).metadata[b"callkit"])) for path in paths]
    assert said == [{"version", "as_of_first", "as_of_last"}] * len(paths)
    assert df.attrs == calls.attrs


def test_the_file_is_compressed_with_zstandard(calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(calls, path)
    assert pq.read_metadata(path).row_group(0).column(0).compression == "ZSTD"


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
    assert [file.name for file in path.parent.iterdir()] == ["calls.parquet"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing/calls.parquet", "cannot be written: No such file or directory"),
        ("", "cannot be written: Expected a regular file, or none yet, but it is a directory"),
        ("a\0b.parquet", "cannot be written: A path cannot contain a NUL character"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_in_one_sentence(
    tmp_path: Path, name: str, sentence: str
) -> None:
    with pytest.raises(ParquetError, match=sentence):
        callkit.to_parquet(ABSENT, tmp_path / name)


def test_to_parquet_takes_a_pandas_frame(path: Path) -> None:
    with pytest.raises(ParquetError, match="Expected a pandas DataFrame, not list"):
        callkit.to_parquet([1], path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("df", "sentence"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "Duplicate column names in the frame: 'a'$"),
        (
            ABSENT.set_index("sid", drop=False),
            r"Duplicate column names .*: 'sid', including the index: use reset_index\(drop",
        ),
        (pd.DataFrame({0: [1]}), "Invalid column name 0 of type int"),
        (pd.DataFrame({("sid", "a"): [1]}), "Invalid column name .* of type tuple"),
    ],
    ids=["twice", "index and column", "a number", "MultiIndex"],
)
def test_column_names_are_text_each_once(path: Path, df: pd.DataFrame, sentence: str) -> None:
    with pytest.raises(ParquetError, match=sentence):
        callkit.to_parquet(df, path)


@pytest.mark.parametrize("said", [5, [1], {"x": object()}, None])
def test_attributes_that_callkit_did_not_write_are_left_out(path: Path, said: object) -> None:
    df = ABSENT.copy()
    df.attrs["callkit"] = said
    callkit.to_parquet(df, path)
    assert callkit.read_parquet(path).attrs == {"callkit": {"version": callkit.__version__}}


def test_prices_keep_their_digits_through_the_file(path: Path) -> None:
    prices = ["-0.01700", "-9999999999.99999999", "0", None, "0.00000001"]
    df = callkit.normalise([call_body(sid(i), price=price) for i, price in enumerate(prices)])
    callkit.to_parquet(df, path)
    read = callkit.read_parquet(path)["price"]
    assert [None if pd.isna(p) else p for p in read] == [p and Decimal(p) for p in prices]
    assert read.dtype == pd.ArrowDtype(pa.decimal128(18, 8))


def test_failures_keep_the_counts_of_their_fetch(
    sandbox: Sandbox, client: Client, path: Path
) -> None:
    got = callkit.collect(sandbox.sids(5) + sandbox.unknown_sids(2), client=client)
    failures = got.failures
    failures.attrs = got.frame.attrs
    callkit.to_parquet(failures, path)
    said = callkit.read_parquet(path).attrs["callkit"]
    assert (said["calls_asked"], said["calls_got"], said["calls_failed"]) == (7, 5, 2)
    callkit.to_parquet(failures[:1], path)
    assert "calls_failed" not in callkit.read_parquet(path).attrs["callkit"]
