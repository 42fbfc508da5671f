"""The command interrupted at any time: one line, exit code 130, and nothing left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.shell import CLEAN

if TYPE_CHECKING:
    from pathlib import Path

SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform != "win32":
    SIGNALS.append(signal.SIGHUP)
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
