"""Standard streams that are closed, full or broken: the outcome decides the exit code."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.cli import main
from callkit.cli.streams import CommandError, note, say, standard_streams
from tests.cli.shell import CLEAN, COMMAND, listed, signed_in
from tests.support.streams import fill, run_with

if TYPE_CHECKING:
    from pathlib import Path

    from callkit.sandbox import Sandbox
    from tests.cli.conftest import Typed
    from tests.support.streams import Kind

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has neither /dev/full nor sh"
)

KINDS: list[Kind] = ["closed", "full", "broken", "stuck"]
_LARGEST_FILE = 1 << 16
SAID = {
    "closed": "callkit: standard output is closed\n",
    "full": "callkit: cannot write to standard output: No space left on device\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    """A folder with calls, their cache, and a list of calls of which one does not exist."""
    folder = tmp_path_factory.mktemp("calls")
    listed(folder, sandbox.sids(20) + sandbox.unknown_sids(1))
    with sandbox.client() as client:
        cache = folder / "calls.sqlite"
        callkit.export(sandbox.sids(20), folder / "calls.parquet", client=client, cache=cache)
    return folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failed", [0, 1])
def test_the_outcome_alone_decides_the_code_of_an_export_that_cannot_report(
    tmp_path: Path, sandbox: Sandbox, kind: Kind, failed: int
) -> None:
    listed(tmp_path, sandbox.sids(20) + sandbox.unknown_sids(failed))
    done = run_with(
        [COMMAND, "export", "sids.txt", "-o", "calls.parquet", "--verbose"],
        errors=kind,
        folder=tmp_path,
        environment=signed_in(sandbox),
    )
    assert done.returncode == failed
    assert len(callkit.read_parquet(tmp_path / "calls.parquet")) == 20
    assert (tmp_path / "calls.failures.csv").exists() == bool(failed)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_that_cannot_be_reported_keeps_its_code(tmp_path: Path, kind: Kind) -> None:
    done = run_with([COMMAND, "summary", "no"], errors=kind, folder=tmp_path, environment=CLEAN)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("kind", ["closed", "full"])
@pytest.mark.parametrize(
    "arguments",
    [
        "summary calls.parquet",
        "cache info calls.sqlite",
        "export sids.txt -o - -q --errors warn --cache calls.sqlite",
        "sandbox --port 0",
        "demo",
        "--help",
        "cache --help",
        "--version",
        "",
    ],
)
def test_output_that_cannot_be_written_is_an_error(
    folder: Path, sandbox: Sandbox, arguments: str, kind: Kind
) -> None:
    done = run_with(
        [COMMAND, *arguments.split()], output=kind, folder=folder, environment=signed_in(sandbox)
    )
    assert done.returncode == 2
    assert done.stderr.endswith(SAID[kind])
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["closed", "full", "broken"])
def test_a_command_without_output_needs_no_standard_output(
    folder: Path, tmp_path: Path, kind: Kind
) -> None:
    done = run_with(
        [COMMAND, "cache", "prune", "calls.sqlite", "--older-than", "9999w"],
        output=kind,
        folder=folder,
        environment=CLEAN,
    )
    assert (done.returncode, done.stderr) == (0, "0 calls removed from calls.sqlite\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("summary calls.parquet", 0), ("--help", 0), ("export sids.txt -o - -q", 1)],
)
def test_a_reader_that_closes_the_output_changes_no_code(
    folder: Path, sandbox: Sandbox, arguments: str, code: int
) -> None:
    done = run_with(
        [COMMAND, *arguments.split()],
        output="broken",
        folder=folder,
        environment=signed_in(sandbox),
    )
    assert done.returncode == code
    assert "Broken pipe" not in done.stderr


def test_a_demo_whose_reader_goes_away_still_writes_its_files(tmp_path: Path) -> None:
    done = run_with([COMMAND, "demo", "-q"], output="broken", folder=tmp_path, environment=CLEAN)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "callkit-demo" / "duration.png").exists()


@pytest.mark.parametrize("buffered", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "not"])
def test_a_slow_reader_of_a_pipe_that_does_not_block_gets_every_call(
    folder: Path, sandbox: Sandbox, buffered: dict[str, str]
) -> None:
    reading, writing = os.pipe()
    before = fill(writing)
    environment = {k: v for k, v in signed_in(sandbox).items() if k != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [COMMAND, "export", "sids.txt", "-o", "-", "-q"],
        cwd=folder,
        env=environment | buffered,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(writing)
        assert process.stderr is not None
        process.stderr.readline()  # of the failures, which are written before the calls
        with os.fdopen(reading, "rb") as pipe:
            received = pipe.read()
    assert process.returncode == 1
    assert len(received[before:].splitlines()) == 1 + 20


def limit_files() -> None:
    import resource  # noqa: PLC0415  (not on Windows)

    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_disk_that_fills_up_under_the_output_is_an_error(
    folder: Path, tmp_path: Path, sandbox: Sandbox, unbuffered: str
) -> None:
    with sandbox.client() as client:
        callkit.export(sandbox.sids(20), tmp_path / "whole.csv", client=client, format="csv")
    size = (tmp_path / "whole.csv").stat().st_size
    with (tmp_path / "calls.csv").open("ab") as output:
        output.write(b"." * (_LARGEST_FILE - size + 10))  # just the end has no room
        output.flush()
        done = subprocess.run(
            [COMMAND, "export", "sids.txt", "-o", "-", "-q", "--errors", "warn"],
            cwd=folder,
            env=signed_in(sandbox) | {"PYTHONUNBUFFERED": unbuffered},
            preexec_fn=limit_files,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.endswith("callkit: cannot write to standard output: File too large\n")


class Failing(io.StringIO):
    """A stream of somebody's own that raises whatever is written to it."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        raise self._error

    def isatty(self) -> bool:
        return True


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    "stream",
    [None, closed(), Failing(OSError(5, "Input/output error")), Failing(ValueError("closed"))],
    ids=["none", "closed", "OSError", "ValueError"],
)
def test_standard_error_may_be_any_object(
    typed: Typed,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stream: io.StringIO | None,
) -> None:
    listed(tmp_path, sandbox.sids(400) + sandbox.unknown_sids(1))
    monkeypatch.setattr(sys, "stderr", stream)
    assert typed("export", "sids.txt", "-o", "calls.parquet")[0] == 1
    assert len(callkit.read_parquet(tmp_path / "calls.parquet")) == 400


@pytest.mark.parametrize("stream", [None, closed()], ids=["none", "closed"])
def test_standard_output_that_is_closed_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stream: io.StringIO | None
) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["--version"]) == 2
    assert capsys.readouterr().err == SAID["closed"]


def test_output_may_be_a_stream_without_a_descriptor() -> None:
    with redirect_stdout(io.StringIO()) as output:
        say("a", "b")
    assert output.getvalue() == "a\nb\n"


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", r"\u2192"), ("utf-8", "→")])
def test_characters_that_the_encoding_lacks_are_written_as_escapes(
    encoding: str, shown: str
) -> None:
    errors = io.TextIOWrapper(io.BytesIO(), encoding)
    output = io.TextIOWrapper(io.BytesIO(), encoding)
    with redirect_stdout(output), redirect_stderr(errors), standard_streams():
        say("1 → 2")
        note("1 → 2")
    for stream in (output, errors):
        stream.seek(0)
        assert stream.read() == f"1 {shown} 2\n".encode(encoding).decode(encoding)


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), ValueError("Input/output error")]
)
def test_standard_output_that_raises_is_an_error(error: Exception) -> None:
    with (
        redirect_stdout(Failing(error)),
        standard_streams(),
        pytest.raises(CommandError, match="cannot write to standard output: Input/output error"),
    ):
        say("data")


@pytest.mark.parametrize("closing", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_no_file_of_a_run_takes_the_place_of_a_closed_stream(
    folder: Path, sandbox: Sandbox, closing: str
) -> None:
    """What the interpreter itself writes to standard error must not end up in the calls."""
    code = (
        "import os, sys; from callkit.cli.streams import standard_streams\n"
        "with standard_streams(): found = os.open(os.devnull, os.O_RDONLY)\n"
        "sys.exit(found)"
    )
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closing}', "sh", sys.executable, "-c", code],
        env=CLEAN,
        check=False,
    )
    assert done.returncode > 2
