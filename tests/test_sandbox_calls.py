"""The sandbox's calls look like an account's calls over ninety days."""

import json
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import pytest

from callkit.sandbox import Call, Sandbox
from callkit.sandbox.calls import CallGenerator, body_of
from callkit.schema import ATTRIBUTES

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = datetime(2025, 4, 1, tzinfo=UTC)
FICTION = {
    "United States": r"\+1(212|312|415|206|305)55501\d\d",
    "Canada": r"\+1(416|514|604)55501\d\d",
    "Jamaica": r"\+187655501\d\d",
    "Dominican Republic": r"\+180955501\d\d",
    "United Kingdom": r"\+44(207946|121496|161496|113496)0\d{3}|\+447700900\d{3}",
    "Ireland": r"\+3532091\d{5}",
    "France": r"\+33(19900|26191|35301|46571|53649|63998)\d{4}",
    "Germany": r"\+49(3023125|6990009|4066969|2214710|8999998)\d{3}|\+49(17139200|176040690)\d\d",
    "Sweden": r"\+46(3139006|4062804|8465004)\d\d|\+46701740(60[5-9]|6[1-9]\d)",
    "Australia": r"\+61[2378]5550\d{4}|\+61491570(006|15[6-9])",
}
APPS = r"(sip|client|sim):.+"
WITHHELD = {
    "+266696687": "ANONYMOUS",
    "+7378742833": "RESTRICTED",
    "+2562533": "BLOCKED",
    "+8656696": "UNKNOWN",
    "+86282452253": "UNAVAILABLE",
}
DAY = timedelta(days=1)
INCOMING = {"inbound", "trunking-originating"}
MAY_BE_ABSENT = (
    "answered_by",
    "caller_name",
    "forwarded_from",
    "group_sid",
    "parent_call_sid",
    "phone_number_sid",
    "trunk_sid",
)
ENDED = {"completed", "busy", "failed", "no-answer", "canceled"}


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(calls=20_000, seed=7)


@pytest.fixture(scope="module")
def calls(sandbox: Sandbox) -> dict[str, Call]:
    return {sid: sandbox.call(sid) for sid in sandbox.sid_frame(20_000)["sid"]}


@pytest.fixture(scope="module")
def bodies(calls: dict[str, Call]) -> dict[str, Any]:
    return {sid: json.loads(body_of(call)) for sid, call in calls.items()}


def country_of(address: str) -> str | None:
    matching = [name for name, pattern in FICTION.items() if re.fullmatch(pattern, address)]
    assert len(matching) <= 1
    return matching[0] if matching else None


def test_the_same_seed_makes_the_same_calls(sandbox: Sandbox, calls: dict[str, Call]) -> None:
    again = Sandbox(calls=20_000, seed=7)
    assert again.sids(80) == sandbox.sids(80)
    assert all(again.call(sid) == calls[sid] for sid in again.sids(80))


def test_a_call_is_pinned_for_good() -> None:
    sandbox = Sandbox(calls=10, seed=7)
    call = sandbox.call("CAadaf005352a3f8a4ff8545fb5a985f96")
    assert (call.status, call.duration, call.price) == ("completed", 314, Decimal("-0.05400"))
    assert call.start_time == datetime(2025, 1, 7, 15, 2, 34, tzinfo=UTC)


def test_another_seed_makes_other_calls_and_credentials() -> None:
    one, other = Sandbox(seed=1), Sandbox(seed=2)
    assert not set(one.sids(100)) & set(other.sids(100))
    assert one.auth_token != other.auth_token


def test_more_calls_have_the_sids_of_fewer_among_them_in_the_same_account() -> None:
    few, many = Sandbox(calls=1_000, seed=7), Sandbox(calls=10_000_000, seed=7)
    assert {many.call(sid).account_sid for sid in few.sids(800)} == {many.account_sid}


def test_an_accounts_calls_are_in_the_order_of_their_start() -> None:
    for calls in (1, 2, 9, 10, 101, 5_000):
        generator = CallGenerator(calls=calls, seed=7)
        for indices in (generator.of_parent, generator.of_subaccount):
            planned = [generator.start_of(index) for index in indices]
            assert planned == sorted(planned)
            made = [generator.call(index).start_time for index in indices]
            started = [start for start in made if start is not None]
            assert started == sorted(started)


def test_calls_by_the_second_are_in_the_order_of_their_start_too() -> None:
    generator = CallGenerator(calls=50_000_000, seed=7)
    for first in (20_000_000, 39_700_000, 45_000_000, 49_990_000):
        planned = [generator.start_of(index) for index in range(first, first + 300)]
        assert planned == sorted(planned)
        assert planned[-1] - planned[0] < timedelta(minutes=10)


def test_a_dialled_leg_follows_the_call_that_dialled_it() -> None:
    generator = CallGenerator(calls=1_000, seed=7)
    sids = {generator.sid_of(index): index for index in range(1_000)}
    for sid, index in sids.items():
        if parent := generator.call(index).parent_call_sid:
            assert sids[parent] == index - 1, sid


def test_every_status_and_direction_occurs(calls: dict[str, Call]) -> None:
    vocabulary = {column.name: set(column.vocabulary) for column in ATTRIBUTES if column.vocabulary}
    assert {call.status for call in calls.values()} == vocabulary["status"]
    assert {call.direction for call in calls.values()} == vocabulary["direction"]
    assert {call.answered_by for call in calls.values()} == vocabulary["answered_by"] | {None}


def test_most_calls_are_completed(calls: dict[str, Call]) -> None:
    completed = sum(call.status == "completed" for call in calls.values())
    assert 0.7 < completed / len(calls) < 0.9


def test_answering_machine_detection_speaks_of_answered_calls_made_through_the_api(
    calls: dict[str, Call],
) -> None:
    detected = [call for call in calls.values() if call.answered_by is not None]
    assert {call.direction for call in detected} == {"outbound-api"}
    assert {call.status for call in detected} == {"completed", "in-progress"}


def test_every_number_is_set_aside_for_fiction(calls: dict[str, Call]) -> None:
    addresses = {call.to for call in calls.values()} | {call.from_ for call in calls.values()}
    addresses |= {call.forwarded_from for call in calls.values() if call.forwarded_from}
    others = {address for address in addresses if country_of(address) is None}
    assert {address for address in others if not re.fullmatch(APPS, address)} == set(WITHHELD)


def test_every_country_calls_and_is_called(calls: dict[str, Call]) -> None:
    assert {country_of(call.to) for call in calls.values()} == {*FICTION, None}
    assert {country_of(call.from_) for call in calls.values()} == {*FICTION, None}


@pytest.mark.parametrize("scheme", ["sip", "client", "sim"])
def test_parties_without_a_number_call_and_are_called(calls: dict[str, Call], scheme: str) -> None:
    assert any(call.to.startswith(f"{scheme}:") for call in calls.values())
    assert any(call.from_.startswith(f"{scheme}:") for call in calls.values())


@pytest.mark.parametrize("address", WITHHELD)
def test_a_withheld_number_spells_a_word_on_a_keypad(address: str) -> None:
    keypad = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999", strict=True))
    assert address == "+" + "".join(keypad[letter] for letter in WITHHELD[address])


def test_only_who_calls_the_account_withholds_the_number(calls: dict[str, Call]) -> None:
    withheld = [call for call in calls.values() if call.from_ in WITHHELD]
    passed_on = [call for call in withheld if call.parent_call_sid]
    assert {calls[call.parent_call_sid or ""].from_ for call in passed_on} <= set(WITHHELD)
    others = {call.direction for call in withheld if not call.parent_call_sid}
    assert others == {"inbound", "trunking-originating"}
    assert not any(call.to in WITHHELD or call.caller_name for call in withheld)


def test_only_north_american_numbers_are_displayed_otherwise(calls: dict[str, Call]) -> None:
    for call in calls.values():
        if match := re.fullmatch(r"\+1(\d{3})(\d{3})(\d{4})", call.to):
            assert call.to_formatted == f"({match[1]}) {match[2]}-{match[3]}"
        else:
            assert call.to_formatted == call.to


def test_each_account_has_its_currency(sandbox: Sandbox, calls: dict[str, Call]) -> None:
    units = Counter((call.account_sid, call.price_unit) for call in calls.values())
    assert units == {(sandbox.account_sid, "USD"): 16_000, (sandbox.subaccount_sid, "EUR"): 4_000}


def test_a_dialled_leg_lies_within_its_parent(calls: dict[str, Call]) -> None:
    legs = [call for call in calls.values() if call.parent_call_sid]
    assert len(legs) > 2000
    for leg in legs:
        parent = calls[leg.parent_call_sid or ""]
        assert leg.account_sid == parent.account_sid
        assert leg.start_time is not None
        assert parent.start_time is not None
        assert parent.start_time <= leg.date_created <= leg.start_time
        assert (leg.end_time or AS_OF) <= (parent.end_time or AS_OF)


def test_a_dialled_leg_shows_who_called_or_the_number_that_was_called(
    calls: dict[str, Call],
) -> None:
    shown: Counter[str] = Counter()
    for leg in calls.values():
        if leg.parent_call_sid and calls[leg.parent_call_sid].direction == "inbound":
            parent = calls[leg.parent_call_sid]
            shown[{parent.from_: "caller", parent.to: "called"}[leg.from_]] += 1
    assert min(shown["caller"], shown["called"]) > 1000


def test_a_phone_number_sid_stands_for_one_number_of_one_account(calls: dict[str, Call]) -> None:
    numbers = defaultdict(set)
    for call in calls.values():
        if call.phone_number_sid:
            own = call.to if call.direction in INCOMING else call.from_
            numbers[call.phone_number_sid].add((call.account_sid, own))
    assert {len(found) for found in numbers.values()} == {1}


def test_exactly_the_dialled_legs_have_a_parent(calls: dict[str, Call]) -> None:
    for call in calls.values():
        assert (call.parent_call_sid is not None) == (call.direction == "outbound-dial")


def test_exactly_trunk_calls_name_a_trunk(calls: dict[str, Call]) -> None:
    for call in calls.values():
        assert (call.trunk_sid is not None) == call.direction.startswith("trunking-")


def test_calls_go_on_for_ninety_days(calls: dict[str, Call]) -> None:
    starts = sorted(call.start_time for call in calls.values() if call.start_time)
    assert timedelta(days=90) == AS_OF - BEGIN
    assert BEGIN <= starts[0] < BEGIN + timedelta(days=1)
    assert starts[-1] <= AS_OF
    assert max(later - earlier for earlier, later in pairwise(starts)) < timedelta(hours=12)


def test_instants_follow_one_another_and_are_past(calls: dict[str, Call]) -> None:
    for call in calls.values():
        instants = [call.date_created, call.start_time, call.end_time, call.date_updated, AS_OF]
        known = [instant for instant in instants if instant is not None]
        assert known == sorted(known)


def test_days_and_weeks_have_a_rhythm(calls: dict[str, Call]) -> None:
    starts = [call.start_time for call in calls.values() if call.start_time]
    weekdays = Counter(start.weekday() for start in starts)
    hours = Counter(start.hour for start in starts)
    assert weekdays[6] < weekdays[5] < 0.5 * min(weekdays[day] for day in range(5))
    assert min(hours[hour] for hour in (14, 15, 16)) > 8 * max(hours[hour] for hour in (6, 7))


def test_a_completed_call_lasts_from_start_to_end(calls: dict[str, Call]) -> None:
    for call in calls.values():
        if call.status == "completed":
            assert call.start_time is not None
            assert call.end_time is not None
            assert timedelta(seconds=call.duration or 0) == call.end_time - call.start_time
            assert call.duration


def test_durations_have_a_long_tail(calls: dict[str, Call]) -> None:
    durations = sorted(call.duration or 0 for call in calls.values() if call.status == "completed")
    middle = durations[len(durations) // 2]
    assert 60 < middle < 180
    assert sum(durations) / len(durations) > 1.5 * middle
    assert durations[-1] > 30 * middle


def test_an_unanswered_call_has_both_ends_no_length_and_no_price(calls: dict[str, Call]) -> None:
    unanswered = [c for c in calls.values() if c.status in {"busy", "no-answer", "failed"}]
    assert unanswered
    for call in unanswered:
        assert None not in (call.start_time, call.end_time)
        assert (call.duration, call.price) == (0, None)


def test_a_call_that_has_not_ended_has_no_end_length_or_price(calls: dict[str, Call]) -> None:
    live = [call for call in calls.values() if call.status not in ENDED]
    assert live
    for call in live:
        assert (call.end_time, call.duration, call.price) == (None, None, None)
        assert call.date_created > AS_OF - timedelta(hours=2)


def test_a_few_of_ten_thousand_calls_are_live_and_more_await_their_price() -> None:
    sandbox = Sandbox(calls=10_000, seed=7)
    calls = [sandbox.call(sid) for sid in sandbox.sid_frame(10_000)["sid"]]
    live = Counter(call.status for call in calls if call.status not in ENDED)
    assert min(live[status] for status in ("queued", "ringing", "in-progress")) >= 3
    assert 0.003 < live.total() / len(calls) < 0.02
    half_an_hour = [c for c in calls if c.start_time and AS_OF - c.start_time < DAY / 48]
    assert 0.005 < len(half_an_hour) / len(calls) < 0.02


def test_queued_and_some_cancelled_calls_never_started(calls: dict[str, Call]) -> None:
    statuses = Counter((call.status, call.start_time is None) for call in calls.values())
    assert {status for status, never in statuses if never} == {"queued", "canceled"}
    assert not statuses["queued", False]
    assert statuses["canceled", False]


def test_only_calls_through_the_api_wait_in_a_queue(calls: dict[str, Call]) -> None:
    waited = [call for call in calls.values() if call.queue_time]
    assert {call.direction for call in waited} == {"outbound-api"}
    for call in waited:
        if call.start_time is not None:
            assert call.start_time - call.date_created == timedelta(milliseconds=call.queue_time)


def test_a_price_is_a_rate_of_its_destination_times_the_begun_minutes(
    calls: dict[str, Call],
) -> None:
    rates = defaultdict(set)
    for call in calls.values():
        if call.price:
            minutes = -(-(call.duration or 0) // 60)
            rates[call.account_sid, call.direction in INCOMING, call.to].add(
                abs(call.price) / minutes
            )
    assert len(rates) > 1000
    assert {len(found) for found in rates.values()} == {1}


def billed_minutes(call: Call) -> int:
    return -(-(call.duration or 0) // 60)


@pytest.mark.parametrize(("unit", "rate"), [("USD", "0.036550"), ("EUR", "0.033626")])
def test_a_british_mobile_costs_its_rate_in_either_currency(
    calls: dict[str, Call], unit: str, rate: str
) -> None:
    charged = [
        call
        for call in calls.values()
        if call.to.startswith("+447700900") and call.price_unit == unit and call.price
    ]
    assert charged
    assert {abs(call.price or Decimal(0)) / billed_minutes(call) for call in charged} == {
        Decimal(rate)
    }


def test_prices_have_four_to_six_digits_and_both_signs(calls: dict[str, Call]) -> None:
    prices = [call.price for call in calls.values() if call.price is not None]
    assert {price.as_tuple().exponent for price in prices} == {-4, -5, -6}
    signs = Counter(price.compare(Decimal(0)) for price in prices)
    assert signs[Decimal(-1)] > 0.95 * len(prices)
    assert signs[Decimal(0)]
    assert signs[Decimal(1)]
    assert not any(price.is_zero() and price.is_signed() for price in prices)


def test_what_is_not_priced_yet_ended_lately_for_the_most_part(calls: dict[str, Call]) -> None:
    completed = [call for call in calls.values() if call.status == "completed"]
    unpriced = [call for call in completed if call.price is None]
    recent = [call for call in unpriced if call.end_time and AS_OF - call.end_time < 3 * DAY]
    assert 0.001 < len(unpriced) / len(completed) < 0.03
    assert 0.8 < len(recent) / len(unpriced) < 1


def test_a_body_holds_all_attributes_as_text_or_null(bodies: dict[str, Any]) -> None:
    for body in bodies.values():
        assert sorted(body) == sorted([*(column.name for column in ATTRIBUTES), "annotation"])
        assert all(isinstance(uri, str) for uri in body["subresource_uris"].values())
        others = {name: value for name, value in body.items() if name != "subresource_uris"}
        assert all(value is None or isinstance(value, str) for value in others.values())


def test_a_body_says_what_the_call_means(calls: dict[str, Call], bodies: dict[str, Any]) -> None:
    for sid, body in bodies.items():
        for name, meant in calls[sid].attributes().items():
            match meant:
                case None:
                    assert body[name] in (None, "")
                case datetime():
                    assert parsedate_to_datetime(body[name]) == meant
                case Decimal() | int():
                    assert Decimal(body[name]) == meant
                case _:
                    assert body[name] == meant


def test_dates_and_prices_are_written_as_the_api_writes_them(bodies: dict[str, Any]) -> None:
    date = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar) 2025 \d\d:\d\d:\d\d \+0000"
    for body in bodies.values():
        assert re.fullmatch(r"-?\d+\.\d{4,6}", body["price"] or "0.0000")
        assert re.fullmatch(date, body["date_created"].replace("31 Dec 2024", "01 Jan 2025"))


@pytest.mark.parametrize(
    "name",
    MAY_BE_ABSENT,
)
def test_absent_is_null_in_some_bodies_and_empty_in_others(
    bodies: dict[str, Any], name: str
) -> None:
    assert len({body[name] for body in bodies.values()} - {None, ""}) > 1
    assert {None, ""} < {body[name] for body in bodies.values()}


def test_some_bodies_show_both_forms_of_absent_side_by_side(bodies: dict[str, Any]) -> None:
    assert any({None, ""} <= {body[name] for name in MAY_BE_ABSENT} for body in bodies.values())


def test_younger_calls_have_more_subresources(calls: dict[str, Call]) -> None:
    kinds = {(c.date_created.month, len(c.subresource_uris)) for c in calls.values()}
    assert {count for month, count in kinds if month == 1} == {2}
    assert {count for month, count in kinds if month == 3} == {7}
