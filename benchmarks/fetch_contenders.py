"""One contender of `benchmarks/fetch.py`, run in a process of its own; prints one line of JSON.

Usage: python -m benchmarks.fetch_contenders NAME IN_FLIGHT < SIDS, credentials in the environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

URL = os.environ["CALLKIT_BASE_URL"]
ACCOUNT = os.environ["TWILIO_ACCOUNT_SID"]
TOKEN = os.environ["TWILIO_AUTH_TOKEN"]


def callkit_bulk(sids: list[str], in_flight: int) -> int:
    from callkit import Client, Fetched

    with Client(concurrency=in_flight) as client:
        return sum(isinstance(outcome, Fetched) for outcome in client.fetch_many(sids))


def official_client(in_flight: int) -> Any:
    from requests.adapters import HTTPAdapter
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

    class Loopback(TwilioHttpClient):  # type: ignore[misc]
        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            here = url.replace("https://api.twilio.com", URL)
            return super().request(method, here, *args, **kwargs)

    http = Loopback(pool_connections=True)
    # With the client's default of ten connections most would be thrown away after each call.
    http.session.mount("http://", HTTPAdapter(pool_maxsize=in_flight))
    return Client(ACCOUNT, TOKEN, http_client=http)


def official_pool(sids: list[str], in_flight: int) -> int:
    client = official_client(in_flight)
    with ThreadPoolExecutor(in_flight) as pool:
        return sum(
            call.sid is not None for call in pool.map(lambda s: client.calls(s).fetch(), sids)
        )


def official_loop(sids: list[str], _: int) -> int:
    client = official_client(1)
    return sum(client.calls(sid).fetch().sid is not None for sid in sids)


def aiohttp_ceiling(sids: list[str], in_flight: int) -> int:
    import aiohttp

    async def fetch_all() -> int:
        waiting, got = iter(sids), 0
        connector = aiohttp.TCPConnector(limit=in_flight)
        headers = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT, TOKEN)}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

            async def worker() -> None:
                nonlocal got
                for sid in waiting:
                    path = f"{URL}/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json"
                    async with session.get(path) as response:
                        got += bool(await response.read())

            await asyncio.gather(*(worker() for _ in range(in_flight)))
        return got

    return asyncio.run(fetch_all())


CONTENDERS: dict[str, Callable[[list[str], int], int]] = {
    "callkit": callkit_bulk,
    "official pool": official_pool,
    "official loop": official_loop,
    "aiohttp": aiohttp_ceiling,
}


def main() -> None:
    contender, in_flight = CONTENDERS[sys.argv[1]], int(sys.argv[2])
    sids = sys.stdin.read().split()
    contender(sids[:1], in_flight)  # imports and the like are not what is measured
    cpu, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    got = contender(sids, in_flight)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    if got != len(sids):
        raise SystemExit(f"{sys.argv[1]} got {got} of {len(sids)} calls")
    used = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    print(json.dumps({"calls": got, "seconds": seconds, "cpu_us_per_call": used / got * 1e6}))


if __name__ == "__main__":
    main()
