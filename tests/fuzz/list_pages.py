"""Pages of lists, with damaged rows and hostile addresses of the next one."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from callkit import CallList, Failure
from callkit.day import Day, Dropped
from callkit.fetch.connection import Response
from callkit.fetch.credentials import Credentials, Secret
from callkit.fetch.pages import Page, accounts_page, first_page
from callkit.fetch.responses import judge
from callkit.paging import NO_HINTS, Paging, as_fetched
from callkit.sandbox import Sandbox
from callkit.sandbox.calls import body_of
from callkit.sids import CallKey
from callkit.waiting import Memory, WaitingRows
from tests.fuzz.bodies import WORDS, check_row
from tests.fuzz.damage import damaged
from tests.fuzz.kinds import RESULT, check_sentence

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

    from callkit.fetch.pages import Key, PageKey

__all__ = ["ListPages"]

_ORIGIN = "https://api.twilio.com"
_MOST_ROWS = 4
_LIST = "/2010-04-01/Accounts/{account}/Calls.json?PageSize=1000&Page=1&PageToken=PA1"
_NEXT: list[object] = [
    *(None, None, _LIST, _LIST, f"{_ORIGIN}{_LIST}", "", "?", "/", "//", 7, [], True, "\0"),
    *(f"https://far.example{_LIST}", f"//far.example{_LIST}", f"http://api.twilio.com{_LIST}"),
    *(f"https://api.twilio.com@far.example{_LIST}", f"{_ORIGIN}:443{_LIST}", "http://[::1"),
    *(f"{_LIST} HTTP/1.1\r\nHost: far.example", f"{_LIST}\r\n\r\n", f"{_LIST}#x", f"{_LIST}\u0660"),
    *("/2010-04-01/Accounts.json?PageSize=1000", "/2010-04-01/Accounts/AC/Calls.json?x", "a:b:c"),
    *(f"/..{_LIST}", f"{_LIST}\ud800", f"\ud83d\ude00{_LIST}", "x" * 70_000, "https://[v1.x]/"),
    *(f"https://api.twilio.com\u2100{_LIST}", f"https://\u212a{_LIST}", "file:///etc/passwd"),
]


class _Pool:
    """Takes requests, and has none answered."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def put(self, keys: Iterable[Key], *, first: bool = False) -> None:
        self.keys.extend(keys)

    def call_seconds(self, _: str) -> float | None:
        return 0.1


class ListPages:
    """Pages read for a date range, and for a SID list; and pages of accounts."""

    at_once = 50

    def __init__(self) -> None:
        sandbox = Sandbox(calls=20_000, seed=23)
        rows: dict[date, list[bytes]] = defaultdict(list)
        for sid in sandbox.sids(3_000):
            call = json.loads(body_of(sandbox.call(sid)))
            if call["start_time"]:
                start = datetime.strptime(call["start_time"], "%a, %d %b %Y %H:%M:%S %z")
                rows[start.date()].append(json.dumps(call).encode())
        self._rows = {day: found for day, found in rows.items() if len(found) > _MOST_ROWS}
        self._days = sorted(self._rows)
        self._account = json.loads(self._rows[self._days[0]][0])["account_sid"]
        self._credentials = Credentials(self._account, self._account, Secret("5f" * 16))

    def make(self, rng: random.Random) -> tuple[str, date, bytes]:
        uri = rng.choice(_NEXT)
        if isinstance(uri, str):
            uri = uri.replace("{account}", self._account)
        day = rng.choice(self._days)
        chosen = rng.sample(self._rows[day], int(rng.random() * _MOST_ROWS))
        if rng.random() < 0.3:
            chosen += chosen[:1]
        account = json.dumps({"sid": self._account, "status": "active"}).encode()
        use = rng.choice(("range", "sids", "accounts"))
        name, rows = ("accounts", [account]) if use == "accounts" else ("calls", chosen)
        body = b'{"%s": [%s], "next_page_uri": %s}' % (
            *(name.encode(), b", ".join(rows), json.dumps(uri).encode()),
        )
        return use, day, damaged(rng, body, WORDS) if rng.random() < 0.8 else body

    def outcomes(self, inputs: Sequence[Any]) -> list[str]:
        return [self._outcome(*each) for each in inputs]

    def _outcome(self, use: str, day: date, body: bytes) -> str:
        key = first_page(self._account, day, [])
        if use == "accounts":
            key = accounts_page(self._account)
        page = judge(Response(200, {}, body), key, self._account, 1, self._credentials).outcome
        if isinstance(page, Failure):
            check_sentence(page.message)
            return f"Failure {page.reason}"
        assert isinstance(page, Page)
        if use == "range":
            return self._as_range(page, day)
        if use == "sids":
            return self._as_sids(page, day)
        try:
            following = page.next_uri and page.key.next(page.next_uri, _ORIGIN)
        except ValueError as error:
            check_sentence(error)
            return "ValueError"
        if following:
            self._check_followed(following)
        return RESULT

    def _as_range(self, page: Page, day: date) -> str:
        state = Day(self._account, day, WaitingRows(Memory()))
        asked = CallList(started=(day, day + timedelta(days=1)))
        calls = state.read(page, page.rows, asked, asked.between(), Dropped())
        state.rows.add(calls)
        following = state.next_page(page, _ORIGIN)
        if following is not None:
            self._check_followed(following)
        for table in state.rows.in_order():
            for row in table.to_pylist():
                assert row["start_time"].date() == day
        for failure in state.failures:
            check_sentence(failure.message)
        state.close()
        return "Failure bad_response" if state.failures else RESULT

    def _as_sids(self, page: Page, day: date) -> str:
        sids = [json.loads(row)["sid"] for row in self._rows[day]]
        paging = Paging(self._account, _ORIGIN, 25, NO_HINTS, always=True)
        paging.want(CallKey(sid, None) for sid in sids)
        pool = _Pool()
        paging.request(pool, 0.0, unread=0, all_known=True)
        asked = paging.asked(page)
        bodies = {call.sid: call.body for call in asked}
        taken = as_fetched(asked)
        for row in taken.to_pylist():
            check_row(row, bodies[row["sid"]])
        paging.took(page, taken["sid"].to_pylist(), 1.0)
        paging.request(pool, 2.0, unread=0, all_known=True)
        for key in pool.keys:
            if not isinstance(key, CallKey):
                self._check_followed(key)
        return RESULT

    def _check_followed(self, key: PageKey) -> None:
        path = key.path(self._account)
        assert path.startswith("/2010-04-01/Accounts")
        assert path.isascii()
        assert path.isprintable()
        assert " " not in path
