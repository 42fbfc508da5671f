"""A server of calls by SID and on pages for `benchmarks/sid_lists.py`.

Usage: python -m benchmarks.sid_lists_server CALLS DAYS LATENCY PER_ROW [--lazily]

As `benchmarks/date_range_server.py`, which renders its pages. Single calls are rendered as they are
requested, and so are pages with ``--lazily``. At ``/requests`` it says how many of each there have
been.
"""

from __future__ import annotations

import asyncio
import re
import sys

import msgspec

from benchmarks.date_range_server import Account, Pages, number_of, response, serve, shapes

SINGLE = re.compile(r"/Calls/(CA[0-9a-f]{32})\.json$")


class Server:
    """Answers requests and counts them."""

    def __init__(self, account: Account, pages: Pages, latency: float, per_row: float) -> None:
        self._account = account
        self._latency = latency
        self._per_row = per_row
        self._pages = pages
        self._requests = {"single": 0, "pages": 0}

    def answer(self, target: str) -> tuple[bytes, float]:
        if target == "/requests":
            return response(msgspec.json.encode(self._requests)), 0.0
        if single := SINGLE.search(target):
            self._requests["single"] += 1
            return response(self._account.body(number_of(single[1]))), self._latency
        self._requests["pages"] += 1
        page = self._pages.asked_for(target)
        return page.response, self._latency + self._per_row * page.rows


def main() -> None:
    calls, days = map(int, sys.argv[1:3])
    account = Account(calls, days, shapes())
    pages = Pages(account)
    if "--lazily" not in sys.argv:
        pages.render_all()
    server = Server(account, pages, *map(float, sys.argv[3:5]))
    asyncio.run(serve(server.answer))


if __name__ == "__main__":
    main()
