"""Bulk Export files → Parquet, CSV or JSON Lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import callkit
from callkit.errors import NormaliseError, ParquetError
from tests.bulk.records import bodies, record, record_of, write

if TYPE_CHECKING:
    from pathlib import Path

    from callkit.files import FormatName


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A folder of two files, with a call that is in both."""
    folder = tmp_path / "exports"
    folder.mkdir()
    records = list(map(record_of, bodies(60)))
    write(folder / "2023-03-15.json.gz", records[:40])
    write(folder / "2023-03-16.json.gz", records[39:])
    return folder


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_the_file_holds_the_frame(exports: Path, tmp_path: Path, form: FormatName) -> None:
    out = callkit.export(callkit.BulkExport(exports), tmp_path / f"calls.{form}", format=form)
    expected = callkit.read_bulk_export(exports)
    assert (out.calls, out.failures_path) == (60, None)
    assert_frame_equal(out.frame, expected)
    del out.frame.attrs["callkit"]["run_id"]
    assert out.frame.attrs == expected.attrs
    assert out.table.num_rows == 60


def test_a_dataset_by_month_holds_the_calls(exports: Path, tmp_path: Path) -> None:
    callkit.export(callkit.BulkExport(exports), tmp_path / "calls", by_month=True)
    found = callkit.read_parquet(tmp_path / "calls")
    expected = callkit.read_bulk_export(exports)
    found = found.set_index("sid").loc[expected["sid"]].reset_index()
    assert_frame_equal(found, expected)


def test_parties_can_be_pseudonymised(exports: Path, tmp_path: Path) -> None:
    names = callkit.Pseudonyms("only this test's key")
    path = tmp_path / "calls.parquet"
    out = callkit.export(callkit.BulkExport(exports), path, pseudonyms=names)
    expected = callkit.pseudonymise(callkit.read_bulk_export(exports), "only this test's key")
    assert_frame_equal(out.frame, expected)


def test_broken_records_are_listed_beside_the_file(tmp_path: Path) -> None:
    day = write(tmp_path / "day.json", [record(1), b"null", record(2, price="much")])
    with pytest.raises(NormaliseError, match="line 2: the body is null") as caught:
        callkit.export(callkit.BulkExport(day), tmp_path / "calls.parquet")
    assert len(callkit.read_parquet(tmp_path / "calls.parquet")) == 1
    assert len(caught.value.frame) == 1
    listed = pd.read_csv(tmp_path / "calls.failures.csv")
    assert listed["message"].tolist() == caught.value.failures["message"].tolist()
    assert len(listed) == 2


def test_files_of_which_nothing_can_be_read_replace_nothing(tmp_path: Path) -> None:
    day = write(tmp_path / "day.json", [b"[]"])
    path = tmp_path / "calls.parquet"
    path.write_text("precious")
    with pytest.raises(NormaliseError, match="No call could be read"):
        callkit.export(callkit.BulkExport(day), path, errors="warn")
    assert path.read_text() == "precious"
    assert {file.name for file in tmp_path.iterdir()} == {"day.json", "calls.parquet"}


@pytest.mark.parametrize("name", ["day.json", "calls.jsonl.failures.csv"])
def test_a_file_that_is_read_is_not_replaced(tmp_path: Path, name: str) -> None:
    day = write(tmp_path / name, [record(1)])
    if name.endswith(".csv"):
        header = callkit.collect(callkit.BulkExport(day)).failures.to_csv(index=False)
        day.write_text(header)
    path = tmp_path / ("calls.jsonl" if name.endswith(".csv") else name)
    with pytest.raises(ParquetError, match="which this export reads: export to another file"):
        callkit.export(callkit.BulkExport(day), path, format="jsonl")


def test_an_export_beside_the_files_is_not_read_into_itself(exports: Path) -> None:
    path = exports / "calls.jsonl"
    callkit.export(callkit.BulkExport(exports), path, format="jsonl")
    with pytest.raises(ParquetError, match="outside the folder that is read"):
        callkit.export(callkit.BulkExport(exports), path, format="jsonl")
