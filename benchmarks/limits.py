"""What a bulk fetch makes of a limit: alone, as it moves, shared, beside production, for pages.

Usage: python -m benchmarks.limits [--calls 20000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

from benchmarks.fetch import environment_of
from benchmarks.report import save
from callkit import CallList, Client, Fetched, to_frame
from tests.support.hostile import HostileSandbox
from tests.support.sandbox import FaultySandbox

LATENCY = 0.05
LIMIT = 40
IN_FLIGHT = 100
QUARTER = CallList(started=("2025-01-01", "2025-04-01"))


def arrivals(client: Client, sids: list[str], seconds: float | None = None) -> Counter[int]:
    """Fetch, for so many seconds at most, and count arrivals by second."""
    began = time.monotonic()
    by_second: Counter[int] = Counter()
    outcomes = client.fetch_many(sids)
    for outcome in outcomes:
        now = time.monotonic() - began
        if isinstance(outcome, Fetched):
            by_second[int(now)] += 1
        if seconds is not None and now > seconds:
            break
    outcomes.close()
    return by_second


def alone(calls: int, retry_after: int | None) -> dict[str, Any]:
    with (
        FaultySandbox(
            calls=calls * 2,
            latency=LATENCY,
            limit=LIMIT,
            retry_after=retry_after,
            own_process=True,
        ) as sandbox,
        sandbox.client(concurrency=IN_FLIGHT) as client,
    ):
        began = time.monotonic()
        got = sum(arrivals(client, sandbox.sids(calls)).values())
        rate = got / (time.monotonic() - began)
        refused = sandbox.served[429]
    return {
        "case": f"limit 40, 100 wanted, Retry-After {retry_after}",
        "calls_per_s": round(rate),
        "of_what_the_limit_allows": round(rate / (LIMIT / LATENCY), 3),
        "answered_429": round(refused / (refused + got), 4),
    }


def moving() -> list[dict[str, Any]]:
    with (
        FaultySandbox(calls=200_000, latency=LATENCY, limit=40, own_process=True) as sandbox,
        sandbox.client(concurrency=IN_FLIGHT) as client,
    ):
        for after, limit in ((10.0, 10), (20.0, 80)):
            timer = threading.Timer(after, setattr, (sandbox, "limit", limit))
            timer.daemon = True
            timer.start()
        by_second = arrivals(client, sandbox.sids(60_000), seconds=30)
    rows = []
    for limit, first, last in ((40, 5, 10), (10, 14, 20), (80, 24, 30)):
        rate = sum(by_second[second] for second in range(first, last)) / (last - first)
        rows.append(
            {
                "case": f"limit moves 40, 10, 80: at {limit}, seconds {first} to {last}",
                "calls_per_s": round(rate),
                "of_what_the_limit_allows": round(rate / (limit / LATENCY), 3),
            }
        )
    return rows


def two(calls: int) -> list[dict[str, Any]]:
    """Two processes, both busy for the whole time that is counted."""
    command = [sys.executable, "-m", "benchmarks.limits", "--one-of-two", "20"]
    with FaultySandbox(calls=calls * 4, latency=LATENCY, limit=LIMIT, own_process=True) as sandbox:
        sids = sandbox.sids(calls * 2)
        processes = []
        for part in (sids[:calls], sids[calls:]):
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment_of(sandbox)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdin is not None
            process.stdin.write("\n".join(part))
            process.stdin.close()
            processes.append(process)
        got = []
        for process in processes:
            assert process.stdout is not None
            got.append(json.loads(process.stdout.read())["calls"])
            process.wait()
    return [
        {
            "case": "two processes on limit 40: the lesser's share of the calls",
            "calls_per_s": round(sum(got) / 20),
            "of_what_the_limit_allows": round(sum(got) / 20 / (LIMIT / LATENCY), 3),
            "share": round(min(got) / sum(got), 3),
        }
    ]


def one_of_two(seconds: float, in_flight: int) -> None:
    sids = sys.stdin.read().split()
    with Client(concurrency=in_flight) as client:
        print(json.dumps({"calls": sum(arrivals(client, sids, seconds).values())}))


def beside_production() -> dict[str, Any]:
    with (
        FaultySandbox(calls=100_000, latency=LATENCY, limit=LIMIT, own_process=True) as sandbox,
        sandbox.client(concurrency=IN_FLIGHT) as client,
    ):
        sandbox.load(20)
        got = sum(arrivals(client, sandbox.sids(40_000), seconds=20).values())
        refused, others = sandbox.foreign_refused, 20 * 20 / LATENCY
    return {
        "case": "beside a foreign load of 20: its requests answered 429",
        "calls_per_s": round(got / 20),
        "of_what_the_limit_allows": round(got / 20 / (20 / LATENCY), 3),
        "answered_429": round(refused / others, 5),
    }


def listing(wanted: int) -> dict[str, Any]:
    """List days again and again while another process wants so many single calls in flight."""
    with HostileSandbox(seed=1, latency=0.1) as sandbox:
        with sandbox.client() as client:
            to_frame(QUARTER, client=client, progress=False)  # pages are made once, and slowly
        before, sandbox.limit = sandbox.served, LIMIT
        sandbox.play(None)
        environment = {**os.environ, **environment_of(sandbox)}
        command = [sys.executable, "-m", "benchmarks.limits"]
        one_by_one = [*command, "--one-of-two", "40", "--in-flight", str(wanted)]
        with (
            subprocess.Popen(
                one_by_one,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            ) as singly,
            subprocess.Popen([*command, "--list-for", "40"], env=environment),
        ):
            singly.communicate("\n".join(sandbox.sids(7_000)))
        served = sandbox.served - before
    pages, calls = sandbox.listed.total(), served.total() - sandbox.listed.total()
    return {
        "case": f"{pages:,} pages, 25 wanted at once, beside {calls:,} calls, {wanted} wanted",
        "answered_429": round(served[429] / served.total(), 5),
    }


def list_for(seconds: float) -> None:
    ends = time.monotonic() + seconds
    with Client() as client:
        while time.monotonic() < ends:
            to_frame(QUARTER, client=client, columns=["sid"], progress=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--one-of-two", type=float)
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT)
    parser.add_argument("--list-for", type=float)
    options = parser.parse_args()
    if options.list_for is not None:
        list_for(options.list_for)
        return
    if options.one_of_two is not None:
        one_of_two(options.one_of_two, options.in_flight)
        return
    rows = [alone(options.calls, None), alone(options.calls, 1), *moving()]
    rows += [*two(options.calls), beside_production(), listing(25), listing(IN_FLIGHT)]
    save("limits", rows)


if __name__ == "__main__":
    main()
