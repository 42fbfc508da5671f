"""Kills, the cache and memory: what an export costs when it is cut short, or never was.

Usage: python -m benchmarks.resuming [--kills 20] [--calls 20000]
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

import callkit
from benchmarks.fetch import environment_of
from benchmarks.report import save
from tests.support.sandbox import FaultySandbox

LATENCY = 0.05
IN_FLIGHT = 100
EXPORT = """
import resource, callkit, sys
cache = sys.argv[1] or None
with callkit.Client(concurrency=100) as client:
    callkit.export("sids.txt", "calls.parquet", client=client, cache=cache)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def start(folder: Path, sandbox: FaultySandbox, cache: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", EXPORT, cache],
        cwd=folder,
        env={**os.environ, **environment_of(sandbox)},
        stdout=subprocess.PIPE,
        text=True,
    )


def kill_campaign(calls: int, kills: int) -> dict[str, Any]:
    rng = random.Random(11)
    with (
        tempfile.TemporaryDirectory() as name,
        FaultySandbox(
            calls=calls * 2, latency=LATENCY, count_calls=True, own_process=True
        ) as sandbox,
    ):
        folder, sids = Path(name), sandbox.sids(calls)
        (folder / "sids.txt").write_text("\n".join(sids))
        killed = 0
        while killed < kills:
            with start(folder, sandbox, "calls.sqlite") as process:
                try:
                    process.wait(timeout=rng.uniform(1.0, 2.2))
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    killed += 1
        start(folder, sandbox, "calls.sqlite").communicate()
        asked = {sid: entry.asked for sid, entry in sandbox.ledger().items()}
        settled = settled_sids(folder / "calls.sqlite", sids)
        again = sum(asked[sid] - 1 for sid in settled)
        with sandbox.client(concurrency=IN_FLIGHT) as client:
            undisturbed = callkit.to_frame(sids, client=client)
        same = callkit.read_parquet(folder / "calls.parquet")
        pd.testing.assert_frame_equal(same, undisturbed)
    return {
        "case": f"{killed} SIGKILLs over {calls:,} calls: the file is that of an undisturbed run",
        "settled_served_again_per_kill": round(again / max(1, killed), 1),
        "in_flight_and_half_a_second": IN_FLIGHT + int(0.5 * IN_FLIGHT / LATENCY),
    }


def settled_sids(cache: Path, sids: list[str]) -> set[str]:
    from callkit.cache.store import Cache
    from callkit.sids import CallKey

    with Cache(cache) as opened:
        batches = opened.look_up([CallKey(sid, None) for sid in sids])
        return {call.sid for batch in batches for call in batch}


def memory(calls: int) -> dict[str, Any]:
    peaks = {}
    with (
        tempfile.TemporaryDirectory() as name,
        FaultySandbox(calls=calls * 8, latency=0.01, own_process=True) as sandbox,
    ):
        for count in (calls, calls * 4):
            Path(name, "sids.txt").write_text("\n".join(sandbox.sids(count)))
            with start(Path(name), sandbox, "") as process:
                assert process.stdout is not None
                peaks[count] = int(process.stdout.read())
    small, large = peaks.values()
    return {
        "case": f"peak memory of an export, {calls * 4:,} calls beside {calls:,}",
        "mib": f"{large} beside {small}",
        "ratio": round(large / small, 3),
    }


def from_cache(calls: int) -> dict[str, Any]:
    """100,000 calls that the cache has, beside as many as are fetched in a tenth of the time."""
    with (
        tempfile.TemporaryDirectory() as name,
        FaultySandbox(calls=calls * 2, latency=LATENCY, own_process=True) as sandbox,
    ):
        sids = [sid for sid in sandbox.sids(calls + calls // 4) if is_settled(sandbox, sid)]
        cache = Path(name) / "calls.sqlite"
        with sandbox.client(concurrency=IN_FLIGHT) as client:
            callkit.to_frame(sids, client=client, cache=cache)
            began = time.perf_counter()
            callkit.to_frame(sids[: calls // 10], client=client)
            fetched = calls // 10 / (time.perf_counter() - began)
        began = time.perf_counter()
        callkit.to_frame(sids, cache=cache)
        read = len(sids) / (time.perf_counter() - began)
    return {
        "case": f"{len(sids):,} cached calls to a frame, beside fetching (100 in flight, 50 ms)",
        "calls_per_s": f"{read:,.0f} beside {fetched:,.0f}",
        "ratio": round(read / fetched, 1),
    }


def is_settled(sandbox: FaultySandbox, sid: str) -> bool:
    call = sandbox.call(sid)
    return call.status == "completed" and call.price is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--calls", type=int, default=20_000)
    options = parser.parse_args()
    rows = [
        kill_campaign(options.calls, options.kills),
        memory(50_000),
        from_cache(100_000),
    ]
    save("resuming", rows)


if __name__ == "__main__":
    main()
