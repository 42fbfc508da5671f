"""What is no frame of calls is refused by every breakdown, in one sentence that says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import callkit
from callkit.errors import FrameError
from callkit.sandbox import Sandbox
from callkit.sandbox.calls import body_of

if TYPE_CHECKING:
    from collections.abc import Callable

BREAKDOWNS: list[Callable[[Any], object]] = [
    callkit.cost_breakdown,
    callkit.duration_breakdown,
    callkit.roll_up,
    callkit.summary,
    lambda df: callkit.calls_in_progress(df, freq="D"),
    callkit.charts.duration,
]
OF_MONEY = BREAKDOWNS[:4]
RECORD = {"sid": "CA" + "0" * 32, "price": "-0.01"}


@pytest.fixture(scope="module")
def calls() -> pd.DataFrame:
    sandbox = Sandbox(calls=200, seed=3)
    return callkit.normalise([body_of(sandbox.call(sid)) for sid in sandbox.sids(50)])


@pytest.mark.parametrize("breakdown", BREAKDOWNS)
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (pl.DataFrame(RECORD), r"not polars\.DataFrame: pass df\.to_pandas\(\)$"),
        (pl.LazyFrame(RECORD), r"not polars\.LazyFrame: pass df\.collect\(\)\.to_pandas\(\)$"),
        (pa.table({"sid": ["CA1"]}), r"not pyarrow\.Table: pass df\.to_pandas\(\)$"),
        ([RECORD], r"not a list: callkit\.normalise makes one from bodies, and "),
        (None, "not a NoneType: callkit.normalise makes one from bodies"),
        ("calls.parquet", r"not a str: read the file with callkit\.read_parquet$"),
        (Path("calls.parquet"), r"not pathlib\.\w+: read the file with callkit\.read_parquet$"),
        (pd.DataFrame(RECORD, index=[0]), "Missing columns: .*was it read with"),
        (pd.DataFrame({"a": [1]}), "Missing columns: '"),
    ],
)
def test_what_is_no_frame_of_calls_is_refused(
    breakdown: Callable[[Any], object], given: object, sentence: str
) -> None:
    with pytest.raises(FrameError, match=sentence) as caught:
        breakdown(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("breakdown", BREAKDOWNS)
def test_a_column_that_stands_twice_is_refused(
    breakdown: Callable[[Any], object], calls: pd.DataFrame
) -> None:
    with pytest.raises(FrameError, match="Duplicate column names: '.* Keep one of each"):
        breakdown(pd.concat([calls, calls], axis="columns"))


@pytest.mark.parametrize("breakdown", OF_MONEY)
@pytest.mark.parametrize("dtype", ["float64", "float32", "str"])
def test_prices_that_are_not_exact_are_refused_with_advice(
    breakdown: Callable[[Any], object], calls: pd.DataFrame, dtype: Any
) -> None:
    sentence = f"'price' has dtype {dtype}: expected exact decimals; .* callkit.read_parquet"
    with pytest.raises(FrameError, match=sentence):
        breakdown(calls.assign(price=calls["price"].astype(dtype)))


@pytest.mark.parametrize("other", [pl.from_pandas, pa.Table.from_pandas])
def test_the_advice_to_call_to_pandas_is_good(
    calls: pd.DataFrame, other: Callable[[pd.DataFrame], Any]
) -> None:
    back = other(calls).to_pandas()
    pd.testing.assert_frame_equal(callkit.cost_breakdown(back), callkit.cost_breakdown(calls))
