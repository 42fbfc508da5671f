"""Many calls at once, on threads: every call put in comes out with one outcome.

What a response means for its call is the table of :mod:`callkit.fetch.responses`; how many requests
may be in flight, that of :mod:`callkit.fetch.concurrency`. What is decided here:

- *Whose turn it is.* The accounts of a list take turns, each within its own limit. A call that is
  asked for again after a 429 comes first, one that failed alone last, so that others show whether
  it is only this one.
- *Which failures count.* A failed attempt counts against its call once something else has been
  answered since it was sent. Until then it is in doubt, since it may be the network's; it counts
  all the same when no other call is left to try.
- *What a probe asks for.* In an outage, for a call that has been answered before. Before the first
  answer, for the same call a few times, then for the next.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING, NamedTuple

from callkit.fetch.concurrency import Limiter, Sent, State
from callkit.fetch.responses import Meaning, judge
from callkit.fetch.transport import describe
from callkit.outcomes import Failure, Fetched

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from callkit.fetch.credentials import Credentials
    from callkit.fetch.policy import RetryPolicy
    from callkit.fetch.responses import Answer
    from callkit.fetch.stop import StopConditions
    from callkit.fetch.transport import Connection, Transport
    from callkit.outcomes import Outcome
    from callkit.sids import CallKey

__all__ = ["Limiters", "Pool", "Traffic", "fetch_each"]

_log = logging.getLogger(__name__)

_LOOK_AHEAD = 16_384  # calls taken from the list and not yet handed over
_READ_AT_ONCE = 256
_TICK = 0.02  # seconds between two looks at what has arrived: batches leave the workers in peace
_BATCH = 256
_JOIN_WITHIN = 1.5  # seconds
_LOOK_AGAIN = 0.25  # seconds: another run may share the limit, and wakes only its own workers
_TRIES_A_PROBE = 3
_MOST_WORKERS = 256


class Limiters:
    """The limiters of a client, one for each account, and the lock that they share."""

    def __init__(self, concurrency: int, policy: RetryPolicy) -> None:
        self.lock = threading.Lock()
        self.concurrency = concurrency
        self.policy = policy
        self._of: dict[str, Limiter] = {}

    def of(self, account_sid: str) -> Limiter:
        """Return the limiter of an account."""
        if account_sid not in self._of:
            self._of[account_sid] = Limiter(self.concurrency, self.policy)
        return self._of[account_sid]


class Traffic(NamedTuple):
    """What a run has under way, and how often it was answered 429."""

    in_flight: int
    refused: int


@dataclass(slots=True)
class _Account:
    """The calls of one account that wait for their turn."""

    sid: str
    limiter: Limiter
    waiting: deque[_Job] = field(default_factory=deque)
    known: str | None = None  # a call that has been answered

    def untried(self) -> bool:
        return any(not job.requests for job in self.waiting)


@dataclass(slots=True)
class _Job:
    """A call on its way, and what has been tried."""

    sid: str
    account: _Account
    is_probe: bool = False  # of a call that has its outcome already
    requests: int = 0
    attempts: int = 0
    doubts: int = 0  # failures in a row that may have been the network's
    was_stale: bool = False
    waits_as_asked: bool = False
    sent: Sent = field(default_factory=lambda: Sent(0.0, 0))
    last: Failure | None = None

    @property
    def path(self) -> str:
        return f"/2010-04-01/Accounts/{self.account.sid}/Calls/{self.sid}.json"


class Pool:
    """Workers that fetch calls. Put calls in, take outcomes out, and close it.

    Parameters
    ----------
    transport : Transport
        How requests are sent.
    credentials : Credentials
        Whose calls they are where the list does not say, and what no message may repeat.
    limiters : Limiters
        How many requests may be in flight for each account.
    stop : StopConditions
        What ends the run early; :attr:`StopConditions.error` then says why.
    """

    def __init__(
        self,
        transport: Transport,
        credentials: Credentials,
        limiters: Limiters,
        stop: StopConditions,
    ) -> None:
        self.stop = stop
        self.unsettled = 0
        self._transport = transport
        self._credentials = credentials
        self._limiters = limiters
        self._policy = limiters.policy
        self._changed = threading.Condition(limiters.lock)
        self._accounts: dict[str, _Account] = {}
        self._turns: deque[_Account] = deque()
        self._later: list[tuple[float, int, _Job]] = []  # a heap: first what is due first
        self._waiting_as_asked = 0  # of these, calls for which the server named the time
        self._tie = count()
        self._done: list[Outcome] = []
        self._enough = threading.Event()
        self._idle = 0
        self._closed = self._warned = False
        self._workers: list[tuple[threading.Thread, Connection]] = []

    @property
    def is_hungry(self) -> bool:
        """Whether no call waits for a worker."""
        return not any(account.waiting for account in self._turns)

    @property
    def traffic(self) -> Traffic:
        """What is under way, over all accounts."""
        limiters = [account.limiter for account in self._turns]
        in_flight = sum(limiter.in_flight for limiter in limiters)
        return Traffic(in_flight, sum(limiter.refused for limiter in limiters))

    def put(self, keys: Iterable[CallKey]) -> None:
        """Take in calls, and send the first workers off."""
        with self._changed:
            for key in keys:
                account = self._account(key.account_sid or self._credentials.account_sid)
                account.waiting.append(_Job(key.sid, account))
                self.unsettled += 1
            if self.stop.error is not None:
                self._give_up()
            self._wake()
        # Outside the lock, so that the first worker sends while the others are being started.
        most = self._limiters.concurrency * len(self._accounts)
        most = min(most, max(_MOST_WORKERS, self._limiters.concurrency))
        self._hire(min(most, self.unsettled))

    def take(self, *, wait: bool) -> list[Outcome]:
        """Hand over what has been settled; `wait` a moment for it.

        To be called several times a second, since it also looks at the clock.
        """
        if wait and self.unsettled:
            self._enough.wait(_TICK)
        self._cut_overdue()
        with self._changed:
            as_asked = 0 < self.unsettled == self._waiting_as_asked
            self.stop.look(waiting_as_asked=as_asked)
            if self.stop.error is not None:
                self._give_up()
            self._enough.clear()
            done, self._done = self._done, []
        return done

    def close(self) -> None:
        """Leave no worker behind: those that wait are woken, those that listen are cut off."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        give_up_at = time.monotonic() + _JOIN_WITHIN
        for _, connection in self._workers:
            if connection.busy_since is not None:
                connection.cut()
        for worker, _ in self._workers:
            worker.join(max(0.0, give_up_at - time.monotonic()))

    def _account(self, account_sid: str) -> _Account:
        account = self._accounts.get(account_sid)
        if account is None:
            account = _Account(account_sid, self._limiters.of(account_sid))
            self._accounts[account_sid] = account
            self._turns.append(account)
        return account

    def _hire(self, wanted: int) -> None:
        while len(self._workers) < wanted:
            connection = self._transport.connection()
            name = f"callkit-fetch-{len(self._workers)}"
            worker = threading.Thread(target=self._work, args=(connection,), name=name, daemon=True)
            try:
                worker.start()
            except RuntimeError:  # this machine has no more threads
                self._transport.release(connection)
                if not self._workers:
                    raise
                return
            self._workers.append((worker, connection))

    def _wake(self) -> None:
        """Wake as many idle workers as have something to send."""
        if self._idle:
            room = sum(min(a.limiter.room, len(a.waiting)) for a in self._turns if a.waiting)
            if room:
                self._changed.notify(min(room, self._idle))

    # What a worker does

    def _work(self, connection: Connection) -> None:
        job: _Job | None = None
        answer: Answer | None = None
        try:
            while True:
                with self._changed:
                    if job is not None and answer is not None:
                        self._receive(job, answer)
                    job = self._next_job()
                if job is None:
                    self._transport.release(connection)
                    return
                job.requests += 1
                response = connection.get(job.path)
                answer = judge(response, job.sid, job.account.sid, job.requests, self._credentials)
        except Exception as error:  # noqa: BLE001  (else the call would never be settled)
            self._break_off(job, describe(error))

    def _break_off(self, job: _Job | None, why: str) -> None:
        with self._changed:
            self.stop.cannot_send(why)
            if job is not None and not job.is_probe:
                self._settle(Failure(job.sid, job.account.sid, "connection", why))
            self._give_up()

    def _next_job(self) -> _Job | None:
        """Choose what to send next; wait until there is something; None once it is all over."""
        while not self._closed:
            now = time.monotonic()
            while self._later and self._later[0][0] <= now:
                self._put_back(heapq.heappop(self._later)[2])
            pause = min(self._later[0][0] - now, _LOOK_AGAIN) if self._later else _LOOK_AGAIN
            for account in islice(self._turns, len(self._turns)):
                self._settle_failed(account)
                if account.waiting:
                    sent = account.limiter.send(now)
                    if isinstance(sent, Sent):
                        self._turns.rotate(-1)
                        return self._take_job(account, sent)
                    pause = min(pause, sent or pause)
            self._idle += 1
            self._changed.wait(pause)
            self._idle -= 1
        return None

    def _take_job(self, account: _Account, sent: Sent) -> _Job:
        if account.limiter.state is State.OUTAGE and account.known is not None:
            job = _Job(account.known, account, is_probe=True)
        else:
            job = account.waiting.popleft()
        job.sent = sent
        return job

    def _receive(self, job: _Job, answer: Answer) -> None:
        """File an answer: with the limiter, with the stop conditions, and with its call."""
        now = time.monotonic()
        meaning = answer.meaning
        if meaning is Meaning.STALE and job.was_stale:
            meaning = Meaning.TRANSIENT
        self._inform(job, answer, meaning, now)
        self.stop.saw(answer, job.account.sid, now)
        if not job.is_probe:
            self._file(job, answer, meaning, now)
        if self.stop.error is not None:
            self._give_up()
        self._wake()

    def _inform(self, job: _Job, answer: Answer, meaning: Meaning, now: float) -> None:
        limiter = job.account.limiter
        match meaning:
            case Meaning.FINAL:
                limiter.on_answer(job.sent, now, answer.counted)
            case Meaning.BUSY:
                limiter.on_busy(job.sent, now, answer.counted, answer.retry_after)
            case Meaning.UNAUTHORIZED:
                limiter.on_unauthorized(now)
            case Meaning.TRANSIENT:
                limiter.on_failure(job.sent, now)
            case Meaning.LOCAL_FAULT:
                limiter.on_local_fault(job.sent, now)
                self._warn_of_local_fault(answer, limiter)
            case Meaning.STALE:
                limiter.on_stale_connection()

    def _file(self, job: _Job, answer: Answer, meaning: Meaning, now: float) -> None:
        """Settle the call, or have it asked for again."""
        outcome = answer.outcome
        if meaning is Meaning.FINAL or isinstance(outcome, Fetched):
            job.account.known = job.sid
            self._settle(outcome)
            return
        job.last = outcome
        match meaning:
            case Meaning.BUSY | Meaning.LOCAL_FAULT:
                job.account.waiting.appendleft(job)
            case Meaning.STALE:
                job.was_stale = True
                job.account.waiting.appendleft(job)
            case Meaning.UNAUTHORIZED:
                job.attempts += 1
                self._again(job, now, self._policy.unauthorized_pause)
            case Meaning.TRANSIENT:
                self._count_failure(job)
                as_probe = job.doubts and job.account.limiter.state is State.OUTAGE
                pause = 0.0 if as_probe else self._policy.back_off(max(1, job.attempts))
                job.waits_as_asked = (answer.retry_after or 0.0) > pause
                self._again(job, now, max(pause, answer.retry_after or 0.0))

    def _warn_of_local_fault(self, answer: Answer, limiter: Limiter) -> None:
        if isinstance(answer.outcome, Failure) and not self._warned:
            self._warned = True
            _log.warning(
                "This machine cannot open more connections (%s); going on with %d requests at once",
                *(answer.outcome.message, max(1, limiter.in_flight)),
            )

    def _count_failure(self, job: _Job) -> None:
        if job.account.limiter.answered_at < job.sent.at:
            job.doubts += 1
        else:
            job.doubts = 0
            job.attempts += 1

    def _again(self, job: _Job, now: float, pause: float) -> None:
        if job.last is not None and job.attempts >= self._policy.attempts:
            self._settle(job.last)
        else:
            self._waiting_as_asked += job.waits_as_asked
            heapq.heappush(self._later, (now + pause, next(self._tie), job))

    def _put_back(self, job: _Job) -> None:
        """Let a call wait for its turn again."""
        self._waiting_as_asked -= job.waits_as_asked
        job.waits_as_asked = False
        refused = job.last is not None and job.last.reason == "unauthorized"
        if refused or (job.doubts and job.doubts % _TRIES_A_PROBE == 0):
            job.account.waiting.append(job)
        else:
            job.account.waiting.appendleft(job)

    def _settle_failed(self, account: _Account) -> None:
        """Settle calls whose failures were in doubt, and are not any more."""
        while account.waiting and (job := account.waiting[0]).doubts:
            if account.limiter.answered_at >= job.sent.at:
                job.doubts = 0
                job.attempts += 1
            elif job.doubts < self._policy.attempts or account.untried():
                return
            if max(job.attempts, job.doubts) >= self._policy.attempts and job.last is not None:
                account.waiting.popleft()
                self._settle(job.last)

    def _settle(self, outcome: Outcome) -> None:
        self._done.append(outcome)
        self.unsettled -= 1
        if self.unsettled == 0 or len(self._done) >= _BATCH:
            self._enough.set()

    def _give_up(self) -> None:
        """Settle every call that waits, as what kept it or as one that was not attempted."""
        waiting = [job for account in self._turns for job in account.waiting]
        for job in [*waiting, *(job for _, _, job in self._later)]:
            message = f"the run ended before its turn: {self.stop.error}"
            not_tried = Failure(job.sid, job.account.sid, "not_attempted", message)
            self._settle(job.last or not_tried)
        for account in self._turns:
            account.waiting.clear()
        self._later.clear()
        self._waiting_as_asked = 0

    def _cut_overdue(self) -> None:
        """Cut off responses that drip in for ever: socket time-outs only see silence."""
        latest = time.monotonic() - self._transport.timeout
        for _, connection in self._workers:
            if connection.busy_since is not None and connection.busy_since < latest:
                connection.cut()


def fetch_each(
    pool: Pool, keys: Iterator[CallKey], *, look_ahead: int = _LOOK_AHEAD
) -> Generator[Outcome, None, None]:
    """Fetch every call of `keys`, and yield its outcome as it completes.

    Only `look_ahead` calls at most are taken from `keys` beyond what has been handed over, so that
    memory does not grow with the list.

    Raises
    ------
    SignInError, WrongAccountError, RunStoppedError
        After the last outcome, where the run ended early.
    """
    exhausted = False
    try:
        while not exhausted or pool.unsettled:
            room = min(_READ_AT_ONCE, look_ahead - pool.unsettled)
            batch = [] if exhausted else list(islice(keys, max(room, 0)))
            exhausted = exhausted or len(batch) < room
            if batch:
                pool.put(batch)
            yield from pool.take(wait=exhausted or room <= 0)
        yield from pool.take(wait=False)
        if pool.stop.error is not None:
            raise pool.stop.error
    finally:
        pool.close()
