"""``export -o -``: what it leaves behind, and names that lead to the same place."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.shell import CLEAN, COMMAND, listed, signed_in
from tests.support.scripted import ACCOUNT, TOKEN, sid

if TYPE_CHECKING:
    from callkit.sandbox import Sandbox
    from tests.support.scripted import Handler, ScriptedServer

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has neither these signals nor /dev/stdout"
)


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_no_signal_leaves_calls_in_the_temporary_folder(
    server: ScriptedServer, tmp_path: Path, number: str
) -> None:
    asked, ended = threading.Event(), threading.Event()

    def last(handler: Handler) -> None:
        asked.set()
        ended.wait()

    server.script[sid(40)] = [last]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    listed(tmp_path, [sid(place) for place in range(41)])
    with subprocess.Popen(
        [COMMAND, "export", "sids.txt", "-o", "-", "--concurrency", "1"],
        cwd=tmp_path,
        env=CLEAN
        | {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
        | {"CALLKIT_BASE_URL": server.url, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert asked.wait(60)
        process.send_signal(getattr(signal, number))
        out, _ = process.communicate(timeout=60)
    ended.set()
    assert process.returncode == (-9 if number == "SIGKILL" else 130)
    assert out == b""
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "link.csv"])
def test_a_name_of_a_stream_is_refused_and_what_it_leads_to_stays(
    tmp_path: Path, sandbox: Sandbox, name: str
) -> None:
    listed(tmp_path, sandbox.sids(1) + sandbox.unknown_sids(1))
    (tmp_path / "link.csv").symlink_to("/dev/stdout")
    before = sorted(Path("/dev").iterdir()), sorted(tmp_path.iterdir())
    with (tmp_path / "taken.csv").open("wb") as output:
        done = subprocess.run(
            [COMMAND, "export", "sids.txt", "-o", name, "--format", "csv"],
            cwd=tmp_path,
            env=signed_in(sandbox),
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    [said] = done.stderr.splitlines()
    assert (done.returncode, "-o - writes to standard output" in said) == (2, True)
    assert (tmp_path / "taken.csv").read_bytes() == b""
    (tmp_path / "taken.csv").unlink()
    assert (sorted(Path("/dev").iterdir()), sorted(tmp_path.iterdir())) == before
