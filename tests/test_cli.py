from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import callkit
from callkit import FetchInterrupted, SignInError
from callkit.demo import run_demo, sample_sids
from callkit.sandbox import Sandbox
from callkit.sids import read_sids
from tests.scripted import ACCOUNT, TOKEN, Reply, ScriptedServer, sid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.scripted import Act, Handler

COMMAND = str(Path(sys.executable).with_name("callkit"))
ROOT = Path(__file__).parents[1]
NO_CREDENTIALS = {k: v for k, v in os.environ.items() if not k.startswith("TWILIO_")}


def run(
    *arguments: str | Path, folder: Path = ROOT, environment: Mapping[str, str] = NO_CREDENTIALS
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one sentence on standard error."""
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    *usage, sentence = done.stderr.splitlines()
    assert all(line.startswith(("usage:", " ")) for line in usage)
    return sentence


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
    assert "997 calls came, and 3 failures: 3 not_found:" in done.stdout
    assert len(callkit.read_parquet(tmp_path / "out" / "calls.parquet")) == 997


def test_the_demo_brings_its_sample_where_there_is_none(tmp_path: Path) -> None:
    assert run("demo", folder=tmp_path).returncode == 0
    assert len(list(read_sids(tmp_path / "callkit-demo" / "sample_sids.txt"))) == 1000


def test_the_sample_list_is_what_the_demos_sandbox_knows() -> None:
    with Sandbox(calls=10_000, seed=7) as sandbox:
        expected = sample_sids(sandbox)
    assert [key.sid for key in read_sids(ROOT / "data" / "sample_sids.txt")] == expected


def test_the_demo_takes_a_list_and_credentials_of_ones_own(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    (tmp_path / "mine.txt").write_text("\n".join(sandbox.sids(3)))
    done = run("demo", "--sids", tmp_path / "mine.txt", folder=tmp_path)
    assert complaint(done).startswith("callkit: no account: pass account_sid= or set TWILIO_")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.txt", None, "cannot be read: No such file or directory"),
        ("bad.txt", "CA123\n", "1 of 1 entries are no Call SIDs"),
    ],
)
def test_a_bad_sid_file_is_told_in_one_sentence(
    tmp_path: Path, name: str, content: str | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    environment = {
        **NO_CREDENTIALS,
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "none",
    }
    done = run("demo", "--sids", name, folder=tmp_path, environment=environment)
    assert sentence in complaint(done)


def test_an_output_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be written: Not a directory" in complaint(
        run("demo", "--out", tmp_path / "file" / "out")
    )


def test_what_is_in_the_way_of_a_picture_is_told_before_the_fetch(tmp_path: Path) -> None:
    (tmp_path / "cost.png").mkdir()
    done = run("demo", "--out", tmp_path)
    assert "cost.png' cannot be written: Is a directory" in complaint(done)
    assert done.stdout == ""


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
    assert f"{len(saved)} calls came, and are in " in capsys.readouterr().out


def test_a_port_in_use_is_told_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = complaint(run("sandbox", "--port", str(port)))
    assert str(port) in sentence
    assert "in use" in sentence


@pytest.mark.parametrize(
    "arguments",
    [
        ["sandbox", "--port", "65536"],
        ["sandbox", "--calls", "-1"],
        ["sandbox", "--latency", "nan"],
        ["sandbox", "--limit", "0"],
        ["nonsense"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_in_one_sentence(arguments: list[str]) -> None:
    assert complaint(run(*arguments)).startswith("callkit")


def signed_in(sandbox: Sandbox) -> dict[str, str]:
    return {
        **NO_CREDENTIALS,
        "TWILIO_ACCOUNT_SID": sandbox.account_sid,
        "TWILIO_AUTH_TOKEN": sandbox.auth_token,
        "CALLKIT_BASE_URL": sandbox.url,
    }


def test_export_writes_the_file_and_keeps_the_cache(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "sids.txt").write_text("\n".join(sandbox.sids(20)))
    arguments = ["export", "sids.txt", "-o", "calls.parquet", "--cache", "calls.sqlite"]
    done = run(*arguments, folder=tmp_path, environment=signed_in(sandbox))
    assert (done.returncode, done.stderr) == (0, "")
    assert "20 calls" in done.stdout
    assert len(callkit.read_parquet(tmp_path / "calls.parquet")) == 20
    assert (tmp_path / "calls.sqlite").exists()


def test_export_with_failures_writes_both_files_and_exits_with_1(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    listed = sandbox.sids(20) + sandbox.unknown_sids(2)
    (tmp_path / "sids.txt").write_text("\n".join(listed))
    done = run(
        "export", "sids.txt", "-o", "c.parquet", folder=tmp_path, environment=signed_in(sandbox)
    )
    assert done.returncode == 1
    assert done.stderr.startswith("callkit: 2 failures: 2 not_found, of 22 calls")
    assert len(callkit.read_parquet(tmp_path / "c.parquet")) == 20
    assert (tmp_path / "c.failures.csv").exists()


def test_a_refused_sign_in_exits_with_3(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "sids.txt").write_text("\n".join(sandbox.sids(2)))
    environment = {**signed_in(sandbox), "TWILIO_AUTH_TOKEN": "wrong"}
    done = run("export", "sids.txt", "-o", "c.parquet", folder=tmp_path, environment=environment)
    assert done.returncode == 3
    assert "the sign-in is refused" in done.stderr
    assert not (tmp_path / "c.parquet").exists()


@pytest.mark.parametrize("cache", ["missing/calls.sqlite", "."])
def test_a_cache_that_cannot_be_is_told_in_one_sentence(
    tmp_path: Path, sandbox: Sandbox, cache: str
) -> None:
    (tmp_path / "sids.txt").write_text("\n".join(sandbox.sids(2)))
    arguments = ["export", "sids.txt", "-o", "c.parquet", "--cache", cache]
    done = run(*arguments, folder=tmp_path, environment=signed_in(sandbox))
    assert "cannot be opened" in complaint(done)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_serves_until_it_is_stopped(stop: signal.Signals) -> None:
    with subprocess.Popen(
        [COMMAND, "sandbox", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(stop)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_help_has_an_example_for_each_command() -> None:
    for command in ("demo", "export", "sandbox"):
        assert f"example: callkit {command}" in run(command, "--help").stdout


def test_the_module_runs_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "callkit", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"callkit {callkit.__version__}\n"
