"""``callkit export --bulk-export``: no credentials, no network, and one sentence if refused."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

import callkit
from tests.bulk.records import record, write
from tests.cli.shell import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Refused, Typed


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    write(folder / "a.json.gz", [record(1), record(2)])
    write(folder / "b.json.gz", [record(3)])
    return folder


@pytest.mark.usefixtures("exports")
@pytest.mark.parametrize(
    "paths", [["exports/*.json.gz"], ["exports"], ["exports/a.json.gz", "exports/b.json.gz"]]
)
def test_files_become_parquet_without_credentials(tmp_path: Path, paths: list[str]) -> None:
    done = run("export", "--bulk-export", *paths, "-o", "calls.parquet", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "3 calls in calls.parquet\n"
    assert len(callkit.read_parquet(tmp_path / "calls.parquet")) == 3


@pytest.mark.usefixtures("exports")
def test_calls_go_to_standard_output(typed: Typed) -> None:
    code, out, errors = typed("export", "--bulk-export", "exports", "-o", "-")
    assert (code, errors) == (0, "3 calls\n")
    assert len(list(csv.DictReader(io.StringIO(out)))) == 3


@pytest.mark.usefixtures("exports")
def test_a_dataset_by_month_can_have_pseudonyms(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLKIT_PSEUDONYM_KEY", "only this test's key")
    options = ("-o", "calls", "--by-month", "--pseudonymise", "--quiet")
    assert typed("export", "--bulk-export", "exports", *options) == (0, "", "")
    df = callkit.read_parquet(tmp_path / "calls")
    assert df["from"].str.startswith("pstn~").all()


def test_broken_records_are_failures_and_the_exit_code_is_1(
    typed: Typed, exports: Path, tmp_path: Path
) -> None:
    write(exports / "c.json", [record(4), b"{"])
    code, out, errors = typed("export", "--bulk-export", "exports", "-o", "calls.jsonl")
    assert (code, out) == (1, "")
    assert errors == (
        "4 calls in calls.jsonl\ncallkit: 1 failure: 1 bad_response; see calls.jsonl.failures.csv\n"
    )
    assert "exports/c.json, line 2: " in (tmp_path / "calls.jsonl.failures.csv").read_text()


@pytest.mark.usefixtures("exports")
@pytest.mark.parametrize(
    ("others", "what"),
    [
        (["sids.txt"], "a SID list"),
        (["--started", "-3d"], "--started"),
        (["--tz", "UTC"], "--tz"),
        (["--from", "+14155550100"], "--from"),
        (["--cache", "calls.sqlite"], "--cache"),
        (["--refresh", "all"], "--refresh"),
        (["--pages", "never"], "--pages"),
        (["--date-column", "when"], "--date-column"),
    ],
    ids=lambda part: part if isinstance(part, str) else None,
)
def test_what_is_for_fetching_does_not_go_with_files(
    refused: Refused, others: list[str], what: str
) -> None:
    said = refused("export", *others, "--bulk-export", "exports", "-o", "calls.parquet")
    assert said == (
        f"callkit: --bulk-export cannot be combined with {what}: it reads all calls of the files"
    )


def test_no_file_is_one_sentence(refused: Refused) -> None:
    said = refused("export", "--bulk-export", "exports/*.json.gz", "-o", "calls.parquet")
    assert "No Bulk Export file matches 'exports/*.json.gz'" in said


def test_files_of_which_nothing_can_be_read_are_one_sentence(
    refused: Refused, tmp_path: Path
) -> None:
    write(tmp_path / "day.json", [b"[]"])
    said = refused("export", "--bulk-export", "day.json", "-o", "calls.parquet")
    assert "No call could be read: day.json: it is a JSON array" in said


def test_a_command_that_names_no_calls_says_what_it_could(refused: Refused) -> None:
    assert "or files: --bulk-export PATH" in refused("export", "-o", "calls.parquet")
