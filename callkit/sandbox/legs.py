"""One leg: which way it goes, between whom, and its course from creation to price.

A course is drawn once, whatever the time; what the API shows of it at a time is its :class:`Stage`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from callkit.sandbox.accounts import AGENTS, STRANGERS, Account, Party, party
from callkit.sandbox.draws import AS_OF, Draws, Mix

_DIRECTIONS = Mix(
    {"inbound": 36, "outbound-api": 44, "trunking-originating": 9, "trunking-terminating": 11}
)
_PARENT_DIRECTIONS = Mix({"inbound": 86, "outbound-api": 14})
_INCOMING = ("inbound", "trunking-originating")
_ANSWERERS = Mix(
    {"human": 52, "machine_start": 20, "machine_end_beep": 10, "machine_end_silence": 4}
    | {"machine_end_other": 3, "machine": 3, "fax": 2, "unknown": 6}
)

_IN = Mix({"completed": 91, "no-answer": 3, "busy": 1.5, "failed": 1.5, "canceled": 1.4})
_OUT = Mix({"completed": 70, "no-answer": 13, "busy": 6, "failed": 5, "canceled": 3.4})
_DIALLED = Mix({"completed": 78, "no-answer": 11, "busy": 6, "failed": 3, "canceled": 2})
_MEDIAN_IN, _MEDIAN_OUT, _MEDIAN_MACHINE = 135, 55, 24  # seconds
LONGEST = timedelta(hours=4)
LONGEST_IN_QUEUE = timedelta(hours=1)
_LONGEST = int(LONGEST.total_seconds())
_LONGEST_IN_QUEUE = int(LONGEST_IN_QUEUE.total_seconds())
# Seconds for which a call rings before it is answered, or ends in one of the other ways.
_RINGS = {"completed": (2, 20), "no-answer": (15, 60), "busy": (0, 4)}
_RINGS |= {"failed": (0, 2), "canceled": (2, 25)}


class Stage(NamedTuple):
    """What shows of a course at a time; `duration` is in seconds."""

    status: str
    start: datetime | None
    end: datetime | None
    duration: int | None
    updated: datetime
    is_priced: bool = False


@dataclass(frozen=True, slots=True)
class Course:
    """How a call goes; all but its two instants are in seconds.

    `start` is when it is dialled, after `queued` seconds in the queue; a call that is not
    `dialled` is cancelled then. It rings for `rings` seconds and ends `lasts` seconds after its
    start, with the status `outcome`. The record is updated `settles` seconds later, and
    `priced_after` seconds after the end it has a price, if it is to have one.
    """

    start: datetime
    queued: int
    outcome: str
    rings: int
    lasts: int
    settles: int
    dialled: bool = True
    priced_after: float | None = None

    @property
    def created(self) -> datetime:
        return self.start - timedelta(seconds=self.queued)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.lasts)

    def at(self, now: datetime) -> Stage:
        if now < self.start:
            return Stage("queued", None, None, None, self.created)
        if not self.dialled:
            return Stage(self.outcome, None, None, 0, self.start)
        age = (now - self.start).total_seconds()
        if age < self.lasts:
            status = "ringing" if age < self.rings else "in-progress"
            return Stage(status, self.start, None, None, self.start)
        updated = min(self.end + timedelta(seconds=self.settles), now)
        duration = self.lasts if self.outcome == "completed" else 0
        priced = self.priced_after is not None and age >= self.lasts + self.priced_after
        return Stage(self.outcome, self.start, self.end, duration, updated, priced)


class Leg(NamedTuple):
    direction: str
    caller: Party
    callee: Party
    course: Course
    answerer: str | None = None

    @property
    def is_incoming(self) -> bool:
        return self.direction in _INCOMING


def single_leg(draws: Draws, account: Account, start: datetime) -> Leg:
    # What starts after AS_OF has been created before: only calls made through the API can wait.
    direction = draws.from_mix(_DIRECTIONS) if start <= AS_OF else "outbound-api"
    is_api = direction == "outbound-api"
    is_incoming = direction in _INCOMING
    caller, callee = _ends(draws, account, is_incoming=is_incoming)
    answerer = draws.from_mix(_ANSWERERS) if is_api and draws.chance(0.4) else None
    outcome = draws.from_mix(_IN if is_incoming else _OUT)
    median = _MEDIAN_OUT if answerer in (None, "human", "unknown") else _MEDIAN_MACHINE
    length = _length(draws, _MEDIAN_IN if is_incoming else median)
    queued = _queued(draws, start) if is_api else 0
    course = _course(draws, start, outcome, length, queued=queued)
    return Leg(direction, caller, callee, course, answerer)


def parent_leg(draws: Draws, account: Account, start: datetime) -> Leg:
    """Make a call that lasts long enough to dial another leg."""
    direction = draws.from_mix(_PARENT_DIRECTIONS)
    caller, callee = _ends(draws, account, is_incoming=direction in _INCOMING)
    length = min(20 + _length(draws, _MEDIAN_IN), _LONGEST)
    return Leg(direction, caller, callee, _course(draws, start, "completed", length))


def dialled_leg(draws: Draws, account: Account, parent: Leg, latest: datetime) -> Leg:
    """Make the leg that `parent` dials by `latest`, to somebody who works for the account.

    It starts within its parent and ends no later. It shows either the account's number or, as
    Twilio does by default, who called the account.
    """
    shows_own_number = parent.is_incoming and draws.chance(0.5)
    caller = parent.callee if shows_own_number else parent.caller
    callee = party(draws, draws.from_mix(AGENTS), account.reach)
    greeting = timedelta(seconds=draws.between(2, min(20, parent.course.lasts // 2)))
    start = min(parent.course.start + greeting, latest)
    longest = int((parent.course.end - start).total_seconds())
    outcome, length = draws.from_mix(_DIALLED), longest - draws.between(0, 3)
    course = _course(draws, start, outcome, length, longest=longest, dials_at_once=True)
    return Leg("outbound-dial", caller, callee, course)


def _course(
    draws: Draws,
    start: datetime,
    outcome: str,
    length: int,
    *,
    longest: int = _LONGEST,
    queued: int = 0,
    dials_at_once: bool = False,
) -> Course:
    if outcome == "completed":
        rings = min(draws.between(*_RINGS[outcome]), length // 2)
        never_priced = draws.chance(0.001)
        hours = draws.long_tailed(median=12, spread=0.9)
        settles = draws.between(0, 5)
        priced_after = None if never_priced else 3600 * hours
        return Course(start, queued, outcome, rings, length, settles, priced_after=priced_after)
    dialled = dials_at_once or outcome != "canceled" or not draws.chance(0.6)
    rings = min(draws.between(*_RINGS[outcome]), longest)
    return Course(start, queued, outcome, rings, rings, draws.between(0, 5), dialled)


def _length(draws: Draws, median: int) -> int:
    return min(int(draws.long_tailed(median, spread=1.15)) + 1, _LONGEST)


def _queued(draws: Draws, start: datetime) -> int:
    if start > AS_OF:
        return int((start - AS_OF).total_seconds()) + draws.between(1, 300)
    if not draws.chance(0.3):
        return 0
    return min(int(draws.long_tailed(median=5, spread=1.2)) + 1, _LONGEST_IN_QUEUE)


def _ends(draws: Draws, account: Account, *, is_incoming: bool) -> tuple[Party, Party]:
    # The square makes the first numbers the busiest.
    own = account.own_numbers[int(draws.share() ** 2 * len(account.own_numbers))]
    if not is_incoming:
        return own, party(draws, draws.from_mix(STRANGERS), account.reach)
    channel = "withheld" if draws.chance(0.06) else draws.from_mix(STRANGERS)
    return party(draws, channel, account.reach), own
