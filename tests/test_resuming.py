"""A run that is cut short goes on from there: kills, interrupts, and the cache's say."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import callkit
from callkit.errors import CacheError, FetchInterrupted, PriceChangeWarning
from callkit.sandbox import Sandbox
from tests.support.scripted import (
    Reply,
    ScriptedServer,
    call_body,
    sid,
    silent_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from callkit import Client
    from tests.support.scripted import Handler

EXPORT = """
import sys, callkit
callkit.export("sids.txt", "calls.parquet", cache="calls.sqlite", errors="warn")
"""


def priced(number: int, price: str = "-0.01") -> bytes:
    return call_body(sid(number), status="completed", price=price, price_unit="USD")


def environment(sandbox: Sandbox) -> dict[str, str]:
    return {
        **os.environ,
        "TWILIO_ACCOUNT_SID": sandbox.account_sid,
        "TWILIO_AUTH_TOKEN": sandbox.auth_token,
        "CALLKIT_BASE_URL": sandbox.url,
    }


def test_settled_calls_are_asked_for_once(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    for number in range(10):
        server.script[sid(number)] = [Reply(body=priced(number))]
    sids = [sid(number) for number in range(10)]
    cache = tmp_path / "calls.sqlite"
    first = callkit.to_frame(sids, client=scripted_client, cache=cache)
    again = callkit.to_frame(sids[::-1], client=scripted_client, cache=cache)
    assert set(server.asked.values()) == {1}
    pd.testing.assert_frame_equal(again.iloc[::-1].reset_index(drop=True), first)


def test_the_rest_is_fetched_and_stands_in_its_place(
    sandbox: Sandbox, client: Client, tmp_path: Path
) -> None:
    cache = tmp_path / "calls.sqlite"
    sids = sandbox.sids(400)
    callkit.to_frame(sids[::3], client=client, cache=cache)
    mixed = callkit.to_frame(sids, client=client, cache=cache)
    pd.testing.assert_frame_equal(mixed, callkit.to_frame(sids, client=client))


def test_a_list_that_the_cache_can_answer_needs_neither_network_nor_credentials(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script[sid(1)] = [Reply(body=priced(1))]
    callkit.to_frame([sid(1)], client=scripted_client, cache=tmp_path / "calls.sqlite")
    monkeypatch.delenv("TWILIO_ACCOUNT_SID", raising=False)
    df = callkit.to_frame([sid(1)], cache=tmp_path / "calls.sqlite")
    assert df["sid"].tolist() == [sid(1)]


def test_as_of_times_are_those_of_the_fetch(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    server.script[sid(1)] = [Reply(body=priced(1))]
    cache = tmp_path / "calls.sqlite"
    first = callkit.to_frame([sid(1)], client=scripted_client, cache=cache)
    again = callkit.to_frame([sid(1)], cache=cache)
    assert again.attrs == first.attrs


def test_a_refresh_reports_each_price_that_changed(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    server.script[sid(1)] = [Reply(body=priced(1)), Reply(body=priced(1, "-0.02"))]
    server.script[sid(2)] = [Reply(body=priced(2)), Reply(body=priced(2))]
    sids, cache = [sid(1), sid(2)], tmp_path / "calls.sqlite"
    assert callkit.collect(sids, client=scripted_client, cache=cache).price_changes.empty
    got = callkit.collect(sids, client=scripted_client, cache=cache, refresh="all")
    assert got.price_changes.astype("str").values.tolist() == [
        [sid(1), "-0.01000000", "-0.02000000"]
    ]


def test_a_body_that_was_never_valid_is_asked_for_again(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    broken = call_body(sid(1), status="completed", price="-0.01", end_time="31 Feb 2025")
    server.script[sid(1)] = [Reply(body=broken), Reply(body=priced(1))]
    cache = tmp_path / "calls.sqlite"
    assert len(callkit.collect([sid(1)], client=scripted_client, cache=cache).failures) == 1
    assert len(callkit.to_frame([sid(1)], client=scripted_client, cache=cache)) == 1


def test_what_a_generator_named_before_it_broke_is_fetched_and_kept(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    def breaking() -> Iterator[str]:
        yield from [sid(1), sid(2)]
        raise OSError("the database is gone")

    for number in (1, 2):
        server.script[sid(number)] = [Reply(body=priced(number))]
    cache = tmp_path / "calls.sqlite"
    with pytest.raises(OSError, match="the database is gone"):
        callkit.to_frame(breaking(), client=scripted_client, cache=cache)
    assert len(callkit.to_frame([sid(1), sid(2)], cache=cache)) == 2


def test_a_broken_price_is_a_failure_of_its_call_whatever_the_cache_has(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    server.script[sid(1)] = [Reply(body=priced(1)), Reply(body=priced(1, "1E+50"))]
    cache = tmp_path / "calls.sqlite"
    callkit.to_frame([sid(1)], client=scripted_client, cache=cache)
    got = callkit.collect([sid(1)], client=scripted_client, cache=cache, refresh="all")
    assert got.failures["reason"].tolist() == ["bad_response"]
    assert got.price_changes.empty


def test_to_frame_warns_of_prices_that_changed(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    server.script[sid(1)] = [Reply(body=priced(1)), Reply(body=priced(1, "-0.02"))]
    cache = tmp_path / "calls.sqlite"
    callkit.to_frame([sid(1)], client=scripted_client, cache=cache)
    with pytest.warns(PriceChangeWarning, match="The price of 1 call differs"):
        callkit.to_frame([sid(1)], client=scripted_client, cache=cache, refresh=datetime.now(UTC))


def test_a_cache_that_cannot_be_is_found_out_before_the_first_request(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    with pytest.raises(CacheError, match="Cannot open the cache"):
        callkit.to_frame(
            [sid(1)], client=scripted_client, cache=tmp_path / "missing" / "calls.sqlite"
        )
    assert server.paths == []


def interrupt_when(server: ScriptedServer, asked: int) -> threading.Thread:
    def wait_and_interrupt() -> None:
        deadline = time.monotonic() + 20
        while sum(server.asked.values()) < asked and time.monotonic() < deadline:
            threading.Event().wait(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait_and_interrupt)
    thread.start()
    return thread


def test_an_interrupt_ends_the_run_at_once_and_loses_nothing(
    server: ScriptedServer, tmp_path: Path
) -> None:
    silence = threading.Event()
    server.script[sid(5)] = [Reply(body=priced(5))]
    for number in range(20, 200):
        server.script[sid(number)] = [silent_until(silence)]
    sids = [sid(number) for number in range(200)]
    with server.client(concurrency=100) as client:
        thread = interrupt_when(server, 30)
        with pytest.raises(FetchInterrupted, match="interrupted after 20 of 200 calls") as caught:
            callkit.to_frame(sids, client=client)
        thread.join()
    left = [t.name for t in threading.enumerate() if t.name.startswith("callkit-fetch")]
    silence.set()
    assert left == []
    assert caught.value.frame["sid"].tolist() == sids[:20]
    assert isinstance(caught.value, KeyboardInterrupt)


def test_an_interrupt_as_the_last_call_arrives_is_not_lost(
    server: ScriptedServer, scripted_client: Client
) -> None:
    def interrupt_and_answer(handler: Handler) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        handler.answer(Reply(body=priced(0)))

    server.script[sid(0)] = [interrupt_and_answer]
    with pytest.raises(FetchInterrupted, match="interrupted after 1 of 1 calls") as caught:
        callkit.to_frame([sid(0)], client=scripted_client)
    assert len(caught.value.frame) == 1


def test_after_an_interrupt_the_cache_has_what_arrived(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    silence = threading.Event()
    for number in range(100):
        server.script[sid(number)] = [Reply(body=priced(number))]
    server.script[sid(10)] = [silent_until(silence), Reply(body=priced(10))]
    sids, cache = [sid(number) for number in range(100)], tmp_path / "calls.sqlite"
    thread = interrupt_when(server, 100)
    with pytest.raises(FetchInterrupted, match="calls.sqlite.*: run again to continue"):
        callkit.to_frame(sids, client=scripted_client, cache=cache)
    thread.join()
    silence.set()
    assert len(callkit.to_frame(sids, client=scripted_client, cache=cache)) == 100
    assert sum(server.asked.values()) <= 100 + 2


def test_the_interrupt_handler_is_pythons_own_again(sandbox: Sandbox, client: Client) -> None:
    before = signal.getsignal(signal.SIGINT)
    callkit.to_frame(sandbox.sids(5), client=client)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
def test_a_killed_export_goes_on_where_it_was(tmp_path: Path) -> None:
    rng = random.Random(3)
    with Sandbox(calls=20_000, latency=0.02) as sandbox:
        sids = sandbox.sids(3_000)
        (tmp_path / "sids.txt").write_text("\n".join(sids))
        for _ in range(4):
            with subprocess.Popen(
                [sys.executable, "-c", EXPORT], cwd=tmp_path, env=environment(sandbox)
            ) as process:
                try:
                    process.wait(timeout=rng.uniform(1.0, 3.0))
                except subprocess.TimeoutExpired:
                    process.kill()
            if (tmp_path / "calls.parquet").exists():  # complete, or it would not have its name
                break
        else:
            subprocess.run(
                [sys.executable, "-c", EXPORT], cwd=tmp_path, env=environment(sandbox), check=True
            )
        with sandbox.client() as client:
            undisturbed = callkit.to_frame(sids, client=client)
    pd.testing.assert_frame_equal(callkit.read_parquet(tmp_path / "calls.parquet"), undisturbed)


ASLEEP = """
import callkit
with callkit.Client(give_up_after=4.0, timeout=20, concurrency=10) as client:
    print(len(callkit.to_frame("sids.txt", client=client)))
"""


@pytest.mark.slow
def test_a_closed_lid_is_not_impatience(tmp_path: Path) -> None:
    with Sandbox(calls=5_000, latency=0.05) as sandbox:
        (tmp_path / "sids.txt").write_text("\n".join(sandbox.sids(600)))
        with subprocess.Popen(
            [sys.executable, "-c", ASLEEP],
            cwd=tmp_path,
            env=environment(sandbox),
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            while sandbox.served[200] < 100:
                threading.Event().wait(0.01)
            process.send_signal(signal.SIGSTOP)
            threading.Event().wait(6.0)  # the lid is closed for longer than its give_up_after
            process.send_signal(signal.SIGCONT)
            output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "600\n")
