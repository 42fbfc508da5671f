"""A server of listed calls for `benchmarks/date_range.py`: any number of them, any number of days.

Usage: python -m benchmarks.date_range_server CALLS DAYS LATENCY PER_ROW

Every page is rendered before the server prints its URL: gzip of bodies of the sandbox, each with
another SID and other times. It answers LATENCY seconds after a request, and PER_ROW seconds later
for each row on the page, until its standard input closes.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import sys
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from callkit.sandbox.calls import CallGenerator, body_of

if TYPE_CHECKING:
    from collections.abc import Iterator

GENERATOR = CallGenerator(calls=100_000, seed=0)
ACCOUNT = GENERATOR.parent.sid
FIRST_DAY = date(2026, 3, 1)
ROWS = 1_000  # on a page
SHAPES = 500  # of bodies
TIMES = ("date_created", "start_time", "end_time", "date_updated")


class Shape(NamedTuple):
    """The body of a call with its SID and times left out, and the times after its start."""

    text: bytes
    after_start: dict[str, timedelta]

    def body(self, sid: bytes, start: datetime) -> bytes:
        times = {
            name.encode(): written(start + after).encode()
            for name, after in self.after_start.items()
        }
        return self.text % {b"sid": sid, **times}


def written(moment: datetime) -> str:
    text = moment.ctime()
    return f"{text[:3]}, {moment.day:02d} {text[4:7]} {moment.year} {text[11:19]} +0000"


def shapes() -> list[Shape]:
    """Take the bodies of final calls of the last months: older ones have fewer URIs."""
    found = []
    for index in GENERATOR.spread(2 * SHAPES, GENERATOR.of_parent[-20_000:]):
        call = GENERATOR.call(index)
        if call.start_time is None or call.end_time is None:
            continue
        text = body_of(call).replace(b"%", b"%%").replace(call.sid.encode(), b"%(sid)b")
        attributes = msgspec.json.decode(text)
        for name in TIMES:
            held = f'"{name}":"{attributes[name]}"'.encode()
            text = text.replace(held, f'"{name}":"%({name})b"'.encode())
        after = {name: getattr(call, name) - call.start_time for name in TIMES}
        found.append(Shape(text, after))
    return found[:SHAPES]


class Page(NamedTuple):
    rows: int
    response: bytes


def pages_of(path: str, day: date, calls: int, of: list[Shape], rng: random.Random) -> list[Page]:
    """Render a day's pages, newest call first."""
    midnight = datetime.combine(day, datetime.min.time(), UTC)
    token, pages = "", []
    for first in range(0, calls, ROWS):
        places = range(first, min(first + ROWS, calls))
        sids = [b"CA%032x" % rng.getrandbits(128) for _ in places]
        rows = [
            of[place % len(of)].body(
                sid, midnight + timedelta(seconds=86_400 * (calls - 1 - place) // calls)
            )
            for place, sid in zip(places, sids, strict=True)
        ]
        token = f"PA{sids[-1].decode()}"
        is_last = places.stop == calls
        asked = {"PageSize": ROWS, "StartTime>": day, "StartTime<": day + timedelta(days=1)}
        place = {"Page": first // ROWS + 1, "PageToken": token}
        frame = {
            "page": first // ROWS,
            "page_size": ROWS,
            "next_page_uri": None if is_last else f"{path}?{urlencode(asked | place)}",
        }
        body = b'{"calls":[%s],%s' % (b",".join(rows), msgspec.json.encode(frame)[1:])
        pages.append(Page(len(rows), response(gzip.compress(body, compresslevel=6))))
    return pages


def response(body: bytes) -> bytes:
    head = (
        f"Date: {format_datetime(datetime.now(UTC), usegmt=True)}\r\n"
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return b"HTTP/1.1 200 OK\r\n" + head.encode() + body


def all_pages(calls: int, days: int) -> Iterator[tuple[str, list[Page]]]:
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    of, rng = shapes(), random.Random(11)
    for n in range(days):
        of_day = calls * (n + 1) // days - calls * n // days
        day = FIRST_DAY + timedelta(days=n)
        yield day.isoformat(), pages_of(path, day, of_day, of, rng)


class Connection(asyncio.Protocol):
    """One client's connection: one request at a time."""

    def __init__(self, pages: dict[str, list[Page]], latency: float, per_row: float) -> None:
        self._pages = pages
        self._latency = latency
        self._per_row = per_row
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._received.endswith(b"\r\n\r\n"):
            return
        asked = parse_qs(urlsplit(self._received.split(b" ", 2)[1].decode()).query)
        self._received = b""
        page = self._pages[asked["StartTime>"][0]][int(asked.get("Page", ["0"])[0])]
        asyncio.get_running_loop().call_later(
            self._latency + self._per_row * page.rows, self._transport.write, page.response
        )


async def serve(pages: dict[str, list[Page]], latency: float, per_row: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(pages, latency, per_row), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    calls, days = map(int, sys.argv[1:3])
    latency, per_row = map(float, sys.argv[3:5])
    asyncio.run(serve(dict(all_pages(calls, days)), latency, per_row))


if __name__ == "__main__":
    main()
