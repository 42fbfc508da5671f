"""Servers that list calls wrongly: the frame is right, or the day is among the failures."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

import callkit
from callkit.errors import RunStoppedError
from callkit.sandbox.calls import body_of
from tests.support import hostile
from tests.support.hostile import HostileSandbox, every_third, from_the_second_page
from tests.support.scripted import QUICK_RETRIES, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from callkit import FetchResult
    from tests.support.hostile import Trick

SEEDS = (1, 2, 3)
TZ = "Asia/Kolkata"  # a day there has a part of two days of UTC
STARTED = ("2025-02-03", "2025-02-06")
UTC_DAYS = [date(2025, 2, 2) + timedelta(days=n) for n in range(4)]

SEEN_THROUGH = [
    hostile.repeats_rows,
    hostile.repeats_pages,
    hostile.lists_old_versions,
    hostile.lists_calls_that_never_started,
    hostile.includes_midnight,
    hostile.has_empty_pages,
]
PASSING = [
    hostile.error_500,
    hostile.error_429,
    hostile.error_429_with_advice,
    hostile.cut_short,
    hostile.cut_short_in_chunks,
    hostile.does_not_name_the_next_page,
    hostile.lists_no_calls,
]
# What the server does, and what is said of the day.
FAULTS = {
    "ignores the dates": (hostile.ignores("StartTime>", "StartTime<"), "ignored the dates"),
    "ignores the end": (hostile.ignores("StartTime<"), "ignored the dates"),
    "ignores the beginning": (hostile.ignores("StartTime>"), "ignored the dates"),
    "leads to another day": (hostile.leads_to_another_day, "ignored the dates"),
    "forgets the dates": (hostile.leads_to("{path}?PageSize=1000"), "ignored the dates"),
    "leads back to the first page": (hostile.leads_back_to_the_first_page, "in a circle"),
    "leads to itself": (hostile.leads_to_itself, "in a circle"),
    "never ends": (hostile.never_ends, "no new calls"),
    "leads to another list": (hostile.leads_to("/2010-04-01/Accounts.json?{query}"), "other list"),
    "leads to no URI": (hostile.leads_to("{path}?{query} HTTP/1.1"), "not a URI"),
    "leads to no host": (hostile.leads_to("https://[[[v1.x]/{path}?{query}"), "not a URI"),
    "has a call without a SID": (hostile.has_a_call_without_a_sid, "cannot be identified"),
    "has rows that are no calls": (hostile.has_rows_that_are_no_calls, "cannot be identified"),
    "does not name the next page": (hostile.does_not_name_the_next_page, "not a page"),
    "lists no calls": (from_the_second_page(hostile.lists_no_calls), "not a page"),
    "answers 500": (from_the_second_page(hostile.error_500), "HTTP 500"),
    "stops in mid-page": (from_the_second_page(hostile.cut_short), ""),
    "stops in mid-chunk": (from_the_second_page(hostile.cut_short_in_chunks), ""),
}


@pytest.fixture(scope="module", params=SEEDS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[HostileSandbox]:
    with HostileSandbox(request.param) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def truth(sandbox: HostileSandbox) -> pd.DataFrame:
    """All calls of the range."""
    listed = sandbox.calls_of(UTC_DAYS[0], UTC_DAYS[-1] + timedelta(days=1))
    calls = callkit.normalise(map(body_of, listed))
    first, after = (datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(TZ)) for day in STARTED)
    return in_order(calls[(calls["start_time"] >= first) & (calls["start_time"] < after)])


@pytest.fixture
def two_days(sandbox: HostileSandbox) -> list[date]:
    return random.Random(sandbox.seed).sample(UTC_DAYS[1:], 2)


def in_order(calls: pd.DataFrame) -> pd.DataFrame:
    return calls.sort_values(["start_time", "sid"], ignore_index=True)


def asked(**filters: Any) -> callkit.CallList:
    return callkit.CallList(started=STARTED, tz=TZ, **filters)


def fetched(
    sandbox: HostileSandbox, calls: callkit.CallList | pd.DataFrame, cache: Path | None = None
) -> FetchResult:
    with sandbox.client(retry_policy=QUICK_RETRIES) as client:
        return callkit.collect(calls, client=client, cache=cache)


def of_days(calls: pd.DataFrame, days: list[date]) -> pd.Series[bool]:
    on_them: pd.Series[bool] = calls["start_time"].dt.date.isin(days)
    return on_them


def assert_only_these_days_fail(got: FetchResult, days: list[date], truth: pd.DataFrame) -> None:
    assert got.failures["day"].tolist() == sorted(map(str, days))
    assert got.failures["sid"].isna().all()
    pd.testing.assert_frame_equal(
        got.frame[~of_days(got.frame, days)].reset_index(drop=True),
        truth[~of_days(truth, days)].reset_index(drop=True),
    )
    assert_all_true(got.frame, truth)


def assert_all_true(calls: pd.DataFrame, truth: pd.DataFrame) -> None:
    known = truth[truth["sid"].isin(calls["sid"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(calls, known)


def assert_completed(got: FetchResult, sandbox: HostileSandbox, truth: pd.DataFrame) -> None:
    """See that the failures can be asked for again, now that all is well."""
    sandbox.play(None)
    again = fetched(sandbox, got.failures)
    assert again.failures.empty
    both = pd.concat([got.frame, again.frame]).drop_duplicates("sid", keep="last")
    pd.testing.assert_frame_equal(in_order(both), truth)


def test_a_right_server_lists_the_truth(sandbox: HostileSandbox, truth: pd.DataFrame) -> None:
    sandbox.play(None)
    got = fetched(sandbox, asked())
    pd.testing.assert_frame_equal(got.frame, truth)
    assert (truth["start_time"].dt.strftime("%X") == "00:00:00").any()
    assert max(sandbox.listed.values()) == 3


@pytest.mark.parametrize("trick", SEEN_THROUGH, ids=lambda trick: trick.__name__)
def test_what_can_be_seen_through_leaves_the_frame_right(
    sandbox: HostileSandbox, truth: pd.DataFrame, trick: Trick
) -> None:
    sandbox.play(trick)
    got = fetched(sandbox, asked())
    assert got.failures.empty
    pd.testing.assert_frame_equal(got.frame, truth)


@pytest.mark.parametrize("answer", PASSING, ids=lambda answer: answer.__name__)
def test_a_page_that_goes_wrong_once_is_asked_for_again(
    sandbox: HostileSandbox, truth: pd.DataFrame, answer: Trick
) -> None:
    sandbox.play(every_third(answer, sandbox.seed))
    got = fetched(sandbox, asked())
    assert got.failures.empty
    pd.testing.assert_frame_equal(got.frame, truth)


@pytest.mark.parametrize(("trick", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_day_that_may_lack_calls_is_a_failure_and_can_be_listed_again(
    sandbox: HostileSandbox,
    truth: pd.DataFrame,
    two_days: list[date],
    trick: Trick,
    message: str,
) -> None:
    sandbox.play(trick, two_days)
    got = fetched(sandbox, asked())
    assert_only_these_days_fail(got, two_days, truth)
    assert got.failures["message"].str.contains(message).all()
    assert max(sandbox.listed.values()) < 20
    assert_completed(got, sandbox, truth)


def test_rows_that_are_no_calls_keep_the_others_from_no_cache(
    sandbox: HostileSandbox, two_days: list[date], tmp_path: Path
) -> None:
    sandbox.play(hostile.has_rows_that_are_no_calls, two_days)
    cache = tmp_path / "calls.sqlite"
    with sandbox.client(retry_policy=QUICK_RETRIES) as client:
        got = callkit.collect(asked(), client=client, cache=cache)
    assert len(got.failures) == 2
    assert callkit.cache.info(cache).calls == got.calls


def test_rows_of_another_account_are_left_out_and_fail_the_day(
    sandbox: HostileSandbox, truth: pd.DataFrame, two_days: list[date]
) -> None:
    sandbox.play(hostile.mixes_in_another_account(sandbox), two_days)
    got = fetched(sandbox, asked())
    assert_only_these_days_fail(got, two_days, truth)
    assert got.failures["message"].str.contains("of another account").all()
    assert_completed(got, sandbox, truth)


@pytest.mark.parametrize(
    ("name", "column", "parameter"),
    [
        ("status", "status", "Status"),
        ("to", "to", "To"),
        ("from_", "from", "From"),
        ("parent_call_sid", "parent_call_sid", "ParentCallSid"),
    ],
)
def test_a_filter_that_is_ignored_fails_the_days_and_holds_when_they_are_listed_again(
    sandbox: HostileSandbox,
    truth: pd.DataFrame,
    name: str,
    column: str,
    parameter: str,
) -> None:
    wanted = truth[column].value_counts().index[0]
    filtered = truth[truth[column] == wanted].reset_index(drop=True)
    sandbox.play(hostile.ignores(parameter))
    got = fetched(sandbox, asked(**{name: wanted}))
    assert got.failures["day"].tolist() == list(map(str, UTC_DAYS))
    assert_all_true(got.frame, filtered)
    assert_completed(got, sandbox, filtered)


@pytest.mark.parametrize(
    "uri",
    [
        "http://{elsewhere}{{uri}}",
        "//{elsewhere}{{uri}}",
        "http://{here}@{elsewhere}{{uri}}",
        "http:////{elsewhere}{{uri}}",
        "\\\\{elsewhere}{{uri}}",
    ],
)
def test_another_host_is_never_asked(
    sandbox: HostileSandbox,
    truth: pd.DataFrame,
    two_days: list[date],
    uri: str,
) -> None:
    with ScriptedServer() as elsewhere:
        hosts = {
            "here": sandbox.url.removeprefix("http://"),
            "elsewhere": elsewhere.url.removeprefix("http://"),
        }
        sandbox.play(hostile.leads_to(uri.format(**hosts)), two_days)
        got = fetched(sandbox, asked())
        assert elsewhere.connections == 0
    assert_only_these_days_fail(got, two_days, truth)
    assert_completed(got, sandbox, truth)


def test_an_absolute_address_on_the_same_host_is_followed(
    sandbox: HostileSandbox, truth: pd.DataFrame
) -> None:
    def trick(turn: hostile.Turn) -> hostile.Page:
        page = turn.page()
        following = page["next_page_uri"]
        return page | {"next_page_uri": following and f"{sandbox.url}{following}"}

    sandbox.play(trick)
    got = fetched(sandbox, asked())
    pd.testing.assert_frame_equal(got.frame, truth)


def test_a_call_whose_price_cannot_be_read_is_a_failure_of_its_own(
    sandbox: HostileSandbox, truth: pd.DataFrame, two_days: list[date]
) -> None:
    sandbox.play(hostile.has_a_price_that_is_none, two_days)
    got = fetched(sandbox, asked())
    assert set(got.failures["day"]) == set(map(str, two_days))
    assert got.failures["sid"].notna().all()
    missing = truth["sid"].isin(got.failures["sid"])
    pd.testing.assert_frame_equal(got.frame, truth[~missing].reset_index(drop=True))
    assert_completed(got, sandbox, truth)


def test_days_of_several_accounts_are_listed_again(
    sandbox: HostileSandbox, two_days: list[date]
) -> None:
    sandbox.play(None)
    accounts = [sandbox.account_sid, sandbox.subaccount_sid]
    right = fetched(sandbox, asked(account_sid=accounts))
    sandbox.play(hostile.leads_to_itself, two_days)
    got = fetched(sandbox, asked(account_sid=accounts))
    assert set(got.failures["account_sid"]) == set(accounts)
    sandbox.play(None)
    again = fetched(sandbox, got.failures)
    both = pd.concat([got.frame, again.frame]).drop_duplicates("sid", keep="last")
    pd.testing.assert_frame_equal(in_order(both), in_order(right.frame))


def test_calls_of_no_day_are_fetched_again_though_they_are_not_in_the_range(
    sandbox: HostileSandbox, two_days: list[date]
) -> None:
    """As an update of a dataset leaves them: it fetches calls again that were not final."""
    sandbox.play(hostile.leads_to_itself, two_days)
    failures = fetched(sandbox, asked()).failures
    sandbox.play(None)
    [other] = sandbox.sids(1)
    with_call = pd.concat([failures, pd.DataFrame({"sid": [other]})], ignore_index=True)
    with_call.attrs = failures.attrs
    again = fetched(sandbox, with_call)
    assert other in set(again.frame["sid"])


def test_days_and_calls_that_failed_are_exported_by_month(
    sandbox: HostileSandbox, two_days: list[date], tmp_path: Path
) -> None:
    sandbox.play(hostile.has_a_price_that_is_none, two_days[:1])
    calls = fetched(sandbox, asked()).failures
    sandbox.play(hostile.leads_to_itself, two_days[1:])
    days = fetched(sandbox, asked()).failures
    sandbox.play(None)
    both = pd.concat([calls, days], ignore_index=True)
    both.attrs = days.attrs
    with sandbox.client() as client:
        out = callkit.export(both, tmp_path / "calls", by_month=True, client=client)
    assert set(calls["sid"]) < set(out.frame["sid"])


def test_a_day_on_which_a_call_was_listed_twice_is_not_complete_in_the_cache(
    sandbox: HostileSandbox, truth: pd.DataFrame, two_days: list[date], tmp_path: Path
) -> None:
    sandbox.play(hostile.lists_old_versions, two_days)
    fetched(sandbox, whole_days(), tmp_path / "calls.sqlite")
    sandbox.play(None)
    got = fetched(sandbox, whole_days(), tmp_path / "calls.sqlite")
    assert set(sandbox.listed) == set(two_days)
    assert_all_true(truth, got.frame)


def whole_days() -> callkit.CallList:
    return callkit.CallList(started=(UTC_DAYS[0], UTC_DAYS[-1] + timedelta(days=1)))


def test_calls_that_never_started_are_counted(sandbox: HostileSandbox) -> None:
    sandbox.play(hostile.lists_calls_that_never_started)
    got = fetched(sandbox, asked())
    assert got.frame.attrs["callkit"]["rows_never_started"] == sandbox.listed.total()


def test_a_page_that_is_always_refused_ends_the_run_and_its_day_is_a_failure(
    sandbox: HostileSandbox, truth: pd.DataFrame, two_days: list[date]
) -> None:
    sandbox.play(from_the_second_page(hostile.error_429), two_days)
    with (
        sandbox.client(retry_policy=QUICK_RETRIES, give_up_after=0.5) as client,
        pytest.raises(RunStoppedError) as caught,
    ):
        callkit.collect(asked(), client=client)
    assert set(caught.value.failures["day"]) >= set(map(str, two_days))
    assert_all_true(caught.value.frame, truth)
