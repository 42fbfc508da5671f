"""How near a bulk fetch comes to Little's law, beside what else there is.

Usage: python -m benchmarks.fetch [--calls 10000] [--rounds 2]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.report import save
from callkit.sandbox import Sandbox
from tests.support.sandbox import FaultySandbox

CONTENDERS = {"callkit": 1.0, "official pool": 1.0, "aiohttp": 1.0, "official loop": 0.01}
IN_FLIGHT = 100


def run(name: str, sids: list[str], environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fetch_contenders", name, str(IN_FLIGHT)],
        input="\n".join(sids),
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def environment_of(sandbox: Sandbox) -> dict[str, str]:
    return {
        "TWILIO_ACCOUNT_SID": sandbox.account_sid,
        "TWILIO_AUTH_TOKEN": sandbox.auth_token,
        "CALLKIT_BASE_URL": sandbox.url,
    }


def measure(latency: float, calls: int, rounds: int) -> list[dict[str, Any]]:
    limit = IN_FLIGHT / latency
    best: dict[str, dict[str, Any]] = {}
    with FaultySandbox(calls=calls * 2, latency=latency, own_process=True) as sandbox:
        sids = sandbox.sids(calls)
        environment = environment_of(sandbox)
        for _ in range(rounds):
            for name, share in CONTENDERS.items():
                got = run(name, sids[: max(50, int(calls * share))], environment)
                if name not in best or got["seconds"] < best[name]["seconds"]:
                    best[name] = got
    rows = []
    pool = best["official pool"]
    for name, got in best.items():
        rate = got["calls"] / got["seconds"]
        rows.append(
            {
                "latency_ms": round(latency * 1000),
                "contender": name,
                "calls_per_s": round(rate),
                "of_littles_law": round(rate / limit, 3),
                "times_official_pool": round(rate * pool["seconds"] / pool["calls"], 2),
                "cpu_us_per_call": round(got["cpu_us_per_call"]),
                "cpu_of_official_pool": round(got["cpu_us_per_call"] / pool["cpu_us_per_call"], 2),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    rows = [
        row for latency in (0.1, 0.05) for row in measure(latency, options.calls, options.rounds)
    ]
    save("fetch", rows)


if __name__ == "__main__":
    main()
