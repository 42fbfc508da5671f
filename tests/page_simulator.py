"""A server with calls by the million, and a run over a SID list, in simulated time.

What is requested is decided by :class:`callkit.paging.Paging`, as in a run; the clock, the server
and the pool are simulated.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from callkit.fetch.pages import PAGE_SIZE, Page, PageKey
from callkit.outcomes import Failure, Fetched, Outcome
from callkit.paging import NO_HINTS, Hints, Paging
from callkit.sids import CallKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeAlias

    Starts: TypeAlias = dict[str, tuple[int, datetime] | None]

ACCOUNT = f"AC{0:032x}"
ORIGIN = "https://api.example"
FIRST_DAY = date(2025, 1, 1)
IN_FLIGHT = 25
CALL_SECONDS, PAGE_SECONDS = 0.1, 1.1
_TICK = 0.02  # seconds between two looks at what has arrived, as in a pool
_AS_SENT = "%a, %d %b %Y %H:%M:%S +0000"
_NOW = datetime(2025, 12, 1, tzinfo=UTC)


def sid_of(number: int) -> str:
    """Return the SID of the call with a place in time, which it does not give away."""
    return f"CA{(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128):032x}"


@dataclass(frozen=True)
class Server:
    """So many calls on each day, evenly spread, and listed newest first.

    ``omits`` says which calls are on no page, and ``refuses`` with which status pages are answered.
    """

    per_day: Sequence[int]
    omits: Callable[[int], bool] = lambda _: False
    refuses: int | None = None
    page_seconds: float = PAGE_SECONDS

    def place(self, day: int, nth: int) -> tuple[int, datetime]:
        """Return the number of a day's nth call, and when it started."""
        midnight = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(days=day)
        return day * 10_000_000 + nth, midnight + timedelta(days=1) * nth / self.per_day[day]

    def page(self, key: PageKey) -> tuple[list[bytes], str | None]:
        assert key.day is not None
        day = (key.day - FIRST_DAY).days
        size = self.per_day[day] if 0 <= day < len(self.per_day) else 0
        _, _, token = key.query.partition("PageToken=")
        last = size - int(token or 0)
        first = max(0, last - PAGE_SIZE)
        numbers = [self.place(day, nth) for nth in reversed(range(first, last))]
        rows = [body(number, at) for number, at in numbers if not self.omits(number)]
        path = key.path(ACCOUNT).partition("?")[0]
        return rows, f"{path}?PageToken={size - first}" if first else None


def body(number: int, start: datetime) -> bytes:
    call = (
        f'{{"sid":"{sid_of(number)}","account_sid":"{ACCOUNT}","start_time":"{start:{_AS_SENT}}"}}'
    )
    return call.encode()


@dataclass(frozen=True)
class Ran:
    seconds: float
    calls: int
    pages: int
    from_pages: int

    @property
    def requests(self) -> int:
        return self.calls + self.pages


class Simulation:
    """Runs over one list; ``starts`` are the calls of the list by SID, None if there is none."""

    def __init__(self, server: Server, starts: Starts) -> None:
        self._server = server
        self._starts = starts
        self._now = 0.0
        self._waiting: deque[CallKey | PageKey] = deque()
        self._events: list[tuple[float, int, CallKey | PageKey]] = []
        self._tie = count()
        self._calls = self._pages = 0

    def put(self, keys: Iterable[CallKey | PageKey], *, first: bool = False) -> None:
        if first:
            self._waiting.extendleft(keys)
        else:
            self._waiting.extend(keys)

    def call_seconds(self, account_sid: str) -> float | None:
        return CALL_SECONDS if self._now and account_sid == ACCOUNT else None

    def run(self, *, pages: bool = True, always: bool = False, hints: Hints = NO_HINTS) -> Ran:
        paging = Paging(ACCOUNT, ORIGIN, IN_FLIGHT, hints, always=always)
        pending = set(self._starts)
        keys = [CallKey(sid, None) for sid in self._starts]
        if pages:
            paging.want(keys)
        else:
            self.put(keys)
        from_pages = 0
        while pending:
            if pages:
                paging.request(self, self._now, unread=0, all_known=True)
            for outcome in self._take():
                if isinstance(outcome, Page):
                    taken = [call.sid for call in paging.asked(outcome)]
                    paging.took(outcome, taken, self._now)
                    from_pages += len(taken)
                    pending.difference_update(taken)
                elif outcome.sid is None:
                    assert isinstance(outcome, Failure)
                    paging.failed(outcome)
                else:
                    if pages:
                        paging.note(outcome)
                    pending.discard(outcome.sid)
        return Ran(self._now, self._calls, self._pages, from_pages)

    def _take(self) -> list[Outcome | Page]:
        """Let time pass until the next look, and return what has been answered by then."""
        until = self._now + _TICK
        done: list[Outcome | Page] = []
        while True:
            while self._waiting and len(self._events) < IN_FLIGHT:
                self._send(self._waiting.popleft())
            if not self._events or self._events[0][0] > until:
                self._now = until
                return done
            self._now, _, key = heapq.heappop(self._events)
            done.append(self._answer(key))

    def _send(self, key: CallKey | PageKey) -> None:
        if isinstance(key, CallKey):
            self._calls += 1
            seconds = CALL_SECONDS
        else:
            self._pages += 1
            rows = 0 if self._server.refuses else len(self._server.page(key)[0])
            per_row = (self._server.page_seconds - CALL_SECONDS) / PAGE_SIZE
            seconds = CALL_SECONDS + rows * per_row
        heapq.heappush(self._events, (self._now + seconds, next(self._tie), key))

    def _answer(self, key: CallKey | PageKey) -> Outcome | Page:
        if isinstance(key, CallKey):
            start = self._starts[key.sid]
            if start is None:
                return Failure(key.sid, ACCOUNT, "not_found", "", http_status=404)
            return Fetched(key.sid, ACCOUNT, body(*start), None, _NOW, 1)
        if self._server.refuses:
            day = str(key.day)
            status = self._server.refuses
            return Failure(None, ACCOUNT, "forbidden", "", http_status=status, day=day)
        rows, following = self._server.page(key)
        per_row = (self._server.page_seconds - CALL_SECONDS) / PAGE_SIZE
        seconds = CALL_SECONDS + len(rows) * per_row
        return Page(key, list(map(msgspec.Raw, rows)), following, None, _NOW, 1, seconds)


def asked_for(server: Server, share: float, seed: int = 1, day: int | None = None) -> Starts:
    """Draw a share of all calls, or of those of one day, in any order."""
    rng = random.Random(seed)
    days = range(len(server.per_day)) if day is None else [day]
    places = [(day, nth) for day in days for nth in range(server.per_day[day])]
    chosen = rng.sample(places, round(share * len(places)))
    calls = (server.place(day, nth) for day, nth in chosen)
    return {sid_of(number): (number, start) for number, start in calls}


def compare(server: Server, starts: Starts) -> tuple[Ran, Ran]:
    """Run over a list with pages, and one by one."""
    return Simulation(server, starts).run(), Simulation(server, starts).run(pages=False)
