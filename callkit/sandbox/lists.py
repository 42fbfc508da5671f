"""The list endpoints: pages of calls and of accounts.

A page goes on after the row that its token names, whatever has been added since. Calls are listed
newest first. As their order is that of their start, the calls of a date range are found by
bisection; those of a party or with a status are found by making each call of the range.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, urlencode

import msgspec

from callkit.sandbox.calls import Call, CallGenerator, body_of
from callkit.sandbox.legs import LONGEST, LONGEST_IN_QUEUE

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOST_ROWS, _ROWS = 1_000, 50
# The filters that ask for a value, and the attributes of a call that have to have it.
_EXACT = {"To": "to", "From": "from_", "ParentCallSid": "parent_call_sid", "Status": "status"}
_TIMES = tuple(f"{name}{sign}" for name in ("StartTime", "EndTime") for sign in ("", ">", "<"))
_OF_ACCOUNTS = {"Status": "status", "FriendlyName": "friendly_name"}
_ACCOUNT_MADE = "Mon, 01 Jan 2024 00:00:00 +0000"


class InvalidParameterError(ValueError):
    """A parameter that the API refuses; names that it does not know are ignored."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(f"Invalid {name}: {value}")


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of which list is requested; `after` is the SID of the last row before it."""

    path: str
    filters: Mapping[str, str]
    size: int
    number: int
    after: str | None

    @classmethod
    def requested(cls, path: str, query: str, filters: Iterable[str]) -> Self:
        given = dict(parse_qsl(query))
        size, number = _number(given, "PageSize", _ROWS), _number(given, "Page", 0)
        token = given.get("PageToken")
        if size == 0:
            raise InvalidParameterError("PageSize", given["PageSize"])
        if token is None and number > 0:  # pages are reached by their tokens alone
            raise InvalidParameterError("Page", given["Page"])
        if token is not None and not token.startswith("PA"):
            raise InvalidParameterError("PageToken", token)
        return cls(
            path,
            {name: given[name] for name in filters if name in given},
            min(size, _MOST_ROWS),
            number,
            token and token.removeprefix("PA"),
        )

    def body(self, name: str, rows: Iterator[tuple[str, bytes]]) -> bytes:
        """Write the page: `rows` are the SID and the body of each row from its first one on."""
        found = list(islice(rows, self.size + 1))
        shown = found[: self.size]
        is_last = len(found) == len(shown)
        start = self.number * self.size
        frame = {
            "page": self.number,
            "page_size": self.size,
            "start": start,
            "end": start + max(len(shown) - 1, 0),
            "first_page_uri": self._uri(0, None),
            "next_page_uri": None if is_last else self._uri(self.number + 1, shown[-1][0]),
            # Pages lead forwards only.
            "previous_page_uri": None,
            "uri": self._uri(self.number, self.after),
        }
        bodies = b",".join(body for _, body in shown)
        return b'{"%s":[%s],%s' % (name.encode(), bodies, msgspec.json.encode(frame)[1:])

    def _uri(self, number: int, after: str | None) -> str:
        token = {} if after is None else {"PageToken": f"PA{after}"}
        place = {"PageSize": str(self.size), "Page": str(number)}
        return f"{self.path}?{urlencode({**self.filters, **place, **token})}"


class _Window(NamedTuple):
    """The instants from `since` to `before`, which is excluded."""

    since: datetime
    before: datetime

    def holds(self, instant: datetime | None) -> bool:
        return instant is not None and self.since <= instant < self.before


_ALWAYS = _Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class _Filters:
    exact: Mapping[str, str]
    started: _Window | None
    ended: _Window | None

    @classmethod
    def of(cls, filters: Mapping[str, str]) -> Self:
        exact = {attribute: filters[name] for name, attribute in _EXACT.items() if name in filters}
        return cls(exact, _window(filters, "StartTime"), _window(filters, "EndTime"))

    def admit(self, call: Call) -> bool:
        """Decide about a call; one without a time is in no range of such times."""
        return (
            (self.started is None or self.started.holds(call.start_time))
            and (self.ended is None or self.ended.holds(call.end_time))
            and all(getattr(call, name) == value for name, value in self.exact.items())
        )

    def narrow(self, indices: range, start_of: Callable[[int], datetime]) -> range:
        """Leave out calls that start too early or too late to be in the ranges of times."""
        if self.started is not None:
            indices = indices[bisect_left(indices, self.started.since, key=start_of) :]
            indices = indices[: bisect_left(indices, self.started.before, key=start_of)]
        if self.ended is not None:
            indices = indices[
                bisect_left(indices, self.ended.since, key=lambda i: start_of(i) + LONGEST) :
            ]
            indices = indices[: bisect_left(indices, self.ended.before, key=start_of)]
        return indices


def list_calls(
    generator: CallGenerator, account_sid: str, path: str, query: str, *, now: datetime
) -> bytes:
    """Write a page of an account's calls, as they are at `now`."""
    page = Page.requested(path, query, (*_EXACT, *_TIMES))
    filters, start_of = _Filters.of(page.filters), generator.start_of
    indices = generator.of_accounts[account_sid]
    if page.after is not None:
        last = generator.index_of(page.after)
        if last is None or last not in indices:
            raise InvalidParameterError("PageToken", f"PA{page.after}")
        indices = indices[: indices.index(last)]
    # A call that is queued has been created before it starts.
    created = bisect_right(indices, now, key=lambda index: start_of(index) - LONGEST_IN_QUEUE)
    indices = filters.narrow(indices[:created], start_of)
    calls = (generator.call(index, now) for index in reversed(indices))
    rows = ((c.sid, body_of(c)) for c in calls if c.date_created <= now and filters.admit(c))
    return page.body("calls", rows)


def list_accounts(generator: CallGenerator, path: str, query: str) -> bytes:
    """Write a page of the accounts: the parent account and its subaccounts, one of them closed."""
    page = Page.requested(path, query, _OF_ACCOUNTS)
    accounts = _accounts(generator)
    if page.after is not None:
        sids = [account["sid"] for account in accounts]
        if page.after not in sids:
            raise InvalidParameterError("PageToken", f"PA{page.after}")
        accounts = accounts[sids.index(page.after) + 1 :]
    wanted = {_OF_ACCOUNTS[name]: value for name, value in page.filters.items()}
    rows = (
        (account["sid"], msgspec.json.encode(account))
        for account in accounts
        if wanted.items() <= account.items()
    )
    return page.body("accounts", rows)


def _accounts(generator: CallGenerator) -> list[dict[str, str]]:
    parent = generator.parent.sid
    return [
        {
            "sid": sid,
            "friendly_name": friendly_name,
            "status": status,
            "type": "Full",
            "owner_account_sid": parent,
            "date_created": _ACCOUNT_MADE,
            "date_updated": _ACCOUNT_MADE,
            "uri": f"/2010-04-01/Accounts/{sid}.json",
        }
        for sid, friendly_name, status in (
            (parent, "Sandbox", "active"),
            (generator.subaccount.sid, "Sandbox Europe", "active"),
            (generator.closed_sid, "Sandbox (closed)", "closed"),
        )
    ]


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not re.fullmatch("[0-9]{1,9}", text):
        raise InvalidParameterError(name, text)
    return int(text)


def _window(filters: Mapping[str, str], name: str) -> _Window | None:
    spans = {
        sign: _span(f"{name}{sign}", filters[f"{name}{sign}"])
        for sign in ("", ">", "<")
        if f"{name}{sign}" in filters
    }
    if not spans:
        return None
    after, before = spans.get(">", _ALWAYS).since, _ALWAYS.before
    if "<" in spans:
        before = spans["<"].since
    during = spans.get("", _ALWAYS)
    return _Window(max(after, during.since), min(before, during.before))


def _span(name: str, text: str) -> _Window:
    """Read a date, which is a day of UTC, or a date and time, which is that second."""
    lasts = timedelta(days=1) if _DAY.fullmatch(text) else timedelta(seconds=1)
    try:
        since = datetime.fromisoformat(text)
        since = since if since.tzinfo else since.replace(tzinfo=UTC)
        return _Window(since, since + lasts)
    except (ValueError, OverflowError):
        raise InvalidParameterError(name, text) from None
