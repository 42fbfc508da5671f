"""SID lists whose pages are wrong: the result is that of single requests."""

from __future__ import annotations

import logging
import random
import threading
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import callkit
from tests.support import hostile
from tests.support import hostile_rows as rows
from tests.support.hostile import HostileSandbox, every_third, from_the_second_page
from tests.support.scripted import (
    ACCOUNT,
    QUICK_RETRIES,
    Reply,
    ScriptedServer,
    call_body,
    sid,
    silent_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callkit import FetchResult
    from tests.support.hostile import Trick

SEEDS = (1, 2, 3)
FEBRUARY = date(2025, 2, 3), date(2025, 2, 7)
LAST_DAYS = date(2025, 3, 30), date(2025, 4, 1)  # some calls are live, or not priced yet
HOW = ["attempts", "request_id"]  # of failures: these differ from run to run

HARMLESS = {
    "omits every seventh row": rows.omits_every_seventh_row,
    "repeats rows": hostile.repeats_rows,
    "repeats pages": hostile.repeats_pages,
    "old records first": rows.lists_old_records_first,
    "old records last": rows.lists_old_records_last,
    "old records on the page after": rows.lists_old_records_on_the_page_after,
    "old records on the page before": rows.lists_old_records_on_the_page_before,
    "two versions": hostile.lists_old_versions,
    "calls that never started": hostile.lists_calls_that_never_started,
    "includes midnight": hostile.includes_midnight,
    "empty pages": hostile.has_empty_pages,
    "ignores the dates": hostile.ignores("StartTime>", "StartTime<"),
    "ignores the end": hostile.ignores("StartTime<"),
    "ignores the beginning": hostile.ignores("StartTime>"),
    "leads to another day": hostile.leads_to_another_day,
    "forgets the dates": hostile.leads_to("{path}?PageSize=1000"),
    "leads back to the first page": hostile.leads_back_to_the_first_page,
    "leads to itself": hostile.leads_to_itself,
    "leads to another list": hostile.leads_to("/2010-04-01/Accounts.json?{query}"),
    "leads to no URI": hostile.leads_to("{path}?{query} HTTP/1.1"),
    "leads to nothing": hostile.leads_to(""),
    "leads to a broken URI": hostile.leads_to("http://[::1"),
    "never ends": hostile.never_ends,
    "a call without a SID": hostile.has_a_call_without_a_sid,
    "rows that are no calls": hostile.has_rows_that_are_no_calls,
    "one broken price": hostile.has_a_price_that_is_none,
    "500 at times": every_third(hostile.error_500, 1),
    "429 at times": every_third(hostile.error_429, 1),
    "429 with advice at times": every_third(hostile.error_429_with_advice, 1),
    "500 for every third page": rows.every_third_of_all(),
    "500 from the second page": from_the_second_page(hostile.error_500),
    "cut short at times": every_third(hostile.cut_short, 1),
    "never finishes from the second page": from_the_second_page(rows.never_finishes),
    "upper case": rows.upper_case,
    "nested rows": rows.deep,
}
USELESS = {
    "in progress": rows.in_progress,
    "queued": rows.queued,
    "broken prices": rows.broken_price,
    "broken dates": rows.broken_date,
    "no SIDs": rows.without_a_sid,
    "no accounts": rows.without_an_account,
    "no callers": rows.without("to"),
    "no currency": rows.without("price_unit"),
    "never ends with other calls": rows.never_ends_with_other_calls,
    "never ends and is empty": rows.never_ends_and_is_empty,
    "no list": hostile.lists_no_calls,
    "no next page": hostile.does_not_name_the_next_page,
    "no JSON": rows.is_no_json,
    "HTML": rows.is_html,
    "nested too deeply": rows.is_nested_too_deeply,
    "cut short": hostile.cut_short,
    "cut short in chunks": hostile.cut_short_in_chunks,
    "never finishes": rows.never_finishes,
    "redirected": rows.is_redirected,
    "forbidden": rows.is_forbidden,
    "unknown": rows.is_unknown,
    "refused": rows.is_refused,
    "too many": rows.is_too_many,
    "500": hostile.error_500,
}


@pytest.fixture(scope="module", params=SEEDS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[HostileSandbox]:
    with HostileSandbox(request.param) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sids(sandbox: HostileSandbox) -> list[str]:
    """Two calls of three, unknown ones and repeated ones, shuffled, some in capital letters."""
    dice = random.Random(sandbox.seed)
    calls = [call.sid for days in (FEBRUARY, LAST_DAYS) for call in sandbox.calls_of(*days)]
    wanted = dice.sample(calls, len(calls) * 2 // 3) + sandbox.unknown_sids(20)
    wanted += dice.sample(wanted, 20)
    dice.shuffle(wanted)
    return [f"CA{sid[2:].upper()}" if dice.random() < 0.2 else sid for sid in wanted]


@pytest.fixture(scope="module")
def singly(sandbox: HostileSandbox, sids: list[str]) -> FetchResult:
    return fetched(sandbox, sids, pages=False)


@pytest.fixture(scope="module")
def long_list(sandbox: HostileSandbox) -> list[str]:
    """More calls than are fetched one by one without a thought."""
    calls = [call.sid for call in sandbox.calls_of(date(2025, 2, 1), date(2025, 2, 18))]
    random.Random(sandbox.seed).shuffle(calls)
    return calls[:1_150]


@pytest.fixture(scope="module")
def long_list_singly(sandbox: HostileSandbox, long_list: list[str]) -> FetchResult:
    return fetched(sandbox, long_list, pages=False)


@pytest.fixture(autouse=True)
def _right_again(sandbox: HostileSandbox) -> Iterator[None]:
    sandbox.play(None)
    yield
    sandbox.play(None)
    sandbox.limit = None


def fetched(
    sandbox: HostileSandbox, sids: list[str] | pd.DataFrame, concurrency: int = 8, **options: Any
) -> FetchResult:
    how = {"retry_policy": QUICK_RETRIES, "concurrency": concurrency, "timeout": 2}
    with sandbox.client(**how) as client:
        return callkit.collect(sids, client=client, **options)


def assert_same(got: FetchResult, singly: FetchResult) -> None:
    """See that both have the same calls and failures, in the same order."""
    pd.testing.assert_frame_equal(got.frame, singly.frame)
    pd.testing.assert_frame_equal(got.failures.drop(columns=HOW), singly.failures.drop(columns=HOW))


def from_pages(got: FetchResult) -> int:
    number: int = got.frame.attrs["callkit"]["calls_from_pages"]
    return number


def test_most_calls_come_from_right_pages(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult
) -> None:
    got = fetched(sandbox, sids, pages=True)
    assert_same(got, singly)
    assert from_pages(got) > len(sids) / 2
    assert 0 < len(got.failures) < len(got.frame)


@pytest.mark.parametrize("trick", HARMLESS.values(), ids=HARMLESS.keys())
def test_pages_that_are_partly_right_serve_no_call_wrongly(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult, trick: Trick
) -> None:
    sandbox.play(trick)
    got = fetched(sandbox, sids, pages=True)
    assert_same(got, singly)
    assert sandbox.listed.total() > 0


@pytest.mark.parametrize("trick", USELESS.values(), ids=USELESS.keys())
def test_pages_that_are_all_wrong_serve_no_call(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult, trick: Trick
) -> None:
    sandbox.play(trick)
    got = fetched(sandbox, sids, pages=True)
    assert_same(got, singly)
    assert from_pages(got) == 0
    assert sandbox.listed.total() > 0


def test_completed_calls_without_a_price_are_not_taken(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult
) -> None:
    sandbox.play(rows.unpriced)
    got = fetched(sandbox, sids, pages=True)
    assert_same(got, singly)
    assert from_pages(got) <= (singly.frame["status"] != "completed").sum()


def test_rows_of_another_account_are_not_taken(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult
) -> None:
    sandbox.play(hostile.mixes_in_another_account(sandbox))
    assert_same(fetched(sandbox, sids, pages=True), singly)


def test_rows_of_another_account_that_have_the_sids_asked_for_are_not_taken(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult
) -> None:
    sandbox.play(rows.lists_wrong_records_of_another_account(sandbox))
    got = fetched(sandbox, sids, pages=True)
    assert_same(got, singly)
    assert from_pages(got) > 0


@pytest.mark.parametrize(
    "trick",
    [
        hostile.repeats_rows,
        rows.lists_old_records_on_the_page_after,
        rows.omits_every_seventh_row,
        rows.unpriced,
        rows.every_third_of_all(),
        rows.is_too_many,
        rows.is_forbidden,
        None,
    ],
    ids=lambda trick: getattr(trick, "__name__", "other"),
)
def test_a_long_list_decides_by_itself_and_gets_the_same(
    sandbox: HostileSandbox,
    long_list: list[str],
    long_list_singly: FetchResult,
    trick: Trick | None,
) -> None:
    sandbox.play(trick)
    got = fetched(sandbox, long_list)
    assert_same(got, long_list_singly)
    assert sandbox.listed.total() > 0


def test_an_account_that_may_not_list_is_logged_once(
    sandbox: HostileSandbox, sids: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.play(rows.is_forbidden)
    with caplog.at_level(logging.INFO):
        fetched(sandbox, sids, pages=True)
    [record] = [each for each in caplog.records if each.name.startswith("callkit")]
    assert "cannot be listed (forbidden: Forbidden)" in record.getMessage()


def test_a_limit_on_all_requests_changes_nothing(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult
) -> None:
    sandbox.limit = 3
    assert_same(fetched(sandbox, sids, pages=True), singly)


def test_another_host_is_never_asked(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult
) -> None:
    with ScriptedServer() as elsewhere:
        sandbox.play(hostile.leads_to(f"{elsewhere.url}{{uri}}"))
        assert_same(fetched(sandbox, sids, pages=True), singly)
        assert elsewhere.connections == 0


def test_calls_of_several_accounts_come_from_the_pages_of_each(sandbox: HostileSandbox) -> None:
    calls = sandbox.sid_frame(300).sample(frac=1, random_state=sandbox.seed)
    sandbox.play(rows.omits_every_seventh_row)
    got = fetched(sandbox, calls, pages=True)
    assert_same(got, fetched(sandbox, calls, pages=False))
    assert len(set(got.frame["account_sid"])) == 2


def test_a_range_that_is_far_off_changes_nothing(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult
) -> None:
    got = fetched(sandbox, sids, pages=True, started=("2024-06-01", "2024-06-20"))
    assert_same(got, singly)


def test_wrong_dates_in_a_column_change_nothing(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult
) -> None:
    wrong = ["2024-06-01", "9999-12-31", None, "2025-02-04"]
    dated = pd.DataFrame({"sid": sids, "when": [wrong[n % 4] for n in range(len(sids))]})
    assert_same(fetched(sandbox, dated, pages=True, date_column="when"), singly)


def test_a_call_whose_records_differ_on_a_page_is_not_taken_from_a_later_one(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult
) -> None:
    """One of the two looks final, and comes again alone."""
    sandbox.play(hostile.lists_old_versions)
    assert_same(fetched(sandbox, sids, pages=True), singly)


def test_lists_that_are_always_refused_with_429_do_not_hold_up_single_requests(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult
) -> None:
    sandbox.play(rows.is_too_many)
    assert_same(fetched(sandbox, sids, concurrency=25, pages=True), singly)


def test_calls_that_start_on_the_last_day_there_is_are_fetched(server: ScriptedServer) -> None:
    start = {"start_time": "Fri, 31 Dec 9999 12:00:00 +0000", "account_sid": ACCOUNT}
    sids = [sid(number) for number in range(20)]
    for each in sids:
        server.script[each] = [Reply(body=call_body(each, **start))]
    with server.client() as client:
        assert len(callkit.to_frame(sids, client=client, pages=True)) == len(sids)


def test_pages_that_never_come_do_not_make_an_account_look_like_a_wrong_one(
    sandbox: HostileSandbox, sids: list[str]
) -> None:
    sandbox.play(rows.never_finishes)
    unknown_first = sandbox.unknown_sids(450) + sids
    got = fetched(sandbox, unknown_first, pages=True, started=("2024-06-01", "2024-06-02"))
    assert got.calls == fetched(sandbox, unknown_first, pages=False).calls


def test_a_list_that_refuses_the_credentials_does_not_end_a_run(
    sandbox: HostileSandbox, sids: list[str], singly: FetchResult
) -> None:
    sandbox.play(rows.is_refused)
    got = fetched(sandbox, sids, concurrency=1, pages=True, started=FEBRUARY)
    assert_same(got, singly)


def test_a_single_call_does_not_wait_for_pages_that_are_none(
    sandbox: HostileSandbox, sids: list[str]
) -> None:
    sandbox.play(rows.is_no_json)
    got = fetched(sandbox, sids[:1], pages=True, started=("2025-03-01", "2025-04-01"))
    assert got.calls + len(got.failures) == 1


def test_a_list_that_begins_with_unknown_calls_is_no_wrong_account(
    sandbox: HostileSandbox, long_list: list[str]
) -> None:
    got = fetched(sandbox, sandbox.unknown_sids(1_500) + long_list)
    assert (got.calls, len(got.failures)) == (len(long_list), 1_500)


def test_pages_that_are_cut_off_at_the_end_say_nothing_of_the_account(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    end = threading.Event()
    server.script[""] = [silent_until(end)] * 10  # pages
    with server.client() as client, caplog.at_level(logging.DEBUG):
        got = callkit.collect(
            [sid(number) for number in range(20)],
            client=client,
            pages=True,
            started=("2025-03-01", "2025-03-11"),
        )
        end.set()
    assert got.calls == 20
    assert "no request succeeds" not in caplog.text
