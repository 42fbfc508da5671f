"""What a run says, and when it ends, where nothing succeeds."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit import Client, Failure, Fetched
from callkit.errors import RunStoppedError, WrongAccountError
from callkit.fetch.concurrency import RetryPolicy
from callkit.fetch.responses import Answer, Meaning
from callkit.fetch.stop import StopConditions
from tests.support.scripted import ACCOUNT, TOKEN, Reply, ScriptedServer, sid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SIDS = [sid(number) for number in range(300)]
UNKNOWN_CALLS = 200


@pytest.fixture
def nobody() -> Iterator[Client]:
    """Sign in where nobody listens."""
    with socket.socket() as taken:  # bound, and so nobody else's, but not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Client(
            account_sid=ACCOUNT, auth_token=TOKEN, base_url=url, give_up_after=0.5
        ) as client:
            yield client


def test_a_refused_connection_is_told_before_patience_ends(
    nobody: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RunStoppedError):
        callkit.to_frame(SIDS, client=nobody)
    (told,) = caplog.messages
    assert told == (
        f"No successful response from {ACCOUNT} at {nobody.base_url} in the last 0.5 s "
        "(connection: ConnectionRefusedError: Connection refused); retrying for up to 0.5 s "
        "(Ctrl-C stops)"
    )


def test_a_refused_connection_is_no_timeout(nobody: Client) -> None:
    with pytest.raises(RunStoppedError, match="connection: ConnectionRefusedError") as caught:
        callkit.to_frame(SIDS, client=nobody)
    assert set(caught.value.failures["reason"]) <= {"connection", "not_attempted"}


def conditions(sample: Iterable[int]) -> StopConditions:
    """Make stop conditions for a queue whose sample is these calls."""
    drawn = {sid(number) for number in sample}
    policy = RetryPolicy(unknown_calls=UNKNOWN_CALLS)
    return StopConditions(
        ACCOUNT, "https://api.example", 300.0, policy, 300.0, lambda *_: drawn, set()
    )


def not_found(stop: StopConditions, numbers: Iterable[int]) -> None:
    for number in numbers:
        failure = Failure(sid(number), ACCOUNT, "not_found", "", 404)
        stop.saw(Answer(failure, Meaning.FINAL), ACCOUNT, 0.0)


def forbidden(stop: StopConditions, number: int) -> None:
    failure = Failure(sid(number), ACCOUNT, "forbidden", "", 403)
    stop.saw(Answer(failure, Meaning.FINAL), ACCOUNT, 0.0)


def found(stop: StopConditions, number: int) -> None:
    at = datetime(2025, 4, 1, tzinfo=UTC)
    outcome = Fetched(sid(number), ACCOUNT, b"{}", None, at, 1)
    stop.saw(Answer(outcome, Meaning.FINAL), ACCOUNT, 0.0)


SAMPLE = range(1000, 1020)


def test_a_run_without_a_call_found_goes_on_until_its_sample_is_not_found_either() -> None:
    stop = conditions(SAMPLE)
    not_found(stop, range(UNKNOWN_CALLS))
    not_found(stop, SAMPLE[:-1])
    assert stop.error is None
    not_found(stop, SAMPLE[-1:])
    assert isinstance(stop.error, WrongAccountError)


def test_calls_that_were_under_way_do_not_stand_for_the_sample() -> None:
    stop = conditions(SAMPLE)
    not_found(stop, range(UNKNOWN_CALLS + 100))
    assert stop.error is None


def test_a_sample_with_a_call_that_is_found_ends_the_suspicion() -> None:
    stop = conditions(SAMPLE)
    not_found(stop, range(UNKNOWN_CALLS))
    found(stop, SAMPLE[0])
    not_found(stop, SAMPLE[1:])
    not_found(stop, range(UNKNOWN_CALLS, 900))
    assert stop.error is None


def test_a_sample_of_which_one_call_may_not_be_read_proves_nothing() -> None:
    stop = conditions(SAMPLE)
    not_found(stop, range(UNKNOWN_CALLS))
    forbidden(stop, SAMPLE[0])
    not_found(stop, SAMPLE[1:])
    assert stop.error is None


def test_where_nothing_waits_the_run_stops_at_once() -> None:
    stop = conditions([])
    not_found(stop, range(UNKNOWN_CALLS))
    assert str(stop.error) == (
        f"None of the first 200 calls was found for {ACCOUNT} at https://api.example. Check the "
        "account and the region; calls older than 13 months are available only from Bulk Export"
    )


def test_the_message_names_how_many_calls_were_tried() -> None:
    stop = conditions(SAMPLE)
    not_found(stop, [*range(UNKNOWN_CALLS), *SAMPLE])
    assert str(stop.error) == (
        f"None of 220 calls was found for {ACCOUNT} at https://api.example: the first 200, and 20 "
        "spread over those read so far. Check the account and the region; calls older than 13 "
        "months are available only from Bulk Export"
    )


def test_a_list_in_time_order_may_begin_with_calls_that_are_too_old(
    server: ScriptedServer, scripted_client: Client
) -> None:
    old, recent = range(3000), range(3000, 3500)
    for number in old:
        server.script[sid(number)] = [Reply(404, b"{}")]
    got = callkit.collect([sid(number) for number in (*old, *recent)], client=scripted_client)
    assert got.frame["sid"].tolist() == [sid(number) for number in recent]
    assert got.failures["sid"].tolist() == [sid(number) for number in old]
    assert set(got.failures["reason"]) == {"not_found"}
