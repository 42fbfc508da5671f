"""Commands in a process that lacks what Windows lacks: modules, functions and signals of POSIX."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from callkit.sandbox import Sandbox

pytestmark = pytest.mark.slow

# Packages are imported first: only callkit is to take this machine for one with Windows.
WITHOUT_POSIX = """
import json, os, signal, sys
import asyncio, ctypes, matplotlib.pyplot, msgspec, multiprocessing, phonenumbers, select, ssl
import pandas, pyarrow.csv, pyarrow.dataset, pyarrow.json, pyarrow.parquet, requests, tqdm.auto

for module in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[module] = None
for module, names in {
    os: "chown fchmod fchown fork geteuid getuid killpg register_at_fork statvfs uname",
    signal: "SIGALRM SIGHUP SIGKILL SIGPIPE SIGUSR1 pthread_kill pthread_sigmask setitimer",
}.items():
    for name in names.split():
        delattr(module, name)
sys.platform = "win32"

from callkit.__main__ import main

codes = []
for command in json.loads(sys.argv[1]):
    sys.argv[1:] = command
    codes.append(main())
sys.stderr.write(f"{codes}")
"""
EXPORT = ("export", "sids.txt", "--quiet")


def test_commands_need_nothing_that_windows_lacks(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "sids.txt").write_text("\n".join([*sandbox.sids(20), f"CA{0:032}"]))
    environment = {
        **os.environ,
        "TWILIO_ACCOUNT_SID": sandbox.account_sid,
        "TWILIO_AUTH_TOKEN": sandbox.auth_token,
        "CALLKIT_BASE_URL": sandbox.url,
    }
    commands = {
        (*EXPORT, "-o", "calls.parquet", "--cache", "calls.sqlite"): 1,  # one call is not found
        (*EXPORT, "-o", "calls", "--by-month", "--cache", "calls.sqlite"): 1,
        (*EXPORT, "-o", "-"): 1,
        ("cache", "info", "calls.sqlite"): 0,
        ("summary", "calls.parquet"): 0,
    }
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX, json.dumps(list(commands))],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.endswith(str(list(commands.values()))), done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        *("sids.txt", "calls", "calls.by-month.failures.csv", "calls.sqlite"),
        *("calls.parquet", "calls.failures.csv"),
    }
