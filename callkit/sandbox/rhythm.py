"""When calls happen: ninety days of mornings, lunches and weekends, and a busy last half-hour."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import accumulate

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
# The sandbox's now, fixed so that every run serves the same calls: what has not ended by then is
# still in progress, and what ended shortly before may not be priced yet.
AS_OF = datetime(2025, 4, 1, tzinfo=UTC)

_BY_HOUR = (2, 1, 1, 1, 1, 2, 5, 14, 40, 78, 95, 92, 70, 74, 88, 86, 78, 62, 42, 30, 22, 14, 8, 4)
_BY_WEEKDAY = (1.15, 1.08, 1.0, 1.02, 0.94, 0.34, 0.2)
_SUNDAY = 6
_GROWTH_A_DAY = 0.003
_HOUR = timedelta(hours=1)
_DAYS = (AS_OF - BEGIN) // timedelta(days=1)
# The period ends in a rush, so that some calls among ten thousand are live: shares of all calls,
# and the minutes from AS_OF by which they have started. The last ones still wait in the queue.
_RUSH = ((0.0030, -2), (0.0050, 0), (0.0025, 5))
_RUSH_MINUTES = 30


class Rhythm:
    """How an account's calls are spread over the period, by its local time.

    Parameters
    ----------
    utc_offset : int
        Hours that local time is ahead of UTC.
    """

    def __init__(self, utc_offset: int) -> None:
        offset = timedelta(hours=utc_offset)
        weights = [_weight(BEGIN + hour * _HOUR + offset, hour // 24) for hour in range(24 * _DAYS)]
        weights[-1] *= 1 - _RUSH_MINUTES / 60
        scale = (1 - sum(share for share, _ in _RUSH)) / sum(weights)
        shares = [*(weight * scale for weight in weights), *(share for share, _ in _RUSH)]
        ends = [3600 * hour for hour in range(1, len(weights))]
        last = 3600 * len(weights)
        ends += [last - 60 * _RUSH_MINUTES, *(last + 60 * minutes for _, minutes in _RUSH)]
        self._shares = [0.0, *accumulate(shares)]
        self._shares[-1] = 1.0
        self._seconds = [0, *ends]

    def moment(self, share: float) -> datetime:
        """Find by when this `share` of the calls, at least 0 and less than 1, has started."""
        place = bisect_right(self._shares, share) - 1
        low, high = self._shares[place : place + 2]
        begin, end = self._seconds[place : place + 2]
        return BEGIN + timedelta(seconds=int(begin + (share - low) / (high - low) * (end - begin)))


def _weight(local: datetime, day: int) -> float:
    is_holiday = (local.month, local.day) == (1, 1)
    weekday = _SUNDAY if is_holiday else local.weekday()
    return _BY_HOUR[local.hour] * _BY_WEEKDAY[weekday] * (1 + _GROWTH_A_DAY * day)
