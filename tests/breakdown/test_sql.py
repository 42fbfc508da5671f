"""The breakdowns against SQL over the sandbox's calls in a Parquet file, to the last digit.

``python -m benchmarks.exactness`` does the same over 200,000 calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.breakdown import calls_in_progress, roll_up
from tests.breakdown import sql
from tests.breakdown.synthetic import sandbox_calls

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu"]
CASES: list[tuple[list[str], str | None]] = [
    ([], None),
    (["direction"], "h"),
    (["direction"], "D"),
    (["status", "leg"], "W"),
    (["hour"], None),
    (["weekday", "leg"], "MS"),
    (["to"], None),
    (["channel"], "6h"),
    (["our_number"], "2D"),
    (["other_party", "answered_by"], None),
    (["account_sid"], "QS-FEB"),
    (["status", "hour", "weekday"], "YS"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sql") / "calls.parquet"
    callkit.to_parquet(sandbox_calls(4_000), path)
    return path


@pytest.fixture(scope="module")
def frame(path: Path) -> pd.DataFrame:
    return callkit.read_parquet(path)


@pytest.mark.parametrize("tz", ZONES)
@pytest.mark.parametrize(("by", "freq"), CASES)
def test_cost_is_what_sql_makes_of_the_file(
    path: Path, frame: pd.DataFrame, by: list[str], freq: str | None, tz: str
) -> None:
    got = callkit.cost_breakdown(frame, by, freq=freq, tz=tz)
    assert sql.rows_of(got, got.columns.tolist().index("calls")) == sql.cost(path, by, freq, tz)


@pytest.mark.parametrize("tz", ZONES)
@pytest.mark.parametrize(("by", "freq"), CASES)
def test_duration_is_what_sql_makes_of_the_file(
    path: Path, frame: pd.DataFrame, by: list[str], freq: str | None, tz: str
) -> None:
    got = callkit.duration_breakdown(frame, by, freq=freq, tz=tz)
    assert sql.rows_of(got, got.columns.tolist().index("calls")) == sql.duration(path, by, freq, tz)


@pytest.mark.parametrize("tz", ZONES)
@pytest.mark.parametrize(("freq", "unit"), [("h", "hour"), ("D", "day"), ("MS", "month")])
def test_calls_in_progress_are_what_sql_makes_of_the_file(
    path: Path, frame: pd.DataFrame, freq: str, unit: str, tz: str
) -> None:
    got = calls_in_progress(frame, freq=freq, tz=tz)
    assert sql.rows_of(got, 1) == sql.in_progress(path, unit, tz)


def test_trees_are_what_sql_makes_of_the_file(path: Path, frame: pd.DataFrame) -> None:
    assert sql.rows_of(roll_up(frame), 2) == sql.trees(path)


def test_trees_without_their_roots_are_what_sql_makes_of_the_file(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    part = frame[frame.index % 3 > 0]
    callkit.to_parquet(part, tmp_path / "part.parquet")
    assert sql.rows_of(roll_up(part), 2) == sql.trees(tmp_path / "part.parquet")
