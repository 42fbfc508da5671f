"""What stops a run early: things that would be wrong for every call."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callkit.errors import RunStoppedError, SignInError, WrongAccountError
from callkit.fetch.answers import may_pass
from callkit.outcomes import Fetched

if TYPE_CHECKING:
    from callkit.outcomes import Outcome

__all__ = ["WakingClock", "Watch"]

_REFUSED_SIGN_INS = 3
_REFUSED_FOR = 5.0  # seconds: under load a valid sign-in is now and then refused
_UNKNOWN_FROM_THE_START = 200
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


@dataclass(slots=True)
class Watch:
    """Watches the answers of a run for what would be wrong for every call.

    Attributes
    ----------
    where : str
        Account and host, as the messages should name them.
    patience : float
        How many seconds may pass without a success.
    stop : RunStoppedError or None
        Why the run must end, as soon as that is known.
    """

    where: str
    patience: float
    stop: RunStoppedError | None = None
    _clock: WakingClock = field(default_factory=WakingClock)
    _last_success: float = 0.0
    _last_trouble: str = ""
    _refused: int = 0
    _refused_since: float = 0.0
    _unknown: int = 0
    _some_known: bool = False

    def saw(self, outcome: Outcome, now: float) -> None:
        """Take note of one answer, whether or not it settles its call."""
        if isinstance(outcome, Fetched):
            self._refused = 0
            self._some_known = True
            self._last_success = self._clock.now()
        elif outcome.reason == "unauthorized":
            self._refuse(outcome.message, now)
        elif not may_pass(outcome):
            self._refused = 0
            self._last_success = self._clock.now()
            self._unknown += outcome.reason == "not_found"
            if self._unknown == _UNKNOWN_FROM_THE_START and not self._some_known:
                self.stop = WrongAccountError(
                    f"none of the first {self._unknown} calls is known to {self.where}: "
                    "a wrong account or region?"
                )
        else:
            self._last_trouble = f"{outcome.reason}: {outcome.message}"

    def look(self) -> None:
        """Look at the clock, several times a second, and see whether patience is at an end."""
        if self._clock.now() - self._last_success > self.patience and self.stop is None:
            self.stop = RunStoppedError(
                f"nothing succeeded at {self.where} for {self.patience:g} s; the last attempt "
                f"ended in {self._last_trouble or 'no answer'}"
            )

    def _refuse(self, message: str, now: float) -> None:
        if self._refused == 0:
            self._refused_since = now
        self._refused += 1
        if self._refused >= _REFUSED_SIGN_INS and now - self._refused_since >= _REFUSED_FOR:
            self.stop = SignInError(f"the sign-in is refused by {self.where}: {message}")
