from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

import callkit
from callkit.errors import FrameError, ParquetError
from callkit.report import write_report

if TYPE_CHECKING:
    from pathlib import Path

    from callkit.sandbox import Sandbox


@pytest.fixture(scope="module")
def calls(sandbox: Sandbox) -> pd.DataFrame:
    with sandbox.client() as client:
        return callkit.to_frame(sandbox.sids(100), client=client)


@pytest.fixture(scope="module")
def folder(calls: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("some") / "new" / "folder"
    files = write_report(calls, folder, by=["country"], freq="M", tz="Europe/Berlin")
    assert sorted(files) == sorted(folder.iterdir())
    return folder


def test_the_page_is_the_summary(calls: pd.DataFrame, folder: Path) -> None:
    page = callkit.summary(calls, freq="M", tz="Europe/Berlin")
    assert (folder / "summary.txt").read_text() == f"{page}\n"


@pytest.mark.parametrize("name", ["cost", "duration"])
def test_the_tables_are_the_breakdowns(calls: pd.DataFrame, folder: Path, name: str) -> None:
    break_down = {"cost": callkit.cost_breakdown, "duration": callkit.duration_breakdown}[name]
    expected = break_down(calls, by=["country"], freq="M", tz="Europe/Berlin")
    pd.testing.assert_frame_equal(callkit.read_parquet(folder / f"{name}.parquet"), expected)


def test_the_pictures_are_charts(folder: Path) -> None:
    pictures = sorted(folder.glob("*.png"))
    names = [picture.stem for picture in pictures]
    assert names == ["cost", "duration", "hours", "in_progress", "status"]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)


def test_nobody_is_named(calls: pd.DataFrame, folder: Path) -> None:
    tables = [callkit.read_parquet(path).to_csv() for path in folder.glob("*.parquet")]
    told = "".join([(folder / "summary.txt").read_text(), *tables])
    parties = pd.concat([calls["from"], calls["to"]]).dropna().unique()
    assert not any(party in told for party in parties)


def test_no_calls_make_a_report_too(tmp_path: Path) -> None:
    assert "0 calls" in write_report(callkit.normalise([]), tmp_path)[0].read_text()


def test_a_frame_that_is_none_of_calls_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FrameError):
        write_report(pd.DataFrame({"sid": []}), tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_report_touches_no_file_but_its_own(calls: pd.DataFrame, tmp_path: Path) -> None:
    for name in (".writable", "notes.txt", ".summary.txt.part"):
        (tmp_path / name).write_text("mine")
    files = write_report(calls, tmp_path)
    mine = {path for path in tmp_path.iterdir() if path not in files}
    assert {path.name: path.read_text() for path in mine} == {
        ".writable": "mine",
        "notes.txt": "mine",
        ".summary.txt.part": "mine",
    }


def test_a_folder_that_cannot_be_is_told_in_one_sentence(
    calls: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ParquetError, match="Cannot write to the folder .*: Not a direct"):
        write_report(calls, tmp_path / "file" / "report")
