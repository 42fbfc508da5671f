"""The installed command, run as a shell runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callkit.sandbox import Sandbox

COMMAND = str(Path(sys.executable).with_name("callkit"))
ROOT = Path(__file__).parents[2]
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("TWILIO_", "CALLKIT_"))}


def run(
    *arguments: str | Path,
    folder: Path = ROOT,
    environment: Mapping[str, str] = CLEAN,
    given: str | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        cwd=folder,
        env=dict(environment),
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def started(
    *arguments: str | Path, folder: Path, environment: Mapping[str, str] = CLEAN
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, *map(str, arguments)],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def signed_in(sandbox: Sandbox) -> dict[str, str]:
    return {
        **CLEAN,
        "TWILIO_ACCOUNT_SID": sandbox.account_sid,
        "TWILIO_AUTH_TOKEN": sandbox.auth_token,
        "CALLKIT_BASE_URL": sandbox.url,
    }


def listed(folder: Path, sids: Sequence[str]) -> Path:
    path = folder / "sids.txt"
    path.write_text("\n".join(sids))
    return path


def sentence(errors: str) -> str:
    """Return the one sentence on standard error, which may follow a word on usage."""
    assert "Traceback" not in errors
    *usage, said = errors.splitlines()
    assert all(line.startswith(("usage:", " ")) for line in usage)
    assert said.startswith("callkit")
    return said


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command says that could not do what it was asked for."""
    assert done.returncode == 2
    return sentence(done.stderr)
