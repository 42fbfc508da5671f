"""Calls and failures of one export: their names, their run id, and what readers refuse."""

from __future__ import annotations

import json
import shutil
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd
import pyarrow.parquet as pq
import pytest

import callkit
from callkit.cli import main
from callkit.errors import BulkExportError, InvalidSidError, ParquetError, SidListError
from callkit.files.paths import months_in
from callkit.files.replacing import replacing
from callkit.pairs import calls_beside, name_beside
from callkit.sandbox import Sandbox
from callkit.sids import read_sids
from tests.support.scripted import call_body, sid

if TYPE_CHECKING:
    from collections.abc import Callable

    from callkit.files import FormatName

NAMES = {
    "calls.parquet": "calls.failures.csv",
    "calls.csv": "calls.csv.failures.csv",
    "calls.jsonl": "calls.jsonl.failures.csv",
    "calls": "calls.file.failures.csv",
    "calls.file": "calls.file.file.failures.csv",
    "calls.by-month": "calls.by-month.file.failures.csv",
    "calls.by-month.parquet": "calls.by-month.parquet.failures.csv",
    "calls.csv.parquet": "calls.csv.parquet.failures.csv",
    "calls.2025": "calls.2025.failures.csv",
    "calls.2025.parquet": "calls.2025.parquet.failures.csv",
    "calls.PARQUET": "calls.PARQUET.failures.csv",
    ".parquet": ".parquet.failures.csv",
    ".calls": ".calls.failures.csv",
    "calls.": "calls..failures.csv",
}
FOLDERS = {
    "calls": "calls.by-month.failures.csv",
    "calls.parquet": "calls.parquet.by-month.failures.csv",
    "calls.by-month": "calls.by-month.by-month.failures.csv",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.parquet"


def export(path: Path, number: int, *, failing: int | None = None, by_month: bool = False) -> None:
    """Export one call, and one that fails, if any."""
    source = path.with_name("source.json")
    broken = [] if failing is None else [call_body(sid(failing), price="broken")]
    source.write_bytes(b"\n".join([call_body(sid(number)), *broken]))
    forms: dict[str, FormatName] = {".csv": "csv", ".jsonl": "jsonl"}
    form = forms.get(path.suffix, "parquet")
    with warnings.catch_warnings(action="ignore"):
        callkit.export(
            callkit.BulkExport(source), path, format=form, by_month=by_month, errors="warn"
        )
    source.unlink()


def interrupted(path: Path, number: int, *, failing: int, by_month: bool = False) -> None:
    """Export, but leave the old failures in place, as a kill in between does."""
    far = path.with_name("far")
    far.mkdir()
    export(far / path.name, number, failing=failing, by_month=by_month)
    beside = name_beside(path, by_month=by_month)
    old = beside.rename(far / "old")
    with pytest.raises(ParquetError, match="it is a directory"):
        replace_but_for_failures(path, beside, far)
    beside.rmdir()
    old.rename(beside)
    shutil.rmtree(far)


def replace_but_for_failures(path: Path, beside: Path, source: Path) -> None:
    calls = source / path.name
    with replacing(path, beside, folder=calls.is_dir()) as new:
        if calls.is_dir():
            shutil.copytree(calls, new.calls(), dirs_exist_ok=True)
        else:
            shutil.copyfile(calls, new.calls())
        shutil.copyfile(source / beside.name, new.failures())
        beside.mkdir()


def sids_in(path: Path) -> list[str]:
    return pd.read_csv(path)["sid"].tolist()


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("name", "beside"), NAMES.items())
def test_each_output_names_its_failures_file(name: str, beside: str) -> None:
    assert name_beside(Path("to", name), by_month=False) == Path("to", beside)
    assert calls_beside(Path("to", beside)) == Path("to", name)


@pytest.mark.parametrize(("name", "beside"), FOLDERS.items())
def test_each_dataset_names_its_failures_file(name: str, beside: str) -> None:
    assert name_beside(Path(name), by_month=True) == Path(beside)
    assert calls_beside(Path(beside)) == Path(name)


def test_no_two_outputs_have_the_same_failures_file() -> None:
    names = [*NAMES.values(), *FOLDERS.values()]
    assert len({*names}) == len(names)


def test_an_export_leaves_the_failures_of_other_outputs(tmp_path: Path) -> None:
    for name in NAMES:
        if not name.startswith("."):
            export(tmp_path / name, 1, failing=2)
    for name in ("calls.csv", "calls", "calls.parquet"):
        export(tmp_path / name, 1)
    shown = {name: beside for name, beside in NAMES.items() if not name.startswith(".")}
    expected = {*shown, *shown.values()} - {
        shown[n] for n in ("calls.csv", "calls", "calls.parquet")
    }
    assert {*left_in(tmp_path)} == expected


def test_an_export_never_replaces_what_lists_the_failures_of_another(path: Path) -> None:
    export(path, 1, failing=2)
    with pytest.raises(ParquetError, match="Refusing to replace .*: it lists the failures"):
        export(path.with_suffix(".failures.csv"), 3)
    assert sids_in(path.with_suffix(".failures.csv")) == [sid(2)]


def test_the_root_of_a_file_system_is_no_output(tmp_path: Path) -> None:
    with pytest.raises(ParquetError, match="'/' cannot be written: .* the root of a file system"):
        callkit.export([sid(1)], tmp_path.anchor)


def test_a_spreadsheet_takes_no_run_id_for_a_number(path: Path) -> None:
    export(path, 1, failing=2)
    assert run_id_of(path)[0] == "a"


def test_calls_and_failures_carry_the_same_run_id(path: Path) -> None:
    export(path, 1, failing=2)
    run_id = pd.read_csv(path.with_suffix(".failures.csv"), dtype="str")["run_id"].item()
    assert callkit.read_parquet(path).attrs["callkit"]["run_id"] == run_id
    assert json.loads(pq.read_metadata(path).metadata[b"callkit"])["run_id"] == run_id


def test_months_and_failures_carry_the_same_run_id(tmp_path: Path) -> None:
    export(tmp_path / "calls", 1, failing=2, by_month=True)
    failures = pd.read_csv(tmp_path / "calls.by-month.failures.csv", dtype="str")
    run_id = callkit.read_parquet(tmp_path / "calls").attrs["callkit"]["run_id"]
    assert failures["run_id"].tolist() == [run_id]


def test_each_export_has_a_run_id_of_its_own(path: Path) -> None:
    ids = set()
    for _ in range(2):
        export(path, 1)
        ids.add(callkit.read_parquet(path).attrs["callkit"]["run_id"])
    assert len(ids) == 2


def test_calls_beside_the_failures_of_another_export_are_refused(path: Path) -> None:
    beside = path.with_suffix(".failures.csv")
    export(path, 1, failing=2)
    old = beside.read_bytes()
    export(path, 3)
    beside.write_bytes(old)
    sentence = (
        r"calls\.failures\.csv' is of another export than .*: export to 'calls.parquet' again"
    )
    with pytest.raises(ParquetError, match=sentence):
        callkit.read_parquet(path)
    for each in (path, beside):
        with pytest.raises(SidListError, match=sentence):
            callkit.to_frame(each)


def test_calls_that_a_frame_replaces_are_of_no_export(path: Path, tmp_path: Path) -> None:
    export(path, 1, failing=2)
    export(tmp_path / "other.parquet", 3)
    callkit.to_parquet(callkit.read_parquet(tmp_path / "other.parquet"), path)
    assert callkit.read_parquet(path)["sid"].tolist() == [sid(3)]


@pytest.mark.parametrize(
    ("encoding", "separator", "quoting"),
    [("utf-8-sig", ",", 0), ("utf-8", ";", 0), ("utf-8", "\t", 0), ("utf-8", ",", 1)],
)
def test_failures_that_a_spreadsheet_saved_are_replaced(
    path: Path, encoding: str, separator: str, quoting: Literal[0, 1]
) -> None:
    beside = path.with_suffix(".failures.csv")
    export(path, 1, failing=2)
    saved = pd.read_csv(beside, dtype="str")
    saved.to_csv(beside, index=False, encoding=encoding, sep=separator, quoting=quoting)
    assert callkit.read_parquet(path)["sid"].tolist() == [sid(1)]
    export(path, 3, failing=4)
    assert sids_in(beside) == [sid(4)]


def test_a_pair_that_was_copied_is_read(path: Path, tmp_path: Path) -> None:
    export(path, 1, failing=2)
    shutil.copy(path, tmp_path / "copy.parquet")
    shutil.copy(path.with_suffix(".failures.csv"), tmp_path / "copy.failures.csv")
    assert callkit.read_parquet(tmp_path / "copy.parquet")["sid"].tolist() == [sid(1)]
    assert [key.sid for key in read_sids(tmp_path / "copy.failures.csv")] == [sid(2)]


@pytest.mark.parametrize("moved", ["calls.parquet", "calls.failures.csv"])
def test_each_of_a_pair_is_read_alone(path: Path, tmp_path: Path, moved: str) -> None:
    export(path, 1, failing=2)
    (tmp_path / "far").mkdir()
    alone = (tmp_path / moved).rename(tmp_path / "far" / moved)
    assert [key.sid for key in read_sids(alone)] == [sid(1 if alone.suffix == ".parquet" else 2)]


def test_failures_of_an_earlier_version_have_no_run_id_and_are_read(path: Path) -> None:
    beside = path.with_suffix(".failures.csv")
    export(path, 1, failing=2)
    pd.read_csv(beside).drop(columns="run_id").to_csv(beside, index=False)
    assert callkit.read_parquet(path)["sid"].tolist() == [sid(1)]
    assert [key.sid for key in read_sids(beside)] == [sid(2)]


@pytest.mark.parametrize(
    ("name", "by_month", "read", "error"),
    [
        ("calls.parquet", False, callkit.read_parquet, ParquetError),
        ("calls.parquet", False, read_sids, SidListError),
        ("calls", True, callkit.read_parquet, ParquetError),
        ("calls.csv", False, read_sids, SidListError),
        ("calls.jsonl", False, callkit.BulkExport, BulkExportError),
    ],
)
def test_readers_refuse_a_pair_that_was_not_replaced_completely(
    tmp_path: Path,
    name: str,
    by_month: bool,
    read: Callable[[Path], object],
    error: type[Exception],
) -> None:
    export(tmp_path / name, 1, failing=2, by_month=by_month)
    interrupted(tmp_path / name, 3, failing=4, by_month=by_month)
    with pytest.raises(error, match=f"{name}' was interrupted .* export to it again"):
        read(tmp_path / name)
    with pytest.raises(SidListError, match=f"{name}' was interrupted"):
        read_sids(name_beside(tmp_path / name, by_month=by_month))


def test_the_summary_of_a_pair_that_was_not_replaced_completely_is_refused_in_one_sentence(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(path, 1, failing=2)
    interrupted(path, 3, failing=4)
    assert main(["summary", str(path)]) == 2
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.startswith("callkit: An export to ")
    assert errors.count("\n") == 1


def test_months_that_an_update_wrote_carry_its_run_id(tmp_path: Path) -> None:
    sandbox, target = Sandbox(calls=1_000, now=datetime(2025, 3, 2, tzinfo=UTC)), tmp_path / "calls"
    ids = []
    for _ in range(2):
        asked = callkit.CallList(started="-3d")
        out = callkit.export(asked, target, by_month=True, client=sandbox.client())
        ids.append({month: run_id_of(file) for month, file in months_in(target).items()})
        sandbox.now += timedelta(days=10)
    assert len({*ids[0].values()}) == 1
    changed = {month for month in ids[1] if ids[1][month] != ids[0].get(month)}
    assert "2025-03" in changed
    assert "run_id" not in out.frame.attrs["callkit"]


def run_id_of(file: Path) -> str:
    run_id: str = json.loads(pq.read_metadata(file).metadata[b"callkit"])["run_id"]
    return run_id


def test_a_month_of_a_dataset_that_was_not_replaced_completely_is_refused(tmp_path: Path) -> None:
    export(tmp_path / "calls", 1, failing=2, by_month=True)
    interrupted(tmp_path / "calls", 3, failing=4, by_month=True)
    for month in (tmp_path / "calls" / "month=none", tmp_path / "calls/month=none/part-0.parquet"):
        with pytest.raises(ParquetError, match="calls' was interrupted while it replaced"):
            callkit.read_parquet(month)


@pytest.mark.parametrize(("name", "by_month"), [("calls.parquet", False), ("calls", True)])
def test_the_next_export_completes_before_it_fetches(
    tmp_path: Path, name: str, by_month: bool
) -> None:
    path = tmp_path / name
    export(path, 1, failing=2, by_month=by_month)
    interrupted(path, 3, failing=4, by_month=by_month)
    with pytest.raises(InvalidSidError):
        callkit.export(["no SID"], path, by_month=by_month)
    assert callkit.read_parquet(path)["sid"].tolist() == [sid(3)]
    assert sids_in(name_beside(path, by_month=by_month)) == [sid(4)]
    assert left_in(tmp_path) == sorted([name, name_beside(path, by_month=by_month).name])
