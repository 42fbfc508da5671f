"""A ready frame of synthetic calls, for whoever has no account at hand."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

import callkit
from callkit.sandbox import Sandbox


@pytest.fixture(scope="module")
def df() -> pd.DataFrame:
    return callkit.sample()


def test_it_has_as_many_calls_as_were_asked_for(df: pd.DataFrame) -> None:
    assert len(df) == 1_000
    assert df["sid"].is_unique
    assert [len(callkit.sample(calls)) for calls in (1, 2, 333)] == [1, 2, 333]


def test_it_is_typed_as_calls_that_were_fetched(df: pd.DataFrame) -> None:
    sandbox = Sandbox(calls=1_000)
    fetched = callkit.to_frame(sandbox.sid_frame(1_000), client=sandbox.client())
    pd.testing.assert_frame_equal(df, fetched)
    assert df.attrs["callkit"].keys() == fetched.attrs["callkit"].keys()


def test_its_counts_and_time_are_those_of_the_sample(df: pd.DataFrame) -> None:
    said = df.attrs["callkit"]
    assert (said["calls_asked"], said["calls_got"], said["calls_failed"]) == (1_000, 1_000, 0)
    assert said["as_of_first"] == said["as_of_last"] == "2025-04-01T00:00:00+00:00"


def test_it_is_the_same_every_time(df: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(df, callkit.sample())


def test_its_calls_are_in_the_order_of_their_start(df: pd.DataFrame) -> None:
    assert df["start_time"].dropna().is_monotonic_increasing


def test_it_is_of_two_accounts_and_currencies(df: pd.DataFrame) -> None:
    per_account = df.groupby(["account_sid", "price_unit"]).size()
    assert sorted(per_account.tolist()) == [200, 800]
    assert sorted(df["price_unit"].unique()) == ["EUR", "USD"]


def test_every_breakdown_and_chart_takes_it(df: pd.DataFrame) -> None:
    callkit.charts.cost(callkit.cost_breakdown(df, "direction", freq="W"))
    callkit.charts.duration(df)
    assert callkit.roll_up(df)["legs"].sum() == len(df)
    assert "1,000" in str(callkit.summary(df))


def test_fewer_calls_than_one_are_refused() -> None:
    with pytest.raises(ValueError, match="Invalid calls 0: expected at least 1"):
        callkit.sample(0)


def test_it_needs_no_extra_and_no_environment() -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = sys.modules['httptools'] = None\n"
        "import callkit; print(len(callkit.sample(5)))"
    )
    done = subprocess.check_output([sys.executable, "-W", "error", "-c", code], env={}, text=True)
    assert done == "5\n"
