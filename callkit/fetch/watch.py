"""What stops a run early: things that would be wrong for every call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callkit.errors import RunStoppedError, SignInError, WrongAccountError
from callkit.outcomes import Fetched

if TYPE_CHECKING:
    from callkit.outcomes import Outcome

__all__ = ["Watch"]

_REFUSED_SIGN_INS = 3
_REFUSED_FOR = 5.0  # seconds: under load a valid sign-in is now and then refused
_UNKNOWN_FROM_THE_START = 200
_PATIENCE = 300.0  # seconds


@dataclass(slots=True)
class Watch:
    """Watches the answers of a run for what would be wrong for every call.

    Attributes
    ----------
    where : str
        Account and host, as the messages should name them.
    last_success : float
        When a call last arrived, or the run began (monotonic clock).
    stop : RunStoppedError or None
        Why the run must end, as soon as that is known.
    """

    where: str
    last_success: float
    stop: RunStoppedError | None = None
    _refused: int = 0
    _refused_since: float = 0.0
    _unknown: int = 0
    _some_known: bool = False

    def saw(self, outcome: Outcome, now: float) -> None:
        """Take note of one answer, whether or not it settles its call."""
        if isinstance(outcome, Fetched):
            self._refused = 0
            self._some_known = True
            self.last_success = now
        elif outcome.reason == "unauthorized":
            self._refuse(outcome.message, now)
        elif outcome.reason == "not_found":
            self._refused = 0
            self.last_success = now
            self._unknown += 1
            if self._unknown == _UNKNOWN_FROM_THE_START and not self._some_known:
                self.stop = WrongAccountError(
                    f"none of the first {self._unknown} calls is known to {self.where}: "
                    "a wrong account or region?"
                )
        elif now - self.last_success > _PATIENCE:
            self.stop = RunStoppedError(
                f"no call arrived from {self.where} for {_PATIENCE:.0f} s; "
                f"the last attempt ended in {outcome.reason}: {outcome.message}"
            )

    def _refuse(self, message: str, now: float) -> None:
        if self._refused == 0:
            self._refused_since = now
        self._refused += 1
        if self._refused >= _REFUSED_SIGN_INS and now - self._refused_since >= _REFUSED_FOR:
            self.stop = SignInError(f"the sign-in is refused by {self.where}: {message}")
