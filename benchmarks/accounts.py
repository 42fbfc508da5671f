"""Three accounts with limits of 10, 20 and 40 in one run: how each of the limits is used.

Usage: python -m benchmarks.accounts [--calls 10000] [--one-refused]

The list mixes the accounts 1 : 2 : 4; the first has `--calls` calls. The use of a limit is calls
per second * latency / limit, from the account's first call to its last. With `--one-refused`,
every request of the second account is refused (429) for ten seconds, and each account's calls per
second are compared with those of the ten seconds before.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
import urllib.request
from typing import Any

import pandas as pd

from benchmarks.report import save
from benchmarks.serving import serving
from callkit import Client

LATENCY = 0.2
LIMITS = {"AC" + letter * 32: limit for letter, limit in {"a": 10, "b": 20, "c": 40}.items()}
SECOND = "AC" + "b" * 32
CONCURRENCY = 50  # of each account, above every limit
PERIOD = 10  # seconds before and during the refusal
REFUSED_AFTER = 15  # seconds; in the first five the client finds the limits

_SERVER = (
    *("benchmarks.accounts_server", str(LATENCY)),
    *(f"{account_sid}={limit}" for account_sid, limit in LIMITS.items()),
)


def get(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def mixed(calls: int) -> pd.DataFrame:
    """List `calls` of the first account, and of the others by their limits, well mixed."""
    smallest = min(LIMITS.values())
    turn = [sid for sid, limit in LIMITS.items() for _ in range(limit // smallest)]
    accounts = turn * calls
    sids = [f"CA{number:032x}" for number in range(len(accounts))]
    return pd.DataFrame({"sid": sids, "account_sid": accounts})


def fetch(url: str, listed: pd.DataFrame) -> None:
    account_sid = next(iter(LIMITS))
    with Client(
        account_sid=account_sid, auth_token="token", base_url=url, concurrency=CONCURRENCY
    ) as client:
        got = sum(hasattr(outcome, "body") for outcome in client.fetch_many(listed))
    assert got == len(listed), f"{got} of {len(listed)} calls"


def use_of_limits(calls: int) -> list[dict[str, Any]]:
    with serving(*_SERVER) as url:
        fetch(url, mixed(calls))
        counts = get(f"{url}/counts")
    rows = []
    for account_sid, limit in LIMITS.items():
        got = counts[account_sid]
        rate = got["served"] / got["seconds"]
        rows.append(
            {
                "limit": limit,
                "calls": got["served"],
                "calls_per_s": round(rate),
                "use_of_limit": round(rate * LATENCY / limit, 3),
                "mean_in_flight": round(got["busy"] / got["seconds"], 1),
                "answered_429": round(got["refused"] / (got["refused"] + got["served"]), 4),
            }
        )
    return rows


def one_refused(calls: int) -> list[dict[str, Any]]:
    refused_at = []

    def refuse() -> None:
        refused_at.append(int(time.monotonic()) + 1)  # the clock of the machine, as the server's
        get(f"{url}/refuse/{SECOND}/{PERIOD}")

    with serving(*_SERVER) as url:
        timer = threading.Timer(REFUSED_AFTER, refuse)
        timer.start()
        fetch(url, mixed(calls))
        timer.join()
        counts = get(f"{url}/counts")
    [start] = refused_at
    rows = []
    for account_sid, limit in LIMITS.items():
        served_in = counts[account_sid]["served_in"]
        before, during = (
            sum(served_in.get(str(second), 0) for second in range(first, first + PERIOD - 1))
            for first in (start - PERIOD, start)
        )
        rows.append(
            {
                "limit": limit,
                "refused": account_sid == SECOND,
                "calls_per_s_before": round(before / (PERIOD - 1)),
                "calls_per_s_during": round(during / (PERIOD - 1)),
                "during_to_before": round(during / before, 3),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--one-refused", action="store_true")
    options = parser.parse_args()
    if options.one_refused:
        save("accounts_one_refused", one_refused(options.calls))
    else:
        save("accounts", use_of_limits(options.calls))


if __name__ == "__main__":
    main()
