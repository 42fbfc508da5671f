"""What is left of processes that were killed, and several that write to one output."""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.errors import ParquetError
from callkit.files.replacing import complete, replacing, writing
from tests.support.forked import can_fork, ends_well_in_a_child
from tests.support.small_disks import files_up_to, on_posix
from tests.support.special_files import SPECIAL, traces_of_use

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.special_files import Make


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    return tmp_path / "calls.failures.csv"


FAILURES = "sid,account_sid,reason,message,http_status,code,request_id,attempts,day,run_id\n{}\n"


def replace(path: Path, beside: Path, calls: str, failures: str | None) -> None:
    with replacing(path, beside) as new:
        new.calls().write_text(calls)
        new.failures().write_text("" if failures is None else FAILURES.format(failures))


def pair(path: Path, beside: Path) -> tuple[str, str | None]:
    failures = beside.read_text().splitlines()[1] if beside.exists() else None
    return path.read_text(), failures


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def in_a_killed_child(act: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        act()
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def kill_while_writing(path: Path) -> None:
    with writing(path) as part:
        part.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_calls_and_failures_are_replaced_together(path: Path, beside: Path) -> None:
    for calls, failures in (("1", "a"), ("2", None), ("3", "b")):
        replace(path, beside, calls, failures)
        assert pair(path, beside) == (calls, failures)
    assert names(path.parent) == [beside.name, path.name]


def test_neither_is_replaced_if_writing_fails(path: Path, beside: Path) -> None:
    replace(path, beside, "1", "a")
    with pytest.raises(UnicodeEncodeError):
        replace(path, beside, "2", "\ud800")
    assert pair(path, beside) == ("1", "a")
    assert names(path.parent) == [beside.name, path.name]


@on_posix
@pytest.mark.parametrize("sizes", [(2_000, 10), (10, 2_000)])
def test_neither_is_replaced_on_a_full_disk(
    path: Path, beside: Path, sizes: tuple[int, int]
) -> None:
    replace(path, beside, "1", "a")
    with files_up_to(1_000), pytest.raises(ParquetError, match="cannot be written: File too large"):
        replace(path, beside, "2" * sizes[0], "b" * sizes[1])
    assert pair(path, beside) == ("1", "a")
    assert names(path.parent) == [beside.name, path.name]


def test_an_interrupt_while_both_are_moved_lets_them_be_moved_first(
    path: Path, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(path, beside, "1", "a")
    unlink = Path.unlink

    def interrupted(removed: Path, *, missing_ok: bool = False) -> None:
        monkeypatch.undo()
        unlink(removed, missing_ok=missing_ok)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace(path, beside, "2", None)
    assert pair(path, beside) == ("2", None)
    assert names(path.parent) == [path.name]


def test_both_keep_the_modes_of_those_they_replace(path: Path, beside: Path) -> None:
    replace(path, beside, "1", "a")
    path.chmod(0o640)
    beside.chmod(0o600)
    replace(path, beside, "2", "b")
    assert [each.stat().st_mode & 0o777 for each in (path, beside)] == [0o640, 0o600]


def test_failures_go_where_their_link_leads(path: Path, beside: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    beside.symlink_to(tmp_path / "far" / "real.csv")
    replace(path, beside, "1", "a")
    assert beside.is_symlink()
    assert pair(path, tmp_path / "far" / "real.csv") == ("1", "a")


@can_fork
def test_what_a_killed_process_has_left_is_removed_by_the_next(path: Path) -> None:
    in_a_killed_child(lambda: kill_while_writing(path))
    assert [name.endswith(".part") for name in names(path.parent)] == [True]
    with writing(path) as part:
        part.write_text("whole")
    assert names(path.parent) == [path.name]


@can_fork
def test_what_a_killed_process_has_left_of_another_output_stays(path: Path) -> None:
    in_a_killed_child(lambda: kill_while_writing(path))
    left = names(path.parent)
    with writing(path.with_name("calls")) as part:
        part.write_text("whole")
    assert names(path.parent) == [*left, "calls"]


def test_what_a_living_process_is_writing_stays_and_the_last_one_wins_whole(
    path: Path, beside: Path
) -> None:
    with replacing(path, beside) as first:
        first.calls().write_text("1")
        replace(path, beside, "2", "b")
        assert pair(path, beside) == ("2", "b")
        first.failures().write_text(FAILURES.format("a"))
    assert pair(path, beside) == ("1", "a")
    assert names(path.parent) == [beside.name, path.name]


def test_exports_to_one_output_at_the_same_time_leave_a_pair(path: Path, beside: Path) -> None:
    def replace_often(word: str) -> None:
        for number in range(40):
            replace(path, beside, f"{word}{number}", f"{word}{number}" if number % 3 else None)

    threads = [threading.Thread(target=replace_often, args=[word]) for word in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls, failures = pair(path, beside)
    assert (calls, failures) in [(f"{word}39", None) for word in "abcd"]
    assert names(path.parent) == [path.name]


@can_fork
def test_a_forked_child_that_unwinds_removes_nothing(path: Path) -> None:
    with writing(path) as part:
        part.write_text("whole")

        def unwind() -> None:
            with pytest.raises(ZeroDivisionError):
                raise ZeroDivisionError

        assert ends_well_in_a_child(unwind)
        assert part.read_text() == "whole"
    assert path.read_text() == "whole"


def _folder(place: Path) -> None:
    place.mkdir()
    (place / "notes.txt").write_text("mine")


def _file(place: Path) -> None:
    place.write_text("mine")


def _damaged(place: Path) -> None:
    place.mkdir()
    (place / "calls").write_text("mine")


@pytest.mark.parametrize("make", [_folder, _file, _damaged])
def test_what_only_has_the_name_of_a_replacement_is_left_alone(
    path: Path, make: Callable[[Path], None]
) -> None:
    place = path.with_name(".calls.parquet.replacing")
    make(place)
    with pytest.raises(ParquetError, match="Refusing to use .*replacing', which callkit did not"):
        callkit.to_parquet(callkit.normalise([]), path)
    assert names(path.parent) == [place.name]


@pytest.mark.parametrize("note", ["", "[]", '{"failures": 1}', "[" * 100_000])
def test_a_damaged_note_moves_nothing(path: Path, note: str) -> None:
    place = path.with_name(".calls.parquet.replacing")
    place.mkdir()
    (place / "replacing.json").write_text(note)
    (place / "calls").write_text("new")
    with pytest.raises(ParquetError, match=r"replacing\.json' is damaged: move the files"):
        complete(path)
    assert names(place) == ["calls", "replacing.json"]


def test_an_empty_folder_that_a_kill_has_left_is_removed(path: Path) -> None:
    path.with_name(".calls.parquet.replacing").mkdir()
    complete(path)
    assert names(path.parent) == []


def test_a_file_that_another_program_has_open_on_windows_is_moved_by_the_next_export(
    path: Path, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path, __: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    replace(path, beside, "1", "a")
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(
        ParquetError, match=r"another program may have it open\); the next export to it completes"
    ):
        replace(path, beside, "2", "b")
    monkeypatch.undo()
    complete(path)
    assert pair(path, beside) == ("2", "b")


@pytest.mark.parametrize(
    ("make", "kind"), [each for name, each in SPECIAL.items() if name != "link to nothing"]
)
def test_what_is_no_regular_file_is_neither_replaced_nor_read(
    tmp_path: Path, make: Make, kind: str
) -> None:
    make(tmp_path / "calls")
    for output in ("calls", "new.parquet"):
        if output == "new.parquet":
            (tmp_path / "calls").rename(tmp_path / "new.failures.csv")
        before = traces_of_use(tmp_path / output)
        with pytest.raises(ParquetError, match=f"cannot be written: .* it is {kind}"):
            callkit.export(["CA" + "0" * 32], tmp_path / output)
        assert traces_of_use(tmp_path / output) == before


@on_posix
@pytest.mark.parametrize("direct", [True, False])
def test_a_stream_that_the_process_has_open_is_no_output(tmp_path: Path, direct: bool) -> None:
    with (tmp_path / "out").open("w") as out:
        link = tmp_path / "link"
        link.symlink_to(f"/dev/fd/{out.fileno()}")
        path = Path(f"/dev/fd/{out.fileno()}") if direct else link
        with pytest.raises(ParquetError, match="not of a device or an open stream"):
            callkit.export(["CA" + "0" * 32], path)
    assert names(tmp_path) == ["link", "out"]


def test_a_note_says_where_the_failures_go(path: Path, beside: Path) -> None:
    with replacing(path, beside) as new:
        place = new.calls().parent
        new.failures()
        note = json.loads((place / "replacing.json").read_text())
    assert note == {"run_id": new.run_id, "failures": beside.name}
