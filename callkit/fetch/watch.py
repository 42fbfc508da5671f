"""What stops a run early: things that would be wrong for every call."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callkit.errors import RunStoppedError, SignInError, WrongAccountError
from callkit.fetch.answers import may_pass
from callkit.outcomes import Fetched

if TYPE_CHECKING:
    from callkit.outcomes import Failure, Outcome

__all__ = ["WakingClock", "Watch"]

_log = logging.getLogger(__name__)

_REFUSED_SIGN_INS = 3
_REFUSED_FOR = 5.0  # seconds: under load a valid sign-in is now and then refused
_UNKNOWN_FROM_THE_START = 200
_SILENT_FOR = 10.0  # seconds without a success, of which whoever waits would like to know
_LONGEST_BLINK = 1.0  # seconds between two looks at the clock; longer, and we were asleep


@dataclass(slots=True)
class WakingClock:
    """Counts the seconds that this process was awake: a closed lid is not impatience."""

    _awake: float = 0.0
    _looked_at: float = field(default_factory=time.monotonic)

    def now(self) -> float:
        """Return the seconds awake. To be called several times a second."""
        now = time.monotonic()
        self._awake += min(now - self._looked_at, _LONGEST_BLINK)
        self._looked_at = now
        return self._awake


class _Refusals:
    """The 401s of one account since a call of it last arrived."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._times = 0
        self._calls: set[str | None] = set()

    def add(self, sid: str | None, now: float, *, some_arrived: bool) -> bool:
        """Count one, and say whether the account is hopeless.

        Where other calls had arrived, one call that is refused again and again is its own trouble.
        """
        self._times += 1
        self._calls.add(sid)
        times = len(self._calls) if some_arrived else self._times
        return times >= _REFUSED_SIGN_INS and now - self._since >= _REFUSED_FOR


class Watch:
    """Watches the answers of a run for what would be wrong for every call.

    Parameters
    ----------
    account_sid : str
        Whose calls they are where the list does not say: the account that signs in.
    base_url : str
        Where they are asked for.
    patience : float
        How many waking seconds may pass without a success.

    Attributes
    ----------
    stop : RunStoppedError or None
        Why the run must end, as soon as that is known.
    """

    def __init__(self, account_sid: str, base_url: str, patience: float) -> None:
        self.stop: RunStoppedError | None = None
        self._account_sid = account_sid
        self._where = f"{account_sid} at {base_url}"
        self._patience = patience
        self._clock = WakingClock()
        self._last_success = 0.0
        self._last_trouble = "no answer"
        self._told = False
        self._refusals: dict[str | None, _Refusals] = {}
        self._some_arrived = False
        self._unknown = 0

    def saw(self, outcome: Outcome, now: float) -> None:
        """Take note of one answer, whether or not it settles its call."""
        if isinstance(outcome, Fetched):
            self._some_arrived = True
            self._note_success(outcome)
        elif outcome.reason == "unauthorized":
            self._note_refusal(outcome, now)
        elif may_pass(outcome):
            self._last_trouble = f"{outcome.reason}: {outcome.message}"
        else:
            self._note_success(outcome)
            if outcome.reason == "not_found" and outcome.account_sid == self._account_sid:
                self._note_unknown()

    def look(self) -> None:
        """Look at the clock, several times a second, and see whether patience is at an end."""
        silent_for = self._clock.now() - self._last_success
        if silent_for > min(_SILENT_FOR, self._patience) and not self._told:
            self._told = True
            _log.warning(
                "nothing succeeds at %s (%s); trying for %g s, unless interrupted",
                *(self._where, self._last_trouble, self._patience),
            )
        if silent_for > self._patience and self.stop is None:
            self.stop = RunStoppedError(
                f"nothing succeeded at {self._where} for {self._patience:g} s; the last attempt "
                f"ended in {self._last_trouble}"
            )

    def broke(self, why: str) -> None:
        """Learn that requests cannot even be made."""
        self.stop = RunStoppedError(f"requests to {self._where} cannot be made: {why}")

    def _note_success(self, outcome: Outcome) -> None:
        self._last_success = self._clock.now()
        self._told = False
        self._refusals.pop(outcome.account_sid, None)

    def _note_refusal(self, failure: Failure, now: float) -> None:
        self._last_trouble = f"{failure.reason}: {failure.message}"
        refusals = self._refusals.setdefault(failure.account_sid, _Refusals(now))
        hopeless = refusals.add(failure.sid, now, some_arrived=self._some_arrived)
        if hopeless and failure.account_sid == self._account_sid:
            self.stop = SignInError(f"the sign-in is refused by {self._where}: {failure.message}")

    def _note_unknown(self) -> None:
        self._unknown += 1
        if self._unknown == _UNKNOWN_FROM_THE_START and not self._some_arrived:
            self.stop = WrongAccountError(
                f"none of the first {self._unknown} calls is known to {self._where}: "
                "a wrong account or region?"
            )
