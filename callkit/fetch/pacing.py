"""When the next request may go out: how many at once, and how long to back off."""

from __future__ import annotations

import random

__all__ = ["Pace", "back_off"]

_FIRST_BACK_OFF = 0.25
_LONGEST_BACK_OFF = 30.0


class Pace:
    """The one pace of all workers of a run. Not locked: it is used under the run's lock.

    One request goes out alone, until an answer has shown that the sign-in is accepted; then the
    crowd may follow. A 429 speaks for the account, not for one call, so everybody backs off
    together. Requests that were under way when the back-off began say nothing new, and do not
    lengthen it.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._proved = False
        self._in_flight = 0
        self._resume_at = 0.0
        self._backed_off_at = float("-inf")
        self._refusals = 0

    def wait(self, now: float) -> float | None:
        """Say how long until a request may go out; None: not before another has come back."""
        if self._in_flight >= (self._concurrency if self._proved else 1):
            return None
        return max(0.0, self._resume_at - now)

    def sent(self) -> None:
        """Count a request that goes out."""
        self._in_flight += 1

    def came_back(self) -> None:
        """Count a request that has come back, however it ended."""
        self._in_flight -= 1

    def answered(self) -> None:
        """Learn that the account answers and accepts the sign-in."""
        self._proved = True
        self._refusals = 0

    def doubted(self, until: float) -> None:
        """Learn of a 401: before the sign-in is proved, nobody else need try it meanwhile."""
        if not self._proved:
            self._resume_at = max(self._resume_at, until)

    def refused(self, sent_at: float, now: float, retry_after: float | None) -> None:
        """Learn that there was one request too many in flight, and have everybody back off."""
        if sent_at >= self._backed_off_at:
            self._refusals += 1
            self._backed_off_at = now
            self._resume_at = now + back_off(self._refusals)
        if retry_after is not None:
            self._resume_at = max(self._resume_at, now + retry_after)


def back_off(failures: int) -> float:
    """Draw how many seconds to wait after so many failures in a row.

    Exponential, with jitter over its upper half.

    Examples
    --------
    >>> 0.5 <= back_off(3) <= 1.0
    True
    """
    longest = min(_LONGEST_BACK_OFF, _FIRST_BACK_OFF * 2.0 ** min(failures - 1, 30))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  (jitter, not a secret)
