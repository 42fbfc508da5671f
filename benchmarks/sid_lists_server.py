"""A server of calls by SID and on pages for `benchmarks/sid_lists.py`.

Usage: python -m benchmarks.sid_lists_server CALLS DAYS LATENCY PER_ROW

As `benchmarks/date_range_server.py`, which renders its pages; single calls are rendered as they
are requested. At ``/requests`` it says how many of each there have been.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING

import msgspec

from benchmarks.date_range_server import (
    Account,
    all_pages,
    number_of,
    page_asked_for,
    response,
    serve,
    shapes,
)

if TYPE_CHECKING:
    from benchmarks.date_range_server import Pages

SINGLE = re.compile(r"/Calls/(CA[0-9a-f]{32})\.json$")


class Server:
    """Answers requests and counts them."""

    def __init__(self, account: Account, latency: float, per_row: float) -> None:
        self._account = account
        self._latency = latency
        self._per_row = per_row
        self._pages: Pages = dict(all_pages(account))
        self._requests = {"single": 0, "pages": 0}

    def answer(self, target: str) -> tuple[bytes, float]:
        if target == "/requests":
            return response(msgspec.json.encode(self._requests)), 0.0
        if single := SINGLE.search(target):
            self._requests["single"] += 1
            return response(self._account.body(number_of(single[1]))), self._latency
        self._requests["pages"] += 1
        page = page_asked_for(target, self._pages)
        return page.response, self._latency + self._per_row * page.rows


def main() -> None:
    calls, days = map(int, sys.argv[1:3])
    server = Server(Account(calls, days, shapes()), *map(float, sys.argv[3:5]))
    asyncio.run(serve(server.answer))


if __name__ == "__main__":
    main()
