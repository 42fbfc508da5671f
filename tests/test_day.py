"""A day while it is listed: which rows are its calls, what is its fault, when it is complete."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from callkit import CallList
from callkit.day import Day, Dropped
from callkit.fetch.pages import Page, PageKey, first_page
from callkit.outcomes import Failure
from callkit.waiting import Memory, WaitingRows
from tests.normaliser.calls import body, numbered, written
from tests.support.scripted import ACCOUNT

if TYPE_CHECKING:
    import pyarrow as pa

THE_DAY = date(2025, 3, 1)
MIDNIGHT = datetime(2025, 3, 1, tzinfo=UTC)
NEXT_MIDNIGHT = MIDNIGHT + timedelta(days=1)
LATER = NEXT_MIDNIGHT + timedelta(days=1)  # from then on, the list of the day does not change
ORIGIN = "https://api.twilio.com"
PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
WHOLE = CallList(started=("2025-03-01", "2025-03-02"))


class Listing:
    """A day, and what was made of the pages that have been read."""

    def __init__(self, asked: CallList = WHOLE) -> None:
        self.asked = asked
        self.day = Day(ACCOUNT, THE_DAY, WaitingRows(Memory()))
        self.dropped = Dropped()

    def read(self, *rows: bytes, next_uri: str | None = None, at: datetime = LATER) -> list[int]:
        """Have a page arrive, and return the numbers of the calls that are kept of it."""
        page = page_of(*rows, next_uri=next_uri, at=at)
        self.day.next_page(page, ORIGIN)
        return numbers(
            self.day.read(page, page.rows, self.asked, self.asked.between(), self.dropped)
        )

    @property
    def fault(self) -> str:
        return "" if self.day.fault is None else self.day.fault.message


def page_of(
    *rows: bytes, next_uri: str | None = None, query: str | None = None, at: datetime = LATER
) -> Page:
    key = first_page(ACCOUNT, THE_DAY, [])
    key = key if query is None else key._replace(query=query)
    return Page(key, list(map(msgspec.Raw, rows)), next_uri, "RQ1", at, 2)


def call(number: int, start: datetime | None = MIDNIGHT, **attributes: Any) -> bytes:
    sent = {"account_sid": ACCOUNT, "start_time": start and written(start), **attributes}
    return body(sid=numbered(number), **sent)


def numbers(calls: pa.Table) -> list[int]:
    return [int(sid.replace("CA", "0x"), 0) for sid in calls["sid"].to_pylist()]


@pytest.fixture
def listing() -> Listing:
    return Listing()


# Which rows are its calls


def test_calls_of_the_day_are_kept(listing: Listing) -> None:
    last = NEXT_MIDNIGHT - timedelta(seconds=1)
    assert listing.read(call(1, last), call(2, MIDNIGHT)) == [1, 2]
    assert listing.day.failures == []


def test_an_account_may_be_written_in_upper_case(listing: Listing) -> None:
    assert listing.read(call(1, account_sid=ACCOUNT.upper())) == [1]


def test_a_call_at_the_midnight_that_ends_the_day_is_counted_and_left_to_the_next(
    listing: Listing,
) -> None:
    assert listing.read(call(1), call(2, NEXT_MIDNIGHT)) == [1]
    assert (listing.dropped.other_days, listing.fault) == (1, "")


def test_of_two_rows_the_newest_counts_in_whichever_form_its_dates_are(listing: Listing) -> None:
    newest = call(1, date_updated="2025-03-02T12:00:00.5+01:00", price="-0.02")
    older = call(1, date_updated="Sun, 02 Mar 2025 11:00:00 +0000", price="-0.01")
    page = page_of(newest, older)
    kept = listing.day.read(
        page, page.rows, listing.asked, listing.asked.between(), listing.dropped
    )
    assert kept["price"].to_pylist() == [Decimal("-0.02")]


def test_a_call_that_never_started_is_counted_and_left_out(listing: Listing) -> None:
    assert listing.read(call(1, start=None), call(2)) == [2]
    assert (listing.dropped.never_started, listing.fault) == (1, "")


def test_calls_of_the_day_outside_the_range_are_left_out() -> None:
    listing = Listing(CallList(started=("2025-03-01T06:00", "2025-03-01T07:00")))
    hours = [call(hour, MIDNIGHT + timedelta(hours=hour)) for hour in (5, 6, 7)]
    assert listing.read(*hours) == [6]
    assert (listing.fault, listing.dropped) == ("", Dropped())


# Its fault


@pytest.mark.parametrize(
    "start", [MIDNIGHT - timedelta(seconds=1), NEXT_MIDNIGHT + timedelta(seconds=1)]
)
def test_a_call_of_another_day_is_left_out_counted_and_a_fault(
    listing: Listing, start: datetime
) -> None:
    assert listing.read(call(1), call(2, start)) == [1]
    assert listing.dropped.other_days == 1
    assert listing.fault == (
        "1 of 2 calls on a page started on other days: the server ignored the dates"
    )


@pytest.mark.parametrize("account", ["AC" + "b" * 32, None])
def test_a_call_of_another_account_is_left_out_and_a_fault(
    listing: Listing, account: str | None
) -> None:
    assert listing.read(call(1), call(2, account_sid=account)) == [1]
    assert listing.fault == "1 of 2 calls on a page are of another account"


def test_a_call_that_does_not_match_the_filters_is_left_out_and_a_fault() -> None:
    listing = Listing(CallList(started=WHOLE.started, status="busy"))
    assert listing.read(call(1), call(2, status="busy")) == [2]
    assert listing.fault == (
        "1 of 2 calls on a page do not match the filters: the server ignored them"
    )


def test_a_row_without_a_sid_is_a_fault(listing: Listing) -> None:
    assert listing.read(call(1), b'{"status": "busy"}') == [1]
    assert listing.fault.startswith("a call cannot be identified (")


def test_the_first_fault_is_the_one_that_is_reported(listing: Listing) -> None:
    listing.read(call(1, account_sid=None))
    listing.read(call(2, MIDNIGHT - timedelta(days=9)))
    assert listing.fault == "1 of 1 calls on a page are of another account"


def test_a_fault_says_which_day_and_which_request(listing: Listing) -> None:
    listing.read(call(1, account_sid=None))
    assert listing.day.failures == [
        Failure(
            None,
            ACCOUNT,
            "bad_response",
            "1 of 1 calls on a page are of another account",
            http_status=200,
            request_id="RQ1",
            attempts=2,
            day="2025-03-01",
        )
    ]


# Calls whose bodies break the contract


def test_a_call_whose_body_is_broken_is_a_failure_of_its_own(listing: Listing) -> None:
    assert listing.read(call(1, price="a lot"), call(2)) == [2]
    [failure] = listing.day.failures
    assert failure.message.startswith("price: 'a lot'")
    where = (failure.sid, failure.account_sid, failure.day, failure.request_id, failure.attempts)
    assert where == (numbered(1), ACCOUNT, "2025-03-01", "RQ1", 2)
    assert listing.fault == ""


def test_a_broken_call_that_another_page_has_right_is_no_failure(listing: Listing) -> None:
    listing.read(call(1, price="a lot"))
    assert listing.read(call(1)) == [1]
    assert listing.day.failures == []


def test_a_right_call_that_a_later_page_has_broken_stays(listing: Listing) -> None:
    assert listing.read(call(1)) == [1]
    listing.read(call(1, price="a lot"))
    assert listing.day.failures == []


# The page that follows


def following(*pages: Page) -> tuple[PageKey | None, str]:
    """Have pages arrive, and return what follows the last and the fault of the day."""
    day = Day(ACCOUNT, THE_DAY, WaitingRows(Memory()))
    last = [day.next_page(page, ORIGIN) for page in pages][-1]
    return last, "" if day.fault is None else day.fault.message


def test_nothing_follows_the_last_page() -> None:
    assert following(page_of()) == (None, "")


@pytest.mark.parametrize("uri", [f"{PATH}?Page=1", f"{ORIGIN}{PATH}?Page=1"])
def test_the_page_that_is_named_follows(uri: str) -> None:
    key, fault = following(page_of(next_uri=uri))
    assert (key, fault) == (PageKey(ACCOUNT, "Page=1", THE_DAY), "")


@pytest.mark.parametrize(
    "host", ["https://example.com", "http://api.twilio.com", "https://api.twilio.com:8443", "//x.y"]
)
def test_a_page_on_another_host_is_not_followed(host: str) -> None:
    key, fault = following(page_of(next_uri=f"{host}{PATH}?Page=1"))
    assert key is None
    assert fault.startswith("the next page is on another host, ")


@pytest.mark.parametrize(
    "path",
    ["/2010-04-01/Accounts.json", PATH.replace(ACCOUNT, "AC" + "b" * 32), f"{PATH}/../x.json", ""],
)
def test_a_page_of_another_list_is_not_followed(path: str) -> None:
    key, fault = following(page_of(next_uri=f"{path}?Page=1"))
    assert key is None
    assert fault.startswith("the next page is of another list, ")


@pytest.mark.parametrize("query", ["Page=1 HTTP/1.1", "Page=é"])
def test_what_is_not_a_uri_is_not_followed(query: str) -> None:
    key, fault = following(page_of(next_uri=f"{PATH}?{query}"))
    assert (key, fault) == (None, "the address of the next page is not a URI")


def test_a_page_is_not_followed_to_itself() -> None:
    here = first_page(ACCOUNT, THE_DAY, []).query
    key, fault = following(page_of(next_uri=f"{PATH}?{here}"))
    assert (key, fault) == (None, "the pages lead in a circle")


def test_pages_are_not_followed_in_a_circle() -> None:
    pages = [
        page_of(next_uri=f"{PATH}?Page=1"),
        page_of(next_uri=f"{PATH}?Page=2", query="Page=1"),
        page_of(next_uri=f"{PATH}?Page=1", query="Page=2"),
    ]
    assert following(*pages) == (None, "the pages lead in a circle")


def test_no_page_follows_after_a_fault(listing: Listing) -> None:
    listing.read(call(1, account_sid=None))
    assert listing.day.next_page(page_of(next_uri=f"{PATH}?Page=9"), ORIGIN) is None


MORE = f"{PATH}?Page=1"


def test_pages_that_only_repeat_calls_are_followed_twice(listing: Listing) -> None:
    for _ in range(3):
        listing.read(call(1), next_uri=MORE)
    assert listing.fault == ""


def test_three_pages_without_a_new_call_are_a_fault(listing: Listing) -> None:
    for _ in range(4):
        listing.read(call(1), next_uri=MORE)
    assert listing.fault == "3 pages in a row have no new calls"


def test_empty_pages_without_an_end_are_a_fault(listing: Listing) -> None:
    for _ in range(3):
        listing.read(next_uri=MORE)
    assert listing.fault == "3 pages in a row have no new calls"


def test_a_new_call_in_between_is_news(listing: Listing) -> None:
    for number in (1, 1, 1, 2, 2, 2):
        listing.read(call(number), next_uri=MORE)
    assert listing.fault == ""


def test_the_last_page_may_have_nothing_new(listing: Listing) -> None:
    for next_uri in (MORE, MORE, MORE, None):
        listing.read(call(1), next_uri=next_uri)
    assert listing.fault == ""


# Whether it need never be listed again


def test_a_day_that_was_not_listed_is_not_closed(listing: Listing) -> None:
    assert not listing.day.is_closed


@pytest.mark.parametrize("rows", [[], [call(1), call(2)]], ids=["no calls", "two calls"])
def test_a_day_is_closed_if_all_its_calls_were_kept(listing: Listing, rows: list[bytes]) -> None:
    listing.read(*rows)
    assert listing.day.is_closed


@pytest.mark.parametrize(
    ("began_at", "is_closed"), [(LATER, True), (LATER - timedelta(seconds=1), False)]
)
def test_a_day_is_closed_if_its_listing_began_a_day_after_its_end(
    listing: Listing, began_at: datetime, is_closed: bool
) -> None:
    listing.read(call(1), next_uri=MORE, at=began_at)
    listing.read(call(2), at=LATER + timedelta(hours=1))
    assert listing.day.is_closed is is_closed


@pytest.mark.parametrize(
    "row",
    [
        call(2, start=None),
        call(2, account_sid=None),
        call(2, MIDNIGHT - timedelta(days=1)),
        call(2, price="a lot"),
        call(1),
        b"{}",
    ],
    ids=["never started", "other account", "other day", "broken", "repeated", "without a SID"],
)
@pytest.mark.parametrize("pages", [1, 2])
def test_a_day_is_not_closed_if_a_row_was_not_kept_as_a_call_of_its_own(
    listing: Listing, row: bytes, pages: int
) -> None:
    rows = [[call(1), row]] if pages == 1 else [[call(1)], [row]]
    for of_page in rows:
        listing.read(*of_page)
    assert not listing.day.is_closed


def test_a_day_is_closed_though_the_next_midnight_was_listed_too(listing: Listing) -> None:
    listing.read(call(1), call(2, NEXT_MIDNIGHT))
    assert listing.day.is_closed


def test_a_day_is_not_closed_if_the_range_left_out_one_of_its_calls() -> None:
    listing = Listing(CallList(started=("2025-03-01T06:00", "2025-03-02")))
    listing.read(call(1))
    assert not listing.day.is_closed


def test_a_day_is_not_closed_if_a_call_is_not_final(listing: Listing) -> None:
    listing.read(call(1))
    listing.day.note_dropped(some=True)
    assert not listing.day.is_closed


def test_a_day_of_the_cache_is_not_closed_anew(listing: Listing) -> None:
    listing.read(call(1))
    listing.day.in_cache = True
    assert not listing.day.is_closed
