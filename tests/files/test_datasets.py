from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from itertools import groupby
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.parquet as pq
import pytest

import callkit
from callkit.errors import ParquetError
from callkit.files.formats import month_files
from callkit.files.replacing import writing
from callkit.schema import SCHEMA
from tests.support.scripted import call_body, sid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def one_call(number: int) -> pd.DataFrame:
    return callkit.normalise([call_body(sid(number))])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "calls"


def write(folder: Path, number: int) -> None:
    callkit.to_parquet(one_call(number), folder, by_month=True)


def sids_in(folder: Path) -> list[str]:
    sids: list[str] = callkit.read_parquet(folder)["sid"].tolist()
    return sids


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_dataset_replaces_one_that_callkit_wrote(folder: Path) -> None:
    write(folder, 1)
    write(folder, 2)
    assert sids_in(folder) == [sid(2)]
    assert names(folder.parent) == ["calls"]


def test_months_of_before_do_not_stay(folder: Path, calls: pd.DataFrame) -> None:
    callkit.to_parquet(calls, folder, by_month=True)
    write(folder, 2)
    assert names(folder) == ["month=none"]


def test_a_dataset_takes_its_name_when_it_is_whole(folder: Path) -> None:
    with writing(folder, folder=True) as part:
        (part / "month=none").mkdir()
        assert not folder.exists()
    assert names(folder) == ["month=none"]


def test_an_empty_folder_may_become_a_dataset(folder: Path) -> None:
    folder.mkdir()
    write(folder, 1)
    assert sids_in(folder) == [sid(1)]


def test_what_was_there_stays_if_writing_fails(folder: Path) -> None:
    write(folder, 1)
    with pytest.raises(TypeError), writing(folder, folder=True) as part:
        (part / "half").write_text(None)  # type: ignore[arg-type]
    assert sids_in(folder) == [sid(1)]
    assert names(folder.parent) == ["calls"]


def _note(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")


def _note_within_a_month(folder: Path) -> None:
    (folder / "month=none" / "notes.txt").write_text("mine")


def _other_parquet(folder: Path) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(folder / "month=none" / "part-0.parquet")


def _broken_parquet(folder: Path) -> None:
    (folder / "month=none" / "part-0.parquet").write_text("mine")


def _second_part(folder: Path) -> None:
    callkit.to_parquet(one_call(3), folder / "month=none" / "part-1.parquet")


def _folder(folder: Path) -> None:
    (folder / "month=mine").mkdir()


def _link(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder / "month=2025-01").symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    ("put", "named"),
    [
        (_note, "'notes.txt'"),
        (_note_within_a_month, "'month=none/notes.txt'"),
        (_other_parquet, "'month=none/part-0.parquet'"),
        (_broken_parquet, "'month=none/part-0.parquet'"),
        (_second_part, "'month=none/part-1.parquet'"),
        (_folder, "'month=mine'"),
        (_link, "'month=2025-01'"),
    ],
)
def test_a_folder_that_holds_anything_else_is_left_alone(
    folder: Path, put: Callable[[Path], None], named: str
) -> None:
    write(folder, 1)
    put(folder)
    before = {path: path.is_file() and path.read_bytes() for path in folder.parent.rglob("*")}
    with pytest.raises(ParquetError, match=f"Refusing to replace .*: it contains {named}"):
        write(folder, 2)
    after = {path: path.is_file() and path.read_bytes() for path in folder.parent.rglob("*")}
    assert after == before


def test_what_comes_there_in_the_meantime_is_left_alone_too(folder: Path) -> None:
    write(folder, 1)
    with pytest.raises(ParquetError, match=r"contains 'notes\.txt'"), writing(folder, folder=True):
        _note(folder)
    assert names(folder) == ["month=none", "notes.txt"]
    assert names(folder.parent) == ["calls"]


def test_a_file_is_not_replaced_by_a_dataset(folder: Path) -> None:
    folder.write_text("mine")
    with pytest.raises(ParquetError, match="calls' cannot be written: Not a directory"):
        write(folder, 1)
    assert folder.read_text() == "mine"


def test_a_dataset_is_not_replaced_by_a_file(folder: Path) -> None:
    write(folder, 1)
    with pytest.raises(ParquetError, match="calls' cannot be written: .* it is a directory"):
        callkit.to_parquet(one_call(2), folder)
    assert sids_in(folder) == [sid(1)]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing/calls", "No such file or directory"),
        ("a\0b", "A path cannot contain a NUL character"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_in_one_sentence(
    tmp_path: Path, name: str, sentence: str
) -> None:
    with pytest.raises(ParquetError, match=f"cannot be written: {sentence}"):
        write(tmp_path / name, 1)
    assert names(tmp_path) == []


def test_a_dataset_that_is_replaced_keeps_its_mode(folder: Path) -> None:
    write(folder, 1)
    folder.chmod(0o750)
    with writing(folder, folder=True) as part:
        assert part.stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_mode & 0o777 == 0o750


def test_a_new_dataset_is_its_owners_alone_until_it_has_its_name(folder: Path) -> None:
    folder.with_name("usual").mkdir()
    with writing(folder, folder=True) as part:
        assert part.stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_mode == folder.with_name("usual").stat().st_mode


def test_a_link_goes_on_to_lead_where_it_led(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    write(tmp_path / "far" / "real", 1)
    folder.symlink_to(tmp_path / "far" / "real")
    write(folder, 2)
    assert folder.is_symlink()
    assert sids_in(tmp_path / "far" / "real") == [sid(2)]
    assert names(tmp_path / "far") == ["real"]


def test_an_old_dataset_that_cannot_be_removed_is_said_to_be_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path, *, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    write(folder, 1)
    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(ParquetError, match=r"was written, but .* is left in '\.calls\.replacing'"):
        write(folder, 2)
    assert sids_in(folder) == [sid(2)]


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
            "needs the column 'start_time'. Available columns: sid, price$",
        ),
        (started(None).assign(month="2025-03"), "no column can have that name: rename it"),
    ],
)
def test_a_frame_that_has_no_months_or_names_them_itself_is_refused(
    folder: Path, df: pd.DataFrame, sentence: str
) -> None:
    with pytest.raises(ParquetError, match=sentence):
        callkit.to_parquet(df, folder, by_month=True)
    assert list(folder.parent.iterdir()) == []


KILLED_AT_EACH_STEP = """
import itertools, json, os, shutil, signal, sys
from pathlib import Path
import callkit

STEPS = {"open", "os.mkdir", "os.rename", "os.chmod", "os.remove", "os.rmdir"}

def write(sid, killed_at=None):
    steps = itertools.count()
    def kill(event, arguments):
        if event in STEPS and "calls" in str(arguments[0]) and next(steps) == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
    if killed_at is not None:
        sys.addaudithook(kill)
    df = callkit.normalise([json.dumps({"sid": sid})])
    callkit.to_parquet(df, "calls", by_month=True)

def found(path):
    return callkit.read_parquet(path)["sid"].item()[-3:]

def state():
    try:
        return found("calls")
    except callkit.errors.ParquetError as error:
        return str(error).partition(" was interrupted while it replaced ")[1]

os.mkdir("here")
os.chdir("here")
states = []
for step in itertools.count():
    write("CA" + "0" * 29 + "0ed")
    child = os.fork()
    if child == 0:
        write("CA" + "0" * 29 + "0ee", step)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    states.append(state())
    if status == 0:
        break
    write("CA" + "0" * 29 + "0ef")
    assert (found("calls"), os.listdir()) == ("0ef", ["calls"])
    for path in Path().iterdir():
        shutil.rmtree(path)
json.dump(states, sys.stdout)
"""


def test_a_kill_at_any_step_leaves_the_old_or_the_new_or_what_the_next_write_completes(
    tmp_path: Path,
) -> None:
    output = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EACH_STEP],
        cwd=tmp_path,
        check=True,
        stdout=subprocess.PIPE,
        timeout=120,
    ).stdout
    states = json.loads(output)
    interrupted = " was interrupted while it replaced "
    assert [state for state, _ in groupby(states)] == ["0ed", interrupted, "0ee"]
