"""SID lists served from pages: how fast, with how many requests, and beside what else there is.

Usage: python -m benchmarks.sid_lists [--calls 500000] [--rounds 3]

Three accounts have a fifth of so many calls, twice as many, and so many, on 90 days. A request
takes 100 ms, and a page 1 s more for each thousand rows. Shares of the calls between
all and 0.2 % are asked for by SID, in any order:

- ``pages`` is `callkit.to_frame(sids)`, ``one_by_one`` the same without pages: measured for short
  lists, and computed for others by Little's law, which is what it cannot be faster than;
- ``date_range`` lists all calls, whichever of them are wanted, so it is measured once;
- the official client fetches with a pool of threads, or lists page after page: both are measured
  with some of the calls, and extrapolated.

Whether every call asked for is in the frame once, in the order of the list, is checked. Each figure
stands beside the load average of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.date_range import DAYS, IN_FLIGHT, LATENCY, PER_ROW, environment_of
from benchmarks.report import save
from benchmarks.serving import serving

SHARES = (1.0, 1 / 3, 0.1, 0.02, 0.002)
FETCHED = 500  # calls, by the official client
SHORT = 5_000  # calls: a list up to this is fetched one by one, too
_SERVER = "benchmarks.sid_lists_server"
SERVED = tuple(map(str, (DAYS, LATENCY, PER_ROW)))


class Account:
    """An account on a server: measures what is asked of it."""

    def __init__(self, url: str, calls: int) -> None:
        self.calls = calls
        self._environment = environment_of(url)

    def run(self, name: str, asked: int, seed: int = 0) -> dict[str, Any]:
        numbers = map(str, (self.calls, DAYS, asked, seed))
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.sid_lists_client", name, *numbers],
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        result: dict[str, Any] = json.loads(done.stdout)
        return {**result, "load": round(os.getloadavg()[0], 1)}

    def seconds_per_call(self, name: str, asked: int) -> float:
        got = self.run(name, asked)
        return float(got["seconds"] / got["calls"])


def little(calls: int) -> float:
    """Return how many seconds it takes at least to fetch calls one by one."""
    return calls * LATENCY / IN_FLIGHT


def shares(account: Account) -> list[dict[str, Any]]:
    listing = account.seconds_per_call("official_list", 1) * account.calls
    fetching = account.seconds_per_call("official_fetch", FETCHED)
    whole = account.run("date_range", account.calls)
    rows = []
    for share in SHARES:
        asked = round(account.calls * share)
        got = account.run("pages", asked)
        is_short = asked <= SHORT
        one_by_one = account.run("singly", asked)["seconds"] if is_short else little(asked)
        rows.append(
            {
                "share": f"{share:.1%}",
                "calls": asked,
                "pages_s": round(got["seconds"], 1),
                "cpu_s": round(got["cpu_s"], 1),
                "single_requests": got["single"],
                "page_requests": got["pages"],
                "one_by_one_s": round(one_by_one, 1),
                "one_by_one_is": "measured" if is_short else "computed",
                "times_one_by_one": round(one_by_one / got["seconds"], 2),
                "date_range_s": round(whole["seconds"], 1),
                "official_list_s_extrapolated": round(listing),
                "official_fetch_s_extrapolated": round(fetching * asked),
                "load": got["load"],
            }
        )
    return rows


def thinly_spread(account: Account, rounds: int) -> list[dict[str, Any]]:
    """Compare lists of 0.2 % of the calls with and without pages, one after the other."""
    asked = round(account.calls * SHARES[-1])
    rows = []
    for seed in range(1, rounds + 1):
        singly, pages = (account.run(name, asked, seed) for name in ("singly", "pages"))
        rows.append(
            {
                "calls": asked,
                "of": account.calls,
                "pages_s": round(pages["seconds"], 2),
                "one_by_one_s": round(singly["seconds"], 2),
                "times_the_seconds": round(pages["seconds"] / singly["seconds"], 3),
                "single_requests": pages["single"],
                "page_requests": pages["pages"],
                "times_the_requests": round(
                    (pages["single"] + pages["pages"]) / singly["single"], 3
                ),
                "load": pages["load"],
            }
        )
    return rows


def dense(account: Account, rounds: int) -> list[dict[str, Any]]:
    """Compare lists of all calls, and of every third, with Little's law."""
    rows = []
    for share in SHARES[:2]:
        asked = round(account.calls * share)
        for seed in range(1, rounds + 1):
            got = account.run("pages", asked, seed)
            rows.append(
                {
                    "calls": asked,
                    "of": account.calls,
                    "pages_s": round(got["seconds"], 2),
                    "cpu_s": round(got["cpu_s"], 2),
                    "one_by_one_s_computed": round(little(asked), 1),
                    "times_one_by_one": round(little(asked) / got["seconds"], 1),
                    "single_requests": got["single"],
                    "page_requests": got["pages"],
                    "load": got["load"],
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    few, many = options.calls // 5, options.calls * 2
    with serving(_SERVER, str(few), *SERVED) as url:
        save("sid_lists_dense", dense(Account(url, few), options.rounds))
    with serving(_SERVER, str(many), *SERVED, "--lazily") as url:
        save("sid_lists_thin", thinly_spread(Account(url, many), options.rounds))
    with serving(_SERVER, str(options.calls), *SERVED) as url:
        save("sid_lists", shares(Account(url, options.calls)))


if __name__ == "__main__":
    main()
