"""The command interrupted at any time: one line, exit code 130, and nothing left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.shell import CLEAN, listed
from tests.support.scripted import ACCOUNT, TOKEN, Handler, Reply, ScriptedServer, sid

if TYPE_CHECKING:
    from pathlib import Path

SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform != "win32":
    SIGNALS.append(signal.SIGHUP)
STUCK = 60  # the number of a call that the server does not answer
INTERRUPTED = (130, "callkit: interrupted")


def interrupted_at(
    marker: str, command: list[str], folder: Path, stop: signal.Signals
) -> tuple[int, str]:
    """Run a command and stop it when `marker` is on its standard error; return its end."""
    with subprocess.Popen(
        command, cwd=folder, env=CLEAN, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any(marker in line for line in process.stderr)
        process.send_signal(stop)
        said = process.stderr.read()
    assert "Traceback" not in said
    return process.returncode, said.splitlines()[-1]


@pytest.mark.parametrize("stop", SIGNALS)
@pytest.mark.parametrize("loaded", ["argparse", "numpy", "pandas._libs", "pyarrow.lib"])
def test_an_interrupt_is_heard_while_the_command_loads(
    tmp_path: Path, loaded: str, stop: signal.Signals
) -> None:
    said_what_is_loaded = [sys.executable, "-X", "importtime", "-m", "callkit"]
    command = [*said_what_is_loaded, "summary", "calls.parquet"]
    assert interrupted_at(f" {loaded}", command, tmp_path, stop) == INTERRUPTED


@pytest.fixture
def stuck(server: ScriptedServer) -> threading.Event:
    """Have the server answer all calls of a list but one; the event is set when it is asked for."""

    def answer(handler: Handler) -> None:
        if handler.call_sid == sid(STUCK):
            asked.set()
            threading.Event().wait(30)
        handler.answer(Reply())

    asked = threading.Event()
    server.always = answer
    return asked


def exporting(
    server: ScriptedServer, folder: Path, source: str = "sids.txt", **options: Any
) -> subprocess.Popen[str]:
    listed(folder, [sid(number) for number in range(100)])
    command = [sys.executable, "-m", "callkit", "export", source]
    return subprocess.Popen(
        [*command, "-o", "calls.parquet", "--cache", "calls.sqlite"],
        cwd=folder,
        env={
            **CLEAN,
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "CALLKIT_BASE_URL": server.url,
        },
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate(timeout=20)
    assert "Traceback" not in said
    return process.returncode, said.splitlines()[-1]


@pytest.mark.parametrize("stop", SIGNALS)
def test_every_signal_ends_an_export_and_leaves_what_arrived_in_the_cache(
    tmp_path: Path, server: ScriptedServer, stuck: threading.Event, stop: signal.Signals
) -> None:
    with exporting(server, tmp_path) as process:
        assert stuck.wait(30)
        process.send_signal(stop)
        code, said = ended(process)
    assert code == 130
    assert said.endswith("they are in 'calls.sqlite': run again to continue from there")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls.sqlite", "sids.txt"]


def test_signals_one_after_the_other_end_an_export_and_leave_nothing_half_written(
    tmp_path: Path, server: ScriptedServer, stuck: threading.Event
) -> None:
    with exporting(server, tmp_path) as process:
        assert stuck.wait(30)
        for stop in 3 * SIGNALS:
            process.send_signal(stop)
        assert ended(process)[0] == 130
    left = {path.name for path in tmp_path.iterdir()}
    assert {name for name in left if not name.startswith("calls.sqlite")} == {"sids.txt"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_sigterm_is_heard_by_an_export_in_the_background(
    tmp_path: Path, server: ScriptedServer, stuck: threading.Event
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell's `&` in a script has it
    try:
        process = exporting(server, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        assert stuck.wait(30)
        process.send_signal(signal.SIGTERM)
        code, said = ended(process)
    assert code == 130
    assert "; they are in 'calls.sqlite'" in said


@pytest.mark.parametrize("stop", SIGNALS)
def test_an_interrupt_is_heard_while_sids_are_awaited_from_a_pipe(
    tmp_path: Path, server: ScriptedServer, stop: signal.Signals
) -> None:
    with exporting(server, tmp_path, "-", stdin=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        # More than a pipe holds, so the command reads; a moment later, it waits for more.
        process.stdin.write("\n".join(sid(number) for number in range(20_000)))
        threading.Event().wait(0.1)
        process.send_signal(stop)
        assert process.wait(20) == 130
        assert process.stderr is not None
        assert process.stderr.read() == "callkit: interrupted\n"
    assert [path.name for path in tmp_path.iterdir()] == ["sids.txt"]
