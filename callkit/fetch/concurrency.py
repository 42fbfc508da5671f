"""How many requests of one account may be in flight.

The limit of an account is not published, differs between accounts, moves, and is shared with
everything else that the account runs. So it is found by trying. A :class:`Limiter` is in one of
four states:

========  =========================  ====================================  ========================
state     requests in flight         a call is answered                    a 429
========  =========================  ====================================  ========================
PROVING   one: nothing answered yet  → GROWING, from half `concurrency`    back off
GROWING   doubles every round trip   one more                              → HOLDING, just below
HOLDING   just below the capacity    once a round trip: a step towards     lower the capacity,
                                     our share, at times more capacity     back off
OUTAGE    one probe at a time        → GROWING or HOLDING, from half       back off
                                     again, or from the capacity
========  =========================  ====================================  ========================

In every state:

- *Back off* holds the whole account back: nothing is sent for a round trip or two, longer each
  time, and never before a ``Retry-After`` is over. All 429s of one round trip are one signal. (The
  queue leaves out a ``Retry-After`` that is longer than a run waits.)
- Failures (5xx, resets, time-outs) → OUTAGE: as many in a row as may be in flight, or three when
  nothing else is; in PROVING the first. Failed probes make the pause before the next one longer.
- A failure with a ``Retry-After`` holds back that call, not the account.
- A 401 in PROVING or OUTAGE holds the account back: no other call needs to try refused credentials.
- A local fault (such as no file descriptor left) lowers what may be in flight to less than what is;
  if that is nothing, it is a failure.
- A reused connection that was closed before any byte says nothing about the account.

The other traffic of the account (the server's count of requests in flight less our own) keeps its
share: some capacity is reserved beside it, whichever side has more yields, and a side that has much
less may claim capacity. Nothing here reads a clock or waits: time is an argument, and
`tests/fetch/simulator.py` runs these rules against a simulated server.
"""

import logging
import random
import threading
from dataclasses import dataclass
from enum import Enum

_log = logging.getLogger(__name__)

_LEAST_START = 4  # in flight after the first answer, at least
_FIRST_ROUND_TRIP = 0.1  # seconds, until one has been measured
_ROUND_TRIP_SMOOTHING = 0.1
_SHORTEST_BACK_OFF = 0.02  # seconds: half a round trip on loopback is too short
_WITHOUT_COUNT = 0.75  # of the limit stays after a 429 that came without the server's count
_LOWER_LIMIT_AFTER = 2  # 429s in a row: twice is bad luck, a third time the limit is lower
_FIRST_HOLD = 0.25  # seconds at a new capacity before asking for more
_HOLD = 2.0  # seconds at a capacity above which a higher one failed
_LONGEST_HOLD = 30.0
_HOLD_PER_BACK_OFF = 30.0  # a refused try costs a back-off, so a long one makes tries rarer
_SAME_CAPACITY = (0.8, 1.25)  # times what the last cut left: cut there again, raising it failed
_HOLD_BESIDE_OTHERS = 4.0  # times as long: our try may cost the others a 429
_COUNT_NOISE = 1.5  # other traffic below this is the jitter between the two counts
_COUNT_SMOOTHING = 0.05
_RESERVED = 0.025  # of the capacity, for traffic that may come: at the limit it would meet a 429
_RESERVED_BESIDE_OTHERS = 0.05
_LEAST_RESERVED_BESIDE_OTHERS = 2.0
_CLAIM_BELOW = 0.8  # of what the others have in flight
_YIELD_ABOVE = 2.0  # more than the others
_CUT_BESIDE_OTHERS = (0.8, 0.95)  # of the limit stays, for the larger and the smaller side
_OUTAGE_AFTER = 3  # failures in a row, at least: fewer may be those of single calls
_PROBES_A_PAUSE = 3  # before the pause between them grows: a few calls get a few tries each
_LEFT_AFTER_LOCAL_FAULT = 0.75  # of what was in flight: others on this machine need some, too
_FULL_AGAIN = 0.1  # seconds before a local fault is tried again


class State(Enum):
    PROVING = "proving"
    GROWING = "growing"
    HOLDING = "holding"
    OUTAGE = "outage"


_ONE_AT_A_TIME = (State.PROVING, State.OUTAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The numbers behind retries and early stops; the defaults suit the API.

    Parameters
    ----------
    attempts : int, default 5
        How many failed attempts a call may have.
    first_back_off, longest_back_off : float, default 0.25 and 30.0
        Seconds before the second attempt, and the maximum before any later one.
    longest_pause : float, default 5.0
        The most seconds an account pauses, after a 429 without ``Retry-After`` or between probes.
    unauthorized_pause : float, default 2.0
        Seconds before a 401 is tried again: under load, valid credentials are sometimes refused.
    unauthorized_times, unauthorized_for : int, float, default 3 and 5.0
        How many 401s in a row, and over how many seconds at least, end a run.
    unknown_calls : int, default 200
        After how many calls, none of which was found, 20 further on in the list are tried. The run
        ends if none of these is found either.
    quiet : float, default 10.0
        Seconds without a success after which a run logs a warning.

    Examples
    --------
    >>> 0.5 <= RetryPolicy().back_off(3) <= 1.0
    True
    """

    attempts: int = 5
    first_back_off: float = 0.25
    longest_back_off: float = 30.0
    longest_pause: float = 5.0
    unauthorized_pause: float = 2.0
    unauthorized_times: int = 3
    unauthorized_for: float = 5.0
    unknown_calls: int = 200
    quiet: float = 10.0

    def back_off(self, failures: int, first: float | None = None) -> float:
        """Draw a pause: exponential from `first`, jitter over the upper half, as Twilio advises."""
        longest = (self.first_back_off if first is None else first) * 2.0 ** min(failures - 1, 30)
        return min(self.longest_back_off, longest) * random.uniform(0.5, 1.0)  # noqa: S311  (jitter)


@dataclass(frozen=True, slots=True)
class Sent:
    """When a request was sent, and how many callkit then had in flight, itself included."""

    at: float
    in_flight: int


class _Expansion:
    """When to ask for more than the known capacity, and for how much more."""

    def __init__(self) -> None:
        self._hold = _FIRST_HOLD
        self._held_at = 1.0  # what the last cut left
        self._due_at = 0.0
        self._step = 1

    def by(self, now: float) -> int:
        """Return how much more to ask for now: twice as much each time that it went well."""
        if now < self._due_at:
            return 0
        step, self._step = self._step, self._step * 2
        return step

    def note_cut(self, before: float, after: float) -> None:
        """Learn of a cut: the more often a raise failed, the longer until the next."""
        least, most = (share * self._held_at for share in _SAME_CAPACITY)
        self._hold = self._hold * 2 if least <= before <= most else _FIRST_HOLD
        self._held_at = after

    def postpone(self, now: float, back_off: float, *, beside_others: bool) -> None:
        """Ask for nothing until some time after a back-off that ends at `now`."""
        costly = min(_LONGEST_HOLD, _HOLD_PER_BACK_OFF * back_off)
        hold = max(min(self._hold, _HOLD), costly) * (_HOLD_BESIDE_OTHERS if beside_others else 1.0)
        self._due_at = now + hold * random.uniform(0.8, 1.2)  # noqa: S311  (jitter)
        self._step = 1


class Limiter:
    """The requests in flight of one account; the module's table states the rules.

    Not thread-safe by itself: its owner holds a lock. ``answered_at`` is when the server last
    answered properly, ``asked_until`` when the last ``Retry-After`` of a 429 is over, ``busy`` how
    many 429s there were, and ``most`` how many requests may ever be in flight: `concurrency`, or
    fewer after a local fault.
    """

    def __init__(self, concurrency: int, policy: RetryPolicy) -> None:
        self.state = State.PROVING
        self.in_flight = self.busy = 0
        self._policy = policy
        self.most = concurrency
        self._start = float(min(concurrency, max(_LEAST_START, concurrency // 2)))
        self._limit = 1.0
        self._capacity: float | None = None  # of the account, other traffic included
        self._counted_others = 0.0
        self._expansion = _Expansion()
        self._round_trip = _FIRST_ROUND_TRIP
        self._adjusted_at = self._resume_at = 0.0
        self.answered_at = self.asked_until = self._cut_at = self._cut_before_at = (
            self._fault_at
        ) = float("-inf")
        self._busy_in_a_row = self._failures_in_a_row = self._failed_probes = 0

    @property
    def room(self) -> int:
        return max(0, round(self._limit) - self.in_flight)

    @property
    def _others(self) -> float:
        return self._counted_others if self._counted_others > _COUNT_NOISE else 0.0

    def send(self, now: float) -> Sent | float | None:
        """Let a request go out if it may.

        Returns
        -------
        Sent, float or None
            It goes out; or it may go out in so many seconds; or not before another has come back.
        """
        if self.in_flight >= round(self._limit):
            return None
        if self._resume_at > now:
            return self._resume_at - now
        self.in_flight += 1
        return Sent(now, self.in_flight)

    def on_answer(self, sent: Sent, now: float, counted: int | None) -> None:
        """Learn that the server answered; `counted` is ``Twilio-Concurrent-Requests``."""
        self.in_flight -= 1
        self.answered_at = now
        self._failures_in_a_row = self._failed_probes = 0
        self._round_trip += _ROUND_TRIP_SMOOTHING * (now - sent.at - self._round_trip)
        if counted is not None:
            others = max(0, counted - sent.in_flight)
            self._counted_others += _COUNT_SMOOTHING * (others - self._counted_others)
        if sent.at >= self._cut_before_at:
            self._busy_in_a_row = 0
        if self.state in _ONE_AT_A_TIME:
            self.state = State.GROWING if self._capacity is None else State.HOLDING
            self._limit = min(self._start, float(self.most), self._capacity or self._start)
        elif self._capacity is None:
            self._limit = min(float(self.most), self._limit + 1.0)
        elif sent.at >= self._adjusted_at:
            self._adjusted_at = now
            self._adjust(self._capacity, now)

    def on_busy(
        self, sent: Sent, now: float, counted: int | None, retry_after: float | None
    ) -> None:
        """Learn of a 429: there was one request too many in flight."""
        self.in_flight -= 1
        self.busy += 1
        if sent.at >= self._cut_at:
            self._busy_in_a_row += 1
            self._cut(sent, counted, now)
            self._back_off(now, retry_after or 0.0)
        if retry_after is not None:
            self.asked_until = max(self.asked_until, now + retry_after)
            self._resume_at = max(self._resume_at, self.asked_until)

    def on_failure(self, sent: Sent, now: float) -> None:
        """Learn that a request failed in a way that may pass."""
        self.in_flight -= 1
        self._failures_in_a_row += 1
        enough = max(_OUTAGE_AFTER, self._limit if self.in_flight else 0.0)
        if self.state in _ONE_AT_A_TIME:
            enough = 1.0
        if self._failures_in_a_row >= enough and sent.at >= self._resume_at:
            self.state, self._limit = State.OUTAGE, 1.0
            self._failed_probes += 1
            pause = min(
                self._policy.longest_pause,
                self._policy.back_off(1 + self._failed_probes // _PROBES_A_PAUSE),
            )
            self._resume_at = now + pause
            _log.debug("no request succeeds: one probe at a time, the next in %.2f s", pause)

    def on_unauthorized(self, now: float) -> None:
        self.in_flight -= 1
        if self.state in _ONE_AT_A_TIME:
            self._resume_at = max(self._resume_at, now + self._policy.unauthorized_pause)

    def on_local_fault(self, sent: Sent, now: float) -> None:
        if self.in_flight == 1:
            self.on_failure(sent, now)
            return
        self.in_flight -= 1
        if sent.at >= self._fault_at:
            self._fault_at = now
            self.most = max(1, min(self.most, round(_LEFT_AFTER_LOCAL_FAULT * self.in_flight)))
        self._limit = min(self._limit, float(self.most))
        self._resume_at = max(self._resume_at, now + _FULL_AGAIN)

    def on_nothing(self) -> None:
        """Learn that a request ended without information: its connection was stale, for example."""
        self.in_flight -= 1

    def _adjust(self, capacity: float, now: float) -> None:
        """Move towards our share of the capacity, and ask for more of it when that is due."""
        if self._limit < self.most:
            capacity += self._expansion.by(now)
            self._capacity = capacity
        others = self._others
        if others:
            reserved = max(_LEAST_RESERVED_BESIDE_OTHERS, _RESERVED_BESIDE_OTHERS * capacity)
        else:
            reserved = _RESERVED * capacity
        room = capacity - reserved - others - self._limit
        if others and self._limit < _CLAIM_BELOW * others:
            self._limit += 1.0
        elif room < 0:
            self._limit += room * self._limit / (self._limit + others)
        elif others and room < reserved and self._limit > others + _YIELD_ABOVE:
            self._limit -= 0.5
        else:
            self._limit += min(room, 1.0 if others else max(1.0, self._limit / 4))
        self._limit = min(max(self._limit, 1.0), float(self.most))

    def _cut(self, sent: Sent, counted: int | None, now: float) -> None:
        """Lower capacity and limit to below what was in flight."""
        self._cut_before_at, self._cut_at = self._cut_at, now
        if self.state in _ONE_AT_A_TIME:
            return
        self.state = State.HOLDING
        others = self._others
        if counted is not None:
            total = min(counted - 1.0, self._limit + others - 1.0)
        else:
            total = max(sent.in_flight - 1.0, _WITHOUT_COUNT * self._limit) + others
        half = others + self._limit / 2
        if self._busy_in_a_row > _LOWER_LIMIT_AFTER:
            total = min(total, half)
        self._capacity = max(1.0, min(max(total, half), self._capacity or float("inf")))
        before = self._limit
        if others:
            more, less = _CUT_BESIDE_OTHERS
            self._limit = max(1.0, before * (more if before > others else less))
        else:
            self._limit = max(1.0, min(before, self._capacity * (1.0 - _RESERVED)))
        self._expansion.note_cut(before, self._limit)
        self._adjusted_at = now

    def _back_off(self, now: float, retry_after: float) -> None:
        """Hold the account back, and put off asking for more."""
        first = min(self._policy.first_back_off, max(_SHORTEST_BACK_OFF, self._round_trip / 2))
        pause = min(self._policy.longest_pause, self._policy.back_off(self._busy_in_a_row, first))
        self._resume_at = max(self._resume_at, now + pause)
        self._expansion.postpone(
            now + max(pause, retry_after), max(first, retry_after), beside_others=self._others > 0
        )
        _log.debug("429: backing off for %.2f s, then %d in flight", pause, round(self._limit))


class Limiters(dict[str, Limiter]):
    """The limiters of a client by account, made on first use, and the lock that they share."""

    def __init__(self, concurrency: int, policy: RetryPolicy) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.concurrency = concurrency
        self.policy = policy

    def __missing__(self, account_sid: str) -> Limiter:
        limiter = self[account_sid] = Limiter(self.concurrency, self.policy)
        return limiter
