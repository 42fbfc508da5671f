"""What breakdowns say of themselves, which goes with them into a Parquet file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import callkit
from tests.breakdown.synthetic import calls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

STARTED = {"start": "2025-03-01T09:00:00+00:00"}
CALLS = calls({**STARTED, "price": "-1"}, {"price": "-2"}, {"price": None})
FETCHED = {"calls_asked": 4, "calls_got": 3, "calls_failed": 1, "as_of_first": "2025-03-01T00:00Z"}
BREAKDOWNS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "cost": lambda df: callkit.cost_breakdown(df, "direction", tz="Europe/Berlin"),
    "duration": lambda df: callkit.duration_breakdown(df, freq="D", tz="Europe/Berlin"),
}


@pytest.mark.parametrize("breakdown", BREAKDOWNS.values(), ids=BREAKDOWNS)
def test_a_breakdown_says_which_calls_it_covers_and_its_zone(
    breakdown: Callable[[pd.DataFrame], pd.DataFrame],
) -> None:
    df = CALLS.copy()
    df.attrs = {"callkit": FETCHED, "mine": "not its business"}
    table = breakdown(df)
    assert table.attrs == {"callkit": {**FETCHED, "calls_covered": 3, "tz": "Europe/Berlin"}}


@pytest.mark.parametrize("started", [1, 0])
def test_calls_in_progress_covers_the_calls_that_started(started: int) -> None:
    df = CALLS.tail(2 + started)
    df.attrs = {"callkit": FETCHED}
    table = callkit.calls_in_progress(df, freq="D", tz="Europe/Berlin")
    assert table["calls_started"].sum() == started
    assert table.attrs == {"callkit": {**FETCHED, "calls_covered": started, "tz": "Europe/Berlin"}}


def test_a_roll_up_has_no_zone() -> None:
    assert callkit.roll_up(CALLS).attrs == {"callkit": {"calls_covered": 3}}


def test_the_frame_itself_is_left_as_it_was() -> None:
    df = CALLS.copy()
    df.attrs = {"callkit": dict(FETCHED)}
    callkit.cost_breakdown(df)
    assert df.attrs == {"callkit": FETCHED}


def test_what_others_keep_under_that_name_is_no_matter() -> None:
    df = CALLS.copy()
    df.attrs = {"callkit": "a word"}
    assert callkit.cost_breakdown(df).attrs == {"callkit": {"calls_covered": 3, "tz": "UTC"}}


def test_a_file_says_it_too(tmp_path: Path) -> None:
    df = CALLS.copy()
    df.attrs = {"callkit": FETCHED}
    callkit.to_parquet(callkit.cost_breakdown(df, freq="D"), tmp_path / "cost.parquet")
    said = callkit.read_parquet(tmp_path / "cost.parquet").attrs["callkit"]
    assert {**FETCHED, "calls_covered": 3, "tz": "UTC"}.items() <= said.items()
