"""What ends a run early: things that would be wrong for every call."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from callkit.errors import RunStoppedError, SignInError, WrongAccountError
from callkit.fetch.responses import Meaning
from callkit.outcomes import Fetched

if TYPE_CHECKING:
    from callkit.fetch.policy import RetryPolicy
    from callkit.fetch.responses import Answer
    from callkit.outcomes import Failure

__all__ = ["StopConditions"]

_log = logging.getLogger(__name__)

_LONGEST_BLINK = 1.0  # seconds between two looks at the clock; longer, and the machine was asleep


class StopConditions:
    """Watches the answers of a run for what would be wrong for every call.

    Parameters
    ----------
    account_sid : str
        The account that signs in.
    base_url : str
        Where calls are asked for.
    patience : float
        How many seconds, awake, may pass without a success.
    policy : RetryPolicy
        How many refusals and unknown calls end a run.

    Attributes
    ----------
    error : RunStoppedError or None
        Why the run must end, as soon as that is known.
    """

    def __init__(
        self, account_sid: str, base_url: str, patience: float, policy: RetryPolicy
    ) -> None:
        self.error: RunStoppedError | None = None
        self._account_sid = account_sid
        self._where = f"{account_sid} at {base_url}"
        self._patience = patience
        self._policy = policy
        self._awake = self._last_success = 0.0
        self._looked_at = time.monotonic()
        self._last_trouble = "no response"
        self._warned = False
        self._refusals: dict[str, tuple[float, list[str | None]]] = {}
        self._some_fetched = False
        self._unknown = 0

    def saw(self, answer: Answer, account_sid: str, now: float) -> None:
        """Take note of one answer, whether or not it settles its call."""
        outcome = answer.outcome
        if answer.meaning is Meaning.FINAL:
            self._last_success = self._awake
            self._warned = False
            self._refusals.pop(account_sid, None)
            if isinstance(outcome, Fetched):
                self._some_fetched = True
            elif outcome.reason == "not_found" and account_sid == self._account_sid:
                self._note_unknown()
        elif not isinstance(outcome, Fetched):
            self._last_trouble = f"{outcome.reason}: {outcome.message}"
            if answer.meaning is Meaning.UNAUTHORIZED:
                self._note_refusal(outcome, account_sid, now)
            elif answer.no_use and not self._some_fetched:
                self.cannot_send(outcome.message)

    def look(self, *, waiting_as_asked: bool) -> None:
        """Look at the clock, several times a second, for a run that has waited for too long.

        Time asleep does not count, nor what the server has asked every call to wait.
        """
        now = time.monotonic()
        if not waiting_as_asked:
            self._awake += min(now - self._looked_at, _LONGEST_BLINK)
        self._looked_at = now
        quiet_for = self._awake - self._last_success
        if quiet_for > min(self._policy.quiet, self._patience) and not self._warned:
            self._warned = True
            _log.warning(
                "No successful response from %s in the last %g s (%s); retrying for up to %g s "
                "(Ctrl-C stops)",
                *(self._where, round(quiet_for, 1), self._last_trouble, self._patience),
            )
        if quiet_for > self._patience and self.error is None:
            self.error = RunStoppedError(
                f"no successful response from {self._where} for {self._patience:g} s; the last "
                f"attempt ended in {self._last_trouble}"
            )

    def cannot_send(self, why: str) -> None:
        """Learn that requests cannot be made at all."""
        self.error = RunStoppedError(f"requests to {self._where} cannot be made: {why}")

    def _note_refusal(self, failure: Failure, account_sid: str, now: float) -> None:
        """Count a 401; where other calls were fetched, those of one call are its own trouble."""
        since, refused = self._refusals.setdefault(account_sid, (now, []))
        refused.append(failure.sid)
        times = len(set(refused) if self._some_fetched else refused)
        lasting = now - since >= self._policy.unauthorized_for
        lasting = lasting and times >= self._policy.unauthorized_times
        if lasting and account_sid == self._account_sid:
            self.error = SignInError(f"authentication failed for {self._where}: {failure.message}")

    def _note_unknown(self) -> None:
        self._unknown += 1
        if self._unknown == self._policy.unknown_calls and not self._some_fetched:
            self.error = WrongAccountError(
                f"none of the first {self._unknown} calls is known to {self._where}: "
                "a wrong account or region?"
            )
