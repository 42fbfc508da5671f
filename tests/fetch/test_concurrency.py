"""The limiter, in simulated time: no clock is read and nothing is waited for."""

from __future__ import annotations

import random

import pytest

from callkit.fetch.concurrency import Limiter, RetryPolicy, Sent, State
from tests.fetch.simulator import Simulation

POLICY = RetryPolicy()


@pytest.fixture(autouse=True)
def _same_dice() -> None:
    random.seed(5)


def in_flight_at_once(limiter: Limiter, now: float) -> list[Sent]:
    sent = []
    while isinstance(one := limiter.send(now), Sent):
        sent.append(one)
    return sent


def answer(limiter: Limiter, sent: list[Sent], now: float) -> None:
    for one in sent:
        limiter.on_answer(one, now, None)


def test_one_call_proves_the_sign_in_before_the_crowd_starts() -> None:
    limiter = Limiter(100, POLICY)
    first = in_flight_at_once(limiter, 0.0)
    assert len(first) == 1
    answer(limiter, first, 0.1)
    assert len(in_flight_at_once(limiter, 0.1)) > 1


def test_a_401_before_that_lets_nobody_else_try_it() -> None:
    limiter = Limiter(100, POLICY)
    in_flight_at_once(limiter, 0.0)
    limiter.on_unauthorized(0.1)
    assert limiter.send(0.1) == pytest.approx(2.0)
    assert isinstance(limiter.send(2.2), Sent)


def test_in_flight_starts_low_and_doubles_every_round_trip_up_to_concurrency() -> None:
    limiter = Limiter(100, POLICY)
    sizes = []
    for round_trip in range(5):
        sent = in_flight_at_once(limiter, round_trip * 0.1)
        sizes.append(len(sent))
        answer(limiter, sent, (round_trip + 1) * 0.1)
    assert sizes == [1, 50, 100, 100, 100]


def test_a_429_holds_everybody_back() -> None:
    limiter = Limiter(100, POLICY)
    answer(limiter, in_flight_at_once(limiter, 0.0), 0.1)
    sent = in_flight_at_once(limiter, 0.1)
    limiter.on_busy(sent[0], 0.2, None, None)
    answer(limiter, sent[1:], 0.2)
    pause = limiter.send(0.2)
    assert isinstance(pause, float)
    assert pause > 0


def test_retry_after_is_obeyed() -> None:
    limiter = Limiter(100, POLICY)
    answer(limiter, in_flight_at_once(limiter, 0.0), 0.1)
    sent = in_flight_at_once(limiter, 0.1)
    limiter.on_busy(sent[0], 0.2, None, 7.0)
    answer(limiter, sent[1:], 0.3)
    assert limiter.send(0.3) == pytest.approx(6.9)


def test_many_429s_in_one_round_trip_are_one_signal() -> None:
    once, often = Limiter(100, POLICY), Limiter(100, POLICY)
    for limiter, refusals in ((once, 1), (often, 20)):
        random.seed(5)
        answer(limiter, in_flight_at_once(limiter, 0.0), 0.1)
        sent = in_flight_at_once(limiter, 0.1)
        for one in sent[:refusals]:
            limiter.on_busy(one, 0.2, 25, None)
        answer(limiter, sent[refusals:], 0.2)
    assert once.send(0.2) == often.send(0.2)
    assert len(in_flight_at_once(once, 60.0)) == len(in_flight_at_once(often, 60.0))


def test_when_nothing_succeeds_one_probe_goes_out_at_a_time() -> None:
    limiter = Limiter(100, POLICY)
    answer(limiter, in_flight_at_once(limiter, 0.0), 0.1)
    for one in in_flight_at_once(limiter, 0.1):
        limiter.on_failure(one, 0.2)
    assert limiter.state is State.OUTAGE
    assert len(in_flight_at_once(limiter, 10.0)) == 1


def test_probes_come_ever_more_rarely_but_every_few_seconds() -> None:
    limiter, now, pauses = Limiter(100, POLICY), 0.0, []
    for _ in range(20):
        [probe] = in_flight_at_once(limiter, now)
        limiter.on_failure(probe, now)
        pause = limiter.send(now)
        assert isinstance(pause, float)
        pauses.append(pause)
        now += pause
    assert pauses[0] <= 0.25
    assert 2.5 <= pauses[-1] <= 5.0


def test_one_success_ends_an_outage() -> None:
    limiter = Limiter(100, POLICY)
    for now in (0.0, 10.0):
        [probe] = in_flight_at_once(limiter, now)
        limiter.on_failure(probe, now)
    answer(limiter, in_flight_at_once(limiter, 60.0), 60.1)
    assert limiter.state is not State.OUTAGE
    assert len(in_flight_at_once(limiter, 60.1)) > 1


def holding(limiter: Limiter, at: int) -> float:
    """Bring a limiter to hold just below `at` requests in flight; return the time."""
    now = 0.0
    while limiter.state is not State.HOLDING:
        now += 10.0
        sent = in_flight_at_once(limiter, now)
        for one in sent[at:]:
            limiter.on_busy(one, now + 0.05, at + 1, None)
        answer(limiter, sent[:at], now + 0.1)
    return now + 10.0


def test_after_an_outage_the_known_capacity_is_not_overstepped() -> None:
    limiter = Limiter(100, POLICY)
    now = holding(limiter, at=10)
    for one in in_flight_at_once(limiter, now):
        limiter.on_failure(one, now + 0.1)
    assert limiter.state is State.OUTAGE
    answer(limiter, in_flight_at_once(limiter, now + 60), now + 60.1)
    assert 5 <= len(in_flight_at_once(limiter, now + 60.1)) <= 30


def test_failures_of_requests_sent_before_an_outage_do_not_lengthen_its_pause() -> None:
    limiter = Limiter(4, POLICY)
    answer(limiter, in_flight_at_once(limiter, 0.0), 0.1)
    answer(limiter, in_flight_at_once(limiter, 0.1), 0.2)
    first, *others = in_flight_at_once(limiter, 0.2)
    for one in (*others, first):
        limiter.on_failure(one, 0.3)
    before = limiter.send(0.3)
    late = [Sent(0.2, 1)] * 20
    limiter.in_flight += len(late)
    for one in late:
        limiter.on_failure(one, 0.3)
    assert limiter.send(0.3) == before


def test_a_local_fault_with_nothing_else_in_flight_is_a_failure() -> None:
    limiter = Limiter(100, POLICY)
    for now in (0.0, 10.0):
        [probe] = in_flight_at_once(limiter, now)
        limiter.on_local_fault(probe, now)
        assert limiter.state is State.OUTAGE
        assert isinstance(limiter.send(now), float)
    assert limiter.in_flight == 0


def test_a_local_fault_leaves_the_machine_a_moment() -> None:
    limiter = Limiter(100, POLICY)
    answer(limiter, in_flight_at_once(limiter, 0.0), 0.1)
    sent = in_flight_at_once(limiter, 0.1)
    limiter.on_local_fault(sent[0], 0.2)
    answer(limiter, sent[1:], 0.2)
    assert isinstance(limiter.send(0.2), float)
    assert limiter.most < len(sent)


def test_single_failures_among_successes_are_no_outage() -> None:
    limiter = Limiter(10, POLICY)
    for now in range(50):
        sent = in_flight_at_once(limiter, float(now))
        limiter.on_failure(sent[0], now + 0.1) if len(sent) > 1 else None
        answer(limiter, sent[1:] or sent, now + 0.2)
    assert limiter.state is not State.OUTAGE


@pytest.mark.parametrize("tells", [True, False], ids=["header", "no header"])
@pytest.mark.parametrize("retry_after", [None, 1.0], ids=["no Retry-After", "Retry-After"])
@pytest.mark.parametrize("latency", [0.05, 0.1])
def test_a_limit_is_used_up_and_hardly_overstepped(
    latency: float, retry_after: float | None, tells: bool
) -> None:
    simulation = Simulation(lambda _: 40, latency, retry_after=retry_after, tells=tells)
    simulation.run(100, calls=20_000)
    [client] = simulation.clients
    assert client.arrived / simulation.now >= (0.90 if tells else 0.80) * 40 / latency
    assert client.refused <= 0.02 * (client.arrived + client.refused)


def test_a_limit_that_moves_is_followed_both_ways() -> None:
    simulation = Simulation(lambda now: 40 if now < 10 else 10 if now < 20 else 80, 0.05)
    simulation.run(100, seconds=30)
    [client] = simulation.clients
    rates = [client.per_second[second] for second in range(30)]
    assert min(rates[3:10]) >= 0.85 * 800
    assert min(rates[13:20]) >= 0.85 * 200
    assert max(rates[11:20]) <= 200
    assert min(rates[25:30]) >= 0.85 * 1600


def test_two_on_one_limit_share_it() -> None:
    simulation = Simulation(lambda _: 40, 0.05)
    simulation.run(100, 100, seconds=30)
    arrived = [client.arrived for client in simulation.clients]
    assert min(arrived) >= sum(arrived) / 3
    assert sum(arrived) >= 0.80 * 30 * 800


def test_one_that_comes_later_gets_its_share() -> None:
    simulation = Simulation(lambda _: 40, 0.05)
    simulation.run(100, 100, seconds=40, apart=10)
    late = [client.per_second for client in simulation.clients]
    shares = [sum(rates[second] for second in range(20, 40)) for rates in late]
    assert min(shares) >= sum(shares) / 3


def test_others_keep_their_share_and_meet_next_to_no_429s() -> None:
    simulation = Simulation(lambda _: 40, 0.05, foreign=20)
    simulation.run(100, seconds=60)
    [client] = simulation.clients
    assert simulation.foreign_refused <= 0.002 * simulation.foreign_requests
    assert client.arrived >= 0.7 * 60 * 400


@pytest.mark.parametrize("tells", [True, False], ids=["header", "no header"])
@pytest.mark.parametrize("retry_after", [None, 1.0], ids=["no Retry-After", "Retry-After"])
def test_slow_pages_and_single_requests_of_another_process_hardly_overstep_a_shared_limit(
    retry_after: float | None, tells: bool
) -> None:
    simulation = Simulation(lambda _: 40, 0.1, retry_after=retry_after, tells=tells)
    simulation.run(25, 100, latencies=(1.1, 0.1), seconds=120)
    refused = sum(client.refused for client in simulation.clients)
    assert refused <= 0.02 * (refused + sum(client.arrived for client in simulation.clients))


@pytest.mark.parametrize("tells", [True, False], ids=["header", "no header"])
@pytest.mark.parametrize("retry_after", [None, 1.0], ids=["no Retry-After", "Retry-After"])
def test_slow_pages_beside_a_steady_load_are_hardly_refused(
    retry_after: float | None, tells: bool
) -> None:
    simulation = Simulation(lambda _: 40, 0.1, retry_after=retry_after, tells=tells, foreign=20)
    simulation.run(25, latencies=(1.1,), seconds=120)
    [client] = simulation.clients
    assert client.refused <= 0.02 * (client.arrived + client.refused)
    assert simulation.foreign_refused <= 0.002 * simulation.foreign_requests


@pytest.mark.parametrize("failures", [1, 5, 100, 10**6])
def test_back_off_grows_and_is_bounded(failures: int) -> None:
    longest = min(30.0, 0.25 * 2.0 ** min(failures - 1, 40))
    assert all(longest / 2 <= POLICY.back_off(failures) <= longest for _ in range(20))
