"""What is requested for a SID list, and which rows of a page are taken."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import callkit
from callkit.fetch.pages import Key, Page, PageKey, first_page
from callkit.outcomes import Failure, Fetched
from callkit.paging import NO_HINTS, Hints, Paging, as_fetched
from callkit.sids import CallKey
from tests.normaliser.calls import body, numbered, written
from tests.support.scripted import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterable

THE_DAY = date(2025, 3, 1)
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2025, 3, 20, tzinfo=UTC)
OTHER = "AC" + "b" * 32
ORIGIN = "https://api.twilio.com"
PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
WANTED = 2_000


class Pool:
    """Remembers what is put in."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.pages: list[PageKey] = []

    def put(self, keys: Iterable[Key], *, first: bool = False) -> None:
        for key in keys:
            if isinstance(key, PageKey):
                self.pages.append(key)
            else:
                self.calls.append(key.sid)

    def call_seconds(self, account_sid: str) -> float | None:
        return 0.1 if account_sid else None


class Paged:
    """A list of calls that all started on one day, and of which none has been fetched."""

    def __init__(self, hints: Hints = NO_HINTS, *, account_sid: str | None = None) -> None:
        self.pool = Pool()
        self.paging = Paging(ACCOUNT, ORIGIN, 25, hints, always=False)
        self.paging.want(CallKey(numbered(number), account_sid) for number in range(WANTED))

    def request(self) -> None:
        self.paging.request(self.pool, 0.0, unread=0, all_known=True)

    def request_pages(self) -> None:
        """Have one call answered, after which pages may be requested."""
        self.request()
        self.paging.note(not_found(self.pool.calls.pop(0)))
        self.request()

    def answer_calls(self, start: datetime | None = NOON) -> None:
        for sid in self.pool.calls:
            self.paging.note(
                Fetched(sid, ACCOUNT, call(number_of(sid), start), None, LATER, 1)
                if start
                else not_found(sid)
            )
        self.pool.calls.clear()


def call(number: int, start: datetime | None = NOON, **attributes: Any) -> bytes:
    sent = {"account_sid": ACCOUNT, "start_time": start and written(start), **attributes}
    return body(sid=numbered(number), **sent)


def not_found(sid: str, account_sid: str = ACCOUNT) -> Failure:
    return Failure(sid, account_sid, "not_found", "", http_status=404)


def number_of(sid: str) -> int:
    return int(sid.replace("CA", "0x"), 0)


def page_of(*rows: bytes, next_uri: str | None = None, key: PageKey | None = None) -> Page:
    key = key or first_page(ACCOUNT, THE_DAY, [])
    return Page(key, list(map(msgspec.Raw, rows)), next_uri, "RQ1", LATER, 2, 1.1)


def told() -> Paged:
    """Return a list of which the user has said when its calls started."""
    paged = Paged(Hints({numbered(number): THE_DAY for number in range(WANTED)}, None))
    paged.request_pages()
    return paged


def asked(*rows: bytes) -> list[int]:
    return [number_of(each.sid) for each in told().paging.asked(page_of(*rows))]


def test_a_sample_is_spread_over_the_list_and_fetched_first() -> None:
    paged = Paged()
    paged.request()
    places = sorted(map(number_of, paged.pool.calls[:64]))
    assert places[0] < WANTED / 64
    assert places[-1] > WANTED - WANTED / 64
    assert max(b - a for a, b in pairwise(places)) <= WANTED / 64 + 1


def test_no_call_is_requested_twice() -> None:
    paged = Paged()
    for _ in range(WANTED):
        paged.request()
        assert len(set(paged.pool.calls)) == len(paged.pool.calls)
        paged.answer_calls(None)


def test_the_sample_shows_the_day() -> None:
    paged = Paged()
    paged.request()
    assert paged.pool.pages == []
    paged.answer_calls()
    paged.request()
    assert paged.pool.pages[-1] == first_page(ACCOUNT, THE_DAY, [])


def test_a_user_who_says_when_calls_started_spares_the_sample() -> None:
    assert told().pool.pages == [first_page(ACCOUNT, THE_DAY, [])]


def test_the_calls_of_an_account_are_listed_in_that_account() -> None:
    hints = Hints({numbered(number): THE_DAY for number in range(WANTED)}, None)
    paged = Paged(hints, account_sid=OTHER)
    paged.request()
    paged.paging.note(not_found(paged.pool.calls[0], OTHER))
    paged.request()
    assert paged.pool.pages == [first_page(OTHER, THE_DAY, [])]


def test_a_call_is_answered_before_the_first_page_is_requested() -> None:
    paged = Paged(Hints({numbered(number): THE_DAY for number in range(WANTED)}, None))
    paged.request()
    assert paged.pool.calls
    assert paged.pool.pages == []


def test_no_page_is_requested_while_many_wait_to_be_read() -> None:
    paged = Paged(Hints({numbered(number): THE_DAY for number in range(WANTED)}, None))
    paged.paging.request(paged.pool, 0.0, unread=4, all_known=True)
    assert paged.pool.pages == []


def test_nothing_is_planned_before_the_list_is_known() -> None:
    paged = Paged(Hints({numbered(number): THE_DAY for number in range(WANTED)}, None))
    paged.paging.request(paged.pool, 0.0, unread=0, all_known=False)
    assert paged.pool.pages == []
    assert paged.pool.calls == [numbered(number) for number in range(len(paged.pool.calls))]


def test_rows_that_nobody_asked_for_are_not_taken() -> None:
    assert asked(call(1), call(WANTED), call(2)) == [1, 2]


def test_a_row_of_another_account_is_not_taken() -> None:
    assert asked(call(1, account_sid=OTHER), call(2, account_sid=None)) == []


def test_capital_letters_make_no_other_account() -> None:
    assert asked(call(1, account_sid=ACCOUNT.upper())) == [1]


def test_a_row_with_a_sid_in_capital_letters_is_taken() -> None:
    paged = Paged()
    paged.paging.want([CallKey("CA" + "ab" * 16, None)])
    row = body(sid="CA" + "AB" * 16, account_sid=ACCOUNT)
    assert [each.sid for each in paged.paging.asked(page_of(row))] == ["CA" + "ab" * 16]


@pytest.mark.parametrize("row", [b"[]", b"7", b'{"sid":1}', b'{"sid":"\xff"}', b"[" * 10_000])
def test_what_is_not_a_call_is_not_taken(row: bytes) -> None:
    assert asked(row, call(1)) == [1]


def test_of_a_call_that_is_there_twice_the_same_row_is_taken() -> None:
    assert asked(call(2), call(2)) == [2]


def test_a_call_with_rows_that_differ_is_not_taken() -> None:
    assert asked(call(1), call(2), call(1, price="-0.5")) == [2]


@pytest.mark.parametrize(
    ("status", "price", "end", "taken"),
    [
        ("completed", "-0.0170", LATER - timedelta(hours=1), True),
        ("completed", None, LATER - timedelta(hours=1), False),
        ("completed", None, LATER - timedelta(days=300), False),
        ("in-progress", None, None, False),
        ("busy", None, LATER - timedelta(hours=1), False),
        ("busy", None, LATER - timedelta(days=2), True),
    ],
)
def test_a_record_is_taken_if_a_fetch_would_give_the_same(
    status: str, price: str | None, end: datetime | None, taken: bool
) -> None:
    row = call(1, status=status, price=price, end_time=end and written(end))
    assert len(as_fetched([Fetched(numbered(1), ACCOUNT, row, None, LATER, 1)])) == taken


@pytest.mark.parametrize("name", callkit.SCHEMA.names)
def test_a_row_that_lacks_an_attribute_is_not_taken(name: str) -> None:
    end = LATER - timedelta(hours=1)
    row = msgspec.json.decode(call(1, status="completed", price="-1", end_time=written(end)))
    del row[name]
    body = msgspec.json.encode(row)
    assert len(as_fetched([Fetched(numbered(1), ACCOUNT, body, None, LATER, 1)])) == 0


def test_the_next_page_follows_one_with_enough_calls() -> None:
    paged = told()
    following = f"{PATH}?Page=1&PageToken=PA1"
    page = page_of(*map(call, range(900)), next_uri=following)
    paged.paging.took(page, [each.sid for each in paged.paging.asked(page)], 1.1)
    paged.request()
    assert paged.pool.pages[-1].path(ACCOUNT) == following


@pytest.mark.parametrize(
    "next_uri",
    [
        f"https://elsewhere.example{PATH}?PageToken=PA1",
        f"/2010-04-01/Accounts/{OTHER}/Calls.json?PageToken=PA1",
        first_page(ACCOUNT, THE_DAY, []).path(ACCOUNT),
    ],
    ids=["another host", "another account", "a circle"],
)
def test_a_page_that_must_not_be_followed_ends_the_day(next_uri: str) -> None:
    paged = told()
    page = page_of(*map(call, range(900)), next_uri=next_uri)
    paged.paging.took(page, [numbered(number) for number in range(900)], 1.1)
    paged.request()
    assert len(paged.pool.pages) == 1


def test_a_list_that_is_forbidden_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    paged = told()
    with caplog.at_level(logging.INFO):
        for day in ("2025-03-01", "2025-03-02"):
            paged.paging.failed(
                Failure(None, ACCOUNT, "forbidden", "no access", http_status=403, day=day)
            )
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"The calls of {ACCOUNT} cannot be listed (forbidden: no access)")


def test_a_call_that_was_fetched_meanwhile_is_not_taken_from_a_page() -> None:
    paged = told()
    paged.paging.note(Failure(numbered(1), ACCOUNT, "not_found", ""))
    assert [each.sid for each in paged.paging.asked(page_of(call(1), call(2)))] == [numbered(2)]
