"""Runs on a machine that is short of file descriptors or threads: slower, and nothing is lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.adapters import HTTPAdapter

import callkit
from callkit import Fetched
from callkit.fetch.concurrency import RetryPolicy
from callkit.fetch.descriptors import room_for_connections
from callkit.sandbox import Sandbox
from tests.cli import shell
from tests.support.scripted import ACCOUNT, TOKEN, sid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.scripted import ScriptedServer

resource = pytest.importorskip("resource", reason="Windows has no such limits")
on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux lists threads and open files in /proc"
)
TOLD = "This machine cannot open more connections"

FEW_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
from callkit.cli import main
sys.exit(main(sys.argv[1:]))
"""
# Takes every file descriptor, and gives them back when the run says that it lacks some.
NO_FILES = """
import logging, os, resource, sys
import callkit
from callkit.fetch import RetryPolicy
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
taken = []
class GiveBack(logging.Handler):
    def emit(self, record):
        print(record.getMessage(), file=sys.stderr)
        while taken:
            os.close(taken.pop())
if sys.argv[1] == "for a while":
    logging.getLogger("callkit").addHandler(GiveBack())
client = callkit.Client(give_up_after=1, retry_policy=RetryPolicy(attempts=1, quiet=60))
try:
    while True:
        taken.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
try:
    for outcome in client.fetch_many(sys.argv[2:]):
        print(type(outcome).__name__, outcome.attempts)
except callkit.errors.RunStoppedError as error:
    print(error)
"""
FEW_THREADS = """
import resource, sys, threading
import callkit
stack, room = 1 << 29, int(sys.argv[1])
client = callkit.Client(concurrency=50)
client.pool().close()
with open("/proc/self/statm") as file:
    taken = int(file.read().split()[0]) * resource.getpagesize()
threading.stack_size(stack)
most = taken + room * stack + stack // 2
resource.setrlimit(resource.RLIMIT_AS, (most, most))
try:
    for outcome in client.fetch_many(sys.argv[2:]):
        print(type(outcome).__name__)
except callkit.errors.RunStoppedError as error:
    print(error)
"""


def run(
    script: str, *arguments: str | Path, url: str, folder: Path, account: tuple[str, str]
) -> subprocess.CompletedProcess[str]:
    sid, token = account
    names = {"TWILIO_ACCOUNT_SID": sid, "TWILIO_AUTH_TOKEN": token, "CALLKIT_BASE_URL": url}
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **names},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(params=["127.0.0.1", "localhost"])
def host(request: pytest.FixtureRequest) -> str:
    """Give an address, and a name whose look-up takes a file descriptor too."""
    return str(request.param)


@pytest.mark.parametrize(
    ("host", "more"),
    [("127.0.0.1", ["-o", "calls.parquet"]), ("localhost", ["-o", "calls", "--by-month"])],
)
def test_an_export_with_few_file_descriptors_has_every_call(
    tmp_path: Path, host: str, more: list[str]
) -> None:
    with Sandbox(calls=5_000, latency=0.02) as sandbox:
        shell.listed(tmp_path, sandbox.sids(2_000))
        done = run(
            FEW_FILES,
            *("export", "sids.txt", "--cache", "calls.sqlite", "--concurrency", "100", *more),
            url=sandbox.url.replace("127.0.0.1", host),
            folder=tmp_path,
            account=(sandbox.account_sid, sandbox.auth_token),
        )
    assert done.returncode == 0, done.stderr
    assert len(callkit.read_parquet(tmp_path / more[1])) == 2_000
    assert done.stderr.count(TOLD) == 1
    assert "(OSError: Too many open files); continuing with up to" in done.stderr


def test_a_call_that_finds_no_file_descriptor_has_had_no_attempt(
    server: ScriptedServer, tmp_path: Path, host: str
) -> None:
    url = server.url.replace("127.0.0.1", host)
    told = (NO_FILES, "for a while", sid(1), sid(2))
    done = run(*told, url=url, folder=tmp_path, account=(ACCOUNT, TOKEN))
    assert done.stdout == "Fetched 1\nFetched 1\n", done.stderr
    assert TOLD in done.stderr
    assert "up to 1 request at a time" in done.stderr


def test_a_run_that_never_has_a_file_descriptor_says_so_and_accounts_for_every_call(
    server: ScriptedServer, tmp_path: Path, host: str
) -> None:
    url = server.url.replace("127.0.0.1", host)
    done = run(
        *(NO_FILES, "for ever", sid(1), sid(2)), url=url, folder=tmp_path, account=(ACCOUNT, TOKEN)
    )
    *failures, told = done.stdout.splitlines()
    assert failures == ["Failure 0", "Failure 0"]
    assert told.startswith(f"No successful response from {ACCOUNT} at {url} for 1 s")
    assert told.endswith("OSError: Too many open files")


@on_linux
def test_a_run_with_few_threads_has_every_call(server: ScriptedServer, tmp_path: Path) -> None:
    wanted = [sid(number) for number in range(300)]
    done = run(
        *(FEW_THREADS, "3", *wanted), url=server.url, folder=tmp_path, account=(ACCOUNT, TOKEN)
    )
    assert done.stdout.split() == ["Fetched"] * 300, done.stderr
    assert done.stderr.count(TOLD) == 1
    assert "(RuntimeError: can't start new thread); continuing with up to" in done.stderr


@on_linux
def test_a_run_without_any_thread_says_so_and_accounts_for_every_call(
    server: ScriptedServer, tmp_path: Path
) -> None:
    wanted = [sid(number) for number in range(3)]
    done = run(
        *(FEW_THREADS, "0", *wanted), url=server.url, folder=tmp_path, account=(ACCOUNT, TOKEN)
    )
    *failures, told = done.stdout.splitlines()
    assert failures == ["Failure"] * 3
    assert told == (
        f"Cannot send requests to {ACCOUNT} at {server.url}: RuntimeError: can't start new thread"
    )


class ShortOf(HTTPAdapter):
    """Lacks something for the first two requests."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self._errors = list(errors)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        if self._errors:
            raise self._errors.pop()
        return super().send(request, *args, **options)


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(number, "") for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)),
        *(OSError(number, "") for number in (errno.ENOBUFS, errno.EADDRNOTAVAIL)),
        requests.exceptions.ConnectionError(OSError(errno.EMFILE, "Too many open files")),
        MemoryError(),
    ],
    ids=str,
)
def test_whatever_this_machine_is_short_of_costs_no_attempt(
    server: ScriptedServer, error: Exception
) -> None:
    session = requests.Session()
    session.mount(server.url, ShortOf(error, error))
    policy = RetryPolicy(attempts=1, first_back_off=0.01)
    with server.client(session=session, retry_policy=policy) as client:
        outcomes = list(client.fetch_many([sid(number) for number in range(20)]))
    assert {type(outcome) for outcome in outcomes} == {Fetched}
    assert {outcome.attempts for outcome in outcomes} == {1}


@pytest.fixture
def few_files() -> Iterator[int]:
    """Allow forty more files than are open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = len(os.listdir("/dev/fd")) + 40  # noqa: PTH208
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, before[1]))
    yield allowed
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("few_files")
def test_some_file_descriptors_are_left_for_files(tmp_path: Path) -> None:
    assert room_for_connections() == 40 - 16
    with (tmp_path / "a file").open("w"):
        assert room_for_connections() == 40 - 17
