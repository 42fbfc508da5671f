from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from callkit.errors import ParquetError
from callkit.files.replacing import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.fixture
def umask() -> Iterator[int]:
    previous = os.umask(0o027)
    yield 0o027
    os.umask(previous)


def write(path: Path, text: str) -> None:
    with writing(path) as part:
        part.write_text(text)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_name_when_it_is_whole(path: Path) -> None:
    with writing(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names(path.parent) == ["file"]


def test_what_was_there_stays_if_writing_fails(path: Path) -> None:
    path.write_text("before")
    with pytest.raises(TypeError), writing(path) as part, part.open("w") as half:
        half.writelines(["half", None])  # type: ignore[list-item]
    assert path.read_text() == "before"
    assert names(path.parent) == ["file"]


@pytest.mark.usefixtures("umask")
def test_a_new_file_obeys_the_umask(path: Path) -> None:
    write(path, "new")
    assert mode(path) == 0o640


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("kept", [0o600, 0o664, 0o444])
def test_a_file_that_is_replaced_keeps_its_mode(path: Path, kept: int) -> None:
    path.touch()
    path.chmod(kept)
    write(path, "new")
    assert (mode(path), path.read_text()) == (kept, "new")


def test_what_replaces_a_private_file_is_private_from_the_start(path: Path) -> None:
    path.touch(0o600)
    with writing(path) as part:
        assert mode(part) == 0o600


def test_a_link_goes_on_to_lead_where_it_led(path: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real").write_text("before")
    path.symlink_to(tmp_path / "far" / "real")
    write(path, "new")
    assert path.is_symlink()
    assert (tmp_path / "far" / "real").read_text() == "new"
    assert names(tmp_path / "far") == ["real"]


def test_a_link_to_nothing_is_written_through(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "real")
    write(path, "new")
    assert path.is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_folder_is_not_replaced(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ParquetError, match="cannot be written: .* it is a directory"):
        write(path, "new")
    assert path.is_dir()


def test_what_is_no_regular_file_is_not_replaced(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(ParquetError, match="cannot be written: .* it is a named pipe"):
        write(path, "new")
    assert path.is_fifo()


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ParquetError, match="cannot be written: No such file or directory"):
        write(tmp_path / "missing" / "file", "new")
    assert names(tmp_path) == []


def test_what_a_killed_process_would_leave_is_its_owners_alone(tmp_path: Path) -> None:
    with writing(tmp_path / "calls.csv") as part:
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
