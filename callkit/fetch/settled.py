"""Which calls need never be asked for again."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import msgspec

__all__ = ["Gist", "gist_of"]

_UNBILLED = frozenset({"busy", "failed", "no-answer", "canceled"})
_ENDED = _UNBILLED | {"completed"}
_UNBILLED_AFTER = timedelta(days=1)
_NEVER_PRICED_AFTER = timedelta(days=30)


class Gist(NamedTuple):
    """What the cache needs to know of a body: its price as written, and whether it is final."""

    price: str | None
    settled: bool


class _Body(msgspec.Struct):
    status: str | None = None
    price: str | int | float | None = None
    end_time: str | None = None
    date_updated: str | None = None


_decode = msgspec.json.Decoder(_Body).decode


def gist_of(body: bytes, fetched_at: datetime) -> Gist:
    """Read the price of a call, and say whether its record was final when it was fetched.

    Settled is a call that has ended, and is priced; or ended with a status that is not billed, and
    was fetched at least a day after its end; or ended unpriced, and was fetched at least thirty
    days after. Ages count up to the fetch: a body that was caught too early grows no older by
    lying in a cache. In doubt a call is not settled.

    Examples
    --------
    >>> from datetime import UTC
    >>> gist_of(b'{"status": "completed", "price": "-0.017"}', datetime(2025, 4, 1, tzinfo=UTC))
    Gist(price='-0.017', settled=True)
    """
    try:
        call = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Gist(None, settled=False)
    price = None if call.price in {None, ""} else str(call.price)
    if call.status not in _ENDED:
        return Gist(price, settled=False)
    if price is not None:
        return Gist(price, settled=True)
    age = _age(call.end_time or call.date_updated, fetched_at)
    enough = _UNBILLED_AFTER if call.status in _UNBILLED else _NEVER_PRICED_AFTER
    return Gist(None, settled=age is not None and age >= enough)


def _age(ended: str | None, fetched_at: datetime) -> timedelta | None:
    if not ended:
        return None
    try:
        end = parsedate_to_datetime(ended)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return None if end.tzinfo is None else fetched_at - end
