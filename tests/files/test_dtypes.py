from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import callkit
from callkit.errors import ParquetError

if TYPE_CHECKING:
    from pathlib import Path

MOMENTS = pd.Series(pd.to_datetime(["2024-01-01", "NaT"]))
SPANS = pd.Series(pd.to_timedelta([1, None], unit="s"))
OWN: dict[str, Any] = {
    "Int64": pd.array([2**62 + 1, None], dtype="Int64"),
    "UInt8": pd.array([1, None], dtype="UInt8"),
    "Float64": pd.array([0.5, None], dtype="Float64"),
    "boolean": pd.array([True, None], dtype="boolean"),
    "int8": np.array([1, 2], dtype="int8"),
    "float32": np.array([1.5, np.nan], dtype="float32"),
    "str": pd.Series(["a", None], dtype="str"),
    "string": pd.Series(["a", None], dtype="string"),
    "string[pyarrow]": pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string())),
    "timestamp[pyarrow]": MOMENTS.astype(pd.ArrowDtype(pa.timestamp("us"))),
    **{f"datetime64[{unit}]": MOMENTS.dt.as_unit(unit) for unit in ("s", "ms", "us", "ns")},
    "zoned": MOMENTS.dt.tz_localize("Asia/Kolkata"),
    **{f"timedelta64[{unit}]": SPANS.dt.as_unit(unit) for unit in ("s", "ms", "us", "ns")},
    "period": pd.period_range("2024-01", "2024-02", freq="M"),
    "interval": pd.interval_range(0, 2),
    "categories": pd.Categorical(["b", None], ["c", "b", "a"]),
    "ordered categories": pd.Categorical(["b", None], ["c", "b", "a"], ordered=True),
    "no categories": pd.Categorical([None, None]),
    "integer categories": pd.Categorical([2, None], [3, 2, 1], ordered=True),
    "boolean categories": pd.Categorical([True, None], [True, False]),
}


@pytest.mark.parametrize("values", OWN.values(), ids=OWN)
@pytest.mark.parametrize("rows", [0, 2])
def test_ones_own_column_comes_back_as_it_went(path: Path, values: object, rows: int) -> None:
    df = pd.DataFrame({"x": values}).head(rows)
    callkit.to_parquet(df, path)
    pd.testing.assert_frame_equal(callkit.read_parquet(path), df)
    assert len(pd.read_parquet(path)) == rows


@pytest.mark.parametrize("rows", [0, 600])
@pytest.mark.parametrize("by", ["leg", "hour", "weekday", "channel", "country", "status"])
def test_a_breakdown_comes_back_as_it_went(
    calls: pd.DataFrame, path: Path, by: str, rows: int
) -> None:
    chosen = calls.head(rows)
    cost = callkit.cost_breakdown(chosen, by=by, freq="W", tz="Europe/Berlin")
    duration = callkit.duration_breakdown(chosen, by=by)
    for breakdown in (cost, duration):
        callkit.to_parquet(breakdown, path)
        pd.testing.assert_frame_equal(callkit.read_parquet(path), breakdown)


def test_a_measures_name_in_another_unit_keeps_its_unit(path: Path) -> None:
    df = pd.DataFrame({"talk_time": pd.to_timedelta([1], unit="us")})
    callkit.to_parquet(df, path)
    pd.testing.assert_frame_equal(callkit.read_parquet(path), df)


@pytest.mark.parametrize("change", ["remove_unused_categories", "as_ordered", "reversed"])
def test_categories_of_a_call_keep_the_list_they_had(
    calls: pd.DataFrame, path: Path, change: str
) -> None:
    status = calls["status"].cat
    if change == "reversed":
        df = calls.assign(status=status.reorder_categories(list(status.categories)[::-1]))
    else:
        df = calls.assign(status=getattr(status, change)())
    callkit.to_parquet(df, path)
    pd.testing.assert_frame_equal(callkit.read_parquet(path), df)


def test_objects_come_back_as_what_they_hold(path: Path) -> None:
    df = pd.DataFrame({"text": pd.Series(["a", None], dtype=object)})
    callkit.to_parquet(df, path)
    assert callkit.read_parquet(path)["text"].dtype == "str"


def test_chosen_columns_keep_their_dtypes(path: Path) -> None:
    df = pd.DataFrame({"x": OWN["Int64"], "y": OWN["ordered categories"]})
    callkit.to_parquet(df, path)
    pd.testing.assert_frame_equal(callkit.read_parquet(path, columns=["y"]), df[["y"]])


@pytest.mark.parametrize(
    "values",
    [pd.cut(pd.Series([1, 2, 3]), 2), pd.Series(pd.to_datetime(["2024-01-01"])).astype("category")],
    ids=["intervals", "times"],
)
def test_categories_that_could_not_come_back_are_refused(
    path: Path, values: pd.Series[Any]
) -> None:
    with pytest.raises(ParquetError, match=r"Column 'x' has categories of .*\.astype\('str'\)"):
        callkit.to_parquet(pd.DataFrame({"x": values}), path)


@pytest.mark.parametrize("note", ['"nonsense"', "{", '{"categories": ["a"]}', "[1]"])
def test_a_damaged_note_is_told_in_one_sentence(path: Path, note: str) -> None:
    field = pa.field("x", pa.int64(), metadata={"dtype": note})
    pq.write_table(pa.table([pa.array([1])], schema=pa.schema([field])), path)
    with pytest.raises(
        ParquetError, match="Cannot restore column 'x' to .*, the dtype recorded in the file"
    ):
        callkit.read_parquet(path)


def test_long_columns_of_text_come_back_in_their_order(path: Path) -> None:
    texts = [None if number % 7 == 0 else f"text {number}" for number in range(150_000)]
    df = pd.DataFrame({"x": pd.Series(texts, dtype="str")})
    callkit.to_parquet(df, path)
    pd.testing.assert_frame_equal(callkit.read_parquet(path), df)
