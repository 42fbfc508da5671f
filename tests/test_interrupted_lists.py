"""A date range that is cut short: Ctrl-C leaves nothing behind, and a killed run goes on."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import callkit
from callkit.cache.store import Cache
from callkit.errors import FetchInterrupted
from callkit.page_options import PageOptions
from callkit.runs import run_over
from tests.support.hostile import HostileSandbox, error_429
from tests.support.scripted import ACCOUNT, QUICK_RETRIES, Reply, ScriptedServer, sid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callkit import Client
    from callkit.sandbox.api import Answer
    from tests.support.hostile import Page, Turn
    from tests.support.scripted import Handler

THREE_DAYS = callkit.CallList(started=("2025-02-03", "2025-02-06"))
LAST_DAY = date(2025, 2, 5)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[HostileSandbox]:
    with HostileSandbox(seed=4) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: HostileSandbox) -> Iterator[Client]:
    with sandbox.client(retry_policy=QUICK_RETRIES) as client:
        yield client


@pytest.fixture(scope="module")
def truth(sandbox: HostileSandbox) -> pd.DataFrame:
    with sandbox.client() as client:
        return callkit.to_frame(THREE_DAYS, client=client)


@pytest.fixture
def _interrupting(sandbox: HostileSandbox) -> Iterator[None]:
    """Have the second page of the last day interrupt the run, and never arrive."""

    def trick(turn: Turn) -> Page | Answer:
        if turn.is_first_page:
            return turn.page()
        if not interrupted.is_set():
            interrupted.set()
            os.kill(os.getpid(), signal.SIGINT)
        return error_429(turn)

    interrupted = threading.Event()
    sandbox.play(trick, [LAST_DAY])
    yield
    sandbox.play(None)


def workers() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("callkit-fetch")]


def open_files(folder: Path) -> list[str]:
    """List the files below a folder that this process has open, those without a name included."""
    links = []
    for place in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(place.readlink()))
        except FileNotFoundError:  # it has been closed meanwhile
            continue
    return [link for link in links if link.startswith(f"{folder}/")]


@pytest.mark.usefixtures("_interrupting")
def test_an_interrupted_frame_has_what_arrived_and_no_worker_is_left(
    truth: pd.DataFrame, client: Client
) -> None:
    with pytest.raises(FetchInterrupted, match=r"after \d of 3 days") as caught:
        callkit.to_frame(THREE_DAYS, client=client)
    assert workers() == []
    frame = caught.value.frame
    known = truth[truth["sid"].isin(frame["sid"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame, known)
    assert 0 < len(frame) < len(truth)


@pytest.mark.usefixtures("_interrupting")
def test_an_interrupted_export_leaves_no_file(client: Client, tmp_path: Path) -> None:
    with pytest.raises(FetchInterrupted) as caught:
        callkit.export(THREE_DAYS, tmp_path / "calls.parquet", client=client)
    assert workers() == []
    assert len(caught.value.frame) > 0
    del caught
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_interrupting")
def test_after_an_interrupt_the_cache_has_the_days_that_were_complete(
    sandbox: HostileSandbox, truth: pd.DataFrame, client: Client, tmp_path: Path
) -> None:
    path, cache = tmp_path / "calls.parquet", tmp_path / "calls.sqlite"
    with pytest.raises(FetchInterrupted, match="run again to continue from there"):
        callkit.export(THREE_DAYS, path, client=client, cache=cache)
    assert list(tmp_path.iterdir()) == [cache]
    complete = complete_days(cache)
    sandbox.play(None)
    got = callkit.export(THREE_DAYS, path, client=client, cache=cache)
    pd.testing.assert_frame_equal(got.frame, truth)
    assert LAST_DAY in sandbox.listed
    assert not complete & set(sandbox.listed)


def complete_days(cache: Path) -> set[date]:
    days = [date(2025, 1, 1) + timedelta(days=n) for n in range(90)]
    with Cache(cache) as opened:
        return opened.complete_days(HostileSandbox(seed=4).account_sid, days)


def page_of_a_thousand(handler: Handler, number: int = 0, last: int = 0) -> None:
    """Answer with calls of the day that is asked for, as short as they can be."""
    [day] = re.findall(r"StartTime%3E=([\d-]+)", handler.path)
    start = f"{date.fromisoformat(day):%d %b %Y} 12:00:00 +0000"
    first = 1_000 * (100 * date.fromisoformat(day).toordinal() + number)
    query = handler.path.partition("&Page=")[0]
    following = f"{query}&Page={number + 1}" if number < last else None
    calls = [
        {"sid": sid(first + n), "account_sid": ACCOUNT, "start_time": start} for n in range(1_000)
    ]
    page = {"calls": calls, "next_page_uri": following}
    now = {"Date": "Tue, 01 Apr 2025 00:00:00 GMT"}
    handler.answer(Reply(body=json.dumps(page).encode(), headers=now))


def test_an_interrupt_closes_the_file_of_rows_that_wait(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second page of the first day keeps all others waiting: more than stay in memory."""

    def interrupt_when_rows_are_in_a_file(handler: Handler) -> None:
        if "&Page=1" not in handler.path:
            page_of_a_thousand(handler, last=int("2025-01-01" in handler.path))
            return
        deadline = time.monotonic() + 60
        while not open_files(tmp_path) and time.monotonic() < deadline:
            over.wait(0.01)
        were_open.extend(open_files(tmp_path))
        os.kill(os.getpid(), signal.SIGINT)
        over.wait(60)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    over, were_open = threading.Event(), list[str]()
    server.always = interrupt_when_rows_are_in_a_file
    fifty_days = callkit.CallList(started=("2025-01-01", "2025-02-20"))
    with server.client() as client, pytest.raises(FetchInterrupted, match="of 50 days") as caught:
        callkit.to_frame(fifty_days, client=client)
    over.set()
    assert were_open
    assert open_files(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    assert len(caught.value.frame) > 30_000


def test_a_run_that_is_given_up_closes_the_file_of_rows_that_wait(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forty_pages(handler: Handler) -> None:
        _, _, number = handler.path.partition("&Page=")
        page_of_a_thousand(handler, int(number or 0), last=39)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server.always = forty_pages
    day = callkit.CallList(started=("2025-01-01", "2025-01-02"))
    with server.client() as client:
        run = run_over(day, client, None, None, None, options=PageOptions("auto", None, None))
        with closing(run.tables()) as tables:
            next(tables)
            assert open_files(tmp_path)
        assert open_files(tmp_path) == []


EXPORT = """
import callkit
days = callkit.CallList(started=("2025-01-01", "2025-04-01"))
with callkit.Client(concurrency=4) as client:
    callkit.export(days, "calls.parquet", client=client, cache="calls.sqlite")
"""


@pytest.mark.slow
def test_an_export_killed_twenty_times_lists_no_complete_day_again(tmp_path: Path) -> None:
    dice, cache = random.Random(5), tmp_path / "calls.sqlite"
    with HostileSandbox(seed=4, latency=0.02) as sandbox:
        for _ in range(20):
            complete = complete_days(cache)
            with exporting(tmp_path, sandbox) as process:
                kill_after(process, sandbox, pages=dice.randrange(5, 40))
            assert process.returncode == -signal.SIGKILL
            assert not complete & set(sandbox.listed)
        complete = complete_days(cache)
        with exporting(tmp_path, sandbox) as process:
            pass
        assert process.returncode == 0
        assert not complete & set(sandbox.listed)
        with sandbox.client() as client:
            quarter = callkit.CallList(started=("2025-01-01", "2025-04-01"))
            undisturbed = callkit.to_frame(quarter, client=client)
    assert len(complete) > 20
    pd.testing.assert_frame_equal(callkit.read_parquet(tmp_path / "calls.parquet"), undisturbed)


def exporting(folder: Path, sandbox: HostileSandbox) -> subprocess.Popen[bytes]:
    sandbox.play(None)  # counts anew
    environment = {
        **os.environ,
        "TWILIO_ACCOUNT_SID": sandbox.account_sid,
        "TWILIO_AUTH_TOKEN": sandbox.auth_token,
        "CALLKIT_BASE_URL": sandbox.url,
    }
    return subprocess.Popen([sys.executable, "-c", EXPORT], cwd=folder, env=environment)


def kill_after(process: subprocess.Popen[bytes], sandbox: HostileSandbox, pages: int) -> None:
    """Kill a run when it has requested so many pages."""
    while sandbox.listed.total() < pages and process.poll() is None:
        threading.Event().wait(0.002)
    process.kill()
