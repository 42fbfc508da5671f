from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.cli import parser
from tests.cli.shell import listed, run, sentence, signed_in, started

if TYPE_CHECKING:
    from pathlib import Path

    from callkit.sandbox import Sandbox
    from tests.cli.conftest import Refused, Typed

COMMANDS = [
    "demo",
    "export",
    "summary",
    "report",
    "cache",
    "cache info",
    "cache prune",
    "cache erase",
    "sandbox",
]
EXPORT = ("export", "sids.txt", "-o", "calls.parquet")


def test_0_is_all_done(tmp_path: Path, sandbox: Sandbox) -> None:
    listed(tmp_path, sandbox.sids(3))
    done = run(*EXPORT, folder=tmp_path, environment=signed_in(sandbox))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "3 calls in calls.parquet\n")


def test_1_is_some_calls_failed_and_a_file_beside_the_output_says_which(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    unknown = sandbox.unknown_sids(2)
    listed(tmp_path, sandbox.sids(3) + unknown)
    done = run(*EXPORT, folder=tmp_path, environment=signed_in(sandbox))
    assert done.returncode == 1
    assert done.stderr == (
        "3 calls in calls.parquet\ncallkit: 2 failures: 2 not_found; see calls.failures.csv\n"
    )
    assert len(callkit.read_parquet(tmp_path / "calls.parquet")) == 3
    failures = (tmp_path / "calls.failures.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in failures] == unknown


def test_2_is_wrong_usage() -> None:
    done = run("export", "sids.txt")
    assert (done.returncode, done.stdout) == (2, "")
    assert "arguments are required: -o/--out" in sentence(done.stderr)


@pytest.mark.parametrize("arguments", [["nonsense"], ["cache"]], ids=" ".join)
def test_an_unknown_command_is_described_in_one_sentence(
    refused: Refused, arguments: list[str]
) -> None:
    assert "COMMAND" in refused(*arguments)


def test_without_a_command_the_help_is_printed() -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("--help").stdout


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["export", "sids.txt", "--nonsense", "-o", "calls.parquet"], "export"),
        (["export", "sids.txt"], "export"),
        (["summary", "calls.parquet", "--nonsense"], "summary"),
        (["cache", "prune", "calls.sqlite"], "cache prune"),
        (["demo", "--concurrency", "0"], "demo"),
    ],
)
def test_wrong_usage_prints_the_usage_of_the_command(arguments: list[str], command: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"usage: callkit {command} ")


@pytest.mark.parametrize("command", ["demo", "export"])
@pytest.mark.parametrize(
    "option", ["--concurrency", "--pages", "--date-column", "--quiet", "--verbose"]
)
def test_every_command_that_fetches_takes_the_same_options(command: str, option: str) -> None:
    assert option in run(command, "--help").stdout


def test_3_is_a_refused_sign_in(tmp_path: Path, sandbox: Sandbox) -> None:
    listed(tmp_path, sandbox.sids(2))
    environment = {**signed_in(sandbox), "TWILIO_AUTH_TOKEN": "wrong"}
    done = run(*EXPORT, folder=tmp_path, environment=environment)
    assert (done.returncode, done.stdout) == (3, "")
    assert "Authentication failed" in sentence(done.stderr)
    assert not (tmp_path / "calls.parquet").exists()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_130_is_interrupted_and_leaves_no_half_file(
    tmp_path: Path, sandbox: Sandbox, stop: signal.Signals
) -> None:
    listed(tmp_path, sandbox.sids(4_000))
    arguments = (*EXPORT, "--cache", "calls.sqlite", "--verbose")
    with started(*arguments, folder=tmp_path, environment=signed_in(sandbox)) as process:
        assert process.stderr is not None
        # What it logs fills the pipe, so that it cannot be done before it is stopped.
        for line in process.stderr:
            if ".json: 200" in line:
                break
        process.send_signal(stop)
        *_, said = process.stderr.read().splitlines()
    assert process.returncode == 130
    assert said.startswith("callkit: interrupted after ")
    assert said.endswith("they are in 'calls.sqlite': run again to continue from there")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls.sqlite", "sids.txt"]


def test_the_exit_codes_are_explained(typed: Typed) -> None:
    code, out, _ = typed("--help")
    assert code == 0
    for exit_code in (0, 1, 2, 3, 130):
        assert f"\n  {exit_code:<3}  " in out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_help_has_an_example(typed: Typed, command: str) -> None:
    code, out, errors = typed(*command.split(), "--help")
    assert (code, errors) == (0, "")
    assert f"example: callkit {command}" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_example_is_one_that_the_command_takes(typed: Typed, command: str) -> None:
    _, out, _ = typed(*command.split(), "--help")
    example = out.partition("example: callkit ")[2].partition(" < ")[0]
    parser().parse_args(example.split())


def test_the_version_is_told(typed: Typed) -> None:
    assert typed("--version") == (0, f"callkit {callkit.__version__}\n", "")


def test_the_module_runs_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "callkit", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"callkit {callkit.__version__}\n"
