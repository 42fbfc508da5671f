"""The recipe that the documentation gives for Excel, run, and the workbook read back."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import openpyxl
import pandas as pd
import pytest

import callkit
from tests.documents import ROOT, blocks_of
from tests.support.scripted import call_body, sid

if TYPE_CHECKING:
    from pathlib import Path

(RECIPE,) = (
    block.text
    for block in blocks_of(ROOT / "docs" / "parquet.md")
    if block.language == "python" and "ExcelWriter" in block.text
)


def run_recipe(df: pd.DataFrame, folder: Path) -> list[dict[str, Any]]:
    """Run the recipe over a file of `df`, and read the rows of the workbook."""
    callkit.to_parquet(df, folder / "calls.parquet")
    exec(RECIPE, {"callkit": callkit})
    workbook = openpyxl.load_workbook(folder / "calls.xlsx")
    header, *rows = workbook["calls"].iter_rows()
    names = [cell.value for cell in header]
    return [dict(zip(names, row, strict=True)) for row in rows]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_totals_by_currency_are_right_to_the_cent(calls: pd.DataFrame, folder: Path) -> None:
    rows = run_recipe(calls, folder)
    assert len(rows) == len(calls)
    for unit, total in calls.groupby("price_unit")["price"].sum().items():
        prices = [row["price"].value for row in rows if row["price_unit"].value == unit]
        in_excel = sum(price for price in prices if price is not None)
        assert round(Decimal(in_excel), 2) == round(total, 2)
        assert round(Decimal(in_excel), 8) == total


def test_each_price_shows_its_eight_places(folder: Path) -> None:
    prices = ["-9999999.99999999", "-0.01700000", "0.00000001"]
    bodies = [call_body(sid(number), price=price) for number, price in enumerate(prices)]
    rows = run_recipe(callkit.normalise(bodies), folder)
    assert [f"{row['price'].value:.8f}" for row in rows] == prices
    assert {row["price"].number_format for row in rows} == {"0.00000000"}


def test_times_and_durations_are_what_their_names_say(folder: Path) -> None:
    body = call_body(
        sid(1), start_time="Sun, 09 Mar 2025 09:05:17 +0100", duration="65", queue_time="1500"
    )
    [row] = run_recipe(callkit.normalise([body]), folder)
    assert row["start_time_utc"].is_date
    assert row["start_time_utc"].value == pd.Timestamp("2025-03-09 08:05:17")
    assert (row["duration_s"].value, row["queue_time_s"].value) == (65, 1.5)
    assert row["end_time_utc"].value is None


def test_text_stays_text(folder: Path) -> None:
    body = call_body(sid(1), caller_name='=HYPERLINK("http://example.com")', to="+14155550100")
    [row] = run_recipe(callkit.normalise([body]), folder)
    assert (row["caller_name"].data_type, row["to"].data_type) == ("s", "s")
    assert row["to"].value == "+14155550100"


def test_a_breakdown_goes_through_the_same_recipe(calls: pd.DataFrame, folder: Path) -> None:
    cost = callkit.cost_breakdown(calls, by="direction", freq="MS", tz="Europe/Berlin")
    rows = run_recipe(cost, folder)
    assert round(Decimal(sum(row["cost"].value or 0 for row in rows)), 8) == cost["cost"].sum()
    assert {row["cost"].number_format for row in rows} == {"0.00000000"}
