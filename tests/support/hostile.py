"""A sandbox that lists calls in wrong ways, and a hand of tricks for it to play."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

import msgspec

from callkit.sandbox import Sandbox
from callkit.sandbox.api import Answer, Api, App
from callkit.sandbox.calls import CallGenerator
from callkit.sandbox.draws import AS_OF
from callkit.sandbox.server import Server
from tests.support.breakage import Sending, break_off
from tests.support.protocol import BreakableProtocol, protocol_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Self

    from callkit.sandbox.api import Exchange, Request
    from callkit.sandbox.calls import Call

Page: TypeAlias = dict[str, Any]

_ROWS = 40  # a page, however many are asked for: days then have several pages
_DAY = timedelta(days=1)


class MidnightCalls(CallGenerator):
    """Calls of which the first of every UTC day starts at its midnight."""

    def start_of(self, index: int) -> datetime:
        start = super().start_of(index)
        if index == 0 or super().start_of(index - 1).date() < start.date():
            return datetime.combine(start.date(), time.min, UTC)
        return start

    def call(self, index: int, now: datetime = AS_OF) -> Call:
        call = super().call(index, now)
        return call if call.start_time is None else replace(call, start_time=self.start_of(index))


@dataclass(frozen=True)
class Turn:
    """A request for a page of a day's calls, and ways to answer it.

    ``number`` counts the requests for pages of that day from 1, repeated ones included.
    """

    api: HostileApi
    request: Request
    number: int
    dice: random.Random

    @property
    def asked(self) -> dict[str, str]:
        return dict(parse_qsl(self.request.query))

    @property
    def day(self) -> date:
        return date.fromisoformat(self.asked["StartTime>"])

    @property
    def is_first_page(self) -> bool:
        return "PageToken" not in self.asked

    @property
    def uri(self) -> str:
        return f"{self.request.path}?{self.request.query}"

    def page(self, path: str | None = None, **changes: str | None) -> Page:
        """Return the right page, or that of a changed query (None leaves a parameter out)."""
        asked = {**self.asked, "PageSize": str(_ROWS), **changes}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        answer = self.api.right_answer(
            replace(self.request, path=path or self.request.path, query=query)
        )
        page: Page = msgspec.json.decode(answer.body)
        return page

    def first_page(self) -> Page:
        return self.page(PageToken=None, Page=None)


Trick: TypeAlias = "Callable[[Turn], Page | Answer]"


@dataclass(frozen=True)
class CutShort(Answer):
    """An answer of which half is sent; its length was promised, or it comes in chunks."""

    chunked: bool = False


class Unfinished(Answer):
    """An answer of which half is sent, and then nothing more."""


class HostileApi(Api):
    """An API that plays a trick where calls of one of the days are listed."""

    def __init__(self, generator: CallGenerator, seed: int) -> None:
        super().__init__(generator)
        self.trick: Trick | None = None
        self.days: Collection[date] | None = None
        self.listed: Counter[date] = Counter()
        self._dice = random.Random(seed)
        self._known: dict[tuple[str, str], Answer] = {}

    def right_answer(self, request: Request) -> Answer:
        """Answer as the sandbox does; each page is made once, since all tests ask for the same."""
        asked = request.path, request.query
        if asked not in self._known:
            self._known[asked] = super().look_up(request)
        return self._known[asked]

    def look_up(self, request: Request) -> Answer:
        if request.calls_of is None:
            return super().look_up(request)
        turn = Turn(self, request, 0, self._dice)
        if "StartTime>" not in turn.asked:
            return _sent(turn.page())
        self.listed[turn.day] += 1
        turn = replace(turn, number=self.listed[turn.day])
        plays = self.trick is not None and (self.days is None or turn.day in self.days)
        return _sent(self.trick(turn) if self.trick and plays else turn.page())


class HostileApp(App):
    """An application that can stop in the middle of an answer."""

    async def deliver(self, exchange: Exchange, answer: Answer) -> None:
        if not isinstance(answer, CutShort | Unfinished):
            await super().deliver(exchange, answer)
            return
        sending = Sending(answer, exchange, protocol_of(exchange))
        if isinstance(answer, Unfinished):
            await break_off("stall", sending, self.stopping)
            return
        if not answer.chunked:
            await break_off("cut", sending, self.stopping)
            return
        await sending.start()
        await sending.piece(answer.body[: len(answer.body) // 2])
        sending.protocol.close()


class _BreakableServer(Server):
    protocol = BreakableProtocol


class HostileSandbox(Sandbox):
    """A sandbox whose pages have 40 rows, and which plays :meth:`play`'s trick on some days."""

    def __init__(self, seed: int, latency: float = 0.0) -> None:
        super().__init__(calls=9_000, seed=seed)
        self.seed = seed
        self._generator = MidnightCalls(calls=9_000, seed=seed)
        self._api = HostileApi(self._generator, seed)
        self._app = HostileApp(self._api, latency)

    def __enter__(self) -> Self:
        self._server = _BreakableServer(self._app, self._port)
        return self

    def play(self, trick: Trick | None, days: Collection[date] | None = None) -> None:
        """Play a trick from now on, on the calls of these UTC days or of all; None plays none."""
        self._api.listed.clear()
        self._api.trick, self._api.days = trick, days

    @property
    def listed(self) -> Counter[date]:
        """How many pages of each day were requested since the last :meth:`play`."""
        return self._api.listed.copy()

    def calls_of(self, first: date, after: date) -> list[Call]:
        """List the parent account's calls of the UTC days from `first` to before `after`."""
        begin, end = (datetime.combine(day, time.min, UTC) for day in (first, after))
        indices, start_of = self._generator.of_parent, self._generator.start_of
        places = [bisect_left(indices, moment, key=start_of) for moment in (begin, end)]
        return [self._generator.call(index) for index in indices[slice(*places)]]


def _sent(answer: Page | Answer) -> Answer:
    return answer if isinstance(answer, Answer) else Answer(200, msgspec.json.encode(answer))


# Tricks that a client can see through.


def repeats_rows(turn: Turn) -> Page:
    page = turn.page()
    again = turn.dice.sample(turn.first_page()["calls"], 5)
    page["calls"] = [*again, *page["calls"], *page["calls"][:3]]
    return page


def repeats_pages(turn: Turn) -> Page:
    """Every page comes twice, as if rows had moved on while it was read."""
    page = turn.page()
    if "Again" not in turn.asked:
        page["next_page_uri"] = f"{turn.uri}&Again=1"
    return page


def lists_old_versions(turn: Turn) -> Page:
    page = turn.page()
    old = [_earlier(row) for row in turn.first_page()["calls"][:8]]
    page["calls"] = [*old[:4], *page["calls"], *old[4:], *map(_earlier, page["calls"][-4:])]
    return page


def _earlier(row: Page) -> Page:
    updated = parsedate_to_datetime(row["date_updated"]) - timedelta(hours=1)
    return {**row, "price": "-0.99", "duration": "0", "date_updated": format_datetime(updated)}


def lists_calls_that_never_started(turn: Turn) -> Page:
    page = turn.page()
    never = {"start_time": None, "status": "canceled", "price": None}
    page["calls"] += [{**row, **never, "sid": _other_sid(row)} for row in page["calls"][:1]]
    return page


def _other_sid(row: Page) -> str:
    sid: str = row["sid"]
    return f"{sid[:2]}{sid[:1:-1]}"


def includes_midnight(turn: Turn) -> Page:
    """`<` means "not after"."""
    return turn.page(**{"StartTime<": f"{turn.day + _DAY}T00:00:01Z"})


def has_empty_pages(turn: Turn) -> Page:
    """Two pages in a row are empty, and yet name a next one."""
    empty = int(turn.asked.get("Empty", "0"))
    if empty == 2 or turn.is_first_page:
        return turn.page()
    return {"calls": [], "next_page_uri": f"{turn.uri.partition('&Empty')[0]}&Empty={empty + 1}"}


def every_third(answer: Trick, seed: int) -> Trick:
    """Answer every third request of a day so; the request after it is answered right."""
    return lambda turn: answer(turn) if turn.number % 3 == seed % 3 else turn.page()


def from_the_second_page(answer: Trick) -> Trick:
    return lambda turn: turn.page() if turn.is_first_page else answer(turn)


def error_500(_: Turn) -> Answer:
    return Answer(500, b"{}")


def error_429(_: Turn) -> Answer:
    return Answer(429, b"{}")


def error_429_with_advice(_: Turn) -> Answer:
    return Answer(429, b"{}", (("retry-after", "0.05"),))


def cut_short(turn: Turn) -> Answer:
    return CutShort(200, _sent(turn.page()).body)


def cut_short_in_chunks(turn: Turn) -> Answer:
    return CutShort(200, _sent(turn.page()).body, chunked=True)


def does_not_name_the_next_page(turn: Turn) -> Page:
    page = turn.page()
    del page["next_page_uri"]
    return page


def lists_no_calls(turn: Turn) -> Page:
    return {**turn.page(), "calls": None}


# Tricks after which a day may lack calls.


def mixes_in_another_account(sandbox: Sandbox) -> Trick:
    def trick(turn: Turn) -> Page:
        page = turn.page()
        path = f"/2010-04-01/Accounts/{sandbox.subaccount_sid}/Calls.json"
        page["calls"] += turn.page(path, PageToken=None, Page=None)["calls"][:3]
        return page

    return trick


def ignores(*parameters: str) -> Trick:
    return lambda turn: turn.page(**dict.fromkeys(parameters))


def leads_back_to_the_first_page(turn: Turn) -> Page:
    page = turn.page()
    page["next_page_uri"] = page["next_page_uri"] or page["first_page_uri"]
    return page


def leads_to_itself(turn: Turn) -> Page:
    return {**turn.page(), "next_page_uri": turn.uri}


def leads_to(uri: str) -> Trick:
    """Name this as the next page; `{path}`, `{query}` and `{uri}` are those of the right one."""

    def trick(turn: Turn) -> Page:
        page = turn.page()
        right = page["next_page_uri"] or turn.uri
        path, _, query = right.partition("?")
        page["next_page_uri"] = uri.format(path=path, query=query, uri=right)
        return page

    return trick


def leads_to_another_day(turn: Turn) -> Page:
    page = turn.page()
    before = urlencode({"StartTime>": turn.day - _DAY, "StartTime<": turn.day})
    page["next_page_uri"] = f"{turn.request.path}?{before}"
    return page


def never_ends(turn: Turn) -> Page:
    """Every page names one more, which has the same calls."""
    return {**turn.first_page(), "next_page_uri": f"{turn.request.path}?{_counted_up(turn)}"}


def _counted_up(turn: Turn) -> str:
    return urlencode({**turn.asked, "Page": str(turn.number)})


def has_a_call_without_a_sid(turn: Turn) -> Page:
    page = turn.page()
    del page["calls"][turn.dice.randrange(len(page["calls"]))]["sid"]
    return page


def has_rows_that_are_no_calls(turn: Turn) -> Page:
    page = turn.page()
    page["calls"][-1:] = [None, 7, "call", []]
    return page


def has_a_price_that_is_none(turn: Turn) -> Page:
    """One call of each page has a price that cannot be read."""
    page = turn.page()
    page["calls"][3]["price"] = "a lot"
    return page
