"""The pace, in simulated time: no clock is read and nothing is waited for."""

from __future__ import annotations

import random

import pytest

from callkit.fetch import pacing
from callkit.fetch.pacing import Pace, Sent, back_off
from tests.fetch.simulator import Simulation


@pytest.fixture(autouse=True)
def _same_dice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_FIRST_BACK_OFF", 0.25)
    random.seed(5)


def in_flight_at_once(pace: Pace, now: float) -> list[Sent]:
    sent = []
    while isinstance(one := pace.send(now), Sent):
        sent.append(one)
    return sent


def answer(pace: Pace, sent: list[Sent], now: float) -> None:
    for one in sent:
        pace.answered(one, now, None)


def test_one_call_proves_the_sign_in_before_the_crowd_starts() -> None:
    pace = Pace(100)
    first = in_flight_at_once(pace, 0.0)
    assert len(first) == 1
    answer(pace, first, 0.1)
    assert len(in_flight_at_once(pace, 0.1)) > 1


def test_a_401_before_that_lets_nobody_else_try_it() -> None:
    pace = Pace(100)
    in_flight_at_once(pace, 0.0)
    pace.doubted(0.1, 2.0)
    assert pace.send(0.1) == pytest.approx(2.0)
    assert isinstance(pace.send(2.2), Sent)


def test_in_flight_starts_low_and_doubles_every_round_trip_up_to_concurrency() -> None:
    pace = Pace(100)
    sizes = []
    for round_trip in range(5):
        sent = in_flight_at_once(pace, round_trip * 0.1)
        sizes.append(len(sent))
        answer(pace, sent, (round_trip + 1) * 0.1)
    assert sizes == [1, 50, 100, 100, 100]


def test_a_429_holds_everybody_back() -> None:
    pace = Pace(100)
    answer(pace, in_flight_at_once(pace, 0.0), 0.1)
    sent = in_flight_at_once(pace, 0.1)
    pace.refused(sent[0], 0.2, None, None)
    answer(pace, sent[1:], 0.2)
    pause = pace.send(0.2)
    assert isinstance(pause, float)
    assert pause > 0


def test_retry_after_is_obeyed() -> None:
    pace = Pace(100)
    answer(pace, in_flight_at_once(pace, 0.0), 0.1)
    sent = in_flight_at_once(pace, 0.1)
    pace.refused(sent[0], 0.2, None, 7.0)
    answer(pace, sent[1:], 0.3)
    assert pace.send(0.3) == pytest.approx(6.9)


def test_many_429s_in_one_round_trip_are_one_signal() -> None:
    once, often = Pace(100), Pace(100)
    for pace, refusals in ((once, 1), (often, 20)):
        random.seed(5)
        answer(pace, in_flight_at_once(pace, 0.0), 0.1)
        sent = in_flight_at_once(pace, 0.1)
        for one in sent[:refusals]:
            pace.refused(one, 0.2, 25, None)
        answer(pace, sent[refusals:], 0.2)
    assert once.send(0.2) == often.send(0.2)
    assert len(in_flight_at_once(once, 60.0)) == len(in_flight_at_once(often, 60.0))


def test_when_nothing_succeeds_one_probe_goes_out_at_a_time() -> None:
    pace = Pace(100)
    answer(pace, in_flight_at_once(pace, 0.0), 0.1)
    for one in in_flight_at_once(pace, 0.1):
        pace.failed(one, 0.2)
    assert pace.in_outage
    assert len(in_flight_at_once(pace, 10.0)) == 1


def test_probes_come_ever_more_rarely_but_every_few_seconds() -> None:
    pace, now, pauses = Pace(100), 0.0, []
    for _ in range(20):
        [probe] = in_flight_at_once(pace, now)
        pace.failed(probe, now)
        pause = pace.send(now)
        assert isinstance(pause, float)
        pauses.append(pause)
        now += pause
    assert pauses[0] <= 0.25
    assert 2.5 <= pauses[-1] <= 5.0


def test_one_success_ends_an_outage() -> None:
    pace = Pace(100)
    for now in (0.0, 10.0):
        [probe] = in_flight_at_once(pace, now)
        pace.failed(probe, now)
    answer(pace, in_flight_at_once(pace, 60.0), 60.1)
    assert not pace.in_outage
    assert len(in_flight_at_once(pace, 60.1)) > 1


def test_single_failures_among_successes_are_no_outage() -> None:
    pace = Pace(10)
    for now in range(50):
        sent = in_flight_at_once(pace, float(now))
        pace.failed(sent[0], now + 0.1) if len(sent) > 1 else None
        answer(pace, sent[1:] or sent, now + 0.2)
    assert not pace.in_outage


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


@pytest.mark.parametrize("failures", [1, 5, 100, 10**6])
def test_back_off_grows_and_is_bounded(failures: int) -> None:
    longest = min(30.0, 0.25 * 2.0 ** min(failures - 1, 40))
    assert all(longest / 2 <= back_off(failures) <= longest for _ in range(20))
