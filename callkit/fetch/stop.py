"""When a run must end early, since what is wrong would be wrong for every call."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from callkit.errors import RunStoppedError, SignInError, WrongAccountError
from callkit.fetch.concurrency import RetryPolicy
from callkit.fetch.pages import Page
from callkit.fetch.responses import Answer, Meaning
from callkit.outcomes import Failure
from callkit.printable import printable

_log = logging.getLogger(__name__)

_SAMPLE = 20  # calls further on in the list, tried before a run ends since none was found
_LONGEST_BLINK = 1.0  # seconds between two looks at the clock; longer, and the machine was asleep


@dataclass(repr=False)
class StopConditions:
    """Watches the responses of a run for causes that would fail every call.

    ``error`` is why the run must end, as soon as that is known. `give_up_after` is how many seconds
    a run goes on without a success, not counting sleep, and `longest_wait` how many it waits
    besides because the server asks for it. `bring_forward` is that of the
    queue, and `found_in` has the accounts that calls were ever found in: a 404 for one of these is
    that call's alone.
    """

    account_sid: str
    base_url: str
    give_up_after: float
    policy: RetryPolicy
    longest_wait: float
    bring_forward: Callable[[str, int], set[str]]
    found_in: set[str]
    error: RunStoppedError | None = None
    _awake: float = 0.0
    _waited: float = 0.0  # since the last success, because the server asked for it
    _last_success: float = 0.0
    _looked_at: float = field(default_factory=time.monotonic)
    _last_trouble: str = "no response"
    _warned: bool = False
    _refusals: dict[str, tuple[float, list[str | None]]] = field(default_factory=dict)
    _some_answered: bool = False
    _some_found: bool = False
    _call_answered: bool = False
    _unknown: int = 0
    _sampled: int = 0
    _sample: set[str] | None = None  # those of it that have not been answered with a 404

    def saw(self, answer: Answer, account_sid: str, now: float) -> None:
        """Take note of one answer, whether or not it is the outcome of its call."""
        outcome = answer.outcome
        if answer.meaning is Meaning.FINAL:
            self._last_success = self._awake
            self._waited = 0.0
            self._warned = False
            self._refusals.pop(account_sid, None)
            self._call_answered |= not (isinstance(outcome, Page) or outcome.sid is None)
            if not isinstance(outcome, Failure):
                self._some_answered = True
                if not isinstance(outcome, Page):
                    self._some_found = True
                    self.found_in.add(account_sid)
            elif (
                outcome.sid is not None
                and outcome.reason == "not_found"
                and account_sid == self.account_sid
            ):
                self._note_unknown(outcome)
        elif isinstance(outcome, Failure):
            self._last_trouble = f"{outcome.reason}: {printable(outcome.message)}"
            if answer.meaning is Meaning.UNAUTHORIZED:
                self._note_refusal(outcome, account_sid, now)
            elif answer.no_use and not self._some_answered:
                self.cannot_send(outcome.message)

    def is_too_long(self, asked: float) -> bool:
        """Say whether a run does not wait so many seconds more that the server asks for."""
        return self._waited + asked > self.longest_wait

    def look(self, now: float, asked: float | None) -> None:
        """Look at the clock, several times a second, for a run that has waited for too long.

        Time asleep does not count, nor a time that the server has asked all calls to wait, unless
        it does so again and again: there are so many seconds `asked` left.
        """
        passed = min(now - self._looked_at, _LONGEST_BLINK)
        self._looked_at = now
        if asked is None or self.is_too_long(asked):
            self._awake += passed
        else:
            self._waited += passed
            self._say_that_it_waits(asked)
        quiet_for = self._awake - self._last_success
        if quiet_for > min(self.policy.quiet, self.give_up_after) and not self._warned:
            self._warned = True
            _log.warning(
                "No successful response from %s in the last %g s (%s); retrying for up to %g s "
                "(Ctrl-C stops)",
                *(self._where, round(quiet_for, 1), self._last_trouble, self.give_up_after),
            )
        if quiet_for > self.give_up_after and self.error is None:
            self.error = RunStoppedError(
                f"No successful response from {self._where} for {self.give_up_after:g} s; the "
                f"last attempt failed with {self._last_trouble}"
            )

    def _say_that_it_waits(self, asked: float) -> None:
        if asked > self.policy.quiet and not self._warned:
            self._warned = True
            _log.warning(
                "Waiting %.0f s for %s, as its responses ask (%s); Ctrl-C stops",
                *(asked, self._where, self._last_trouble),
            )

    def note_found(self, accounts: Iterable[str]) -> None:
        """Learn that calls of accounts exist: from a page or a cache, for example."""
        self.found_in.update(accounts)

    def cannot_send(self, why: str) -> None:
        self.error = self.error or RunStoppedError(f"Cannot send requests to {self._where}: {why}")

    def _note_refusal(self, failure: Failure, account_sid: str, now: float) -> None:
        """Count a 401; if other calls were fetched, several of one call count once.

        Where calls are answered, that of a page says only that calls may not be listed.
        """
        if failure.sid is None and self._call_answered:
            return
        since, refused = self._refusals.setdefault(account_sid, (now, []))
        refused.append(failure.sid or failure.day)
        times = len(set(refused) if self._some_answered else refused)
        lasting = now - since >= self.policy.unauthorized_for
        lasting = lasting and times >= self.policy.unauthorized_times
        if lasting and account_sid == self.account_sid:
            self.error = SignInError(f"Authentication failed for {self._where}: {failure.message}")

    def _note_unknown(self, failure: Failure) -> None:
        """Count a 404; a list in time order may begin with calls that are too old to be found."""
        self._unknown += 1
        is_proven = self._some_found or self.account_sid in self.found_in
        if is_proven or self._unknown < self.policy.unknown_calls:
            return
        if self._sample is None:
            self._sample = self.bring_forward(self.account_sid, _SAMPLE)
            self._sampled = len(self._sample)
        self._sample.discard(failure.sid or "")
        if not self._sample:
            self.error = self.error or self._nothing_found()

    def _nothing_found(self) -> WrongAccountError:
        first = self.policy.unknown_calls
        tried, which = f"the first {first} calls", ""
        if self._sampled:
            tried = f"{first + self._sampled} calls"
            which = f": the first {first}, and {self._sampled} spread over those read so far"
        return WrongAccountError(
            f"None of {tried} was found for {self._where}{which}. Check the account and the "
            "region; calls older than 13 months are available only from Bulk Export"
        )

    @property
    def _where(self) -> str:
        return f"{self.account_sid} at {self.base_url}"
