"""One measurement of `benchmarks/sid_lists.py`, in a process of its own; prints one line of JSON.

Usage: python -m benchmarks.sid_lists_client NAME CALLS DAYS ASKED SEED, credentials in the
environment

Every call asked for must be in the frame once, in the order of the list. The official client is
measured with a few calls only.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import requests

import callkit
from benchmarks.date_range_server import FIRST_DAY, sid_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

URL, IN_FLIGHT = os.environ["CALLKIT_BASE_URL"], int(os.environ["IN_FLIGHT"])


class Asked(NamedTuple):
    """A list of SIDs in any order, of an account with `calls` calls over so many days."""

    calls: int
    days: int
    sids: list[str]

    @classmethod
    def drawn(cls, calls: int, days: int, asked: int, seed: int) -> Asked:
        numbers = random.Random(seed).sample(range(calls), asked)
        return cls(calls, days, list(map(sid_of, numbers)))


def pages(asked: Asked) -> dict[str, Any]:
    return timed(asked, lambda client: by_sid(asked, client, pages="auto"))


def singly(asked: Asked) -> dict[str, Any]:
    return timed(asked, lambda client: by_sid(asked, client, pages=False))


def by_sid(asked: Asked, client: callkit.Client, **how: Any) -> pd.DataFrame:
    return callkit.to_frame(asked.sids, client=client, progress=False, **how)


def date_range(asked: Asked) -> dict[str, Any]:
    days = FIRST_DAY, FIRST_DAY + timedelta(days=asked.days)

    def of_range(client: callkit.Client) -> pd.DataFrame:
        df = callkit.to_frame(callkit.CallList(started=days), client=client, progress=False)
        return df.set_index("sid").loc[asked.sids].reset_index()

    return timed(asked, of_range)


def timed(asked: Asked, make: Callable[[callkit.Client], pd.DataFrame]) -> dict[str, Any]:
    with callkit.Client(concurrency=IN_FLIGHT) as client:
        before, cpu = time.perf_counter(), time.process_time()
        df = make(client)
        seconds, cpu = time.perf_counter() - before, time.process_time() - cpu
    if df["sid"].tolist() != asked.sids:
        raise SystemExit(f"{len(df):,} calls are not the {len(asked.sids):,} asked for, in order")
    return {"calls": len(df), "seconds": seconds, "cpu_s": cpu}


def official_list(asked: Asked) -> dict[str, Any]:
    """List the calls of the first day."""
    from benchmarks.fetch_contenders import official_client

    of_day = {"start_time_after": FIRST_DAY, "start_time_before": FIRST_DAY + timedelta(days=1)}
    before = time.perf_counter()
    listed = official_client(1).calls.list(**of_day, page_size=1_000)
    seconds = time.perf_counter() - before
    assert len(listed) == asked.calls // asked.days
    return {"calls": len(listed), "seconds": seconds}


def official_fetch(asked: Asked) -> dict[str, Any]:
    """Fetch the calls on as many threads as may be in flight."""
    from benchmarks.fetch_contenders import official_pool

    before = time.perf_counter()
    fetched = official_pool(asked.sids, IN_FLIGHT)
    return {"calls": fetched, "seconds": time.perf_counter() - before}


CONTENDERS = {
    each.__name__: each for each in (pages, singly, date_range, official_list, official_fetch)
}


def requests_so_far() -> dict[str, int]:
    counts: dict[str, int] = requests.get(f"{URL}/requests", timeout=10).json()
    return counts


def main() -> None:
    name, *numbers = sys.argv[1:]
    asked, before = Asked.drawn(*map(int, numbers)), requests_so_far()
    got = CONTENDERS[name](asked)
    after = requests_so_far()
    print(json.dumps({**got, **{kind: after[kind] - before[kind] for kind in after}}))


if __name__ == "__main__":
    main()
