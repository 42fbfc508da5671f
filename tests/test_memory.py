"""Memory is bounded whatever arrives first: what waits is counted in bytes, not in calls."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.scripted import ACCOUNT, TOKEN, Handler, Reply, ScriptedServer, call_body, sid

CALLS = 2_000
SIZE = 200_000  # bytes of a body: 400 MB in all
MOST = 700  # MB
FINAL = {"status": "completed", "price": "-0.01", "price_unit": "USD"}
HELD = sid(50)  # beyond the first few, which find out how many requests may be in flight

EXPORT = f"""
import re, sys
from pathlib import Path
import callkit

def peak():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024

with callkit.Client() as client:
    before = peak()
    for cache in (None, "calls.sqlite", "calls.sqlite"):
        sids = ["CA%032x" % number for number in range({CALLS})]
        got = callkit.export(sids, "calls.parquet", client=client, cache=cache)
        print(got.calls, peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak")
def test_large_calls_that_wait_for_the_first_one_take_bounded_memory(
    server: ScriptedServer, tmp_path: Path
) -> None:
    def answer(handler: Handler) -> None:
        if handler.call_sid == HELD:
            others_answered.wait(20)
        handler.answer(Reply(body=call_body(handler.call_sid, caller_name="x" * SIZE, **FINAL)))
        if sum(server.asked.values()) % CALLS == 0:
            others_answered.set()

    others_answered = threading.Event()
    server.always = answer
    done = subprocess.run(
        [sys.executable, "-c", EXPORT],
        cwd=tmp_path,
        env={
            **os.environ,
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "CALLKIT_BASE_URL": server.url,
        },
        check=True,
        capture_output=True,
        text=True,
    )
    plain, cached, again = (tuple(map(int, line.split())) for line in done.stdout.splitlines())
    assert [calls for calls, _ in (plain, cached, again)] == [CALLS] * 3
    assert max(peak for _, peak in (plain, cached, again)) < MOST
    assert sum(server.asked.values()) == 2 * CALLS  # the third run took all from the cache
