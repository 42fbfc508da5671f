"""Many calls at once, on threads: every call put in comes out with one outcome; early stops."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from callkit.errors import RunStoppedError, SignInError, WrongAccountError
from callkit.fetch.concurrency import Limiters, RetryPolicy
from callkit.fetch.connection import Connection, describe
from callkit.fetch.credentials import Credentials
from callkit.fetch.pages import Key, Page, failure_of, longest_body, shown
from callkit.fetch.queue import Job, Queue
from callkit.fetch.responses import Answer, Meaning, discreet, judge
from callkit.fetch.transport import Transport
from callkit.forks import renewed_in_children
from callkit.outcomes import Failure, Outcome
from callkit.printable import printable

_log = logging.getLogger(__name__)

_TICK = 0.02  # seconds between two looks at what has arrived: batches disturb the workers less
_BATCH = 256
_JOIN_WITHIN = 1.5  # seconds
_MOST_WORKERS = 256
_SAMPLE = 20  # calls further on in the list, tried before a run ends since none was found
_LONGEST_BLINK = 1.0  # seconds between two looks at the clock; longer, and the machine was asleep


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
        self._idle = 0
        self._closed = False
        self._is_inherited = False  # from the process that this one was forked from
        self._workers: list[tuple[threading.Thread, Connection]] = []
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
        while len(self._workers) < min(most, self._queue.pending):
            connection = self._transport.connection()
            name = f"callkit-fetch-{len(self._workers)}"
            worker = threading.Thread(target=self._work, args=(connection,), name=name, daemon=True)
            try:
                worker.start()
            except RuntimeError:  # this machine has no more threads
                self._transport.release(connection)
                if self._workers:
                    return
                raise
            self._workers.append((worker, connection))

    def take(self, *, wait: bool) -> list[Outcome | Page]:
        """Return the recorded outcomes; `wait` a moment for them.

        To be called several times a second, since it also looks at the clock.
        """
        self._check_process()
        if wait and self._queue.pending:
            self._enough.wait(_TICK)
        latest = time.monotonic() - self._transport.timeout
        for _, connection in self._workers:
            # Cut off a response that takes too long: a socket time-out only notices silence.
            if connection.busy_since is not None and connection.busy_since < latest:
                connection.cut()
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

    def close(self) -> None:
        """Leave no worker behind: those that wait are woken, those that listen are cut off."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        give_up_at = time.monotonic() + _JOIN_WITHIN
        for worker, _ in self._workers:
            while worker.is_alive() and time.monotonic() < give_up_at:
                for _, connection in self._workers:
                    if connection.busy_since is not None:
                        connection.cut()
                worker.join(_TICK)

    def renew_in_child(self) -> None:
        """Leave the workers to the parent: here are neither their threads nor their connections."""
        self._is_inherited = True
        self._changed, self._enough = threading.Condition(), threading.Event()
        for _, connection in self._workers:
            connection.leave_to_parent()
        self._workers = []

    def _check_process(self) -> None:
        if self._is_inherited:
            raise RunStoppedError(
                "The process was forked during this run. Only the process that started the run can "
                "continue it; start another one here"
            )

    def discreet(self, text: str) -> str:
        return discreet(text, self._credentials)

    def _work(self, connection: Connection) -> None:
        """Fetch calls one after the other; each result is recorded when the next call is chosen."""
        job: Job | None = None
        answer: Answer | None = None
        try:
            while (job := self._next_job(connection, job, answer)) is not None:
                job.requests += 1
                path = job.key.path(job.account.sid)
                response = connection.get(path, longest_body(job.key))
                answer = judge(response, job.key, job.account.sid, job.requests, self._credentials)
                if answer.meaning is Meaning.LOCAL_FAULT:
                    self._transport.keeps_alive = False
                if _log.isEnabledFor(logging.DEBUG):
                    done = answer.outcome
                    status = done.http_status or done.message if isinstance(done, Failure) else 200
                    _log.debug(
                        "GET %s: %s", shown(job.key, job.account.sid), printable(f"{status}")
                    )
            self._transport.release(connection)
        except Exception as error:  # noqa: BLE001  (else the call would stay pending)
            connection.close()
            self._break_off(job, describe(error))

    def _next_job(
        self, connection: Connection, job: Job | None, answer: Answer | None
    ) -> Job | None:
        """Record an answer, and wait until there is something to send; None once it is all over."""
        with self._changed:
            is_cut_off = self._closed and answer is not None and isinstance(answer.outcome, Failure)
            if job is not None and is_cut_off:
                job.account.limiter.on_nothing()
            elif job is not None and answer is not None:
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
            while not self._closed:
                found = self._queue.next(time.monotonic())
                if isinstance(found, Job):
                    return found
                if not self._transport.keeps_alive:
                    connection.close()
                self._idle += 1
                # One at a time goes over a connection that was used before, where there is one.
                self._changed.wait(found if job is not None else found + _TICK)
                self._idle -= 1
        return None

    def _wake(self) -> None:
        """Wake as many idle workers as have something to send."""
        self._changed.notify(min(self._queue.sendable, self._idle))

    def _break_off(self, job: Job | None, why: str) -> None:
        with self._changed:
            self.stop.cannot_send(why)
            if job is not None:
                job.account.limiter.on_nothing()
                if not job.is_probe:
                    self._queue.record(failure_of(job.key, job.account.sid, "connection", why))
            self._queue.give_up(why)


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
