"""How a call goes: its status, and when it is created, starts and ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from callkit.sandbox.draws import Mix
from callkit.sandbox.rhythm import AS_OF

if TYPE_CHECKING:
    from callkit.sandbox.draws import Draws
    from callkit.sandbox.rhythm import Rhythm

__all__ = ["Course", "Kind", "course_of_dialled_leg", "course_of_parent", "course_of_single"]

Kind: TypeAlias = Literal["incoming", "outgoing", "machine"]

_INCOMING = Mix(
    {"completed": 91, "no-answer": 3, "busy": 1.5, "failed": 1.5, "canceled": 1.4}
    | {"ringing": 0.6, "in-progress": 1}
)
_OUTGOING = Mix(
    {"completed": 70, "no-answer": 13, "busy": 6, "failed": 5, "canceled": 3.4}
    | {"queued": 1, "ringing": 0.6, "in-progress": 1}
)
_PARENT = Mix({"completed": 98, "in-progress": 2})
_DIALLED = Mix({"completed": 78, "no-answer": 11, "busy": 6, "failed": 3, "canceled": 2})
_DIALLED_LIVE = Mix({"in-progress": 85, "ringing": 15})

_SPREAD = 1.15
_MEDIAN: dict[Kind, int] = {"incoming": 135, "outgoing": 55, "machine": 24}
_LONGEST = 4 * 3600
_SHORTEST_PARENT = 20
_QUEUED_SHARE = 0.3
_UNDIALLED_SHARE = 0.6
# Seconds for which an unanswered call rang before it ended.
_RINGS = {"no-answer": (15, 60), "busy": (0, 4), "failed": (0, 2), "canceled": (2, 25)}
# Seconds for which a call that has not ended has been so.
_LIVE = {"queued": (1, 300), "ringing": (1, 30), "in-progress": (60, 1800)}


@dataclass(frozen=True, slots=True)
class Course:
    """A call's status and times; `duration` and `queued` are in seconds."""

    status: str
    created: datetime
    start: datetime | None
    end: datetime | None
    duration: int | None
    queued: int
    updated: datetime


def course_of_single(draws: Draws, rhythm: Rhythm, kind: Kind, *, may_queue: bool) -> Course:
    """How a call goes that dials nobody; only calls made through the API wait in a queue."""
    status = draws.from_mix(_INCOMING if kind == "incoming" else _OUTGOING)
    queued = 0
    if may_queue and draws.chance(_QUEUED_SHARE):
        queued = min(int(draws.long_tailed(5, 1.2)) + 1, 3600)
    if status in _LIVE:
        return _live(draws, status, queued)
    return _ended(draws, status, rhythm.instant(draws), _length(draws, kind), queued)


def course_of_parent(draws: Draws, rhythm: Rhythm) -> Course:
    """How a call goes that lasts long enough to dial another."""
    status = draws.from_mix(_PARENT)
    if status in _LIVE:
        return _live(draws, status, 0)
    length = min(_length(draws, "incoming") + _SHORTEST_PARENT, _LONGEST)
    return _ended(draws, status, rhythm.instant(draws), length, 0)


def course_of_dialled_leg(draws: Draws, parent: Course) -> Course:
    """How a leg goes that `parent` dials: it starts later and ends no later."""
    start, until = parent.start, parent.end or AS_OF
    assert start is not None  # noqa: S101 - a call that dials has started
    greeting = draws.between(2, min(20, int((until - start).total_seconds()) // 2))
    start += timedelta(seconds=greeting)
    if parent.end is None:
        return _in_flight(draws.from_mix(_DIALLED_LIVE), start, 0)
    longest = int((until - start).total_seconds())
    status = draws.from_mix(_DIALLED)
    seconds = longest - draws.between(0, 3) if status == "completed" else _rings(draws, status)
    return _over(draws, status, start, min(seconds, longest), 0)


def _length(draws: Draws, kind: Kind) -> int:
    return min(int(draws.long_tailed(_MEDIAN[kind], _SPREAD)) + 1, _LONGEST)


def _rings(draws: Draws, status: str) -> int:
    return draws.between(*_RINGS[status])


def _live(draws: Draws, status: str, queued: int) -> Course:
    since = AS_OF - timedelta(seconds=draws.between(*_LIVE[status]))
    if status == "queued":
        return Course(status, since, None, None, None, 0, since)
    return _in_flight(status, since, queued)


def _in_flight(status: str, start: datetime, queued: int) -> Course:
    created = start - timedelta(seconds=queued)
    return Course(status, created, start, None, None, queued, start)


def _ended(draws: Draws, status: str, start: datetime, length: int, queued: int) -> Course:
    if status == "canceled" and draws.chance(_UNDIALLED_SHARE):
        given_up = min(start + timedelta(seconds=queued), AS_OF)
        return Course(status, start, None, None, 0, queued, given_up)
    seconds = length if status == "completed" else _rings(draws, status)
    # What would end after the sandbox's now began a little earlier.
    start = min(start, AS_OF - timedelta(seconds=seconds + draws.between(10, 600)))
    return _over(draws, status, start, seconds, queued)


def _over(draws: Draws, status: str, start: datetime, seconds: int, queued: int) -> Course:
    end = start + timedelta(seconds=seconds)
    return Course(
        status=status,
        created=start - timedelta(seconds=queued),
        start=start,
        end=end,
        duration=seconds if status == "completed" else 0,
        queued=queued,
        updated=min(end + timedelta(seconds=draws.between(0, 5)), AS_OF),
    )
