"""Runs over a SID list served from pages, killed again and again: nothing is lost or wrong."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import callkit
from tests.support.hostile import HostileSandbox

if TYPE_CHECKING:
    from pathlib import Path

EXPORT = """
import callkit
with callkit.Client(concurrency=4) as client:
    callkit.export(
        "sids.txt", "calls.parquet", client=client, cache="calls.sqlite", pages=True, errors="warn"
    )
"""
FRAME = """
import callkit
with callkit.Client(concurrency=4) as client:
    callkit.to_parquet(
        callkit.to_frame(
            "sids.txt", client=client, cache="calls.sqlite", pages=True, errors="warn"
        ),
        "calls.parquet",
    )
"""
KILLS = 20


def a_list(sandbox: HostileSandbox) -> list[str]:
    calls = [call.sid for call in sandbox.calls_of(date(2025, 1, 10), date(2025, 2, 9))]
    wanted = calls[::2] + sandbox.unknown_sids(10)
    random.Random(6).shuffle(wanted)
    return wanted


def answered(sandbox: HostileSandbox) -> int:
    return sandbox.served.total()


def started(program: str, folder: Path, sandbox: HostileSandbox) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "TWILIO_ACCOUNT_SID": sandbox.account_sid,
        "TWILIO_AUTH_TOKEN": sandbox.auth_token,
        "CALLKIT_BASE_URL": sandbox.url,
        "TMPDIR": str(folder / "tmp"),
    }
    return subprocess.Popen([sys.executable, "-c", program], cwd=folder, env=environment)


def kill_after(process: subprocess.Popen[bytes], sandbox: HostileSandbox, answers: int) -> None:
    """Kill a run when it has had so many answers."""
    last = answered(sandbox) + answers
    while answered(sandbox) < last and process.poll() is None:
        threading.Event().wait(0.002)
    process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("program", [FRAME, EXPORT], ids=["to_frame", "export"])
def test_a_run_killed_twenty_times_ends_as_an_undisturbed_one(tmp_path: Path, program: str) -> None:
    dice = random.Random(5)
    (tmp_path / "tmp").mkdir()
    with HostileSandbox(seed=4, latency=0.02) as sandbox:
        sids = a_list(sandbox)
        (tmp_path / "sids.txt").write_text("\n".join(sids))
        for _ in range(KILLS):
            with started(program, tmp_path, sandbox) as process:
                kill_after(process, sandbox, answers=dice.randrange(1, 30))
            assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "calls.parquet").exists()
        with started(program, tmp_path, sandbox) as process:
            pass
        assert process.returncode == 0
        with sandbox.client() as client:
            undisturbed = callkit.collect(sids, client=client, pages=False)
    assert list((tmp_path / "tmp").iterdir()) == []
    calls = callkit.read_parquet(tmp_path / "calls.parquet")
    pd.testing.assert_frame_equal(calls, undisturbed.frame)
