"""Which days are listed, and how far: the rules, and what comes of them in simulated time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from callkit.call_list import Range
from callkit.page_plan import PagePlan, Seen
from callkit.paging import Hints
from tests.page_simulator import FIRST_DAY, Server, Simulation, asked_for, compare

DAY, NEXT = FIRST_DAY, FIRST_DAY + timedelta(days=1)
YEAR = [1_000] * 365
QUARTER = [1_111] * 90
FIRST = datetime(2025, 1, 1, tzinfo=UTC)


def plan_of(calls: int, *, always: bool = False) -> PagePlan:
    return PagePlan(calls, in_flight=25, always=always)


def page(found: int, *, through: float | None = None, is_last: bool = False) -> Seen:
    return Seen(found, 1.1, is_last, through)


def begun(calls: int, expected: float) -> PagePlan:
    """Return a plan that has one day under way."""
    plan = plan_of(calls)
    plan.told({DAY: expected})
    plan.begin(DAY, 0.0)
    return plan


def test_a_list_no_longer_than_a_page_is_fetched_one_by_one() -> None:
    assert plan_of(1_000).sample_size == 0
    assert plan_of(1_000).is_over
    assert plan_of(1_001).sample_size > 0


def test_a_short_list_may_ask_for_pages_all_the_same() -> None:
    assert plan_of(320, always=True).sample_size == 20
    assert plan_of(3, always=True).sample_size == 1


def test_the_day_with_most_calls_of_the_sample_comes_first() -> None:
    plan = plan_of(100_000)
    plan.sampled([NEXT, DAY, NEXT, NEXT])
    assert plan.worthwhile(1) == [NEXT]


def test_days_about_those_of_the_sample_have_calls_too() -> None:
    plan = plan_of(100_000)
    plan.sampled([DAY, DAY + timedelta(days=3)])
    assert sorted(plan.worthwhile(9)) == [DAY + timedelta(days=n) for n in range(-2, 6)]


def test_days_about_are_left_out_if_the_sample_is_unlikely_to_have_missed_any() -> None:
    plan = plan_of(100_000)
    far = DAY + timedelta(days=300)
    plan.sampled([DAY] * 32 + [far] * 32)
    assert plan.worthwhile(9) == [DAY, far]


def test_dates_that_cannot_be_right_do_not_make_a_list_of_millions_of_days() -> None:
    plan = plan_of(100_000)
    plan.sampled([date.min, DAY, date(9999, 12, 30)])
    assert set(plan.worthwhile(9)) == {date.min, DAY, date(9999, 12, 30)}


def test_what_the_user_says_spares_the_sample() -> None:
    plan = plan_of(5_000)
    plan.told({DAY: 5_000})
    assert plan.sample_size == 0
    assert plan.worthwhile(9) == [DAY]


def test_if_the_user_was_wrong_a_sample_is_taken() -> None:
    plan = begun(5_000, expected=5_000)
    assert not plan.go_on(DAY, page(0), 1.1)
    assert plan.sample_size == 64


def test_a_day_with_fewer_calls_than_a_page_costs_is_not_listed() -> None:
    plan = plan_of(5_000)
    plan.told({DAY: 15.0})
    assert plan.worthwhile(9) == []


def test_another_page_must_have_as_many_calls_as_it_costs() -> None:
    assert begun(5_000, expected=500).go_on(DAY, page(12), 1.1)
    assert not begun(5_000, expected=500).go_on(DAY, page(10), 1.1)


def test_a_day_goes_on_if_its_calls_are_still_to_come() -> None:
    """A campaign in the morning is on the day's last pages."""
    assert begun(50_000, expected=900).go_on(DAY, page(0, through=0.5), 1.1)
    assert not begun(50_000, expected=900).go_on(DAY, page(0, through=0.01), 1.1)


def test_the_last_page_is_the_last() -> None:
    assert not begun(5_000, expected=500).go_on(DAY, page(900, is_last=True), 1.1)


def test_first_pages_are_expected_to_have_what_others_had() -> None:
    plan = plan_of(100_000)
    plan.told({DAY: 600, NEXT: 500})
    plan.begin(DAY, 0.0)
    plan.go_on(DAY, page(1), 1.1)
    assert plan.worthwhile(9) == []


def test_bets_lose_a_small_share_at_most() -> None:
    plan = plan_of(2_000)  # 200 s one by one
    plan.told(dict.fromkeys((DAY + timedelta(days=n) for n in range(90)), 22.0))
    assert len(plan.worthwhile(90)) == 2


def test_a_list_that_may_not_be_read_is_given_up() -> None:
    plan = begun(5_000, expected=5_000)
    plan.stop()
    assert plan.is_over
    assert plan.singly_too(0.0)


def test_whatever_it_costs_a_day_is_listed_while_it_brings_calls() -> None:
    plan = plan_of(10, always=True)
    plan.told({DAY: 10})
    plan.begin(DAY, 0.0)
    assert [plan.go_on(DAY, page(found), 1.1) for found in (1, 0, 0, 1, 0, 0, 0)] == [
        *(True, True, True, True, True, True, False)
    ]


def test_calls_are_fetched_one_by_one_until_pages_alone_are_faster() -> None:
    plan = begun(50_000, expected=20_000)
    assert plan.singly_too(0.0)
    plan.go_on(DAY, page(900), 1.1)
    assert not plan.singly_too(1.2)
    plan.go_on(DAY, page(200), 2.2)
    assert plan.singly_too(2.3)


def test_nothing_is_expected_of_a_page_that_does_not_come() -> None:
    plan = begun(50_000, expected=20_000)
    plan.go_on(DAY, page(900), 1.1)
    assert not plan.singly_too(3.2)
    assert plan.singly_too(3.4)


def test_a_page_that_failed_ends_its_day() -> None:
    plan = begun(5_000, expected=5_000)
    plan.fail(DAY)
    assert plan.worthwhile(9) == []
    assert plan.under_way == 0


def test_all_calls_of_a_quarter_take_a_twentieth_of_the_time() -> None:
    server = Server(QUARTER)
    paged, singly = compare(server, asked_for(server, 1.0))
    assert singly.seconds > 20 * paged.seconds
    assert paged.requests < 1_000


def test_every_third_call_of_a_quarter_takes_a_seventh_of_the_time() -> None:
    server = Server(QUARTER)
    paged, singly = compare(server, asked_for(server, 1 / 3))
    assert singly.seconds > 7 * paged.seconds


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("page_seconds", [0.2, 1.1, 4.0])
def test_thinly_spread_calls_cost_five_percent_more_at_most(seed: int, page_seconds: float) -> None:
    server = Server([11_111] * 90, page_seconds=page_seconds)
    paged, singly = compare(server, asked_for(server, 0.002, seed))
    assert paged.seconds <= 1.05 * singly.seconds
    assert paged.requests <= 1.05 * singly.requests


@pytest.mark.parametrize("share", [0.5, 0.1, 0.03, 0.02, 0.01])
@pytest.mark.parametrize("per_day", [QUARTER, [20_000], [300] * 365, [50_000, *[100] * 30]])
def test_no_list_takes_five_percent_longer(share: float, per_day: list[int]) -> None:
    server = Server(per_day)
    paged, singly = compare(server, asked_for(server, share))
    assert paged.seconds <= 1.05 * singly.seconds + 0.1


def test_a_campaign_is_found_among_calls_of_a_year() -> None:
    server = Server([*YEAR[:100], 20_000, *YEAR[101:]])
    starts = asked_for(server, 0.5, day=100) | asked_for(server, 0.001)
    paged, singly = compare(server, starts)
    assert paged.from_pages > 0.9 * len(starts)
    assert paged.seconds < 0.7 * singly.seconds


def test_a_list_in_order_of_time_is_no_worse() -> None:
    server = Server(QUARTER)
    starts = dict(sorted(asked_for(server, 1.0).items(), key=lambda item: item[1] or (0, FIRST)))
    assert Simulation(server, starts).run().requests < 1_000


def test_calls_that_do_not_exist_cost_their_own_requests_alone() -> None:
    server = Server(QUARTER)
    starts = asked_for(server, 1.0) | {f"CA{n:032x}": None for n in range(10_000)}
    assert Simulation(server, starts).run().requests < 11_000


def test_what_pages_omit_is_fetched_one_by_one() -> None:
    server = Server(QUARTER, omits=lambda number: number % 7 == 0)
    ran = Simulation(server, starts := asked_for(server, 1.0)).run()
    assert ran.from_pages < len(starts)
    assert ran.from_pages + ran.calls >= len(starts)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_lists_that_cannot_be_read_cost_a_few_requests(status: int) -> None:
    server = Server(QUARTER, refuses=status)
    ran = Simulation(server, starts := asked_for(server, 0.1)).run()
    assert ran.requests <= 1.01 * len(starts)


def test_a_range_spares_the_sample() -> None:
    server = Server(QUARTER)
    hints = Hints({}, Range(FIRST, FIRST + timedelta(days=90)))
    told = Simulation(server, asked_for(server, 1.0)).run(hints=hints)
    assert told.seconds < Simulation(server, asked_for(server, 1.0)).run().seconds


def test_dates_of_calls_spare_all_other_days() -> None:
    server = Server(QUARTER)
    starts = asked_for(server, 1.0, day=3) | asked_for(server, 1.0, day=70)
    days = {sid: call[1].date() for sid, call in starts.items() if call is not None}
    assert Simulation(server, starts).run(hints=Hints(days, None)).pages == 4


def test_a_range_that_is_wrong_costs_a_few_percent() -> None:
    server = Server(QUARTER)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    starts = asked_for(server, 1.0)
    wrong = Hints({}, Range(start, start + timedelta(days=30)))
    told = Simulation(server, starts).run(hints=wrong)
    assert told.from_pages > 0.9 * len(starts)
