"""Pages of the API's lists: how one is requested, what it holds, and where the next one is.

``GET /2010-04-01/Accounts/{AccountSid}/Calls.json`` lists up to a thousand calls a page, and
``GET /2010-04-01/Accounts.json`` accounts. Each page names the next one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlencode, urlsplit

import msgspec

from callkit.outcomes import Failure, Reason
from callkit.sids import CallKey

_CALL_AT_MOST = 1 << 20  # bytes; a call is some 2 kB
_PAGE_AT_MOST = 1 << 25
PAGE_SIZE = 1_000  # the most that the API gives
_SMALLEST = "PageSize=1"
_NO_URI = "the address of the next page is not a URI"


class PageKey(NamedTuple):
    """One page to fetch: of the calls of a UTC day, or of the accounts (``of_calls`` is false)."""

    account_sid: str
    query: str
    day: date | None = None
    of_calls: bool = True

    def path(self, account_sid: str) -> str:
        return f"{self._list(account_sid)}?{self.query}"

    def as_probe(self) -> "PageKey":
        """Return the cheapest request that is answered if this one is."""
        return self._replace(query=_SMALLEST)

    def next(self, uri: str, origin: str) -> "PageKey":
        """Return the page that a page names; a ValueError says why it must not be followed."""
        try:
            place = urlsplit(uri)
        except ValueError:  # what it says quotes the whole address
            raise ValueError(_NO_URI) from None
        elsewhere = f"{place.scheme}://{place.netloc}" not in (origin, "://")
        if elsewhere:
            raise ValueError(f"the next page is on another host, {place.netloc[:60]!r}")
        if not place.path.endswith(self._list(self.account_sid)):
            raise ValueError(f"the next page is of another list, {place.path[:100]!r}")
        if not (place.query.isascii() and place.query.isprintable()) or " " in place.query:
            raise ValueError(_NO_URI)
        return self._replace(query=place.query)

    def _list(self, account_sid: str) -> str:
        return f"/2010-04-01/Accounts{f'/{account_sid}/Calls' if self.of_calls else ''}.json"


Key: TypeAlias = CallKey | PageKey


@dataclass(frozen=True, slots=True, repr=False)  # it would show personal data
class Page:
    """A page: the JSON objects on it, each as the server sent it, and the URI of the next one."""

    key: PageKey
    parts: list[msgspec.Raw]  # of one body: a thousand objects of bytes would scatter memory
    next_uri: str | None
    request_id: str | None
    fetched_at: datetime
    attempts: int
    seconds: float = 0.0  # that the last attempt took

    @property
    def rows(self) -> list[bytes]:
        return list(map(bytes, self.parts))


def first_page(account_sid: str, day: date, filters: Iterable[tuple[str, str]]) -> PageKey:
    """Ask for the calls that started on a UTC day."""
    asked = {"PageSize": PAGE_SIZE, "StartTime>": day, "StartTime<": day + timedelta(days=1)}
    return PageKey(account_sid, urlencode([*asked.items(), *filters]), day)


def smallest_page(account_sid: str) -> PageKey:
    """Ask for as little as possible: what the server's clock says is on every answer."""
    return PageKey(account_sid, _SMALLEST)


def accounts_page(account_sid: str) -> PageKey:
    """Ask for the account and its subaccounts."""
    return PageKey(account_sid, urlencode({"PageSize": PAGE_SIZE}), of_calls=False)


def origin_of(base_url: str) -> str:
    """Return the host that pages are followed on."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(base_url))


def longest_body(key: Key) -> int:
    return _CALL_AT_MOST if isinstance(key, CallKey) else _PAGE_AT_MOST


def shown(key: Key, account_sid: str) -> str:
    """Return the path for a log; of a query only the day, since it may name a party."""
    path = key.path(account_sid).partition("?")[0]
    return path if isinstance(key, CallKey) or key.day is None else f"{path} of {key.day}"


def failure_of(
    key: Key, account_sid: str, reason: Reason, message: str, **response: Any
) -> Failure:
    """Make the failure of a call or of a page's day; `response` are further fields of it."""
    if isinstance(key, CallKey):
        return Failure(key.sid, account_sid, reason, message, **response)
    day = None if key.day is None else key.day.isoformat()
    return Failure(None, account_sid, reason, message, day=day, **response)


class _Calls(msgspec.Struct):
    calls: list[msgspec.Raw]
    next_page_uri: str | None


class _Accounts(msgspec.Struct):
    accounts: list[msgspec.Raw]
    next_page_uri: str | None


_calls_of = msgspec.json.Decoder(_Calls).decode
_accounts_of = msgspec.json.Decoder(_Accounts).decode


def read_page(key: PageKey, body: bytes | memoryview) -> tuple[list[msgspec.Raw], str | None]:
    """Read the objects on a page and the next page's URI, or raise a msgspec.DecodeError.

    A page that does not say whether another one follows is refused: it might be cut short.
    """
    if key.of_calls:
        calls = _calls_of(body)
        return calls.calls, calls.next_page_uri
    accounts = _accounts_of(body)
    return accounts.accounts, accounts.next_page_uri
