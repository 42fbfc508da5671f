"""A server of calls for `benchmarks/accounts.py`: any SID, and one limit for each account.

Usage: python -m benchmarks.accounts_server LATENCY ACCOUNT_SID=LIMIT...

It prints its URL and serves until its standard input closes. A request beyond the limit of its
account is refused (429) at once. `/counts` returns the counts of each account, and
`/refuse/ACCOUNT_SID/SECONDS` refuses every request of one account for that long.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import PurePosixPath
from typing import Any, cast

from benchmarks.call_path import CALL


class Account:
    """One account: its limit, its requests in flight, and the counts."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0
        self.served = 0
        self.refused = 0
        self.refuses_until = 0.0
        self.served_in: Counter[int] = Counter()  # by second
        self.first_at = self.last_at = self.busy = 0.0
        self._changed_at = 0.0

    def arrive(self, now: float) -> tuple[bool, int]:
        """Count a request; return whether it is served, and how many are in flight with it."""
        in_flight = self.in_flight + 1
        if in_flight > self.limit or now < self.refuses_until:
            self.refused += 1
            return False, in_flight
        self.first_at = self.first_at or now
        self._change(now, 1)
        return True, in_flight

    def leave(self, now: float) -> None:
        """Count an answer."""
        self._change(now, -1)
        self.served += 1
        self.served_in[int(now)] += 1
        self.last_at = now

    def counts(self) -> dict[str, Any]:
        return {
            "served": self.served,
            "refused": self.refused,
            "seconds": self.last_at - self.first_at,
            "busy": self.busy,  # the integral of requests in flight, in seconds
            "served_in": self.served_in,
        }

    def _change(self, now: float, by: int) -> None:
        self.busy += self.in_flight * (now - self._changed_at)
        self.in_flight += by
        self._changed_at = now


class Connection(asyncio.Protocol):
    """One client's connection: one request at a time."""

    def __init__(self, accounts: dict[str, Account], latency: float) -> None:
        self._accounts = accounts
        self._latency = latency
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\r\n\r\n"):
            path = self._received.split(b" ", 2)[1].decode()
            self._received = b""
            self._ask(path)

    def _ask(self, path: str) -> None:
        match path.split("/")[1:]:
            case ["counts"]:
                self._answer(200, {sid: each.counts() for sid, each in self._accounts.items()})
            case ["refuse", account_sid, seconds]:
                self._accounts[account_sid].refuses_until = time.monotonic() + float(seconds)
                self._answer(200, {})
            case [_, "Accounts", account_sid, "Calls", name]:
                self._fetch_call(account_sid, PurePosixPath(name).stem, path)

    def _fetch_call(self, account_sid: str, sid: str, path: str) -> None:
        account = self._accounts[account_sid]
        granted, in_flight = account.arrive(time.monotonic())
        if not granted:
            self._answer(429, {"code": 20429, "message": "Too Many Requests"}, in_flight)
            return

        def finish() -> None:
            account.leave(time.monotonic())
            call = {**CALL, "sid": sid, "account_sid": account_sid, "uri": path}
            self._answer(200, call, in_flight)

        asyncio.get_running_loop().call_later(self._latency, finish)

    def _answer(self, status: int, content: dict[str, Any], in_flight: int = 0) -> None:
        body = json.dumps(content).encode()
        head = (
            f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nTwilio-Concurrent-Requests: {in_flight}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


async def serve(accounts: dict[str, Account], latency: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(accounts, latency), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    pairs = (argument.split("=") for argument in sys.argv[2:])
    accounts = {account_sid: Account(int(limit)) for account_sid, limit in pairs}
    asyncio.run(serve(accounts, float(sys.argv[1])))


if __name__ == "__main__":
    main()
