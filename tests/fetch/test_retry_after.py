"""What a Retry-After holds back, and how long a run waits for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import callkit
from callkit import CallList, Failure, Fetched
from callkit.fetch.concurrency import RetryPolicy
from callkit.fetch.stop import StopConditions
from tests.support.scripted import ACCOUNT, QUICK_RETRIES, Reply, ScriptedServer, call_body, sid

if TYPE_CHECKING:
    from callkit.outcomes import Outcome
    from tests.support.scripted import Handler

OTHER = "AC" + "b" * 32
REASONS = {503: "server_error", 429: "rate_limited"}
ROW = {
    "status": "completed",
    "price": "-0.01",
    "account_sid": ACCOUNT,
    "end_time": "Sat, 01 Mar 2025 12:01:00 +0000",
}


def asks_to_wait(status: int, seconds: int) -> Reply:
    return Reply(status, b"{}", {"Retry-After": str(seconds)})


def outcomes_of(server: ScriptedServer, *numbers: int, give_up_after: float) -> dict[str, Outcome]:
    with server.client(give_up_after=give_up_after, retry_policy=QUICK_RETRIES) as client:
        outcomes = client.fetch_many([sid(number) for number in numbers])
        return {str(outcome.sid): outcome for outcome in outcomes}


@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.parametrize("place", [0, 30, 59])
def test_a_call_that_would_be_waited_for_too_long_fails_alone(
    server: ScriptedServer, status: int, place: int
) -> None:
    server.script[sid(place)] = [asks_to_wait(status, 3600)] * 9
    outcomes = outcomes_of(server, *range(60), give_up_after=2)
    [failure] = [outcome for outcome in outcomes.values() if isinstance(outcome, Failure)]
    assert (failure.sid, failure.reason) == (sid(place), REASONS[status])
    assert "the server asks to wait 3,600 s more" in failure.message
    assert len(outcomes) == 60


@pytest.mark.parametrize("status", [503, 429])
def test_waiting_that_the_server_asks_for_is_no_outage(server: ScriptedServer, status: int) -> None:
    server.script[sid(1)] = [asks_to_wait(status, 1)]
    outcomes = outcomes_of(server, 0, 1, 2, give_up_after=0.2)
    assert [type(outcome) for outcome in outcomes.values()] == [Fetched] * 3


def test_a_429_holds_back_its_account_and_no_other(server: ScriptedServer) -> None:
    accounts = [OTHER] * 5 + [None] * 40
    listed = pd.DataFrame({"sid": [sid(number) for number in range(45)], "account_sid": accounts})
    server.script[sid(0)] = [asks_to_wait(429, 1)]
    with server.client(give_up_after=0.2, retry_policy=QUICK_RETRIES) as client:
        arrived = [str(outcome.account_sid) for outcome in client.fetch_many(listed)]
    assert arrived == [ACCOUNT] * 40 + [OTHER] * 5


@pytest.mark.parametrize("status", [503, 429])
def test_a_list_goes_on_past_a_chunk_with_a_call_that_waits(
    server: ScriptedServer, status: int
) -> None:
    server.script[sid(3)] = [asks_to_wait(status, 3600)] * 9
    sids = (sid(number) for number in range(300))
    with server.client(give_up_after=2, retry_policy=QUICK_RETRIES) as client:
        got = callkit.collect(sids, client=client, pages=False)
    assert got.failures["sid"].tolist() == [sid(3)]
    assert len(got.frame) == 299


def page_of(*numbers: int, day: int) -> Reply:
    start = f"{pd.Timestamp(2025, 3, day):%a, %d %b %Y} 12:00:00 +0000"
    rows = [json.loads(call_body(sid(number), start_time=start, **ROW)) for number in numbers]
    headers = {"Date": "Sat, 05 Apr 2025 02:00:00 GMT"}
    return Reply(body=json.dumps({"calls": rows, "next_page_uri": None}).encode(), headers=headers)


@pytest.mark.parametrize("status", [503, 429])
def test_a_day_that_would_be_waited_for_too_long_fails_alone(
    server: ScriptedServer, status: int
) -> None:
    def answer(handler: Handler) -> None:
        day = int(handler.path.split("StartTime%3E=2025-03-")[1][:2])
        handler.answer(asks_to_wait(status, 3600) if day == 3 else page_of(day, day=day))

    server.always = answer
    with server.client(give_up_after=2, retry_policy=QUICK_RETRIES) as client:
        asked = CallList(started=("2025-03-01", "2025-03-09"))
        got = callkit.collect(asked, client=client)
    assert got.failures["day"].tolist() == ["2025-03-03"]
    assert set(got.failures["reason"]) == {REASONS[status]}
    assert len(got.frame) == 7


@pytest.mark.parametrize("status", [503, 429])
def test_calls_of_a_list_do_not_wait_for_pages_that_must_wait(
    server: ScriptedServer, status: int
) -> None:
    def answer(handler: Handler) -> None:
        is_call = bool(handler.call_sid)
        start = "Sat, 01 Mar 2025 12:00:00 +0000"
        body = call_body(handler.call_sid, start_time=start, **ROW)
        handler.answer(Reply(body=body) if is_call else asks_to_wait(status, 3600))

    server.always = answer
    sids = [sid(number) for number in range(200)]
    with server.client(give_up_after=3, retry_policy=QUICK_RETRIES) as client:
        df = callkit.to_frame(sids, client=client, pages=True, started=("2025-03-01", "2025-03-02"))
    assert df["sid"].tolist() == sids


def conditions(give_up_after: float) -> StopConditions:
    return StopConditions(
        *(ACCOUNT, "https://api.example", give_up_after, RetryPolicy(), give_up_after),
        *(lambda *_: set(), set()),
    )


def looked(stop: StopConditions, seconds: int, asked: float | None) -> StopConditions:
    """Look at the clock once a second; what is `asked` passes."""
    began = stop._looked_at
    for passed in range(1, seconds + 1):
        stop.look(began + passed, None if asked is None else asked - passed)
    return stop


def test_a_time_that_the_server_asks_for_does_not_count() -> None:
    assert looked(looked(conditions(300.0), 300, asked=300.0), 299, None).error is None


def test_a_server_that_asks_to_wait_again_and_again_is_an_outage() -> None:
    stop = conditions(300.0)
    for _ in range(7):
        looked(stop, 100, asked=100.0)
    assert stop.error is not None


def test_a_long_wait_is_told(caplog: pytest.LogCaptureFixture) -> None:
    looked(conditions(300.0), 60, asked=60.0)
    [told] = caplog.messages
    assert told.startswith(f"Waiting 59 s for {ACCOUNT} at https://api.example, as its responses")
