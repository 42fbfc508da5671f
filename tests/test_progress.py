"""The progress bar: what it counts, and who sees it."""

from __future__ import annotations

import io
import os
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import tqdm

import callkit
from callkit import CallList
from callkit.sandbox import Sandbox
from callkit.terminal import Bar, progress_bar
from tests.support.scripted import Reply, ScriptedServer, call_body, sid, silent_until
from tests.support.streams import run_with

if TYPE_CHECKING:
    from pathlib import Path

    from callkit import Client
    from tests.support.streams import Kind

MARCH = CallList(started=("2025-03-01", "2025-04-01"))


class Watched(io.StringIO):
    """A terminal that notices what it was waiting for."""

    def __init__(self, awaited: str) -> None:
        super().__init__()
        self._awaited = awaited
        self.seen = threading.Event()

    def write(self, text: str) -> int:
        if self._awaited in text:
            self.seen.set()
        return super().write(text)

    def isatty(self) -> bool:
        return True


def test_one_slow_call_holds_back_no_bar(
    server: ScriptedServer, scripted_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Watched("399/400")
    monkeypatch.setattr(sys, "stderr", terminal)
    body = Reply(body=call_body(sid(1), status="busy"))
    server.script[sid(1)] = [silent_until(terminal.seen), body]  # the first proves the sign-in
    for number in [0, *range(2, 400)]:
        server.script[sid(number)] = [Reply(body=call_body(sid(number), status="busy"))]
    callkit.to_frame([sid(number) for number in range(400)], client=scripted_client)
    assert terminal.seen.is_set()


def test_what_the_cache_has_is_counted_too(
    sandbox: Sandbox, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "calls.sqlite"
    callkit.collect(sandbox.sids(300), client=client, cache=cache)
    terminal = Watched("400/400")
    monkeypatch.setattr(sys, "stderr", terminal)
    callkit.collect(sandbox.sids(400), client=client, cache=cache)
    assert terminal.seen.is_set()


def bar_of(total: int) -> tuple[Bar, io.StringIO]:
    """Make a bar on a page of 80 columns, which a minute has passed on."""
    page = io.StringIO()
    bar = tqdm.tqdm(total=total, unit=" calls", ncols=80, smoothing=0, mininterval=0, file=page)
    bar.start_t -= 60
    return Bar(bar), page


def test_rate_and_remaining_time_do_not_count_the_cache() -> None:
    bar, page = bar_of(1_000)
    bar.add_cached(880)
    bar.add(60)
    shown = page.getvalue().rpartition("\r")[2]
    assert "940/1000 [01:00<01:00" in shown


def test_the_bar_has_twenty_cells_in_80_columns() -> None:
    bar, page = bar_of(1_000_000)
    bar.add(500_000)
    shown = page.getvalue().rpartition("\r")[2]
    assert len(shown.split("|")[1]) >= 20


def test_failures_are_told_as_they_come(
    sandbox: Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Watched("failed=2")
    monkeypatch.setattr(sys, "stderr", terminal)
    callkit.collect(sandbox.sids(400) + sandbox.unknown_sids(2), client=client)
    assert terminal.seen.is_set()


def test_few_calls_are_not_worth_a_bar(
    sandbox: Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Watched("calls")
    monkeypatch.setattr(sys, "stderr", terminal)
    callkit.collect(sandbox.sids(299), client=client)
    assert terminal.getvalue() == ""


def test_the_bar_of_a_date_range_counts_days_and_shows_calls(
    sandbox: Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Watched("31/31 days")
    monkeypatch.setattr(sys, "stderr", terminal)
    df = callkit.to_frame(MARCH, client=client)
    assert terminal.seen.is_set()
    assert f"calls={len(df):,}" in terminal.getvalue()


def test_days_and_calls_of_the_cache_are_counted_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = Sandbox(calls=2_000, now=datetime(2025, 6, 1, tzinfo=UTC))
    cache = tmp_path / "calls.sqlite"
    df = callkit.to_frame(MARCH, client=sandbox.client(), cache=cache)
    terminal = Watched("31/31 days")
    monkeypatch.setattr(sys, "stderr", terminal)
    callkit.to_frame(MARCH, client=sandbox.client(), cache=cache)
    assert terminal.seen.is_set()
    assert f"calls={len(df):,}" in terminal.getvalue()


def test_a_date_range_has_one_bar(
    sandbox: Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Watched("days")
    monkeypatch.setattr(sys, "stderr", terminal)
    callkit.to_frame(MARCH, client=client, progress=True)
    assert " calls [" not in terminal.getvalue()


def test_one_day_is_not_worth_a_bar(
    sandbox: Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Watched("days")
    monkeypatch.setattr(sys, "stderr", terminal)
    callkit.to_frame(CallList(started=("2025-03-01", "2025-03-02")), client=client)
    assert terminal.getvalue() == ""


def test_a_list_of_unknown_length_has_a_bar_without_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Watched("0/? calls")
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar(None, None, "calls", 300):
        pass
    assert terminal.seen.is_set()


@pytest.mark.parametrize("kind", ["closed", "full", "broken"])
def test_no_run_fails_because_of_its_bar(tmp_path: Path, sandbox: Sandbox, kind: Kind) -> None:
    code = (
        "import callkit\n"
        f"client = callkit.Client(base_url={sandbox.url!r}, auth_token={sandbox.auth_token!r}, "
        f"account_sid={sandbox.account_sid!r})\n"
        f"print(len(callkit.to_frame({sandbox.sids(20)!r}, client=client, progress=True)))"
    )
    done = run_with(
        [sys.executable, "-c", code], errors=kind, folder=tmp_path, environment=os.environ
    )
    assert done.stdout == "20\n"


@pytest.mark.parametrize("progress", [None, True])
@pytest.mark.parametrize("is_none", [True, False], ids=["none", "closed"])
def test_standard_error_may_be_none_or_closed(
    sandbox: Sandbox,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    is_none: bool,
    progress: bool | None,
) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", None if is_none else stream)
    df = callkit.to_frame(sandbox.sids(400), client=client, progress=progress)
    assert len(df) == 400
