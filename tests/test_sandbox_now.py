"""The sandbox's present time can be set: calls come into being, ring, end and are priced."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from callkit.sandbox import Sandbox
from callkit.sandbox.api import BASE_URL, answered_by

if TYPE_CHECKING:
    from callkit.sandbox import Call

AS_OF = datetime(2025, 4, 1, tzinfo=UTC)
MARCH = datetime(2025, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LATER = AS_OF + timedelta(days=365)
LIVE = {"queued", "ringing", "in-progress"}


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(calls=2_000, seed=7)


def answer(sandbox: Sandbox, path: str, **filters: Any) -> requests.Response:
    session = answered_by(sandbox._app.api)
    session.auth = (sandbox.account_sid, sandbox.auth_token)
    url = f"{BASE_URL}/2010-04-01/Accounts/{sandbox.account_sid}/{path}"
    return session.get(url, params=filters, timeout=10)


def fetched(sandbox: Sandbox, sid: str) -> requests.Response:
    return answer(sandbox, f"Calls/{sid}.json")


def listed(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """The newest thousand calls."""
    return {
        row["sid"]: row for row in answer(sandbox, "Calls.json", PageSize=1_000).json()["calls"]
    }


def queued_call(sandbox: Sandbox) -> Call:
    """A call that waits in the queue, rings and is answered."""
    calls = (sandbox.call(sid) for sid in sandbox.sids(1_600))
    return next(c for c in calls if c.queue_time and c.status == "completed" and c.price)


def test_now_is_the_end_of_the_period_unless_it_is_set(sandbox: Sandbox) -> None:
    assert sandbox.now == AS_OF


def test_now_is_the_date_of_every_answer_in_this_process(sandbox: Sandbox) -> None:
    sandbox.now = MARCH
    known, unknown = sandbox.sids(1)[0], sandbox.unknown_sids(1)[0]
    assert {fetched(sandbox, sid).headers["Date"] for sid in (known, unknown)} == {
        format_datetime(MARCH, usegmt=True)
    }


def test_now_is_the_date_of_every_answer_of_the_server() -> None:
    with Sandbox(calls=10, now=MARCH) as sandbox:
        answers = [requests.get(sandbox.url, timeout=10)]
        sandbox.now = LATER
        answers.append(requests.get(sandbox.url, timeout=10))
    assert [answer.raw.headers.getlist("Date") for answer in answers] == [
        [format_datetime(now, usegmt=True)] for now in (MARCH, LATER)
    ]


def test_now_is_read_in_utc_whatever_zone_it_was_set_in(sandbox: Sandbox) -> None:
    sandbox.now = MARCH.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert (sandbox.now, sandbox.now.tzinfo) == (MARCH, UTC)


def test_a_time_without_a_zone_is_refused(sandbox: Sandbox) -> None:
    message = "Invalid now 2025-03-01 00:00:00: expected a datetime with a time zone"
    with pytest.raises(ValueError, match=message):
        sandbox.now = MARCH.replace(tzinfo=None)


def test_a_sandbox_cannot_begin_without_a_zone_either() -> None:
    with pytest.raises(ValueError, match="expected a datetime with a time zone"):
        Sandbox(now=MARCH.replace(tzinfo=None))


def test_a_call_does_not_exist_before_it_is_created(sandbox: Sandbox) -> None:
    call = queued_call(sandbox)
    sandbox.now = call.date_created - SECOND
    assert fetched(sandbox, call.sid).status_code == 404
    assert call.sid not in listed(sandbox)
    with pytest.raises(LookupError):
        sandbox.call(call.sid)


def test_a_call_goes_from_the_queue_to_its_price(sandbox: Sandbox) -> None:
    call = queued_call(sandbox)
    assert call.start_time is not None
    assert call.end_time is not None
    moments = [
        call.date_created,
        call.start_time,
        call.end_time - SECOND,
        call.end_time,
        LATER,
    ]
    seen = []
    for sandbox.now in moments:
        body = fetched(sandbox, call.sid).json()
        seen.append((body["status"], body["start_time"] is not None, body["price"] is not None))
    assert seen == [
        ("queued", False, False),
        ("ringing", True, False),
        ("in-progress", True, False),
        ("completed", True, False),
        ("completed", True, True),
    ]


@pytest.mark.parametrize("now", [MARCH, MARCH + timedelta(hours=15), AS_OF, LATER])
def test_a_list_shows_the_calls_as_a_fetch_does(sandbox: Sandbox, now: datetime) -> None:
    sandbox.now = now
    rows = listed(sandbox)
    for sid in list(rows)[:200]:
        assert fetched(sandbox, sid).json() == rows[sid]


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_a_list_has_the_calls_that_exist_and_no_other(hour: int) -> None:
    later = Sandbox(calls=2_000, now=LATER)
    calls = [later.call(sid) for sid in later.sids(1_600)]
    sandbox = Sandbox(calls=2_000, now=datetime(2025, 1, 20, hour, tzinfo=UTC))
    existing = {call.sid for call in calls if call.date_created <= sandbox.now}
    assert set(listed(sandbox)) == existing


def test_nothing_that_is_known_lies_in_the_future(sandbox: Sandbox) -> None:
    sandbox.now = MARCH + timedelta(hours=15)
    for sid in listed(sandbox):
        call = sandbox.call(sid)
        times = (call.date_created, call.date_updated, call.start_time, call.end_time)
        assert max(time for time in times if time is not None) <= sandbox.now


def test_some_calls_are_live_at_the_end_of_the_period() -> None:
    statuses = {row["status"] for row in listed(Sandbox(calls=10_000)).values()}
    assert statuses >= LIVE


def test_a_later_now_completes_everything() -> None:
    sandbox = Sandbox(calls=10_000, now=LATER)
    assert not {row["status"] for row in listed(sandbox).values()} & LIVE


def test_the_present_time_moves_nothing_else(sandbox: Sandbox) -> None:
    ended = [sid for sid in sandbox.sids(100) if sandbox.call(sid).price]
    before = [json.loads(fetched(sandbox, sid).content) for sid in ended]
    sandbox.now = LATER
    assert [json.loads(fetched(sandbox, sid).content) for sid in ended] == before
