"""When calls happen: ninety days of mornings, lunches and weekends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from callkit.sandbox.draws import Mix

if TYPE_CHECKING:
    from callkit.sandbox.draws import Draws

__all__ = ["AS_OF", "BEGIN", "Rhythm"]

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
# The sandbox's now, fixed so that every run serves the same calls: what has not ended by then is
# still in progress, and what ended shortly before may not be priced yet.
AS_OF = datetime(2025, 4, 1, tzinfo=UTC)

_BY_HOUR = (2, 1, 1, 1, 1, 2, 5, 14, 40, 78, 95, 92, 70, 74, 88, 86, 78, 62, 42, 30, 22, 14, 8, 4)
_BY_WEEKDAY = (1.15, 1.08, 1.0, 1.02, 0.94, 0.34, 0.2)
_SUNDAY = 6
_GROWTH_A_DAY = 0.003
_HOUR = timedelta(hours=1)


class Rhythm:
    """How calls spread over the ninety days, by the clock on an account's wall.

    Parameters
    ----------
    utc_offset : int
        Hours that the clock is ahead of UTC.
    """

    def __init__(self, utc_offset: int) -> None:
        hours = int((AS_OF - BEGIN) / _HOUR)
        offset = timedelta(hours=utc_offset)
        self._hours = Mix(
            {hour: _weight(BEGIN + hour * _HOUR + offset, hour // 24) for hour in range(hours)}
        )

    def instant(self, draws: Draws) -> datetime:
        """Draw an instant, to the second."""
        hour = draws.from_mix(self._hours)
        return BEGIN + timedelta(hours=hour, seconds=draws.between(0, 3599))


def _weight(local: datetime, day: int) -> float:
    is_holiday = (local.month, local.day) == (1, 1)
    weekday = _SUNDAY if is_holiday else local.weekday()
    return _BY_HOUR[local.hour] * _BY_WEEKDAY[weekday] * (1 + _GROWTH_A_DAY * day)
