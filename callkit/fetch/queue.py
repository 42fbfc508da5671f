"""The queue of calls: which call is next, which failures count, what a probe requests.

What a response means for its call is the table of :mod:`callkit.fetch.responses`; how many requests
may be in flight, that of :mod:`callkit.fetch.concurrency`. What is decided here:

- *Which call is next.* The accounts of a list alternate, each within its own limit. A call that is
  requested again after a 429 is first, one with refused credentials and a refused page last.
- *Which failures count.* A failed attempt counts against its call once something else has been
  answered since it was sent. Until then it is in doubt, since it may be the network's; it counts
  all the same when no other call is left to try. Failed probes of an outage count once at most.
- *What a probe requests.* In an outage, a call that has been answered before; a page only if no
  call has been, since lists may fail alone. Before the first answer, the same call as often as it
  may have attempts, since a server may fail the first of them for each call; then another one
  from anywhere, since calls that always fail may be neighbours.
- *What a Retry-After holds back.* That of a 429 the account, any other its call. One that is longer
  than a run waits for (`longest_wait`) holds back what it was sent for, and nothing else.
- *What a sample is.* Calls spread evenly over those that wait, requested before the others.

Nothing here waits or reads a clock: time is an argument, and the pool holds the lock.
"""

import heapq
import logging
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeGuard

from callkit.fetch.concurrency import Limiter, Limiters, Sent, State
from callkit.fetch.pages import Key, Page, PageKey, failure_of
from callkit.fetch.responses import Answer, Meaning
from callkit.outcomes import Failure, Fetched, Outcome
from callkit.sids import CallKey

_log = logging.getLogger(__name__)

_SMOOTHING = 0.05
_LEAST_SECONDS = 0.001  # clocks of some systems move in larger steps
_UNTAKEN_AT_MOST = 1 << 25  # bytes of bodies
_LOOK_AGAIN = 0.25  # seconds: another run may share a limit, and wakes only its own workers


@dataclass(slots=True, eq=False, repr=False)  # its calls lead back to it
class Account:
    sid: str
    limiter: Limiter
    waiting: "deque[Job]" = field(default_factory=deque)
    has_turn: bool = False
    known: Key | None = None  # what has been answered, and costs little
    call_seconds: float | None = None  # that a single call takes


@dataclass(slots=True)
class Job:
    """A call or a page on its way, and what has been tried."""

    key: Key
    account: Account
    sent: Sent = Sent(0.0, 0)  # noqa: RUF009  (it is immutable)
    is_probe: bool = False  # of what has its outcome already
    requests: int = 0
    attempts: int = 0
    doubts: int = 0  # failures in a row that may have been the network's
    probes: int = 0  # of these, those that were known to come at a bad time: in an outage
    was_stale: bool = False
    waits_as_asked: bool = False
    last: Failure | None = None


class Queue:
    """The calls of a run: those that wait, and in ``done`` the outcomes of the others.

    ``pending`` calls have no outcome yet. `longest_wait` is how many seconds a run waits at most
    because the server asks for it.
    """

    def __init__(self, account_sid: str, limiters: Limiters, longest_wait: float) -> None:
        self.pending = 0
        self._longest_wait = longest_wait
        self._waiting_as_asked = 0  # of those that are to be sent later
        self.done: list[Outcome | Page] = []
        self._bytes_done = 0
        self._account_sid = account_sid
        self._limiters = limiters
        self._policy = limiters.policy
        self.accounts: dict[str, Account] = {}
        self._turns: deque[Account] = deque()
        self._later: list[tuple[float, int, Job]] = []  # a heap: what is due first comes first
        self._tie = count()
        self._warned = False

    @property
    def sendable(self) -> int:
        return sum(min(each.limiter.room, len(each.waiting)) for each in self._turns)

    def add(self, keys: Iterable[Key], *, first: bool = False) -> None:
        for key in keys:
            sid = key.account_sid or self._account_sid
            account = self.accounts.get(sid)
            if account is None:
                account = self.accounts[sid] = Account(sid, self._limiters[sid])
            self._enqueue(Job(key, account), first=first)
            self.pending += 1

    def next(self, now: float) -> Job | float:
        """Choose what to send, or return after how many seconds to ask again at the latest."""
        while self._later and self._later[0][0] <= now:
            self._requeue_due(heapq.heappop(self._later)[2])
        pause = min(self._later[0][0] - now, _LOOK_AGAIN) if self._later else _LOOK_AGAIN
        if self.is_full:
            return _LOOK_AGAIN
        for _ in range(len(self._turns)):
            account = self._turns.popleft()
            if account.waiting and account.waiting[0].doubts:
                self._record_failed(account)
            account.has_turn = bool(account.waiting)
            if not account.has_turn:
                continue
            self._turns.append(account)
            sent = account.limiter.send(now)
            if isinstance(sent, Sent):
                if account.known is not None and account.limiter.state is State.OUTAGE:
                    return Job(account.known, account, sent, is_probe=True)
                job = account.waiting.popleft()
                job.sent = sent
                return job
            pause = min(pause, sent or pause)
        return pause

    def receive(self, job: Job, answer: Answer, now: float) -> None:
        """File an answer: with the limiter of its account, and with its call."""
        meaning = answer.meaning
        if meaning is Meaning.STALE and job.was_stale:
            meaning = Meaning.TRANSIENT
        limiter, outcome = job.account.limiter, answer.outcome
        job.probes += limiter.state is State.OUTAGE
        if meaning is Meaning.FINAL or not isinstance(outcome, Failure):
            limiter.on_answer(job.sent, now, answer.counted)
            if not job.is_probe:
                self._know(job)
                self.record(self._timed(outcome, job, now - job.sent.at))
            return
        self._tell_limiter(limiter, job, answer, meaning, now)
        if not job.is_probe:
            job.requests -= meaning is Meaning.LOCAL_FAULT  # none was made
            job.last = replace(outcome, attempts=job.requests)
            self._request_again(job, answer, meaning, now)

    def _know(self, job: Job) -> None:
        """Note what a probe may request from now on."""
        if isinstance(job.key, CallKey):
            job.account.known = job.key
        elif not isinstance(job.account.known, CallKey):
            job.account.known = job.key.as_probe()

    def _timed(self, outcome: Outcome | Page, job: Job, seconds: float) -> Outcome | Page:
        """Note how long a call took, and on a page how long that one did."""
        if isinstance(outcome, Page):
            return replace(outcome, seconds=max(seconds, _LEAST_SECONDS))
        if isinstance(job.key, CallKey):
            before = job.account.call_seconds
            before = seconds if before is None else before
            job.account.call_seconds = before + _SMOOTHING * (seconds - before)
        return outcome

    def bring_forward(self, account_sid: str, most: int) -> set[str]:
        """Move up to `most` waiting calls of an account, evenly spread, to the front."""
        waiting = self.accounts[account_sid].waiting
        number = min(most, len(waiting))
        places = {(nth + 1) * len(waiting) // number - 1 for nth in range(number)}
        jobs = list(waiting)
        waiting.clear()
        waiting.extend(jobs[place] for place in sorted(places))
        waiting.extend(job for place, job in enumerate(jobs) if place not in places)
        keys = (jobs[place].key for place in places)
        return {key.sid for key in keys if isinstance(key, CallKey)}

    @property
    def is_full(self) -> bool:
        """Whether so much has been fetched and not taken that nothing else is requested."""
        return self._bytes_done >= _UNTAKEN_AT_MOST

    def record(self, outcome: Outcome | Page) -> None:
        self.done.append(outcome)
        self.pending -= 1
        if isinstance(outcome, Page):
            self._bytes_done += sum(map(len, outcome.parts))
        elif isinstance(outcome, Fetched):
            self._bytes_done += len(outcome.body)

    def take(self) -> list[Outcome | Page]:
        done, self.done, self._bytes_done = self.done, [], 0
        return done

    def give_up(self, why: object) -> None:
        """Record every waiting call as failed, with its last failure or as not attempted."""
        message = f"the run ended before this was requested: {why}"
        for job in [
            *(job for account in self._turns for job in account.waiting),
            *(job for _, _, job in self._later),
        ]:
            self.record(job.last or failure_of(job.key, job.account.sid, "not_attempted", message))
        for account in self._turns:
            account.waiting.clear()
        self._later.clear()
        self._waiting_as_asked = 0

    def asked_to_wait(self, now: float) -> float | None:
        """Return for how many seconds nothing can be sent since the server asks for that, if so."""
        held = [account for account in self.accounts.values() if account.waiting]
        waiting = len(self._later) + sum(len(account.waiting) for account in held)
        if not 0 < self.pending == waiting or self._waiting_as_asked < len(self._later):
            return None
        until = [due for due, _, _ in self._later[:1]]
        until += [account.limiter.asked_until for account in held]
        return min(until) - now if min(until) > now else None

    def give_up_waiting(self, now: float) -> None:
        """Record as failed the calls that wait since the server asks for that."""
        for due, _, job in self._later:
            assert job.last is not None  # noqa: S101  (it asked to wait)
            wait = f"the server asks to wait {due - now:,.0f} s more, longer than this run does"
            self.record(replace(job.last, message=f"{job.last.message}; {wait}"))
        self._later.clear()
        self._waiting_as_asked = 0

    def _is_too_long(self, retry_after: float | None) -> TypeGuard[float]:
        return retry_after is not None and retry_after > self._longest_wait

    def _tell_limiter(
        self, limiter: Limiter, job: Job, answer: Answer, meaning: Meaning, now: float
    ) -> None:
        """Tell the limiter of a request that came to nothing."""
        match meaning:
            case Meaning.BUSY:
                wait = None if self._is_too_long(answer.retry_after) else answer.retry_after
                limiter.on_busy(job.sent, now, answer.counted, wait)
            case Meaning.UNAUTHORIZED:
                limiter.on_unauthorized(now)
            case Meaning.TRANSIENT:
                limiter.on_failure(job.sent, now)
            case Meaning.LOCAL_FAULT:
                limiter.on_local_fault(job.sent, now)
                if isinstance(answer.outcome, Failure):
                    self.note_shortage(
                        answer.outcome.message, limiter.most if limiter.in_flight else 1
                    )
            case _:
                limiter.on_nothing()

    def note_shortage(self, why: str, most: int) -> None:
        """Say, once a run, that this machine has no room for more than `most` connections."""
        if not self._warned:
            self._warned = True
            _log.warning(
                "This machine cannot open more connections (%s); continuing with up to %d %s",
                *(why, most, "requests at once" if most > 1 else "request at a time"),
            )

    def _request_again(self, job: Job, answer: Answer, meaning: Meaning, now: float) -> None:
        """Queue a call again, at once or after a pause, if it may have another attempt."""
        match meaning:
            case Meaning.UNAUTHORIZED:
                job.attempts += 1
                self._schedule(job, now, self._policy.unauthorized_pause)
            case Meaning.TRANSIENT:
                in_doubt = job.account.limiter.answered_at < job.sent.at
                job.doubts += 1
                if not in_doubt:
                    self._count_doubts(job)
                as_probe = in_doubt and job.account.limiter.state is State.OUTAGE
                pause = 0.0 if as_probe else self._policy.back_off(max(1, job.attempts))
                self._schedule(job, now, pause, answer.retry_after or 0.0)
            case Meaning.BUSY:
                self._request_after_429(job, answer, now)
            case _:
                job.was_stale = job.was_stale or meaning is Meaning.STALE
                self._enqueue(job, first=True)

    def _request_after_429(self, job: Job, answer: Answer, now: float) -> None:
        is_page = isinstance(job.key, PageKey)
        # Perhaps lists alone are refused: calls must not wait behind pages, nor for ever.
        job.attempts += is_page and isinstance(job.account.known, CallKey)
        if job.attempts >= self._policy.attempts:
            self.record(answer.outcome)
        elif self._is_too_long(answer.retry_after):
            self._schedule(job, now, 0.0, answer.retry_after)
        else:
            self._enqueue(job, first=not is_page)

    def _schedule(self, job: Job, now: float, pause: float, asked: float = 0.0) -> None:
        if job.last is not None and job.attempts >= self._policy.attempts:
            self.record(job.last)
        else:
            job.waits_as_asked = asked > pause
            self._waiting_as_asked += job.waits_as_asked
            heapq.heappush(self._later, (now + max(pause, asked), next(self._tie), job))

    def _requeue_due(self, job: Job) -> None:
        self._waiting_as_asked -= job.waits_as_asked
        job.waits_as_asked = False
        refused = job.last is not None and job.last.reason == "unauthorized"
        is_in_vain = job.doubts > 0 and job.doubts % self._policy.attempts == 0
        self._enqueue(job, first=not (refused or is_in_vain))
        if is_in_vain and job.account.known is None:
            self._probe_elsewhere(job.account.waiting)

    def _probe_elsewhere(self, waiting: "deque[Job]") -> None:
        untried = [place for place, job in enumerate(waiting) if not job.requests]
        if untried:
            place = random.choice(untried)  # noqa: S311  (a sample)
            waiting[0], waiting[place] = waiting[place], waiting[0]

    def _enqueue(self, job: Job, *, first: bool) -> None:
        account = job.account
        if first:
            account.waiting.appendleft(job)
        else:
            account.waiting.append(job)
        if not account.has_turn:
            account.has_turn = True
            self._turns.append(account)

    def _count_doubts(self, job: Job) -> None:
        """Count failures against their call, but for those of probes: these were the outage's."""
        job.attempts += max(1, job.doubts - job.probes)
        job.doubts = job.probes = 0

    def _record_failed(self, account: Account) -> None:
        """Record calls whose failures are no longer in doubt."""
        while account.waiting and (job := account.waiting[0]).doubts:
            if account.limiter.answered_at >= job.sent.at:
                self._count_doubts(job)
            elif job.attempts + job.doubts < self._policy.attempts or not all(
                other.requests for other in account.waiting
            ):
                return
            if job.attempts + job.doubts >= self._policy.attempts and job.last is not None:
                account.waiting.popleft()
                self.record(job.last)
