"""Many calls at once: a crowd of workers, one pace, and every call ending in one outcome."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING

from callkit.fetch.answers import concurrent_requests, judge, may_pass, retry_after
from callkit.fetch.pacing import Sent, back_off
from callkit.fetch.transport import NoAnswer, describe, innermost
from callkit.fetch.watch import Watch
from callkit.outcomes import Failure, Fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from callkit.fetch.pacing import Pace
    from callkit.fetch.transport import Answer, Line, Wire
    from callkit.outcomes import Outcome
    from callkit.sids import CallKey

__all__ = ["Run"]

_log = logging.getLogger(__name__)

_LOOK_AHEAD = 16_384  # calls taken from the list and not yet handed over
_MOUTHFUL = 256  # calls read from the list at a time, since a generator may be slow
_TICK = 0.02  # seconds between hand-overs: handfuls leave the workers in peace
_ATTEMPTS = 5
_SIGN_IN_AGAIN_AFTER = 2.0  # seconds
_JOIN_WITHIN = 1.5  # seconds
_LOOK_AGAIN = 0.25  # seconds; the pace may be shared with another run, which wakes only its own
_PROBE = -1  # the place of a request that is not in the list


@dataclass(slots=True)
class _Job:
    """A call on its way: its place in the list, and what has been tried."""

    position: int
    sid: str
    account_sid: str
    requests: int = 0
    attempts: int = 0
    doubts: int = 0  # failures in a row that may have been the network's, not the call's
    sent: Sent = field(default_factory=lambda: Sent(0.0, 0))
    last: Failure | None = None


class Run:
    """One bulk fetch: iterate over :meth:`outcomes`, once.

    A 429 is no attempt: it was not processed. Nor is a failure while nothing else succeeds; then
    one probe goes out at a time, to a call that is known to arrive, and the others wait.

    Parameters
    ----------
    wire : Wire
        How requests are sent.
    pace : Pace
        When requests may go out.
    account_sid : str
        Whose the calls are where the list does not say.
    concurrency : int
        How many workers there are at most.
    timeout : float
        How many seconds one request may take, from start to end.
    patience : float
        How many waking seconds may pass without a success.
    """

    def __init__(
        self,
        wire: Wire,
        pace: Pace,
        account_sid: str,
        *,
        concurrency: int,
        timeout: float,
        patience: float,
    ) -> None:
        self._wire = wire
        self._pace = pace
        self._account_sid = account_sid
        self._concurrency = concurrency
        self._timeout = timeout
        self._watch = Watch(account_sid, wire.base_url, patience)
        self._changed = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._later: list[tuple[float, int, _Job]] = []  # a heap: first what is due first
        self._tie = count()
        self._done: list[tuple[int, Outcome]] = []
        self._handful = threading.Event()
        self._unsettled = 0
        self._known: _Job | None = None  # a call that has arrived
        self._closed = False
        self._workers: list[tuple[threading.Thread, Line]] = []

    def outcomes(
        self,
        keys: Iterator[CallKey],
        *,
        in_order: bool = False,
        arrived: Callable[[list[Outcome]], None] | None = None,
        interrupted: Callable[[], bool] | None = None,
    ) -> Generator[Outcome, None, None]:
        """Fetch every call of `keys` and yield its outcome.

        Yields as calls complete, or in the order of `keys`. Either way only some thousand calls are
        taken from `keys` beyond what has been handed over, so memory does not grow with the list.
        `arrived` is handed what has arrived at once, several times a second, even if nothing has;
        `interrupted` is asked as often whether the user has had enough.

        Raises
        ------
        KeyboardInterrupt
            Interrupted: after everything that had arrived, with every worker gone.
        SignInError, WrongAccountError, RunStoppedError
            After the last outcome, where the run ended early.
        """
        jobs = (
            _Job(position, key.sid, key.account_sid or self._account_sid)
            for position, key in enumerate(keys)
        )
        try:
            arrivals = self._arrivals(jobs, arrived or _forget, interrupted or _never)
            for _, outcome in _by_position(arrivals) if in_order else arrivals:
                yield outcome
            if self._watch.stop is not None:
                raise self._watch.stop
        finally:
            self._close()

    def _arrivals(
        self,
        jobs: Iterator[_Job],
        arrived: Callable[[list[Outcome]], None],
        interrupted: Callable[[], bool],
    ) -> Iterator[tuple[int, Outcome]]:
        taken = settled = 0
        oldest = _Oldest()
        exhausted = False
        while not (exhausted and settled == taken):
            room = min(_MOUTHFUL, _LOOK_AHEAD - (taken - oldest.position))
            mouthful = [] if exhausted else list(islice(jobs, max(room, 0)))
            exhausted = exhausted or len(mouthful) < room
            taken += len(mouthful)
            self._put(mouthful)
            if stopping := interrupted():
                self._close()
            arrivals = self._take(wait=not stopping and (exhausted or room <= 0))
            arrived([outcome for _, outcome in arrivals])
            for arrival in arrivals:
                settled += 1
                oldest.settle(arrival[0])
                yield arrival
            if stopping:
                raise KeyboardInterrupt

    def _put(self, jobs: list[_Job]) -> None:
        with self._changed:
            self._waiting.extend(jobs)
            self._unsettled += len(jobs)
            if self._watch.stop is not None:
                self._give_up()
            else:
                self._changed.notify(len(jobs))
        # Outside the lock, so that the first worker sends while the others are being hired.
        self._hire(min(self._concurrency, self._unsettled))

    def _take(self, *, wait: bool) -> list[tuple[int, Outcome]]:
        if wait:
            self._handful.wait(_TICK)
        self._cut_overdue()
        with self._changed:
            self._watch.look()
            if self._watch.stop is not None:
                self._give_up()
            self._handful.clear()
            arrivals, self._done = self._done, []
        return arrivals

    def _hire(self, wanted: int) -> None:
        while len(self._workers) < wanted:
            line = self._wire.line()
            name = f"callkit-fetch-{len(self._workers)}"
            worker = threading.Thread(target=self._work, args=(line,), name=name, daemon=True)
            self._workers.append((worker, line))
            worker.start()

    def _work(self, line: Line) -> None:
        while (job := self._next_job()) is not None:
            try:
                self._came_back(job, line.get(job.sid, job.account_sid))
            except Exception as error:  # noqa: BLE001  (else the call would never be settled)
                self._break_off(job, describe(innermost(error)))
                return

    def _break_off(self, job: _Job, why: str) -> None:
        with self._changed:
            self._watch.broke(why)
            if job.position != _PROBE:
                self._settle(job, Failure(job.sid, job.account_sid, "connection", why))
            self._give_up()

    def _next_job(self) -> _Job | None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                while self._later and self._later[0][0] <= now:
                    self._put_back(heapq.heappop(self._later)[2])
                self._settle_exhausted()
                pause = self._later[0][0] - now if self._later else _LOOK_AGAIN
                if self._waiting:
                    sent = self._pace.send(now)
                    if isinstance(sent, Sent):
                        return self._take_job(sent)
                    pause = _LOOK_AGAIN if sent is None else sent
                self._changed.wait(pause)
        return None

    def _put_back(self, job: _Job) -> None:
        refused = job.last is not None and job.last.reason == "unauthorized"
        if refused or job.doubts:
            self._waiting.append(job)  # another call may show whether it is only this one
        else:
            self._waiting.appendleft(job)

    def _settle_exhausted(self) -> None:
        """Settle calls that have failed too often, by failures that count.

        A failure in doubt counts once something else has been answered since; or if nothing else
        is left to try.
        """
        while self._waiting and (job := self._waiting[0]).doubts:
            if self._pace.answered_at >= job.sent.at:
                job.doubts = 0
                job.attempts += 1
            elif job.doubts < _ATTEMPTS or any(not other.requests for other in self._waiting):
                return
            if max(job.attempts, job.doubts) >= _ATTEMPTS and job.last is not None:
                self._waiting.popleft()
                self._settle(job, job.last)

    def _take_job(self, sent: Sent) -> _Job:
        if self._pace.in_outage and self._known is not None:
            job = _Job(_PROBE, self._known.sid, self._known.account_sid)
        else:
            job = self._waiting.popleft()
        job.sent = sent
        return job

    def _came_back(self, job: _Job, reply: Answer | NoAnswer) -> None:
        job.requests += 1
        outcome = judge(reply, job.sid, job.account_sid, job.requests)
        with self._changed:
            now = time.monotonic()
            self._tell_pace(job, outcome, reply, now)
            self._watch.saw(outcome, now)
            if job.position != _PROBE:
                self._file(job, outcome, reply, now)
            if isinstance(reply, NoAnswer) and reply.hopeless and self._known is None:
                self._watch.broke(reply.message)
            if self._watch.stop is not None:
                self._give_up()
            self._changed.notify(max(1, self._pace.room))

    def _tell_pace(self, job: _Job, outcome: Outcome, reply: Answer | NoAnswer, now: float) -> None:
        concurrent = concurrent_requests(reply)
        if isinstance(outcome, Fetched):
            self._pace.answered(job.sent, now, concurrent)
        elif outcome.reason == "rate_limited":
            self._pace.refused(job.sent, now, concurrent, retry_after(reply))
        elif outcome.reason == "unauthorized":
            self._pace.doubted(now, _SIGN_IN_AGAIN_AFTER)
        elif may_pass(outcome):
            self._pace.failed(job.sent, now)
        else:
            self._pace.answered(job.sent, now, concurrent)

    def _file(self, job: _Job, outcome: Outcome, reply: Answer | NoAnswer, now: float) -> None:
        """Settle the call, or have it tried again."""
        if isinstance(outcome, Fetched):
            self._known = job
            self._settle(job, outcome)
            return
        job.last = outcome
        if outcome.reason == "rate_limited":
            self._waiting.appendleft(job)
        elif outcome.reason == "unauthorized":
            job.attempts += 1
            self._again(job, outcome, now + _SIGN_IN_AGAIN_AFTER)
        elif may_pass(outcome):
            in_doubt = self._pace.answered_at < job.sent.at
            job.doubts = job.doubts + 1 if in_doubt else 0
            job.attempts += not in_doubt
            pause = max(back_off(max(1, job.attempts)), retry_after(reply) or 0.0)
            self._again(job, outcome, now + pause)
        else:
            self._known = self._known or job
            self._settle(job, outcome)

    def _again(self, job: _Job, failure: Failure, at: float) -> None:
        if job.attempts >= _ATTEMPTS:
            self._settle(job, failure)
        else:
            heapq.heappush(self._later, (at, next(self._tie), job))
            _log.debug("%s: %s, attempt %d; another follows", job.sid, failure.reason, job.attempts)

    def _settle(self, job: _Job, outcome: Outcome) -> None:
        self._done.append((job.position, outcome))
        self._unsettled -= 1
        if self._unsettled == 0 or len(self._done) >= _MOUTHFUL:
            self._handful.set()

    def _give_up(self) -> None:
        for job in [*self._waiting, *(job for _, _, job in self._later)]:
            self._settle(job, _unfinished(job, str(self._watch.stop)))
        self._waiting.clear()
        self._later.clear()

    def _cut_overdue(self) -> None:
        """Cut off answers that drip in for ever: socket timeouts only see silence."""
        latest = time.monotonic() - self._timeout
        for _, line in self._workers:
            if line.busy_since is not None and line.busy_since < latest:
                line.cut()

    def _close(self) -> None:
        """Leave no worker behind: those that wait are woken, those that listen are cut off."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        give_up_at = time.monotonic() + _JOIN_WITHIN
        for _, line in self._workers:
            line.cut()
        for worker, _ in self._workers:
            worker.join(max(0.0, give_up_at - time.monotonic()))


class _Oldest:
    """The place of the first call in the list that is still under way."""

    def __init__(self) -> None:
        self.position = 0
        self._settled_beyond: set[int] = set()

    def settle(self, position: int) -> None:
        self._settled_beyond.add(position)
        while self.position in self._settled_beyond:
            self._settled_beyond.remove(self.position)
            self.position += 1


def _by_position(arrivals: Iterator[tuple[int, Outcome]]) -> Iterator[tuple[int, Outcome]]:
    """Hold arrivals back until all before them have come, or no more can come."""
    held: dict[int, Outcome] = {}
    due = 0
    try:
        for position, outcome in arrivals:
            held[position] = outcome
            while due in held:
                yield due, held.pop(due)
                due += 1
    except KeyboardInterrupt:
        yield from sorted(held.items())
        raise


def _forget(outcomes: list[Outcome]) -> None:
    """Take no note: nobody has asked."""


def _never() -> bool:
    return False


def _unfinished(job: _Job, why: str) -> Failure:
    """Say of a call that the run ended before it arrived: what kept it, if it was tried."""
    if job.last is not None:
        return job.last
    message = f"the run ended before its turn: {why}"
    return Failure(job.sid, job.account_sid, "not_attempted", message)
