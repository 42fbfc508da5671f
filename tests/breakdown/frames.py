"""Frames of calls for these tests, made the way users' are: through the normaliser."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pandas as pd

import callkit

if TYPE_CHECKING:
    from collections.abc import Mapping


def calls(*rows: Mapping[str, str | None]) -> pd.DataFrame:
    """Make a frame of one call per row, of the attributes that matter; `start` is ISO 8601."""
    return callkit.normalise([_body(number, dict(row)) for number, row in enumerate(rows)])


def _body(number: int, row: dict[str, str | None]) -> bytes:
    start = row.pop("start", None)
    body = {"sid": f"CA{number:032x}", "status": "completed", "price_unit": "USD", **row}
    if start is not None:
        body["start_time"] = format_datetime(datetime.fromisoformat(start))
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
