"""Cells of CSV files that a spreadsheet would take for formulas."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

import callkit
from tests.cli.shell import CLEAN, run
from tests.support.scripted import ACCOUNT, TOKEN, Reply, call_body, sid

if TYPE_CHECKING:
    from pathlib import Path

    from callkit import Client
    from tests.support.scripted import ScriptedServer

FORMULAS = [
    *("=1+1", '=HYPERLINK("http://x","y")', "+442079460000", "-2+3", "@SUM(A1)", "\t=1", "\r=1"),
    *("\n=1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff201", "'=1"),
]
HARMLESS = ["Amy", "a=1", "sip:amy@example.com", "0", " =1", ""]
REFUSAL = json.dumps({"code": 20404, "message": "=cmd|' /C calc'!A0", "status": 404}).encode()


@pytest.fixture
def server(server: ScriptedServer) -> ScriptedServer:
    """Answer calls whose callers' names are formulas and other texts, and refuse one."""
    for number, name in enumerate([*FORMULAS, *HARMLESS]):
        server.script[sid(number)] = [Reply(body=named(number, name))] * 2
    server.script[sid(99)] = [Reply(404, REFUSAL)] * 2
    return server


def named(number: int, name: str) -> bytes:
    return call_body(sid(number), caller_name=name, price="-0.01700", price_unit="USD")


def export(path: Path, client: Client, *, escape_formulas: bool = False) -> callkit.FetchResult:
    sids = [sid(number) for number in range(len(FORMULAS) + len(HARMLESS))]
    with pytest.warns(callkit.errors.IncompleteWarning):
        return callkit.export(
            [*sids, sid(99)],
            path,
            format="csv",
            escape_formulas=escape_formulas,
            client=client,
            errors="warn",
        )


def rows(path: Path | None) -> list[dict[str, str]]:
    assert path is not None
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("server")
def test_cells_are_written_unchanged_by_default(tmp_path: Path, scripted_client: Client) -> None:
    got = export(tmp_path / "calls.csv", scripted_client)
    assert [row["caller_name"] for row in rows(got.path)] == [*FORMULAS, *HARMLESS]
    assert rows(got.failures_path)[0]["message"].startswith("=cmd|")


@pytest.mark.usefixtures("server")
def test_formulas_of_calls_and_failures_can_be_escaped(
    tmp_path: Path, scripted_client: Client
) -> None:
    got = export(tmp_path / "calls.csv", scripted_client, escape_formulas=True)
    escaped = [f"'{name}" for name in FORMULAS]
    assert [row["caller_name"] for row in rows(got.path)] == [*escaped, *HARMLESS]
    assert rows(got.failures_path)[0]["message"].startswith("'=cmd|")


@pytest.mark.usefixtures("server")
def test_a_price_is_a_number_and_keeps_its_sign(tmp_path: Path, scripted_client: Client) -> None:
    got = export(tmp_path / "calls.csv", scripted_client, escape_formulas=True)
    assert {row["price"][:2] for row in rows(got.path)} == {"-0"}


@pytest.mark.usefixtures("server")
def test_a_result_reads_escaped_cells_as_they_were(tmp_path: Path, scripted_client: Client) -> None:
    plain = export(tmp_path / "plain.csv", scripted_client)
    escaped = export(tmp_path / "escaped.csv", scripted_client, escape_formulas=True)
    assert escaped.frame["caller_name"].equals(plain.frame["caller_name"])
    assert escaped.failures["message"].equals(plain.failures["message"])


def test_the_command_escapes_formulas_in_a_file_and_on_standard_output(
    tmp_path: Path, server: ScriptedServer
) -> None:
    environment = {
        **CLEAN,
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "CALLKIT_BASE_URL": server.url,
    }
    command = ("export", "-", "--escape-formulas", "--format", "csv", "-o")
    given = f"{sid(0)}\n{sid(99)}\n"
    done = run(*command, "calls.csv", folder=tmp_path, environment=environment, given=given)
    assert done.returncode == 1, done.stderr
    assert rows(tmp_path / "calls.csv")[0]["caller_name"] == "'=1+1"
    shown = run(*command, "-", folder=tmp_path, environment=environment, given=given)
    assert "'=1+1" in shown.stdout
    assert "'=cmd|" in shown.stderr
