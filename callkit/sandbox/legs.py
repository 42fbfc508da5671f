"""One leg: which way it went, between whom, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callkit.sandbox.course import course_of_dialled_leg, course_of_parent, course_of_single
from callkit.sandbox.draws import Mix
from callkit.sandbox.parties import agent, stranger, withheld_caller

if TYPE_CHECKING:
    from callkit.sandbox.accounts import Account
    from callkit.sandbox.course import Course, Kind
    from callkit.sandbox.draws import Draws
    from callkit.sandbox.parties import Party

__all__ = ["Leg", "dialled_leg", "parent_leg", "single_leg"]

_DIRECTIONS = Mix(
    {"inbound": 36, "outbound-api": 44, "trunking-originating": 9, "trunking-terminating": 11}
)
_PARENT_DIRECTIONS = Mix({"inbound": 86, "outbound-api": 14})
_INCOMING = ("inbound", "trunking-originating")
_WITHHELD_SHARE = 0.06
_OWN_CALLER_ID_SHARE = 0.5
_DETECTION_SHARE = 0.4
_ANSWERERS = Mix(
    {"human": 52, "machine_start": 20, "machine_end_beep": 10, "machine_end_silence": 4}
    | {"machine_end_other": 3, "machine": 3, "fax": 2, "unknown": 6}
)
_ANSWERED = ("completed", "in-progress")


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of a call."""

    direction: str
    caller: Party
    callee: Party
    course: Course
    answered_by: str | None = None

    @property
    def is_incoming(self) -> bool:
        """Whether the account was called."""
        return self.direction in _INCOMING

    @property
    def phone_number_sid(self) -> str | None:
        """The account's own number at one end of the leg, if there is one."""
        return self.caller.phone_number_sid or self.callee.phone_number_sid


def single_leg(draws: Draws, account: Account) -> Leg:
    """Make a call that dials nobody."""
    direction = draws.from_mix(_DIRECTIONS)
    is_api = direction == "outbound-api"
    caller, callee = _ends(draws, account, is_incoming=direction in _INCOMING)
    answerer = draws.from_mix(_ANSWERERS) if is_api and draws.chance(_DETECTION_SHARE) else None
    course = course_of_single(draws, account.rhythm, _kind(direction, answerer), may_queue=is_api)
    is_answered = course.status in _ANSWERED
    return Leg(direction, caller, callee, course, answerer if is_answered else None)


def parent_leg(draws: Draws, account: Account) -> Leg:
    """Make a call that dials another leg."""
    direction = draws.from_mix(_PARENT_DIRECTIONS)
    caller, callee = _ends(draws, account, is_incoming=direction in _INCOMING)
    return Leg(direction, caller, callee, course_of_parent(draws, account.rhythm))


def dialled_leg(draws: Draws, account: Account, parent: Leg) -> Leg:
    """Make the leg that `parent` dials, to somebody who works for the account.

    It shows either the account's number or, as Twilio does by default, who called the account.
    """
    shows_own_number = parent.is_incoming and draws.chance(_OWN_CALLER_ID_SHARE)
    caller = parent.callee if shows_own_number else parent.caller
    callee = agent(draws, account.reach)
    return Leg("outbound-dial", caller, callee, course_of_dialled_leg(draws, parent.course))


def _ends(draws: Draws, account: Account, *, is_incoming: bool) -> tuple[Party, Party]:
    # The square makes the first numbers the busiest.
    own = account.own_numbers[int(draws.share() ** 2 * len(account.own_numbers))]
    if not is_incoming:
        return own, stranger(draws, account.reach)
    if draws.chance(_WITHHELD_SHARE):
        return withheld_caller(draws), own
    return stranger(draws, account.reach), own


def _kind(direction: str, answerer: str | None) -> Kind:
    if direction in _INCOMING:
        return "incoming"
    return "outgoing" if answerer in (None, "human", "unknown") else "machine"
