"""A server of listed calls for `benchmarks/date_range.py`: any number of them, any number of days.

Usage: python -m benchmarks.date_range_server CALLS DAYS LATENCY PER_ROW

Every page is rendered before the server prints its URL: gzip of bodies of the sandbox, each with
another SID and other times. It answers LATENCY seconds after a request, and PER_ROW seconds later
for each row on the page, until its standard input closes.
"""

from __future__ import annotations

import asyncio
import gzip
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from callkit.sandbox.calls import CallGenerator, body_of

if TYPE_CHECKING:
    from collections.abc import Callable

GENERATOR = CallGenerator(calls=100_000, seed=0)
ACCOUNT = GENERATOR.parent.sid
FIRST_DAY = date(2026, 3, 1)
ROWS = 1_000  # on a page
SHAPES = 500  # of bodies
TIMES = ("date_created", "start_time", "end_time", "date_updated")
MULTIPLIER = 0x9E3779B97F4A7C15F39CC0605CEDC835


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


def sid_of(number: int) -> str:
    """Return the SID of a call, which does not give away its place in time."""
    return f"CA{(number + 1) * MULTIPLIER % (1 << 128):032x}"


def number_of(sid: str) -> int:
    return int(sid.removeprefix("CA"), 16) * pow(MULTIPLIER, -1, 1 << 128) % (1 << 128) - 1


@dataclass(frozen=True)
class Account:
    """So many calls, spread evenly over so many days, and numbered in order of start."""

    calls: int
    days: int
    shapes: list[Shape]

    def on_day(self, n: int) -> range:
        return range(self.calls * n // self.days, self.calls * (n + 1) // self.days)

    def body(self, number: int) -> bytes:
        n = ((number + 1) * self.days - 1) // self.calls
        day = self.on_day(n)
        midnight = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(days=n)
        start = midnight + timedelta(seconds=86_400 * (number - day.start) // len(day))
        return self.shapes[number % len(self.shapes)].body(sid_of(number).encode(), start)


class Page(NamedTuple):
    rows: int
    response: bytes


def response(text: bytes) -> bytes:
    body = gzip.compress(text, compresslevel=6)
    head = (
        f"Date: {format_datetime(datetime.now(UTC), usegmt=True)}\r\n"
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return b"HTTP/1.1 200 OK\r\n" + head.encode() + body


class Pages:
    """The pages of an account's days, newest call first."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._rendered: dict[tuple[int, int], Page] = {}

    def render_all(self) -> None:
        for n in range(self._account.days):
            for number in range(-(-len(self._account.on_day(n)) // ROWS)):
                self._page(n, number)

    def asked_for(self, target: str) -> Page:
        """Return a page of a day; there are no calls on other days, nor where none is named."""
        asked = parse_qs(urlsplit(target).query)
        if "StartTime>" not in asked:
            return EMPTY
        day = date.fromisoformat(asked["StartTime>"][0][: len("YYYY-MM-DD")])
        n = (day - FIRST_DAY).days
        in_account = 0 <= n < self._account.days
        return self._page(n, int(asked.get("Page", ["0"])[0])) if in_account else EMPTY

    def _page(self, n: int, number: int) -> Page:
        if (n, number) not in self._rendered:
            self._rendered[n, number] = self._render(n, number)
        return self._rendered[n, number]

    def _render(self, n: int, number: int) -> Page:
        of_day, day = self._account.on_day(n), FIRST_DAY + timedelta(days=n)
        on_page = of_day[::-1][number * ROWS : (number + 1) * ROWS]
        asked = {"PageSize": ROWS, "StartTime>": day, "StartTime<": day + timedelta(days=1)}
        place = {"Page": number + 1, "PageToken": f"PA{sid_of(on_page[-1])}"}
        is_last = on_page[-1] == of_day[0]
        path = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
        frame = {
            "page": number,
            "page_size": ROWS,
            "next_page_uri": None if is_last else f"{path}?{urlencode(asked | place)}",
        }
        rows = b",".join(map(self._account.body, on_page))
        body = b'{"calls":[%s],%s' % (rows, msgspec.json.encode(frame)[1:])
        return Page(len(on_page), response(body))


EMPTY = Page(0, response(b'{"calls":[],"next_page_uri":null}'))


class Connection(asyncio.Protocol):
    """One client's connection: one request at a time.

    `answer` returns what is sent to a request's target, and after how many seconds.
    """

    def __init__(self, answer: Callable[[str], tuple[bytes, float]]) -> None:
        self._answer = answer
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._received.endswith(b"\r\n\r\n"):
            return
        sent, after = self._answer(self._received.split(b" ", 2)[1].decode())
        self._received = b""
        asyncio.get_running_loop().call_later(after, self._transport.write, sent)


async def serve(answer: Callable[[str], tuple[bytes, float]]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answer), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    calls, days = map(int, sys.argv[1:3])
    latency, per_row = map(float, sys.argv[3:5])
    pages = Pages(Account(calls, days, shapes()))
    pages.render_all()

    def answer(target: str) -> tuple[bytes, float]:
        page = pages.asked_for(target)
        return page.response, latency + per_row * page.rows

    asyncio.run(serve(answer))


if __name__ == "__main__":
    main()
