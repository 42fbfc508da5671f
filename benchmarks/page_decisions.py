"""What a run over a SID list requests, and how long it takes, in simulated time.

Usage: python -m benchmarks.page_decisions [--calls 1000000]

The decisions are those of callkit; the server, the pool and the clock are those of
`tests/page_simulator.py`: 25 in flight, 100 ms per request and 1 s more per full page. No time is
lost to a processor, so the figures show the decisions alone. The calls are spread evenly over 90
days; a campaign is one day with a third of all calls, half of them asked for.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from benchmarks.date_range import DAYS
from benchmarks.report import save
from benchmarks.sid_lists import SHARES
from tests.page_simulator import Server, asked_for, compare

if TYPE_CHECKING:
    from tests.page_simulator import Starts


def row(case: str, server: Server, starts: Starts) -> dict[str, Any]:
    paged, singly = compare(server, starts)
    return {
        "case": case,
        "calls": len(starts),
        "pages_s": round(paged.seconds, 1),
        "one_by_one_s": round(singly.seconds, 1),
        "times_one_by_one": round(singly.seconds / paged.seconds, 2),
        "single_requests": paged.calls,
        "page_requests": paged.pages,
        "of_requests_one_by_one": round(paged.requests / singly.requests, 3),
        "calls_from_pages": paged.from_pages,
    }


def campaign(calls: int) -> dict[str, Any]:
    others = calls * 2 // 3 // DAYS
    server = Server([*[others] * (DAYS // 2), calls // 3, *[others] * (DAYS // 2 - 1)])
    return row("campaign", server, asked_for(server, 0.5, day=DAYS // 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    calls = parser.parse_args().calls
    server = Server([calls // DAYS] * DAYS)
    rows = [row(f"{share:.1%}", server, asked_for(server, share)) for share in SHARES]
    save("page_decisions", [*rows, campaign(calls)])


if __name__ == "__main__":
    main()
