"""Which files are read, and in which order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from callkit import BulkExport
from callkit.errors import BulkExportError

if TYPE_CHECKING:
    from collections.abc import Iterable


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with files in it and below."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.json.gz", "a.json.gz", "in/c.json", "in/more/D.JSONL.GZ", "in/e.jsonl"):
        make(name)
    for name in ("in/.hidden.json", "in/notes.txt", "in/calls.csv", "in/calls.json.part"):
        make(name)
    return tmp_path


def make(name: str) -> Path:
    path = Path(name)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.touch()
    return path


def names(paths: str | Path | Iterable[str | Path]) -> list[str]:
    return [file.as_posix() for file in BulkExport(paths).files]


def test_a_path_is_text_or_a_path() -> None:
    assert names("b.json.gz") == names(Path("b.json.gz")) == ["b.json.gz"]


def test_a_file_may_be_called_anything() -> None:
    assert names("in/notes.txt") == ["in/notes.txt"]


def test_files_are_read_in_the_order_in_which_they_are_given() -> None:
    assert names(["b.json.gz", "a.json.gz"]) == ["b.json.gz", "a.json.gz"]


def test_files_of_a_pattern_are_sorted() -> None:
    assert names("*.json.gz") == ["a.json.gz", "b.json.gz"]


def test_a_pattern_may_be_absolute_and_recursive(folder: Path) -> None:
    assert [Path(name).name for name in names(f"{folder}/**/*.json")] == ["c.json"]


def test_a_folder_is_read_with_what_is_below_but_for_other_files() -> None:
    assert names("in") == ["in/c.json", "in/e.jsonl", "in/more/D.JSONL.GZ"]


def test_a_folder_that_matches_a_pattern_is_read_too() -> None:
    assert names("i*") == names("in")


def test_a_file_is_read_once_however_often_it_is_named(folder: Path) -> None:
    (folder / "link.json.gz").symlink_to("b.json.gz")
    assert names(["b.json.gz", "*.json.gz", "./b.json.gz"]) == ["b.json.gz", "a.json.gz"]


@pytest.mark.parametrize("name", ["day (1).json", "day[1].json", "day*.json"])
def test_a_name_that_looks_like_a_pattern_is_a_file_if_it_exists(name: str) -> None:
    make(name)
    assert names(name) == [name]


@pytest.mark.parametrize("path", ["missing.json", "missing/*.json.gz", "*.parquet", ""])
def test_a_path_that_leads_nowhere_is_an_error(path: str) -> None:
    with pytest.raises(BulkExportError, match="No Bulk Export file matches") as caught:
        BulkExport(["a.json.gz", path])
    assert repr(path) in str(caught.value)


def test_a_folder_without_such_files_is_an_error(folder: Path) -> None:
    (folder / "empty").mkdir()
    expected = "The folder 'empty' contains no Bulk Export file: expected files that end in .json, "
    with pytest.raises(BulkExportError, match=expected):
        BulkExport("empty")


def test_no_path_at_all_is_an_error() -> None:
    with pytest.raises(BulkExportError, match="expected at least one"):
        BulkExport([])


def test_a_path_with_a_nul_is_an_error() -> None:
    with pytest.raises(BulkExportError, match="NUL"):
        BulkExport("a\0")


@pytest.mark.parametrize("wrong", [b"a.json.gz", [b"a.json.gz"], [17], 17, None])
def test_what_is_no_path_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError):
        BulkExport(wrong)


def test_its_repr_counts_files() -> None:
    assert repr(BulkExport("a.json.gz")) == "BulkExport(1 file)"
    assert repr(BulkExport(os.curdir)) == "BulkExport(5 files)"
