"""When the next request may go out: how many at once, and how long to back off.

The limit of an account is not published, differs, moves, and belongs to production too. So it is
felt for: in flight doubles every round trip until a 429 shows what the account bears; then it stays
just there, and asks for a little more from time to time. What others have in flight (the server's
count less our own) is theirs: some room is left beside it, whoever has more gives way, and whoever
has much less may push in. The tests run these rules against a simulated server
(`tests/fetch/simulator.py`).
"""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import dataclass

__all__ = ["Pace", "Sent", "back_off"]

_log = logging.getLogger(__name__)

_FIRST_BACK_OFF = 0.25
_LONGEST_BACK_OFF = 30.0
_LONGEST_PAUSE = 5.0  # where the server does not say: after a 429, or between probes
_FIRST_HOLD = 0.25  # seconds at the known capacity before asking for more
_HOLD = 2.0  # where asking has been in vain
_LONGEST_HOLD = 30.0
_HOLD_PER_PAUSE = 30.0  # a refused try costs a pause, so a long pause makes tries rarer
_SAME = (0.8, 1.25)  # times what the last cut left: cut there again, and asking was in vain
_HOLD_BESIDE_OTHERS = 4.0  # times as long: a try may cost the others a 429
_NOISE = 1.5  # "others" below this is the jitter of the two counts
_SMOOTHING = 0.05
_HEADROOM = 0.05
_PROBES_A_PAUSE = 3  # before the pause between them grows: a few calls get a few tries each
_DOOR = 0.025  # of the capacity, left open for whoever comes: a full house turns him away
_PUSH_IN_BELOW = 0.8  # of what others have
_GIVE_WAY = 2.0  # more than others


@dataclass(frozen=True, slots=True)
class Sent:
    """When a request went out, and how many of ours were then in flight, itself included."""

    at: float
    in_flight: int


class Pace:
    """The one pace of everything that a client has in flight.

    Many refusals within one round trip are one signal: only a request that was sent after the last
    cut can say something new.

    Parameters
    ----------
    concurrency : int
        How many requests may be in flight at most.

    Attributes
    ----------
    answered_at : float
        When the server last answered properly.
    refusals_met : int
        How many requests were answered 429.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._first_limit = float(min(concurrency, max(4, concurrency // 2)))
        self._lock = threading.Lock()
        self._in_flight = 0
        self._limit = 1.0  # until one call has proved the sign-in
        self._proved = False
        self._capacity: float | None = None  # what the account bears, others included
        self._others = 0.0
        self._round_trip = 0.1
        self._turned_at = 0.0
        self._resume_at = 0.0
        self._cut_at = float("-inf")
        self._cut_before_at = float("-inf")
        self._refusals = 0
        self._hold = _FIRST_HOLD
        self._cut_to = 1.0
        self._ask_more_at = 0.0
        self._ask_more_by = 1
        self._failures = 0
        self._outage_pauses = 0
        self.answered_at = float("-inf")
        self.refusals_met = 0

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return self._in_flight

    @property
    def room(self) -> int:
        """How many more requests may be under way."""
        return max(0, (1 if self.in_outage else round(self._limit)) - self._in_flight)

    @property
    def in_outage(self) -> bool:
        """Whether nothing succeeds: then one probe goes out at a time."""
        return self._outage_pauses > 0

    def send(self, now: float) -> Sent | float | None:
        """Let a request go out if it may.

        Returns
        -------
        Sent, float or None
            It goes out; or it may go out in so many seconds; or not before another has come back.
        """
        with self._lock:
            if self.room == 0:
                return None
            if self._resume_at > now:
                return self._resume_at - now
            self._in_flight += 1
            return Sent(now, self._in_flight)

    def answered(self, sent: Sent, now: float, concurrent: int | None) -> None:
        """Learn that the server answered a request properly.

        Parameters
        ----------
        sent : Sent
            As :meth:`send` gave it.
        now : float
            Seconds, of the same clock.
        concurrent : int or None
            ``Twilio-Concurrent-Requests``: how many the server counted in flight.
        """
        with self._lock:
            self._in_flight -= 1
            self.answered_at = now
            self._failures = 0
            self._round_trip += 0.1 * (now - sent.at - self._round_trip)
            if concurrent is not None:
                self._others += _SMOOTHING * (max(0, concurrent - sent.in_flight) - self._others)
            if sent.at >= self._cut_before_at:
                self._refusals = 0
            if not self._proved or self.in_outage:
                self._proved = True
                self._outage_pauses = 0
                self._limit = self._first_limit
            elif self._capacity is None:
                self._limit = min(self._concurrency, self._limit + 1.0)
            elif sent.at >= self._turned_at:
                self._turned_at = now
                self._adjust(self._capacity, now)

    def refused(
        self, sent: Sent, now: float, concurrent: int | None, retry_after: float | None
    ) -> None:
        """Learn of a 429: there was one too many in flight, so have everybody back off."""
        with self._lock:
            self._in_flight -= 1
            self.refusals_met += 1
            if sent.at >= self._cut_at:
                self._cut(sent, now, concurrent, retry_after or 0.0)
            if retry_after is not None:
                self._resume_at = max(self._resume_at, now + retry_after)

    def failed(self, sent: Sent, now: float) -> None:
        """Learn that a request came to nothing: a 5xx, a reset, a time-out."""
        with self._lock:
            self._in_flight -= 1
            self._failures += 1
            alone = self._in_flight == 0 or self._failures >= self._limit
            if alone and sent.at >= self._resume_at:
                self._outage_pauses += 1
                pause = min(_LONGEST_PAUSE, back_off(1 + self._outage_pauses // _PROBES_A_PAUSE))
                self._resume_at = now + pause
                _log.debug("nothing succeeds: one probe at a time, the next in %.2f s", pause)

    def doubted(self, now: float, pause: float) -> None:
        """Learn of a 401: before the sign-in is proved, nobody else need try it meanwhile."""
        with self._lock:
            self._in_flight -= 1
            if not self._proved:
                self._resume_at = max(self._resume_at, now + pause)

    def _adjust(self, capacity: float, now: float) -> None:
        """Once a round trip: ask for more if it is time, and move towards our share."""
        if now >= self._ask_more_at and self._limit < self._concurrency:
            capacity += self._ask_more_by
            self._ask_more_by *= 2
            self._capacity = capacity
        others = self._share_of_others()
        headroom = max(2.0, _HEADROOM * capacity) if others else _DOOR * capacity
        room = capacity - headroom - others - self._limit
        if others and self._limit < _PUSH_IN_BELOW * others:
            self._limit += 1.0
        elif room < 0:
            self._limit += room * self._limit / (self._limit + others)
        elif others and room < headroom and self._limit > others + _GIVE_WAY:
            self._limit -= 0.5
        else:
            self._limit += min(room, 1.0 if others else max(1.0, self._limit / 4))
        self._limit = min(max(self._limit, 1.0), float(self._concurrency))

    def _cut(self, sent: Sent, now: float, concurrent: int | None, retry_after: float) -> None:
        self._refusals += 1
        others = self._share_of_others()
        if concurrent is not None:
            total = min(concurrent - 1.0, self._limit + others - 1.0)
        else:
            total = max(sent.in_flight - 1.0, 0.75 * self._limit) + others
        if self._refusals > 2:  # noqa: PLR2004  (twice is bad luck, thrice is a lower limit)
            total = min(total, others + self._limit / 2)
        total = max(total, others + self._limit / 2)
        in_vain = _SAME[0] <= self._limit / self._cut_to <= _SAME[1]
        self._hold = self._hold * 2 if in_vain else _FIRST_HOLD
        self._capacity = max(1.0, min(total, self._capacity or total))
        if others:
            self._limit = max(1.0, self._limit * (0.8 if self._limit > others else 0.95))
        else:
            self._limit = max(1.0, min(self._limit, self._capacity * (1.0 - _DOOR)))
        self._cut_before_at, self._cut_at = self._cut_at, now
        self._turned_at = now
        self._cut_to = self._limit
        self._pause_after_cut(now, retry_after, hold_longer=others > 0)
        pause = self._resume_at - now
        _log.debug("a 429: back off for %.2f s, then %d in flight", pause, round(self._limit))

    def _pause_after_cut(self, now: float, retry_after: float, *, hold_longer: bool) -> None:
        first = min(_FIRST_BACK_OFF, max(0.02, self._round_trip / 2))
        pause = min(_LONGEST_PAUSE, back_off(self._refusals, first))
        self._resume_at = max(self._resume_at, now + pause)
        longest = max(pause, retry_after)
        dear = min(_LONGEST_HOLD, _HOLD_PER_PAUSE * max(first, retry_after))
        hold = max(min(self._hold, _HOLD), dear)
        if hold_longer:
            hold *= _HOLD_BESIDE_OTHERS
        self._ask_more_at = now + longest + hold * _jitter(0.8, 1.2)
        self._ask_more_by = 1

    def _share_of_others(self) -> float:
        return self._others if self._others > _NOISE else 0.0


def back_off(failures: int, first: float | None = None) -> float:
    """Draw how many seconds to wait after so many failures in a row.

    Exponential, with jitter over its upper half.

    Examples
    --------
    >>> 0.5 <= back_off(3) <= 1.0
    True
    """
    longest = (_FIRST_BACK_OFF if first is None else first) * 2.0 ** min(failures - 1, 30)
    return min(_LONGEST_BACK_OFF, longest) * _jitter(0.5, 1.0)


def _jitter(least: float, most: float) -> float:
    return random.uniform(least, most)  # noqa: S311  (jitter, not a secret)
