"""The outcome of a call: a body, or a failure with its reason."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias, get_args

import pandas as pd

from callkit.schema import MONEY

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
    """A call that could not be fetched, and why.

    ``http_status``, ``code`` and ``request_id`` are the server's, where there was an answer.
    ``attempts`` counts the requests that were sent for this call.
    """

    sid: str | None
    account_sid: str | None
    reason: Reason
    message: str
    http_status: int | None = None
    code: int | None = None
    request_id: str | None = None
    attempts: int = 0


Outcome: TypeAlias = Fetched | Failure


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A call whose price is no longer what the cache had; None is "not priced"."""

    sid: str
    old: Decimal | None
    new: Decimal | None


_FAILURE_DTYPES: dict[str, Any] = {
    "sid": "str",
    "account_sid": "str",
    "reason": pd.CategoricalDtype(list(REASONS)),
    "message": "str",
    "http_status": "Int64",
    "code": "Int64",
    "request_id": "str",
    "attempts": "int64",
}


def failures_frame(failures: Iterable[Failure]) -> pd.DataFrame:
    """Make the frame of failures: one row each, the same columns and dtypes however many.

    Examples
    --------
    >>> failures_frame([]).dtypes["http_status"]
    Int64Dtype()
    """
    names = [field.name for field in fields(Failure)]
    frame = pd.DataFrame.from_records([astuple(failure) for failure in failures], columns=names)
    return frame.astype(_FAILURE_DTYPES)


def price_changes_frame(changes: Iterable[PriceChange]) -> pd.DataFrame:
    """Make the frame of changed prices: one row each, exact decimals."""
    frame = pd.DataFrame([astuple(change) for change in changes], columns=["sid", "old", "new"])
    money = pd.ArrowDtype(MONEY)
    return frame.astype({"sid": "str", "old": money, "new": money})
