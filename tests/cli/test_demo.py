from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import callkit
from callkit.cli.commands import run_demo, sample_sids
from callkit.errors import FetchInterrupted, SignInError
from callkit.sandbox import Sandbox
from callkit.sids import read_sids
from tests.cli.shell import ROOT, listed, run, sentence
from tests.support.scripted import ACCOUNT, TOKEN, Reply, ScriptedServer, sid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.cli.conftest import Refused, Typed
    from tests.support.scripted import Act, Handler


def test_the_demo_fetches_prices_charts_and_saves(tmp_path: Path) -> None:
    done = run("demo", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "calls.parquet",
        "cost.parquet",
        "cost.png",
        "duration.parquet",
        "duration.png",
    ]
    assert "997 calls fetched, and 3 failures: 3 not_found:" in done.stdout
    assert len(callkit.read_parquet(tmp_path / "out" / "calls.parquet")) == 997
    tables = done.stdout.partition("Connectivity cost")[2].partition("\nFiles written")[0]
    assert max(map(len, tables.splitlines())) <= 80
    assert "\\" not in tables


def test_the_demo_brings_its_sample_where_there_is_none(tmp_path: Path) -> None:
    assert run("demo", folder=tmp_path).returncode == 0
    assert len(list(read_sids(tmp_path / "callkit-demo" / "sample_sids.txt"))) == 1000


def test_the_demo_replaces_no_list_of_ones_own(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "sample_sids.txt").write_text("mine")
    assert "sample_sids.txt', which is not the demo's own" in refused("demo", "--out", tmp_path)
    assert (tmp_path / "sample_sids.txt").read_text() == "mine"


def test_the_sample_list_is_what_the_demos_sandbox_knows() -> None:
    with Sandbox(calls=10_000, seed=7) as sandbox:
        expected = sample_sids(sandbox)
    assert [key.sid for key in read_sids(ROOT / "data" / "sample_sids.txt")] == expected


def test_the_demo_takes_a_list_and_credentials_of_ones_own(
    typed: Typed, sandbox: Sandbox, tmp_path: Path
) -> None:
    code, out, _ = typed("demo", "--sids", listed(tmp_path, sandbox.sids(30)), "--quiet")
    assert code == 0
    assert f"from {sandbox.url}\n\n30 calls fetched." in out


def test_the_list_of_a_demo_may_have_a_date_column(
    typed: Typed, sandbox: Sandbox, tmp_path: Path
) -> None:
    rows = ["sid,when", *(f"{each},2025-03-01" for each in sandbox.sids(3))]
    (tmp_path / "sids.csv").write_text("\n".join(rows))
    arguments = ("--sids", "sids.csv", "--date-column", "when", "--pages", "never", "-q")
    code, out, _ = typed("demo", *arguments)
    assert (code, "3 calls fetched." in out) == (0, True)


def test_the_sample_has_no_date_column(refused: Refused) -> None:
    assert refused("demo", "--date-column", "when") == "callkit: --date-column needs --sids"


def test_a_demo_without_credentials_is_told_what_to_set(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWILIO_ACCOUNT_SID")
    said = refused("demo", "--sids", listed(tmp_path, [sid(1)]))
    assert said.startswith("callkit: No account SID found. Set TWILIO_ACCOUNT_SID")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("none.txt", None, "Cannot read the SID list 'none.txt': No such file or directory"),
        ("bad.txt", "CA123\n", "1 of 1 entries are not Call SIDs"),
    ],
)
def test_a_bad_sid_file_is_told_in_one_sentence(
    typed: Typed, tmp_path: Path, name: str, content: str | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    code, _, errors = typed("demo", "--sids", name)
    assert code == 2
    assert expected in sentence(errors)


def test_an_output_folder_that_cannot_be_written_is_told_in_one_sentence(
    refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    said = refused("demo", "--out", tmp_path / "file" / "out")
    assert ": Not a directory" in said


def test_what_is_in_the_way_of_a_picture_is_told_before_the_fetch(
    refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "cost.png").mkdir()
    assert (
        "cost.png' cannot be written: Expected a regular file, or none yet, but it is a directory"
        in refused("demo", "--out", tmp_path)
    )


def test_the_list_of_a_demo_is_not_written_over(
    refused: Refused, sandbox: Sandbox, tmp_path: Path
) -> None:
    sids = tmp_path / "calls.parquet"
    callkit.to_parquet(sandbox.sid_frame(2), sids)
    before = sids.read_bytes()
    said = refused("demo", "--sids", sids, "-o", tmp_path)
    assert said.endswith("Choose another folder")
    assert sids.read_bytes() == before


def _interrupt(handler: Handler) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    handler.answer(Reply())


@pytest.mark.parametrize(
    ("script", "stop"),
    [
        ({30: [_interrupt]}, FetchInterrupted),
        ({number: [Reply(401, b"{}")] * 50 for number in range(30, 60)}, SignInError),
    ],
    ids=["interrupted", "sign-in refused"],
)
def test_a_demo_that_is_stopped_saves_what_came(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: Mapping[int, list[Act]],
    stop: type[FetchInterrupted | SignInError],
) -> None:
    (tmp_path / "sids.txt").write_text("\n".join(sid(number) for number in range(60)))
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    with ScriptedServer() as server:
        monkeypatch.setenv("CALLKIT_BASE_URL", server.url)
        for number, acts in script.items():
            server.script[sid(number)] = acts
        with pytest.raises(stop) as caught:
            run_demo(tmp_path / "sids.txt", tmp_path / "out", progress=False)
    saved = callkit.read_parquet(tmp_path / "out" / "calls.parquet")
    assert not saved.empty
    assert isinstance(caught.value, FetchInterrupted | SignInError)
    pd.testing.assert_frame_equal(saved, caught.value.frame)
    assert f"{len(saved)} calls were fetched and saved to " in capsys.readouterr().out
