from __future__ import annotations

import csv
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

import callkit
from tests.cli.shell import listed, run, signed_in
from tests.support.scripted import ACCOUNT, TOKEN, Reply, call_body, sid

if TYPE_CHECKING:
    from pathlib import Path

    from callkit.sandbox import Sandbox
    from tests.cli.conftest import Refused, Typed
    from tests.support.scripted import ScriptedServer


def prices(sandbox: Sandbox, sids: list[str]) -> list[Decimal | None]:
    with sandbox.client() as client:
        df = callkit.to_frame(sids, client=client)
    return df["price"].astype(object).where(df["price"].notna(), None).tolist()


def sign_in_to(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("CALLKIT_BASE_URL", server.url)


def test_sids_come_from_standard_input_and_calls_go_to_standard_output(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    sids, unknown = sandbox.sids(20), sandbox.unknown_sids(1)
    done = run(
        "export",
        "-",
        "-o",
        "-",
        folder=tmp_path,
        environment=signed_in(sandbox),
        given="\ufeff\n" + "\r\n".join(sids + unknown) + "\n\n",
    )
    assert done.returncode == 1
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["sid"] for row in rows] == sids
    assert [Decimal(row["price"]) if row["price"] else None for row in rows] == prices(
        sandbox, sids
    )
    assert not any("e" in row["price"].lower() for row in rows)
    header, failure, calls, counts = done.stderr.splitlines()
    assert header.startswith("sid,account_sid,reason,")
    assert failure.startswith(f"{unknown[0]},{sandbox.account_sid},not_found,")
    assert (calls, counts) == ("20 calls", "callkit: 1 failure: 1 not_found")
    assert list(tmp_path.iterdir()) == []


def test_standard_output_takes_json_lines(tmp_path: Path, sandbox: Sandbox) -> None:
    done = run(
        *("export", "-", "-o", "-", "--format", "jsonl", "-q"),
        folder=tmp_path,
        environment=signed_in(sandbox),
        given=sandbox.sids(1)[0],
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["sid"] == sandbox.sids(1)[0]


@pytest.mark.parametrize(
    "arguments", [["--format", "parquet"], ["--format", "parquet", "--by-month"]], ids=" ".join
)
def test_standard_output_takes_no_parquet(refused: Refused, arguments: list[str]) -> None:
    said = refused("export", "sids.txt", "-o", "-", *arguments)
    assert "Parquet cannot be written to standard output: name a file, or use --format csv" in said


def test_what_the_output_is_called_says_what_it_is(
    typed: Typed, sandbox: Sandbox, tmp_path: Path
) -> None:
    sids = listed(tmp_path, sandbox.sids(3))
    for name in ("calls.csv", "calls.jsonl", "calls.parquet", "calls"):
        assert typed("export", sids, "-o", name) == (0, "", f"3 calls in {name}\n")
    assert (tmp_path / "calls.csv").read_text().startswith("sid,start_time,")
    assert (tmp_path / "calls.jsonl").read_text().startswith("{")
    assert len(callkit.read_parquet(tmp_path / "calls.parquet")) == 3
    assert len(callkit.read_parquet(tmp_path / "calls")) == 3


def test_a_name_that_promises_another_format_is_refused(
    refused: Refused, sandbox: Sandbox, tmp_path: Path
) -> None:
    sids = listed(tmp_path, sandbox.sids(1))
    assert "would contain csv" in refused("export", sids, "-o", "c.parquet", "--format", "csv")


def test_by_month_writes_a_dataset(typed: Typed, sandbox: Sandbox, tmp_path: Path) -> None:
    sids = listed(tmp_path, sandbox.sids(20))
    assert typed("export", sids, "-o", "calls", "--by-month")[0] == 0
    assert all(path.name.startswith("month=") for path in (tmp_path / "calls").iterdir())
    assert len(callkit.read_parquet(tmp_path / "calls")) == 20


def test_by_month_is_for_parquet(refused: Refused, sandbox: Sandbox, tmp_path: Path) -> None:
    sids = listed(tmp_path, sandbox.sids(1))
    assert "--by-month works with Parquet only, not with csv" in refused(
        "export", sids, "-o", "c.csv", "--by-month"
    )


def test_errors_warn_makes_the_exit_code_0(typed: Typed, sandbox: Sandbox, tmp_path: Path) -> None:
    sids = listed(tmp_path, sandbox.sids(2) + sandbox.unknown_sids(1))
    code, _, errors = typed("export", sids, "-o", "calls.parquet", "--errors", "warn", "-q")
    assert code == 0
    assert errors == "callkit: 1 failure: 1 not_found; see calls.failures.csv\n"


def test_quiet_says_nothing_where_all_went_well(
    typed: Typed, sandbox: Sandbox, tmp_path: Path
) -> None:
    sids = listed(tmp_path, sandbox.sids(2))
    assert typed("export", sids, "-o", "calls.parquet", "--quiet") == (0, "", "")


@pytest.fixture
def repriced(
    server: ScriptedServer, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> ScriptedServer:
    """A server on which the price of a call changes from one answer to the next."""
    bodies = [call_body(sid(1), status="completed", price=price) for price in ("-0.01", "-0.02")]
    server.script[sid(1)] = [Reply(body=body) for body in bodies]
    sign_in_to(server, monkeypatch)
    return server


def test_a_cached_call_is_asked_for_again_where_refresh_says_so(
    typed: Typed, repriced: ScriptedServer, tmp_path: Path
) -> None:
    arguments = ("export", listed(tmp_path, [sid(1)]), "-o", "calls.csv", "--cache", "calls.sqlite")
    said = "1 call in calls.csv\n"
    assert typed(*arguments) == (0, "", said)
    assert typed(*arguments) == (0, "", said)
    assert repriced.asked[sid(1)] == 1
    changed = f"callkit: the price of {sid(1)} changed from -0.01000000 to -0.02000000\n"
    assert typed(*arguments, "--refresh", "all") == (0, "", said + changed)
    assert repriced.asked[sid(1)] == 2


@pytest.mark.parametrize(
    ("out", "cache"), [("c.sqlite", "c.sqlite"), ("c.parquet", "c.failures.csv")]
)
def test_the_cache_is_not_written_over(
    refused: Refused, sandbox: Sandbox, tmp_path: Path, out: str, cache: str
) -> None:
    sids = listed(tmp_path, sandbox.unknown_sids(1))
    said = refused("export", sids, "-o", out, "--cache", cache)
    assert f"would replace the cache '{cache}'" in said
    assert list(tmp_path.iterdir()) == [sids]


def test_the_list_is_not_written_over(refused: Refused, sandbox: Sandbox, tmp_path: Path) -> None:
    sids = listed(tmp_path, sandbox.sids(1))
    assert "which is the output file of this export" in refused("export", sids, "-o", sids)


@pytest.mark.parametrize("content", ["", "\n \n"], ids=["empty", "blank"])
@pytest.mark.parametrize("source", ["sids.txt", "-"])
def test_a_list_of_no_calls_replaces_nothing(
    refused: Refused,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    source: str,
) -> None:
    (tmp_path / "sids.txt").write_text(content)
    (tmp_path / "calls.csv").write_text("precious")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    told = {
        "sids.txt": "callkit: 'sids.txt' contains no SIDs: expected at least one",
        "-": "callkit: standard input is empty: expected one SID per line",
    }
    assert refused("export", source, "-o", "calls.csv") == told[source]
    assert (tmp_path / "calls.csv").read_text() == "precious"


def test_a_list_may_be_a_pipe_and_name_accounts(
    typed: Typed, sandbox: Sandbox, tmp_path: Path
) -> None:
    first, second = sandbox.sids(2)
    os.mkfifo(tmp_path / "pipe.csv")
    rows = f"sid,account_sid\n{first},{sandbox.account_sid}\n{second},\n"
    with ThreadPoolExecutor() as pool:
        written = pool.submit((tmp_path / "pipe.csv").write_text, rows)
        assert typed("export", "pipe.csv", "-o", "calls.csv") == (0, "", "2 calls in calls.csv\n")
    assert written.result() == len(rows)


def test_a_folder_in_the_place_of_the_file_is_told_in_one_sentence(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(sid(1).encode())))
    assert (
        "'.' cannot be written: Expected a regular file, or none yet, but it is a directory"
        in refused("export", "-", "-o", ".")
    )


@pytest.mark.parametrize("cache", ["missing/calls.sqlite", "."])
def test_a_cache_that_cannot_be_is_told_in_one_sentence(
    refused: Refused, sandbox: Sandbox, tmp_path: Path, cache: str
) -> None:
    sids = listed(tmp_path, sandbox.sids(2))
    assert "Cannot open the cache" in refused("export", sids, "-o", "c.parquet", "--cache", cache)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"CA123\n", "1 of 1 entries are not Call SIDs"),
        (b"\xff\xfe", "standard input is not UTF-8 text"),
    ],
)
def test_standard_input_that_is_no_sid_list_is_told_in_one_sentence(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, given: bytes, expected: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert expected in refused("export", "-", "-o", "calls.parquet")


def test_what_came_before_a_run_ended_early_goes_to_standard_output_too(
    typed: Typed, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in_to(server, monkeypatch)
    sids = [sid(number) for number in range(60)]
    for late in sids[30:]:
        server.script[late] = [Reply(401, b"{}")] * 50
    code, out, errors = typed("export", listed(tmp_path, sids), "-o", "-")
    assert code == 3
    assert [row["sid"] for row in csv.DictReader(io.StringIO(out))] == sids[:30]
    *failures, why = errors.splitlines()
    assert len(failures) == 1 + 30
    assert "Authentication failed" in why


@pytest.fixture
def dated(tmp_path: Path, sandbox: Sandbox) -> Path:
    """A list of three calls, two of them with a date."""
    path = tmp_path / "sids.csv"
    first, second, third = sandbox.sids(3)
    path.write_text(f"when,sid\n2025-03-01,{first}\n2025-03-02T08:00+01:00,{second}\n,{third}\n")
    return path


@pytest.mark.parametrize("pages", ["auto", "always", "never"])
def test_a_list_may_say_when_its_calls_started(typed: Typed, dated: Path, pages: str) -> None:
    arguments = ("--date-column", "when", "--pages", pages)
    done = typed("export", dated, "-o", "calls.csv", *arguments)
    assert done == (0, "", "3 calls in calls.csv\n")


def test_a_list_with_dates_may_be_a_pipe(typed: Typed, sandbox: Sandbox, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    rows = f"sid,when\n{sandbox.sids(1)[0]},2025-03-01\n"
    with ThreadPoolExecutor() as pool:
        pool.submit((tmp_path / "pipe.csv").write_text, rows)
        done = typed("export", "pipe.csv", "-o", "calls.csv", "--date-column", "when")
    assert done == (0, "", "1 call in calls.csv\n")


def test_an_empty_list_with_dates_replaces_nothing(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "sids.csv").write_text("sid,when\n")
    said = refused("export", "sids.csv", "-o", "calls.csv", "--date-column", "when")
    assert "'sids.csv' contains no SIDs: expected at least one" in said


@pytest.mark.parametrize("column", ["date", "sid"])
def test_a_column_that_has_no_dates_is_told_in_one_sentence(
    refused: Refused, dated: Path, column: str
) -> None:
    said = refused("export", dated, "-o", "calls.csv", "--date-column", column)
    expected = {
        "date": "'sids.csv' has no column 'date'. Available columns: 'when', 'sid'",
        "sid": "Row 1 has text that is not a date in the date column 'sid': expected",
    }
    assert expected[column] in said.replace(str(dated), "sids.csv")


def test_standard_input_has_no_date_column(refused: Refused) -> None:
    said = refused("export", "-", "-o", "calls.csv", "--date-column", "when")
    assert "--date-column needs a CSV, TSV or Parquet file: standard input has one SID" in said


@pytest.mark.parametrize(
    ("name", "value"), [("--pages", "always"), ("--pages", "never"), ("--date-column", "when")]
)
def test_a_date_range_takes_no_option_of_lists(refused: Refused, name: str, value: str) -> None:
    said = refused("export", "--started", "yesterday", "-o", "calls.csv", name, value)
    assert f"{name} cannot be combined with --started: it is for SID lists" in said
