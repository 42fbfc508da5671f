"""The outcome of a request: a body, or a failure with its reason."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias, get_args

Reason: TypeAlias = Literal[
    "not_found",
    "unauthorized",
    "forbidden",
    "http_error",
    "rate_limited",
    "server_error",
    "timeout",
    "connection",
    "bad_response",
    "not_attempted",
]
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetched call: its body as the server sent it."""

    sid: str
    account_sid: str
    body: bytes
    request_id: str | None
    fetched_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that could not be fetched, or a day that could not be listed completely, and why.

    ``http_status``, ``code`` and ``request_id`` are those of the response, if there was one.
    ``attempts`` counts the requests that were sent for this call, or for the page that failed; one
    that was repeated at once, since a connection used before was closed, counts once.
    ``day`` is the UTC day of a date range (``2025-03-01``); such a failure without a ``sid`` is
    that of the whole day.
    """

    sid: str | None
    account_sid: str | None
    reason: Reason
    message: str
    http_status: int | None = None
    code: int | None = None
    request_id: str | None = None
    attempts: int = 0
    day: str | None = None


Outcome: TypeAlias = Fetched | Failure


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A call whose price is no longer what the cache had; None is "not priced"."""

    sid: str
    old: Decimal | None
    new: Decimal | None
