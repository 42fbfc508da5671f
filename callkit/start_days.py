"""On which UTC days calls started, by the date column of a SID list."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from callkit.errors import SidListError
from callkit.normaliser.dates import one_instant
from callkit.sids import DatedSids

# Dates such as 1900-01-01 and 9999-12-31 mean in many tables that the date is not known.
_YEARS = range(2008, 2100)
# Others are not shown: if the column is the wrong one, they may be numbers or names of people.
_LIKE_A_DATE = re.compile(
    r"([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4})"
    r"([T ][0-9:.]{1,18}( ?([AP]M|UTC|Z|[+-][0-9:]{2,5}))?)?"
)


def start_days(dated: DatedSids) -> dict[str, date]:
    """Read on which UTC day each call started; calls without a date are left out."""
    days: dict[str, date] = {}
    for row, (sid, value) in enumerate(zip(dated.sids, _values(dated.dates), strict=True), start=1):
        try:
            day = _utc_day(value)
        except ValueError:
            raise SidListError(
                f"Row {row} has {_shown(value)} in the date column {dated.date_column!r}: expected "
                "a date or time such as '2025-03-01', '2025-03-01T12:30:00Z' or "
                "'Sat, 01 Mar 2025 12:30:00 +0000'"
            ) from None
        if day is not None and day.year in _YEARS:
            days.setdefault(sid, day)
    return days


def _values(column: "pd.Series[Any]") -> Sequence[object]:
    """Return the values of a column; of one of times their UTC days, which is much faster."""
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.tolist()
    times = pd.to_datetime(column, utc=True).dt.tz_convert(None).to_numpy()
    # NumPy returns days beyond the years of Python as numbers.
    return [
        day if isinstance(day, date) else None for day in times.astype("datetime64[D]").tolist()
    ]


def _utc_day(value: Any) -> date | None:
    """Return the day, None where it is missing; raise a ValueError if `value` is something else."""
    if isinstance(value, str):
        return _utc_day_of_text(value.strip())
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, datetime):
        return _in_utc(value)
    if isinstance(value, date):
        return value
    raise ValueError


def _utc_day_of_text(text: str) -> date | None:
    if not text:
        return None
    try:
        return _in_utc(datetime.fromisoformat(text))
    except ValueError:
        return _in_utc(one_instant(text))


def _in_utc(moment: datetime) -> date | None:
    try:
        return (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
    except OverflowError:  # on the first or last day that Python knows
        return None


def _shown(value: object) -> str:
    if not isinstance(value, str):
        return f"a value of type {type(value).__name__}"
    return repr(value) if _LIKE_A_DATE.fullmatch(value.strip()) else "text that is not a date"
