from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

import callkit
from callkit import ParquetError
from callkit.parquet.datasets import month_files
from callkit.schema import SCHEMA
from tests.support.scripted import call_body, sid

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "calls"


def started(*times: str | None) -> pd.DataFrame:
    return callkit.normalise(
        call_body(sid(number), start_time=time) for number, time in enumerate(times)
    )


def calls_by_file(folder: Path) -> dict[str, list[str]]:
    return {
        path.relative_to(folder).as_posix(): pq.ParquetFile(path).read()["sid"].to_pylist()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_calls_go_to_the_month_in_which_they_started_in_utc(folder: Path) -> None:
    df = started(
        "Fri, 28 Feb 2025 23:59:59 +0000",
        "Sat, 01 Mar 2025 00:30:00 +0100",
        "Sat, 01 Mar 2025 00:00:00 +0000",
        "Fri, 28 Feb 2025 22:00:00 -0500",
    )
    callkit.to_parquet(df, folder, by_month=True)
    assert calls_by_file(folder) == {
        "month=2025-02/part-0.parquet": [sid(0), sid(1)],
        "month=2025-03/part-0.parquet": [sid(2), sid(3)],
        "month=none/part-0.parquet": [],
    }


def test_a_zone_of_the_frame_moves_no_call(folder: Path) -> None:
    df = started("Fri, 28 Feb 2025 23:30:00 +0000")
    df["start_time"] = df["start_time"].dt.tz_convert("Europe/Berlin")
    callkit.to_parquet(df, folder, by_month=True)
    assert calls_by_file(folder)["month=2025-02/part-0.parquet"] == [sid(0)]


def test_calls_never_started_have_a_file_of_their_own(folder: Path) -> None:
    callkit.to_parquet(started(None, None), folder, by_month=True)
    assert calls_by_file(folder) == {"month=none/part-0.parquet": [sid(0), sid(1)]}


def test_each_file_has_the_schema_and_says_what_the_whole_is(
    calls: pd.DataFrame, folder: Path
) -> None:
    callkit.to_parquet(calls, folder, by_month=True)
    footers = [pq.read_metadata(path).metadata[b"callkit"] for path in folder.glob("*/*")]
    assert len(set(footers)) == 1
    assert all(pq.read_schema(path).equals(SCHEMA) for path in folder.glob("*/*"))


def test_many_small_tables_make_few_row_groups(folder: Path) -> None:
    df = started(*["Sat, 01 Mar 2025 00:00:00 +0000", None] * 50)
    callkit.to_parquet(df, folder.with_suffix(".parquet"))
    table = pq.read_table(folder.with_suffix(".parquet"), schema=SCHEMA)
    folder.mkdir()
    with month_files(folder, SCHEMA, dict) as write:
        for _ in range(200):
            write(table)
    march = pq.ParquetFile(folder / "month=2025-03" / "part-0.parquet")
    groups = [march.metadata.row_group(i).num_rows for i in range(march.num_row_groups)]
    assert sum(groups) == 10_000
    assert len(groups) <= 10_000 // 4_096 + 1


def test_unlisted_categories_of_small_tables_are_kept(folder: Path) -> None:
    folder.mkdir()
    with month_files(folder, SCHEMA, dict) as write:
        for status in ("frozen", "thawed", "busy"):
            callkit.to_parquet(
                callkit.normalise([call_body(sid(1), status=status)]), folder / "one.parquet"
            )
            write(pq.read_table(folder / "one.parquet").cast(SCHEMA))
    written = pq.read_table(folder / "month=none" / "part-0.parquet", partitioning=None)
    assert written["status"].to_pylist() == ["frozen", "thawed", "busy"]


@pytest.mark.parametrize(
    ("df", "sentence"),
    [
        (
            started(None)[["sid", "price"]],
            "needs the column 'start_time', .*; there is sid, price$",
        ),
        (started(None).assign(month="2025-03"), "say the 'month', so no column may: rename it"),
    ],
)
def test_a_frame_that_has_no_months_or_names_them_itself_is_refused(
    folder: Path, df: pd.DataFrame, sentence: str
) -> None:
    with pytest.raises(ParquetError, match=sentence):
        callkit.to_parquet(df, folder, by_month=True)
    assert list(folder.parent.iterdir()) == []
