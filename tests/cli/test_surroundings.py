from __future__ import annotations

import logging
import shlex
import signal
import subprocess
import warnings
from typing import TYPE_CHECKING, Literal

import pytest

import callkit
from callkit.cli import run_as_a_command
from callkit.cli.streams import say
from tests.cli.shell import CLEAN, COMMAND, listed, signed_in

if TYPE_CHECKING:
    from pathlib import Path

    from callkit.sandbox import Sandbox


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    path = tmp_path_factory.mktemp("calls") / "calls.parquet"
    with sandbox.client() as client:
        callkit.export(sandbox.sids(20), path, client=client)
    return path


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_reader_that_goes_away_is_no_trouble(calls: Path) -> None:
    done = shell(
        f"{shlex.quote(COMMAND)} summary calls.parquet | true; echo ${{PIPESTATUS[0]}}",
        calls.parent,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_full_disk_is_told_in_one_sentence(calls: Path) -> None:
    done = shell(f"{shlex.quote(COMMAND)} summary calls.parquet > /dev/full", calls.parent)
    assert done.returncode == 2
    assert done.stderr == ("callkit: cannot write to standard output: No space left on device\n")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("<&-", "standard input is closed"),
        ("0>/dev/null", "cannot read standard input: Bad file descriptor"),
    ],
)
def test_standard_input_that_cannot_be_read_is_told_in_one_sentence(
    tmp_path: Path, given: str, told: str
) -> None:
    done = shell(f"{shlex.quote(COMMAND)} export - -o out.csv {given}", tmp_path)
    assert (done.returncode, done.stderr) == (2, f"callkit: {told}\n")


def test_a_name_that_is_no_text_can_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    say("file\udcff")
    assert capsys.readouterr().out == "file\\udcff\n"


def test_sigterm_interrupts_even_where_ctrl_c_is_switched_off() -> None:
    def terminate() -> int:
        signal.raise_signal(signal.SIGTERM)
        return 0

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_as_a_command(terminate, verbose=False)
    finally:
        signal.signal(signal.SIGINT, before)


def test_signals_logs_and_warnings_are_as_they_were_afterwards() -> None:
    def state() -> list[object]:
        loggers = [logging.getLogger(name) for name in ("callkit", "urllib3")]
        said = [(logger.level, list(logger.handlers)) for logger in loggers]
        return [signal.getsignal(signal.SIGTERM), warnings.showwarning, said]

    before = state()
    run_as_a_command(lambda: 0, verbose=True)
    assert state() == before


@pytest.mark.parametrize("action", ["default", "error", "ignore"])
def test_a_warning_is_one_line_whatever_python_is_asked_to_do_with_it(
    capsys: pytest.CaptureFixture[str], action: Literal["default", "error", "ignore"]
) -> None:
    def warn() -> int:
        warnings.warn("the cache is full", callkit.errors.CacheWarning, stacklevel=1)
        return 0

    with warnings.catch_warnings(action=action):
        assert run_as_a_command(warn, verbose=False) == 0
    assert capsys.readouterr().err == "callkit: the cache is full\n"


def test_a_log_says_what_was_asked_and_answered_and_no_secret(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    [sid] = sandbox.sids(1)
    listed(tmp_path, [sid])
    done = subprocess.run(
        [COMMAND, "export", "sids.txt", "-o", "calls.parquet", "--verbose"],
        cwd=tmp_path,
        env=signed_in(sandbox),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"/Calls/{sid}.json: 200" in done.stderr
    assert sandbox.auth_token not in done.stderr
    assert "Authorization" not in done.stderr
