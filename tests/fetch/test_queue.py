"""Whose turn it is, which failures count and what a probe asks for, in time that is an argument."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from itertools import groupby

import pytest

from callkit.fetch.concurrency import Limiters, RetryPolicy, State
from callkit.fetch.pages import Page, PageKey, first_page
from callkit.fetch.queue import Job, Queue
from callkit.fetch.responses import Answer, Meaning
from callkit.outcomes import Failure, Fetched
from callkit.sids import CallKey
from tests.support.scripted import ACCOUNT, sid

OTHER = "AC" + "b" * 32
POLICY = RetryPolicy()
LONGEST_WAIT = 300.0


def queue_of(*keys: CallKey | PageKey, concurrency: int = 4) -> Queue:
    queue = Queue(ACCOUNT, Limiters(concurrency, POLICY), LONGEST_WAIT)
    queue.add(keys)
    return queue


def keys(*numbers: int, account_sid: str | None = None) -> list[CallKey]:
    return [CallKey(sid(number), account_sid) for number in numbers]


def sent(queue: Queue, now: float) -> Job:
    job = queue.next(now)
    assert isinstance(job, Job)
    job.requests += 1
    return job


def all_sent(queue: Queue, now: float) -> list[Job]:
    jobs = []
    while isinstance(job := queue.next(now), Job):
        job.requests += 1
        jobs.append(job)
    return jobs


def sid_of(job: Job) -> str:
    assert isinstance(job.key, CallKey)
    return job.key.sid


def found(job: Job) -> Answer:
    at = datetime(2025, 4, 1, tzinfo=UTC)
    return Answer(Fetched(sid_of(job), ACCOUNT, b"{}", None, at, job.requests), Meaning.FINAL)


def listed(job: Job) -> Answer:
    assert isinstance(job.key, PageKey)
    page = Page(job.key, [], None, None, datetime(2025, 4, 1, tzinfo=UTC), job.requests)
    return Answer(page, Meaning.FINAL)


def failed(job: Job, meaning: Meaning, retry_after: float | None = None) -> Answer:
    its_sid = job.key.sid if isinstance(job.key, CallKey) else None
    failure = Failure(its_sid, ACCOUNT, "server_error", meaning.value, attempts=job.requests)
    return Answer(failure, meaning, retry_after=retry_after)


def prove(queue: Queue, now: float = 0.0) -> None:
    """Have the first call of the queue answered."""
    job = sent(queue, now)
    queue.receive(job, found(job), now + 0.1)


def test_accounts_take_turns_each_within_its_own_limit() -> None:
    queue = queue_of(*keys(*range(9)), *keys(10, 11, 12, account_sid=OTHER), concurrency=4)
    firsts = [sent(queue, 0.0), sent(queue, 0.0)]
    assert [job.account.sid for job in firsts] == [ACCOUNT, OTHER]
    for job in firsts:
        queue.receive(job, found(job), 0.1)
    accounts = [job.account.sid for job in all_sent(queue, 0.1)]
    assert accounts == [ACCOUNT, OTHER, ACCOUNT, OTHER, ACCOUNT, ACCOUNT]


def test_a_429_of_one_account_holds_back_no_other() -> None:
    queue = queue_of(*keys(0, 1), *keys(10, 11, account_sid=OTHER))
    ours, theirs = sent(queue, 0.0), sent(queue, 0.0)
    queue.receive(ours, failed(ours, Meaning.BUSY, retry_after=60.0), 0.1)
    queue.receive(theirs, found(theirs), 0.1)
    assert [sid_of(job) for job in all_sent(queue, 1.0)] == [sid(11)]
    assert sid_of(sent(queue, 60.2)) == sid(0)


def test_a_429_is_no_attempt() -> None:
    queue = queue_of(*keys(0))
    for now in range(0, 1000, 100):
        job = sent(queue, float(now))
        queue.receive(job, failed(job, Meaning.BUSY), now + 0.1)
    assert (job.requests, job.attempts, queue.pending) == (10, 0, 1)


def test_a_failure_counts_once_another_call_has_been_answered() -> None:
    queue = queue_of(*keys(0, 1, 2))
    prove(queue)
    bad, good = all_sent(queue, 1.0)
    queue.receive(bad, failed(bad, Meaning.TRANSIENT), 1.1)
    assert (bad.attempts, bad.doubts) == (0, 1)
    queue.receive(good, found(good), 1.2)
    assert sent(queue, 10.0) is bad
    assert (bad.attempts, bad.doubts) == (1, 0)


def test_a_call_that_always_fails_is_settled_when_nothing_else_is_left() -> None:
    queue = queue_of(*keys(0))
    for now in range(0, 60 * POLICY.attempts, 60):
        job = sent(queue, float(now))
        queue.receive(job, failed(job, Meaning.TRANSIENT), now + 0.1)
    assert not isinstance(queue.next(1e6), Job)
    [failure] = queue.done
    assert isinstance(failure, Failure)
    assert failure.attempts == POLICY.attempts


def test_in_an_outage_a_probe_asks_for_a_call_that_has_been_answered() -> None:
    queue = queue_of(*keys(0, 1, 2, 3))
    prove(queue)
    jobs = all_sent(queue, 1.0)
    for job in jobs:
        queue.receive(job, failed(job, Meaning.TRANSIENT), 1.1)
    assert jobs[0].account.limiter.state is State.OUTAGE
    probe = sent(queue, 60.0)
    assert (sid_of(probe), probe.is_probe) == (sid(0), True)
    queue.receive(probe, found(probe), 60.1)
    assert queue.pending == 3
    assert {sid_of(job) for job in all_sent(queue, 60.2)} == {sid(1), sid(2), sid(3)}


def test_in_an_outage_a_probe_asks_for_a_call_even_if_a_page_was_answered_last() -> None:
    """Lists may fail alone: an outage of theirs alone must not hold up single requests."""
    queue = queue_of(*keys(0), *(first_page(ACCOUNT, date(2025, 3, n), []) for n in (1, 2, 3)))
    prove(queue)
    answered, *pages = all_sent(queue, 1.0)
    queue.receive(answered, listed(answered), 1.1)
    for page in pages:
        queue.receive(page, failed(page, Meaning.TRANSIENT), 1.2)
    queue.receive(again := sent(queue, 10.0), failed(again, Meaning.TRANSIENT), 10.1)
    assert again.account.limiter.state is State.OUTAGE
    assert sid_of(sent(queue, 60.0)) == sid(0)


def probed_in_vain(queue: Queue, times: int) -> list[str]:
    """Let every probe before the first answer fail, and list the calls that were probed."""
    asked = []
    for nth in range(times):
        job = sent(queue, 100.0 * nth)
        asked.append(sid_of(job))
        queue.receive(job, failed(job, Meaning.TRANSIENT), 100.0 * nth + 0.1)
    return asked


def test_before_the_first_answer_a_call_has_all_its_attempts_before_another_is_probed() -> None:
    asked = probed_in_vain(queue_of(*keys(0, 1, 2, 3)), 3 * POLICY.attempts)
    in_a_row = [(call, len(list(times))) for call, times in groupby(asked)]
    assert in_a_row[0] == (sid(0), POLICY.attempts)
    assert [times for _, times in in_a_row] == [POLICY.attempts] * 3


def test_before_the_first_answer_calls_from_anywhere_are_probed() -> None:
    """Calls that always fail may be neighbours: a run must not go through all of them first."""
    asked = set(probed_in_vain(queue_of(*keys(*range(1_000))), 8 * POLICY.attempts))
    assert len(asked) == 8
    assert asked != {sid(number) for number in range(8)}


@pytest.mark.parametrize("concurrency", [1, 25])
@pytest.mark.parametrize("calls", [3, 200])
@pytest.mark.parametrize(
    "script",
    [
        [Meaning.TRANSIENT],
        [Meaning.TRANSIENT] * 2,
        [Meaning.TRANSIENT] * 4,
        [Meaning.BUSY, Meaning.TRANSIENT],
        [Meaning.TRANSIENT, Meaning.BUSY, Meaning.TRANSIENT],
        [Meaning.UNAUTHORIZED, Meaning.TRANSIENT],
    ],
)
def test_a_server_that_fails_the_first_attempts_at_each_call_succeeds(
    script: list[Meaning], calls: int, concurrency: int
) -> None:
    queue = queue_of(*keys(*range(calls)), concurrency=concurrency)
    tried: Counter[str] = Counter()
    now = last = 0.0
    while queue.pending:
        now += 0.1
        for job in all_sent(queue, now):
            nth, tried[sid_of(job)] = tried[sid_of(job)], tried[sid_of(job)] + 1
            answer = failed(job, script[nth]) if nth < len(script) else found(job)
            last = now if nth >= len(script) else last
            queue.receive(job, answer, now + 0.05)
        assert now - last < 60.0
    assert [type(outcome) for outcome in queue.done] == [Fetched] * calls


def test_retry_after_of_one_call_holds_back_that_call_alone() -> None:
    queue = queue_of(*keys(0, 1, 2, 3))
    prove(queue)
    held, *others = all_sent(queue, 1.0)
    queue.receive(held, failed(held, Meaning.TRANSIENT, retry_after=3600.0), 1.1)
    for job in others:
        queue.receive(job, found(job), 1.2)
    assert not isinstance(queue.next(3000.0), Job)
    assert sent(queue, 3601.2) is held


@pytest.mark.parametrize("meaning", [Meaning.TRANSIENT, Meaning.BUSY])
def test_the_queue_is_asked_to_wait_once_nothing_else_is_left(meaning: Meaning) -> None:
    queue = queue_of(*keys(0, 1, 2))
    prove(queue)
    held, other = all_sent(queue, 1.0)
    queue.receive(held, failed(held, meaning, retry_after=200.0), 2.0)
    assert queue.asked_to_wait(2.0) is None
    queue.receive(other, found(other), 3.0)
    assert queue.asked_to_wait(3.0) == pytest.approx(199.0)
    assert sent(queue, 202.0) is held
    assert queue.asked_to_wait(202.0) is None


def test_a_call_that_is_tried_again_by_itself_waits_as_nobody_has_asked() -> None:
    queue = queue_of(*keys(0, 1, 2))
    prove(queue)
    held, other = all_sent(queue, 1.0)
    queue.receive(held, failed(held, Meaning.TRANSIENT, retry_after=200.0), 2.0)
    queue.receive(other, failed(other, Meaning.TRANSIENT), 2.0)
    assert queue.asked_to_wait(2.0) is None


@pytest.mark.parametrize("key", [*keys(1), first_page(ACCOUNT, date(2025, 3, 1), [])])
def test_a_429_that_asks_for_longer_than_a_run_waits_holds_back_no_other_call(
    key: CallKey | PageKey,
) -> None:
    queue = queue_of(*keys(0), key, *keys(2, 3))
    prove(queue)
    held, other, _ = all_sent(queue, 1.0)
    queue.receive(held, failed(held, Meaning.BUSY, retry_after=LONGEST_WAIT + 1), 1.1)
    queue.receive(other, found(other), 1.2)
    queue.add(keys(4))
    assert sid_of(sent(queue, 10.0)) == sid(4)
    assert not isinstance(queue.next(300.0), Job)
    assert sent(queue, 303.0) is held


def test_calls_that_are_waited_for_no_longer_are_failures_that_say_so() -> None:
    queue = queue_of(*keys(0))
    job = sent(queue, 0.0)
    queue.receive(job, failed(job, Meaning.TRANSIENT, retry_after=3600.0), 0.0)
    queue.give_up_waiting(100.0)
    [failure] = queue.done
    assert isinstance(failure, Failure)
    assert failure.message == (
        "transient; the server asks to wait 3,500 s more, longer than this run does"
    )
    assert queue.pending == 0


def test_a_stale_connection_is_no_attempt_once() -> None:
    queue = queue_of(*keys(0, 1))
    prove(queue)
    job = sent(queue, 1.0)
    queue.receive(job, failed(job, Meaning.STALE), 1.0)
    assert sent(queue, 1.0) is job
    assert (job.attempts, job.doubts) == (0, 0)
    queue.receive(job, failed(job, Meaning.STALE), 1.1)
    assert job.attempts + job.doubts == 1


def test_a_local_fault_lowers_what_is_in_flight_and_costs_no_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = queue_of(*keys(*range(50)), concurrency=20)
    prove(queue)
    jobs = all_sent(queue, 1.0)
    assert len(jobs) == 10
    for job in jobs[5:]:  # of one moment, and so one signal
        queue.receive(job, failed(job, Meaning.LOCAL_FAULT), 1.1)
    for job in jobs[:5]:
        queue.receive(job, found(job), 1.2)
    now, peak = 10.0, 0
    while queue.pending:
        now += 1.0
        jobs = all_sent(queue, now)
        peak = max(peak, len(jobs))
        for job in jobs:
            queue.receive(job, found(job), now + 0.1)
    assert 5 <= peak <= 8
    assert all(isinstance(outcome, Fetched) for outcome in queue.done)
    [warning] = caplog.messages
    assert warning.startswith("This machine cannot open more connections (local fault)")


def test_a_run_that_gives_up_settles_what_waits() -> None:
    queue = queue_of(*keys(0, 1, 2))
    job = sent(queue, 0.0)
    queue.receive(job, failed(job, Meaning.TRANSIENT, retry_after=60.0), 0.1)
    queue.give_up("enough")
    assert queue.pending == 0
    reasons = {o.sid: o.reason for o in queue.done if isinstance(o, Failure)}
    assert reasons == {
        sid(0): "server_error",
        sid(1): "not_attempted",
        sid(2): "not_attempted",
    }


def test_a_call_and_a_day_that_were_not_requested_say_so_in_the_same_words() -> None:
    queue = queue_of(*keys(0), first_page(ACCOUNT, date(2025, 3, 1), []))
    queue.give_up("enough")
    messages = [outcome.message for outcome in queue.done if isinstance(outcome, Failure)]
    assert messages == ["the run ended before this was requested: enough"] * 2


def test_a_refused_sign_in_lets_the_other_calls_go_first() -> None:
    queue = queue_of(*keys(0, 1, 2))
    prove(queue)
    refused, other = all_sent(queue, 1.0)
    failure = Failure(sid_of(refused), ACCOUNT, "unauthorized", "", 401, attempts=1)
    queue.receive(refused, Answer(failure, Meaning.UNAUTHORIZED), 1.1)
    queue.receive(other, found(other), 1.2)
    queue.add(keys(3))
    assert [sid_of(job) for job in all_sent(queue, 10.0)] == [sid(3), sid(1)]


def test_a_sample_is_spread_over_what_waits_and_goes_first() -> None:
    queue = queue_of(*keys(*range(101)), concurrency=100)
    prove(queue)
    sample = queue.bring_forward(ACCOUNT, 4)
    assert sample == {sid(25), sid(50), sid(75), sid(100)}
    firsts = [sid_of(sent(queue, 1.0)) for _ in range(6)]
    assert firsts == [sid(number) for number in (25, 50, 75, 100, 1, 2)]


def test_a_sample_loses_no_call_and_sends_none_twice() -> None:
    queue = queue_of(*keys(*range(10)), concurrency=1)
    queue.bring_forward(ACCOUNT, 3)
    order: list[str] = []
    while queue.pending:
        job = sent(queue, float(len(order)))
        order.append(sid_of(job))
        queue.receive(job, found(job), len(order) - 0.5)
    assert sorted(order) == [sid(number) for number in range(10)]


def test_a_sample_of_a_short_queue_is_all_that_waits() -> None:
    queue = queue_of(*keys(0, 1, 2), *keys(10, account_sid=OTHER))
    assert queue.bring_forward(ACCOUNT, 20) == {sid(0), sid(1), sid(2)}


def test_where_nothing_waits_there_is_no_sample() -> None:
    queue = queue_of(*keys(0))
    sent(queue, 0.0)
    assert queue.bring_forward(ACCOUNT, 20) == set()


def test_nothing_more_is_requested_while_much_waits_to_be_taken() -> None:
    queue = queue_of(*keys(*range(200)), concurrency=200)
    body, at = bytes(1_000_000), datetime(2025, 4, 1, tzinfo=UTC)
    prove(queue)
    for number in range(100):
        queue.record(Fetched(sid(number), ACCOUNT, body, None, at, 1))
    assert isinstance(queue.next(1.0), float)
    queue.take()
    assert isinstance(queue.next(1.0), Job)
