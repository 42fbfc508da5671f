"""Tricks with the rows of pages that SID lists are served from, and with whole pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from callkit.sandbox.api import Answer
from tests.support.hostile import Unfinished, error_500

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.hostile import HostileSandbox, Page, Trick, Turn

_DEEP = b'{"calls": ' + b"[" * 100_000 + b"]" * 100_000 + b', "next_page_uri": null}'

# Records as they may have been before a call ended and was priced.
IN_PROGRESS = {"status": "in-progress", "end_time": None, "duration": None, "price": None}
QUEUED = IN_PROGRESS | {"status": "queued", "start_time": None}
UNPRICED = {"price": None}


def with_rows(change: Callable[[Page], object]) -> Trick:
    """Replace each row of each page."""

    def trick(turn: Turn) -> Page:
        page = turn.page()
        return page | {"calls": [change(row) for row in page["calls"]]}

    return trick


def changed(**attributes: Any) -> Trick:
    """List every call with these attributes instead of its own."""
    return with_rows(lambda row: row | attributes)


def without(*attributes: str) -> Trick:
    return with_rows(
        lambda row: {name: value for name, value in row.items() if name not in attributes}
    )


def omits_every_seventh_row(turn: Turn) -> Page:
    page = turn.page()
    return page | {"calls": [row for place, row in enumerate(page["calls"], 1) if place % 7]}


def lists_old_records_first(turn: Turn) -> Page:
    """A page begins with records of its calls from when they were in progress, or not priced."""
    page = turn.page()
    old = _old_records(page["calls"])
    return page | {"calls": [*old, *page["calls"]]}


def lists_old_records_last(turn: Turn) -> Page:
    page = turn.page()
    old = _old_records(page["calls"])
    return page | {"calls": [*page["calls"], *old]}


def lists_old_records_on_the_page_after(turn: Turn) -> Page:
    page = turn.page()
    return page | {"calls": [*_old_records(turn.first_page()["calls"]), *page["calls"]]}


def lists_old_records_on_the_page_before(turn: Turn) -> Page:
    """The first page has old records only; the right ones come after."""
    if "Again" in turn.asked:
        return turn.page()
    page = turn.page()
    return {"calls": _old_records(page["calls"]), "next_page_uri": f"{turn.uri}&Again=1"}


def _old_records(rows: list[Page]) -> list[Page]:
    return [row | (IN_PROGRESS if place % 2 else UNPRICED) for place, row in enumerate(rows)]


def lists_wrong_records_of_another_account(sandbox: HostileSandbox) -> Trick:
    """Each page begins with rows of another account that have its calls' SIDs."""

    def trick(turn: Turn) -> Page:
        page = turn.page()
        wrong = {"account_sid": sandbox.subaccount_sid, "price": "-9.99", "to": "+15550100"}
        return page | {"calls": [*(row | wrong for row in page["calls"]), *page["calls"]]}

    return trick


def in_upper_case(row: Page) -> Page:
    return row | {"sid": row["sid"].upper()}


def nested(row: Page) -> Page:
    """Give a row an attribute that is nested, though not too deeply."""
    deep: list[Any] = []
    for _ in range(400):
        deep = [deep]
    return row | {"annotation": deep}


def never_ends_with_other_calls(turn: Turn) -> Page:
    """Every page names one more, which has the calls of the months before."""
    following = urlencode({**turn.asked, "Page": str(turn.number)})
    page = turn.first_page()
    rows = [
        row | {"sid": f"CA{turn.number:016x}{place:016x}"}
        for place, row in enumerate(page["calls"])
    ]
    return {"calls": rows, "next_page_uri": f"{turn.request.path}?{following}"}


def never_ends_and_is_empty(turn: Turn) -> Page:
    following = urlencode({**turn.asked, "Page": str(turn.number)})
    return {"calls": [], "next_page_uri": f"{turn.request.path}?{following}"}


def every_third_of_all(answer: Callable[[Turn], Page | Answer] = error_500) -> Trick:
    """Answer every third page so, whichever day's, as often as it is requested."""
    wrong: dict[str, bool] = {}

    def trick(turn: Turn) -> Page | Answer:
        if wrong.setdefault(turn.uri, len(wrong) % 3 == 0):
            return answer(turn)
        return turn.page()

    return trick


def answers(status: int, body: bytes = b"{}", *headers: tuple[str, str]) -> Trick:
    return lambda _: Answer(status, body, headers)


def never_finishes(turn: Turn) -> Answer:
    return Unfinished(200, msgspec.json.encode(turn.page()))


is_no_json = answers(200, b'{"calls": [')
is_html = answers(200, b"<html><body>Sign in to the hotel's network</body></html>")
is_nested_too_deeply = answers(200, _DEEP)
is_redirected = answers(302, b"", ("location", "http://127.0.0.1:9/"))
is_forbidden = answers(403, b'{"code": 20403, "message": "Forbidden", "status": 403}')
is_unknown = answers(404, b'{"code": 20404, "message": "Not found", "status": 404}')
is_refused = answers(401, b'{"code": 20003, "message": "Authenticate", "status": 401}')
is_too_many = answers(429)

unpriced = changed(**UNPRICED)
in_progress = changed(**IN_PROGRESS)
queued = changed(**QUEUED)
upper_case = with_rows(in_upper_case)
deep = with_rows(nested)
broken_price = changed(price="a lot")
broken_date = changed(end_time="31 February")
far_date = changed(start_time="Fri, 31 Dec 9999 23:59:59 +0000")
without_a_sid = without("sid")
without_an_account = without("account_sid")
