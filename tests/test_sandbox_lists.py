"""The lists of calls and accounts: in pages, newest first, filtered, with the bodies of a fetch."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from callkit.sandbox import Sandbox
from callkit.sandbox.api import BASE_URL, answered_by
from callkit.sandbox.calls import CallGenerator, body_of
from callkit.sandbox.draws import AS_OF
from callkit.sandbox.lists import list_calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callkit.sandbox import Call

ACCOUNTS = "/2010-04-01/Accounts.json"
# A day of the sandbox's period, its midnight and the next one.
DAY, MIDNIGHT = "2025-03-04", datetime(2025, 3, 4, tzinfo=UTC)
NEXT_DAY, NEXT_MIDNIGHT = "2025-03-05", datetime(2025, 3, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(calls=3_000, seed=7) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def calls(sandbox: Sandbox) -> list[Call]:
    """All calls of the parent account."""
    return [sandbox.call(sid) for sid in sandbox.sids(2_400)]


def path_of(account_sid: str) -> str:
    return f"/2010-04-01/Accounts/{account_sid}/Calls.json"


def get(sandbox: Sandbox, path: str, **filters: Any) -> requests.Response:
    auth = (sandbox.account_sid, sandbox.auth_token)
    return requests.get(sandbox.url + path, params=filters, auth=auth, timeout=30)


def page(sandbox: Sandbox, **filters: Any) -> dict[str, Any]:
    page: dict[str, Any] = get(sandbox, path_of(sandbox.account_sid), **filters).json()
    return page


def pages(sandbox: Sandbox, path: str, **filters: Any) -> Iterator[dict[str, Any]]:
    found = get(sandbox, path, **filters).json()
    yield found
    while uri := found["next_page_uri"]:
        found = get(sandbox, uri).json()
        yield found


def listed(sandbox: Sandbox, **filters: Any) -> list[str]:
    """The SIDs of all pages."""
    path = path_of(sandbox.account_sid)
    found = pages(sandbox, path, **{"PageSize": 1_000, **filters})
    return [row["sid"] for one in found for row in one["calls"]]


def sids(calls: list[Call], wanted: Callable[[Call], bool]) -> list[str]:
    return sorted(call.sid for call in calls if wanted(call))


def started(call: Call, since: datetime, before: datetime) -> bool:
    return call.start_time is not None and since <= call.start_time < before


# Pages


def test_without_a_size_a_page_has_fifty_rows(sandbox: Sandbox) -> None:
    found = page(sandbox)
    assert len(found["calls"]) == found["page_size"] == 50


def test_a_page_has_at_most_a_thousand_rows(sandbox: Sandbox) -> None:
    found = page(sandbox, PageSize=1_001)
    assert len(found["calls"]) == found["page_size"] == 1_000


def test_a_first_page_describes_itself_and_the_next_one(sandbox: Sandbox) -> None:
    found = page(sandbox, PageSize=100)
    last, path = found.pop("calls")[-1]["sid"], path_of(sandbox.account_sid)
    assert found == {
        "page": 0,
        "page_size": 100,
        "start": 0,
        "end": 99,
        "first_page_uri": f"{path}?PageSize=100&Page=0",
        "next_page_uri": f"{path}?PageSize=100&Page=1&PageToken=PA{last}",
        "previous_page_uri": None,
        "uri": f"{path}?PageSize=100&Page=0",
    }


def test_later_pages_count_on(sandbox: Sandbox) -> None:
    found = list(pages(sandbox, path_of(sandbox.account_sid), PageSize=900))
    assert [(one["page"], one["start"], one["end"]) for one in found] == [
        (0, 0, 899),
        (1, 900, 1_799),
        (2, 1_800, 2_399),
    ]


@pytest.mark.parametrize("size", [900, 800])
def test_the_last_page_has_no_next_one_even_if_it_is_full(sandbox: Sandbox, size: int) -> None:
    found = list(pages(sandbox, path_of(sandbox.account_sid), PageSize=size))
    assert [one["next_page_uri"] is None for one in found] == [False, False, True]


def test_all_pages_list_each_call_once(sandbox: Sandbox, calls: list[Call]) -> None:
    assert sorted(listed(sandbox, PageSize=97)) == sorted(call.sid for call in calls)


def test_calls_are_listed_newest_first(sandbox: Sandbox) -> None:
    starts = [sandbox.call(sid).start_time for sid in listed(sandbox)]
    known = [start for start in starts if start is not None]
    assert known == sorted(known, reverse=True)


def test_rows_are_the_bodies_of_a_fetch(sandbox: Sandbox) -> None:
    answer = get(sandbox, path_of(sandbox.account_sid), PageSize=1_000)
    bodies = [body_of(sandbox.call(row["sid"])) for row in answer.json()["calls"]]
    assert answer.content.startswith(b'{"calls":[' + b",".join(bodies) + b"],")


def test_filters_survive_in_the_address_of_the_next_page(sandbox: Sandbox) -> None:
    filters = {"StartTime>": DAY, "StartTime<": "2025-04-01", "Status": "completed"}
    found = page(sandbox, **filters, PageSize=5)
    names = dict(parse_qsl(urlsplit(found["next_page_uri"]).query))
    assert names.items() >= filters.items()


def test_a_page_goes_on_after_the_row_of_its_token_whatever_was_added_since() -> None:
    with Sandbox(calls=1_000, now=MIDNIGHT) as sandbox:
        before = page(sandbox, PageSize=100)
        undisturbed = get(sandbox, before["next_page_uri"]).json()["calls"]
        sandbox.now = NEXT_MIDNIGHT
        after = get(sandbox, before["next_page_uri"]).json()["calls"]
    assert [row["sid"] for row in after] == [row["sid"] for row in undisturbed]


def test_the_subaccounts_calls_are_listed_by_naming_it(sandbox: Sandbox) -> None:
    found = get(sandbox, path_of(sandbox.subaccount_sid), PageSize=1_000).json()
    assert len(found["calls"]) == 600
    assert {row["account_sid"] for row in found["calls"]} == {sandbox.subaccount_sid}


def test_a_closed_account_has_an_empty_list(sandbox: Sandbox) -> None:
    found = get(sandbox, path_of(sandbox.closed_subaccount_sid)).json()
    assert (found["calls"], found["next_page_uri"], found["end"]) == ([], None, 0)


def test_somebody_elses_account_is_not_found(sandbox: Sandbox) -> None:
    answer = get(sandbox, path_of("AC" + "0" * 32))
    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PageSize", "0"),
        ("PageSize", "-1"),
        ("PageSize", "many"),
        ("Page", "first"),
        ("Page", "1"),
        ("PageToken", "PA"),
        ("PageToken", "CA" + "0" * 32),
        ("PageToken", "PACA" + "0" * 32),
        ("StartTime", "yesterday"),
        ("StartTime>", "2025-02-30"),
        ("EndTime<", "2025-3-4"),
        ("EndTime", "9999-12-31"),
    ],
)
def test_an_invalid_parameter_is_refused(sandbox: Sandbox, name: str, value: str) -> None:
    answer = get(sandbox, path_of(sandbox.account_sid), **{name: value})
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)
    assert answer.json()["message"] == f"Invalid {name}: {value}"


def test_a_token_of_another_account_is_refused(sandbox: Sandbox) -> None:
    uri = page(sandbox)["next_page_uri"]
    elsewhere = uri.replace(sandbox.account_sid, sandbox.subaccount_sid)
    assert get(sandbox, elsewhere).status_code == 400


def test_unknown_parameters_are_ignored_in_silence(sandbox: Sandbox) -> None:
    assert page(sandbox, StartDate=DAY, start_time=DAY) == page(sandbox)


# Filters by time


def test_a_day_lasts_from_its_midnight_in_utc_to_the_next(
    sandbox: Sandbox, calls: list[Call]
) -> None:
    found = listed(sandbox, **{"StartTime>": DAY, "StartTime<": NEXT_DAY})
    assert sorted(found) == sids(calls, lambda call: started(call, MIDNIGHT, NEXT_MIDNIGHT))


def test_a_bare_date_is_that_day(sandbox: Sandbox) -> None:
    whole = listed(sandbox, **{"StartTime>": DAY, "StartTime<": NEXT_DAY})
    assert listed(sandbox, StartTime=DAY) == whole


def test_days_in_a_row_share_no_call_and_miss_none(sandbox: Sandbox, calls: list[Call]) -> None:
    first = date(2025, 1, 1)
    days = [str(first + timedelta(days=n)) for n in range(91)]
    found = [sid for day in days for sid in listed(sandbox, StartTime=day)]
    assert sorted(found) == sids(calls, lambda call: call.start_time is not None)


def test_a_call_that_starts_at_midnight_belongs_to_the_day_that_begins() -> None:
    # So many calls that one starts in every second.
    sandbox = Sandbox(calls=50_000_000)
    newest = here(sandbox, **{"StartTime<": DAY, "PageSize": 1})["calls"][0]
    day_before = here(sandbox, StartTime="2025-03-03T23:59:59Z")["calls"]
    midnight = here(sandbox, **{"StartTime>": DAY, "StartTime<": f"{DAY}T00:00:01Z"})["calls"]
    assert newest["sid"] == day_before[0]["sid"]
    assert {row["start_time"] for row in midnight} == {"Tue, 04 Mar 2025 00:00:00 +0000"}


def here(sandbox: Sandbox, **filters: Any) -> dict[str, Any]:
    """A page of a sandbox that is not running."""
    session = answered_by(sandbox._app.api)
    session.auth = (sandbox.account_sid, sandbox.auth_token)
    url = BASE_URL + path_of(sandbox.account_sid)
    found: dict[str, Any] = session.get(url, params=filters, timeout=30).json()
    return found


def test_a_time_of_day_is_an_instant(sandbox: Sandbox, calls: list[Call]) -> None:
    found = listed(sandbox, **{"StartTime>": f"{DAY}T01:00+01:00", "StartTime<": f"{DAY}T12:00Z"})
    noon = MIDNIGHT + timedelta(hours=12)
    assert sorted(found) == sids(calls, lambda call: started(call, MIDNIGHT, noon))


def test_the_end_of_a_call_filters_too(sandbox: Sandbox, calls: list[Call]) -> None:
    found = listed(sandbox, **{"EndTime>": DAY, "EndTime<": NEXT_DAY})
    assert sorted(found) == sids(
        calls, lambda c: c.end_time is not None and MIDNIGHT <= c.end_time < NEXT_MIDNIGHT
    )


def test_start_and_end_filter_together() -> None:
    # A few calls last over this midnight.
    sandbox = Sandbox(calls=200_000)
    found = here(sandbox, **{"StartTime<": DAY, "EndTime>": DAY, "PageSize": 1_000})["calls"]
    spans = [(sandbox.call(row["sid"]).start_time, row["end_time"]) for row in found]
    assert spans
    for start, end in spans:
        assert start is not None
        assert start < MIDNIGHT
        assert end.startswith("Tue, 04 Mar 2025")


def test_calls_that_never_started_are_listed_only_without_a_range_of_starts(
    sandbox: Sandbox, calls: list[Call]
) -> None:
    never = set(sids(calls, lambda call: call.start_time is None))
    assert {sandbox.call(sid).status for sid in never} == {"queued", "canceled"}
    assert never <= set(listed(sandbox))
    assert not never & set(listed(sandbox, **{"StartTime>": "2000-01-01"}))


def test_an_empty_range_has_no_calls(sandbox: Sandbox) -> None:
    assert listed(sandbox, **{"StartTime>": NEXT_DAY, "StartTime<": DAY}) == []


# Filters by value


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("To", "to"),
        ("From", "from_"),
        ("ParentCallSid", "parent_call_sid"),
        ("Status", "status"),
    ],
)
def test_a_filter_by_value_lists_the_calls_that_have_it(
    sandbox: Sandbox, calls: list[Call], name: str, attribute: str
) -> None:
    value = next(v for call in calls if (v := getattr(call, attribute)) is not None)
    found = listed(sandbox, **{name: value})
    assert found
    assert sorted(found) == sids(calls, lambda call: getattr(call, attribute) == value)


def test_filters_combine(sandbox: Sandbox, calls: list[Call]) -> None:
    found = listed(sandbox, Status="busy", **{"StartTime>": DAY})
    assert found
    assert sorted(found) == sids(
        calls,
        lambda c: c.status == "busy" and started(c, MIDNIGHT, datetime(2026, 1, 1, tzinfo=UTC)),
    )


# Accounts


def test_the_accounts_are_the_parent_and_its_subaccounts_one_of_them_closed(
    sandbox: Sandbox,
) -> None:
    found = get(sandbox, ACCOUNTS).json()["accounts"]
    assert {row["sid"]: row["status"] for row in found} == {
        sandbox.account_sid: "active",
        sandbox.subaccount_sid: "active",
        sandbox.closed_subaccount_sid: "closed",
    }
    assert {row["owner_account_sid"] for row in found} == {sandbox.account_sid}


def test_accounts_come_in_pages_too(sandbox: Sandbox) -> None:
    found = list(pages(sandbox, ACCOUNTS, PageSize=1))
    assert [row["sid"] for one in found for row in one["accounts"]] == [
        sandbox.account_sid,
        sandbox.subaccount_sid,
        sandbox.closed_subaccount_sid,
    ]


@pytest.mark.parametrize(
    "filters", [{"Status": "closed"}, {"FriendlyName": "Sandbox (closed)"}], ids=str
)
def test_accounts_are_filtered(sandbox: Sandbox, filters: dict[str, str]) -> None:
    found = get(sandbox, ACCOUNTS, **filters).json()["accounts"]
    assert [row["sid"] for row in found] == [sandbox.closed_subaccount_sid]


def test_a_token_of_no_account_is_refused(sandbox: Sandbox) -> None:
    assert get(sandbox, ACCOUNTS, PageToken="PAAC" + "0" * 32).status_code == 400


# Sign-in


def test_a_restricted_key_may_fetch_calls(sandbox: Sandbox) -> None:
    path = f"/2010-04-01/Accounts/{sandbox.account_sid}/Calls/{sandbox.sids(1)[0]}.json"
    assert restricted(sandbox, path).status_code == 200


@pytest.mark.parametrize("what", ["calls", "accounts"])
def test_a_restricted_key_may_not_list(sandbox: Sandbox, what: str) -> None:
    answer = restricted(
        sandbox, {"calls": path_of(sandbox.account_sid), "accounts": ACCOUNTS}[what]
    )
    assert (answer.status_code, answer.json()["code"]) == (403, 20403)


def restricted(sandbox: Sandbox, path: str) -> requests.Response:
    auth = (sandbox.restricted_api_key, sandbox.restricted_api_secret)
    return requests.get(sandbox.url + path, auth=auth, timeout=10)


@pytest.mark.parametrize("what", ["calls", "accounts"])
def test_a_list_needs_a_sign_in(sandbox: Sandbox, what: str) -> None:
    path = {"calls": path_of(sandbox.account_sid), "accounts": ACCOUNTS}[what]
    assert requests.get(sandbox.url + path, timeout=10).status_code == 401


# Size


def test_a_page_of_ten_million_calls_takes_the_memory_of_a_page() -> None:
    sandbox = Sandbox(calls=10_000_000)
    tracemalloc.start()
    try:
        found = here(sandbox, PageSize=100, StartTime=DAY)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found["calls"]) == 100
    assert peak < 20 * len(json.dumps(found))


class CountingGenerator(CallGenerator):
    """Counts the calls that it makes, in whole or as far as their start."""

    made = 0

    def call(self, index: int, now: datetime = AS_OF) -> Call:
        self.made += 1
        return super().call(index, now)

    def start_of(self, index: int) -> datetime:
        self.made += 1
        return super().start_of(index)


def test_a_page_by_date_makes_few_calls_besides_its_own() -> None:
    generator = CountingGenerator(calls=10_000_000, seed=7)
    query = f"StartTime={DAY}&PageSize=100"
    list_calls(generator, generator.parent.sid, "/Calls.json", query, now=AS_OF)
    assert generator.made < 200
