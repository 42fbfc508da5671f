"""One measurement of a tree's `callkit` for `benchmarks/paired.py`; prints one line of JSON.

Usage: python -P benchmarks/paired_contender.py fetch|normalise < INPUT, with PYTHONPATH=TREE.

`fetch` reads one SID per line, and the credentials from the environment; `normalise` reads one body
per line. Both use only what every version of callkit offers.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import TYPE_CHECKING

import callkit

if TYPE_CHECKING:
    from collections.abc import Callable

IN_FLIGHT = 100


def fetch(sids: list[bytes]) -> int:
    with callkit.Client(concurrency=IN_FLIGHT) as client:
        outcomes = client.fetch_many([sid.decode() for sid in sids])
        return sum(hasattr(outcome, "body") for outcome in outcomes)


def normalise(bodies: list[bytes]) -> int:
    return len(callkit.normalise(bodies))


WAYS: dict[str, Callable[[list[bytes]], int]] = {"fetch": fetch, "normalise": normalise}


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    way, entries = WAYS[sys.argv[1]], sys.stdin.buffer.read().splitlines()
    way(entries[:1])  # imports and the like are not what is measured
    processor, began = processor_seconds(), time.perf_counter()
    got = way(entries)
    seconds = time.perf_counter() - began
    processor = processor_seconds() - processor
    if got != len(entries):
        raise SystemExit(f"{sys.argv[1]}: {got} of {len(entries)} calls")
    result = {"per_second": got / seconds, "cpu_us": processor / got * 1e6}
    print(json.dumps({**result, "callkit": callkit.__file__}))


if __name__ == "__main__":
    main()
