"""What servers, files and arguments say does not take over the terminal."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import warnings
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.cli import run_as_a_command
from tests.cli.shell import listed
from tests.support.foreign_text import EVIL, obeyed
from tests.support.scripted import ACCOUNT, TOKEN, Reply, sid

if TYPE_CHECKING:
    from pathlib import Path

    from callkit.sandbox import Sandbox
    from tests.cli.conftest import Typed
    from tests.support.scripted import ScriptedServer

NAME = EVIL.replace("\0", "")  # which no system passes on


@pytest.fixture
def hostile(server: ScriptedServer, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Run commands signed in to a server that knows no call, and says so with controls."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("CALLKIT_BASE_URL", server.url)
    message = json.dumps({"code": 20404, "message": f"gone, {EVIL}"})
    server.always = Reply(404, message.encode(), {"Twilio-Request-Id": "RQ\x1b[2J\x9b"})
    return typed


@pytest.mark.parametrize(
    "arguments",
    [
        "export sids.txt -o calls.parquet",
        "export sids.txt -o -",
        "export sids.txt -o calls.csv --verbose",
        "export --started 2025-03-01 2025-03-02 -o calls.csv",
        "export --started 2025-03-01 2025-03-02 -o - --account all",
    ],
)
def test_a_server_does_not(hostile: Typed, tmp_path: Path, arguments: str) -> None:
    listed(tmp_path, [sid(0)])
    code, _, errors = hostile(*arguments.split())
    assert code > 0
    assert obeyed(errors) == []


def test_failures_on_standard_error_stay_a_csv(hostile: Typed, tmp_path: Path) -> None:
    listed(tmp_path, [sid(0)])
    _, _, errors = hostile("export", "sids.txt", "-o", "-", "-q")
    header, failure, counts = errors.splitlines()
    [row] = csv.DictReader(io.StringIO(f"{header}\n{failure}"))
    assert row["message"].startswith(r"gone, \x1b[2J\r\n")
    assert counts == "callkit: 1 failure: 1 not_found"


def test_failures_in_a_file_are_as_they_were_sent(hostile: Typed, tmp_path: Path) -> None:
    listed(tmp_path, [sid(0)])
    hostile("export", "sids.txt", "-o", "calls.parquet")
    with (tmp_path / "calls.failures.csv").open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    assert row["message"] == f"gone, {EVIL}"


def test_a_file_of_calls_does_not(typed: Typed, tmp_path: Path) -> None:
    call = {"sid": sid(0), "status": f"{EVIL}", "direction": EVIL, "price": "-1"}
    calls = callkit.normalise([call | {"price_unit": EVIL}])
    callkit.to_parquet(calls, tmp_path / "calls.parquet")
    code, out, errors = typed("summary", "calls.parquet")
    assert (code, errors) == (0, "")
    assert obeyed(out) == []


def test_a_cache_does_not(typed: Typed, sandbox: Sandbox, tmp_path: Path) -> None:
    cache = tmp_path / "calls.sqlite"
    with sandbox.client() as client:
        callkit.collect(sandbox.sids(1), client=client, cache=cache)
    with closing(sqlite3.connect(cache)) as db, db:
        db.execute("UPDATE calls SET account_sid = ?", [EVIL])
    code, out, errors = typed("cache", "info", "calls.sqlite")
    assert (code, errors) == (0, "")
    assert "\\x1b[2J\\r\\n" in out
    assert obeyed(out) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["summary", NAME],
        ["summary", "calls.parquet", NAME],
        ["summary", "calls.parquet", "--tz", NAME],
        ["cache", "info", NAME],
        ["cache", NAME],
        [NAME],
        ["export", NAME, "-o", "calls.csv"],
        ["export", "sids.txt", "-o", f"{NAME}/calls.csv"],
        ["export", "--started", NAME, "-o", "calls.csv"],
        ["sandbox", "--now", NAME],
        ["report", "calls.parquet", "-o", "x", "--by", NAME],
    ],
    ids=" ".join,
)
def test_a_mistyped_argument_does_not(typed: Typed, tmp_path: Path, arguments: list[str]) -> None:
    listed(tmp_path, [sid(0)])
    callkit.to_parquet(callkit.normalise([{"sid": sid(0)}]), tmp_path / "calls.parquet")
    code, out, errors = typed(*arguments)
    assert (code, out) == (2, "")
    assert obeyed(errors) == []


def test_the_name_of_an_output_does_not(typed: Typed, sandbox: Sandbox, tmp_path: Path) -> None:
    listed(tmp_path, sandbox.sids(1) + sandbox.unknown_sids(1))
    code, _, errors = typed("export", "sids.txt", "-o", f"{NAME}.parquet")
    assert code == 1
    assert len(errors.splitlines()) == 2
    assert obeyed(errors) == []


def test_a_warning_does_not(capsys: pytest.CaptureFixture[str]) -> None:

    def warn() -> int:
        warnings.simplefilter("default")
        warnings.warn(f"full: {EVIL}", UserWarning, stacklevel=1)
        return 0

    run_as_a_command(warn, verbose=False)
    assert obeyed(capsys.readouterr().err) == []
