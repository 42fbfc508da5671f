"""Many calls at once, on threads: every call put in comes out with one outcome; early stops."""

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from callkit.errors import RunStoppedError
from callkit.fetch.concurrency import Limiters
from callkit.fetch.connection import LATE, Connection, Response, describe
from callkit.fetch.credentials import Credentials
from callkit.fetch.descriptors import TOO_MANY_OPEN_FILES
from callkit.fetch.pages import Key, Page, failure_of, longest_body, shown
from callkit.fetch.queue import Job, Queue
from callkit.fetch.responses import Answer, Meaning, discreet, judge
from callkit.fetch.stop import StopConditions
from callkit.fetch.transport import Transport
from callkit.forks import renewed_in_children
from callkit.outcomes import Failure, Outcome
from callkit.printable import printable

_log = logging.getLogger(__name__)

_TICK = 0.02  # seconds between two looks at what has arrived: batches disturb the workers less
_BATCH = 256
_JOIN_WITHIN = 1.5  # seconds
_CUT_WITHIN = 1.0  # seconds: longer than a worker takes to notice; at least a time-out
_MOST_WORKERS = 256


@dataclass(slots=True, eq=False)
class _Worker:
    """A thread that fetches, and what it is fetching."""

    connection: Connection
    thread: threading.Thread = field(init=False)
    job: Job | None = None
    cut: tuple[float, float] | None = None  # the request that began then was cut off first then
    is_given_up: bool = False  # it hangs, and whatever it still brings comes too late


class Pool:
    """Workers that fetch calls. Put calls in, take outcomes out, and close it."""

    def __init__(
        self,
        transport: Transport,
        credentials: Credentials,
        limiters: Limiters,
        give_up_after: float,
        found_in: set[str],
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._concurrency = limiters.concurrency
        longest_wait = max(give_up_after, limiters.policy.longest_back_off)
        self._queue = Queue(credentials.account_sid, limiters, longest_wait)
        self.stop = StopConditions(
            *(credentials.account_sid, transport.base_url, give_up_after, limiters.policy),
            *(longest_wait, self._queue.bring_forward, found_in),
        )
        self._changed = threading.Condition(limiters.lock)
        self._enough = threading.Event()
        self._room = transport.room
        self._idle = 0
        self._closed = False
        self._is_inherited = False  # from the process that this one was forked from
        self._workers: list[_Worker] = []
        self._hanging: list[_Worker] = []
        renewed_in_children(self)

    @property
    def pending(self) -> int:
        return self._queue.pending

    @property
    def is_hungry(self) -> bool:
        with self._changed:
            return not any(account.waiting for account in self._queue.accounts.values())

    def call_seconds(self, account_sid: str) -> float | None:
        """How long a single call takes in flight, smoothed; None if none has been answered."""
        with self._changed:
            account = self._queue.accounts.get(account_sid)
            return None if account is None else account.call_seconds

    @property
    def traffic(self) -> dict[str, int]:
        """How many 429s there were, and how many requests are in flight, over all accounts."""
        with self._changed:
            limiters = [account.limiter for account in self._queue.accounts.values()]
            return {
                "429s": sum(limiter.busy for limiter in limiters),
                "in flight": sum(limiter.in_flight for limiter in limiters),
            }

    def put(self, keys: Iterable[Key], *, first: bool = False) -> None:
        """Have calls or pages fetched; with `first` before those that wait already."""
        self._check_process()
        with self._changed:
            self._queue.add(keys, first=first)
            if self.stop.error is not None:
                self._queue.give_up(self.stop.error)
            if self._idle:
                self._wake()
        # Outside the lock, so that the first worker sends while the others are being started.
        most = min(
            self._concurrency * len(self._queue.accounts), max(_MOST_WORKERS, self._concurrency)
        )
        wanted = min(most, self._queue.pending)
        if wanted > self._room:
            self._queue.note_shortage(TOO_MANY_OPEN_FILES, self._room)
        self._start_workers(min(wanted, self._room) - len(self._workers))

    def _start_workers(self, number: int) -> None:
        for _ in range(number):
            worker = _Worker(self._transport.connection())
            name = f"callkit-fetch-{len(self._workers)}"
            worker.thread = threading.Thread(
                target=self._work, args=(worker,), name=name, daemon=True
            )
            try:
                worker.thread.start()
            except (RuntimeError, MemoryError) as error:
                self._transport.release(worker.connection)
                self._do_with_fewer_threads(describe(error))
                return
            self._workers.append(worker)

    def _do_with_fewer_threads(self, why: str) -> None:
        self._room = len(self._workers)
        if self._workers:
            self._queue.note_shortage(why, self._room)
        else:
            self._break_off(None, why)

    def take(self, *, wait: bool) -> list[Outcome | Page]:
        """Return the recorded outcomes; `wait` a moment for them.

        To be called several times a second, since it also looks at the clock.
        """
        self._check_process()
        if wait and self._queue.pending:
            self._enough.wait(_TICK)
        self._cut_off_late()
        with self._changed:
            asked = self._queue.asked_to_wait(now := time.monotonic())
            self.stop.look(now, asked)
            if wait and asked is not None and self.stop.is_too_long(asked):
                self._queue.give_up_waiting(now)
            if self.stop.error is not None:
                self._queue.give_up(self.stop.error)
            self._enough.clear()
            was_full = self._queue.is_full
            done = self._queue.take()
            if was_full:
                self._wake()
        return done

    def _cut_off_late(self) -> None:
        """Cut off each response that takes too long: a socket time-out only notices silence.

        There may be nothing to cut: a user's adapter reads interim responses for ever, say. Such a
        worker is given up, and another takes its place.
        """
        now = time.monotonic()
        timeout = self._transport.timeout
        for worker in self._workers[:]:
            since = worker.connection.busy_since
            if since is not None and since < now - timeout:
                worker.connection.cut()
                if worker.cut is None or worker.cut[0] != since:
                    worker.cut = since, now
                elif now - worker.cut[1] > max(timeout, _CUT_WITHIN):
                    self._give_up_worker(worker, since)

    def _give_up_worker(self, worker: _Worker, since: float) -> None:
        """Do without a worker that has been busy `since` then, and record its call as too late."""
        with self._changed:
            job = worker.job
            if job is None or worker.connection.busy_since != since:  # it has just come back
                return
            worker.is_given_up = True
            self._workers.remove(worker)
            self._hanging.append(worker)
            self._file(job, judge(LATE, job.key, job.account.sid, job.requests, self._credentials))
        if len(self._hanging) <= _MOST_WORKERS:
            self._start_workers(1)
        elif not self._workers:
            self._break_off(None, f"{len(self._hanging)} requests do not end")

    def close(self) -> None:
        """Leave no worker behind: those that wait are woken, those that listen are cut off."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        give_up_at = time.monotonic() + _JOIN_WITHIN
        for worker in self._workers:
            while worker.thread.is_alive() and time.monotonic() < give_up_at:
                for each in self._workers:
                    if each.connection.busy_since is not None:
                        each.connection.cut()
                worker.thread.join(_TICK)

    def renew_in_child(self) -> None:
        """Leave the workers to the parent: here are neither their threads nor their connections."""
        self._is_inherited = True
        self._changed, self._enough = threading.Condition(), threading.Event()
        for worker in self._workers + self._hanging:
            worker.connection.leave_to_parent()
        self._workers, self._hanging = [], []

    def _check_process(self) -> None:
        if self._is_inherited:
            raise RunStoppedError(
                "The process was forked during this run. Only the process that started the run can "
                "continue it; start another one here"
            )

    def discreet(self, text: str) -> str:
        return discreet(text, self._credentials)

    def _work(self, worker: _Worker) -> None:
        """Fetch calls one after the other; each result is recorded when the next call is chosen."""
        answer: Answer | None = None
        try:
            while (job := self._next_job(worker, answer)) is not None:
                job.requests += 1
                path = job.key.path(job.account.sid)
                response = worker.connection.get(path, longest_body(job.key))
                answer = judge(response, job.key, job.account.sid, job.requests, self._credentials)
                if isinstance(response, Response) and _is_of_another(answer):
                    worker.connection.close()  # what comes next may be another's, too
                if answer.meaning is Meaning.LOCAL_FAULT:
                    self._transport.keeps_alive = False
                if _log.isEnabledFor(logging.DEBUG):
                    done = answer.outcome
                    status = done.http_status or done.message if isinstance(done, Failure) else 200
                    _log.debug(
                        "GET %s: %s", shown(job.key, job.account.sid), printable(f"{status}")
                    )
            self._transport.release(worker.connection)
        except Exception as error:  # noqa: BLE001  (else the call would stay pending)
            worker.connection.close()
            self._break_off(worker, self.discreet(describe(error)))

    def _next_job(self, worker: _Worker, answer: Answer | None) -> Job | None:
        """Record an answer, and wait until there is something to send; None once it is all over."""
        with self._changed:
            if worker.is_given_up:
                return None
            job, worker.job = worker.job, None
            is_cut_off = self._closed and answer is not None and isinstance(answer.outcome, Failure)
            if job is not None and is_cut_off:
                job.account.limiter.on_nothing()
            elif job is not None and answer is not None:
                self._file(job, answer)
            while not self._closed:
                found = self._queue.next(time.monotonic())
                if isinstance(found, Job):
                    worker.job = found
                    return found
                if not self._transport.keeps_alive:
                    worker.connection.close()
                self._idle += 1
                # One at a time goes over a connection that was used before, where there is one.
                self._changed.wait(found if job is not None else found + _TICK)
                self._idle -= 1
        return None

    def _file(self, job: Job, answer: Answer) -> None:
        """Record what an answer means for its call and for the run."""
        now = time.monotonic()
        self.stop.saw(answer, job.account.sid, now)
        self._queue.receive(job, answer, now)
        if self.stop.error is not None:
            self._queue.give_up(self.stop.error)
        if self._idle:
            self._wake()
        enough = 1 if isinstance(answer.outcome, Page) else _BATCH
        is_full = len(self._queue.done) >= enough or self._queue.is_full
        if is_full or self._queue.pending == 0:
            self._enough.set()

    def _wake(self) -> None:
        """Wake as many idle workers as have something to send."""
        self._changed.notify(min(self._queue.sendable, self._idle))

    def _break_off(self, worker: _Worker | None, why: str) -> None:
        with self._changed:
            if worker is not None and worker.is_given_up:
                return
            self.stop.cannot_send(why)
            job = None if worker is None else worker.job
            if job is not None:
                job.account.limiter.on_nothing()
                if not job.is_probe:
                    self._queue.record(failure_of(job.key, job.account.sid, "connection", why))
            self._queue.give_up(why)


def _is_of_another(answer: Answer) -> bool:
    return isinstance(answer.outcome, Failure) and answer.outcome.reason == "bad_response"
