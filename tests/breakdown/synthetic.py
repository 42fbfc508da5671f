"""Frames of calls for these tests, made the way users' are: through the normaliser."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pandas as pd

import callkit
from callkit.sandbox.calls import CallGenerator, body_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def calls(*rows: Mapping[str, str | None]) -> pd.DataFrame:
    """Make a frame of one call per row, of the attributes that matter.

    `start` and `end` are ISO 8601. A SID that is not given follows from what is.
    """
    return callkit.normalise([_body(number, dict(row)) for number, row in enumerate(rows)])


def sandbox_calls(count: int) -> pd.DataFrame:
    """Make calls of a sandbox, of two currencies over two accounts, those of either together."""
    generator = CallGenerator(calls=count, seed=7)
    return callkit.normalise(body_of(generator.call(index)) for index in range(count))


def _body(number: int, row: dict[str, str | None]) -> bytes:
    made = hashlib.md5(f"{number} {row}".encode(), usedforsecurity=False).hexdigest()
    moments = {name: row.pop(name, None) for name in ("start", "end")}
    body = {"sid": f"CA{made}", "status": "completed", "price_unit": "USD", **row}
    for name, moment in moments.items():
        if moment is not None:
            body[f"{name}_time"] = format_datetime(datetime.fromisoformat(moment))
    return json.dumps(body).encode()


def in_plain_values(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """List the rows with Decimals as text, durations in seconds, and None for what is missing."""
    return [tuple(map(_plain, row)) for row in frame.itertuples(index=False)]


def _plain(value: object) -> object:
    if value is None or value is pd.NaT or value is pd.NA or value != value:  # noqa: PLR0124
        return None
    if isinstance(value, pd.Timedelta):
        return value.total_seconds()
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value
