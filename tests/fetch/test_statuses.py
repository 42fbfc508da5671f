"""What each status of the IANA registry, and any other, means for its call."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from callkit import Failure, Fetched
from callkit.fetch.connection import Response
from callkit.fetch.credentials import Credentials, Secret
from callkit.fetch.responses import Answer, Meaning, judge
from callkit.sids import CallKey
from tests.support.scripted import ACCOUNT, TOKEN, Reply, ScriptedServer, call_body, sid

if TYPE_CHECKING:
    from callkit import Client

BODY = call_body(sid(1))
FETCHED = {200, 203, 209, 299}
WITHOUT_CALL = {101, 201, 202, 204, 205, 206, 207, 208, 226}
REDIRECTS = {300, 301, 302, 303, 304, 305, 306, 307, 308, 310, 399}
FINAL = {
    *(400, 402, 403, 404, 405, 406, 407, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 422),
    *(424, 426, 428, 431, 451),
    *(419, 420, 430, 440, 444, 449, 450, 460, 463, 494, 498, 499),  # not registered
    *(501, 505, 506, 510),
}
PASSING = {408, 421, 423, 425}
SERVER_ERRORS = {
    *(500, 502, 503, 504, 507, 508, 511),
    *(509, 512, *range(520, 531), 540, 561, 598, 599),  # not registered
    *(0, 99, 600, 666, 700, 999),  # of no class
}
ALL = {*FETCHED, *WITHOUT_CALL, *REDIRECTS, *FINAL, *PASSING, *SERVER_ERRORS, 401, 429}


def answer_to(status: int, headers: dict[str, str] | None = None) -> Answer:
    credentials = Credentials(ACCOUNT, ACCOUNT, Secret(TOKEN))
    response = Response(status, headers or {}, BODY)
    return judge(response, CallKey(sid(1), None), ACCOUNT, 1, credentials)


def verdict(status: int) -> tuple[str, Meaning]:
    answer = answer_to(status)
    outcome = answer.outcome
    return outcome.reason if isinstance(outcome, Failure) else "", answer.meaning


def test_every_registered_status_is_decided() -> None:
    interim = {100, 102, 103}  # which are skipped
    assert {int(status) for status in HTTPStatus} - ALL <= interim


@pytest.mark.parametrize("status", sorted(FETCHED))
def test_a_success_with_the_call_is_the_call(status: int) -> None:
    assert isinstance(answer_to(status).outcome, Fetched)


@pytest.mark.parametrize("status", sorted(WITHOUT_CALL))
def test_a_success_without_the_call_is_a_bad_response(status: int) -> None:
    assert verdict(status) == ("bad_response", Meaning.TRANSIENT)


@pytest.mark.parametrize("status", sorted(REDIRECTS))
def test_a_redirect_may_be_the_networks(status: int) -> None:
    assert verdict(status) == ("http_error", Meaning.TRANSIENT)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_what_another_attempt_cannot_change_is_final(status: int) -> None:
    reasons = {403: "forbidden", 404: "not_found"}
    assert verdict(status) == (reasons.get(status, "http_error"), Meaning.FINAL)


@pytest.mark.parametrize("status", sorted(PASSING))
def test_what_passes_is_requested_again(status: int) -> None:
    assert verdict(status) == ("http_error", Meaning.TRANSIENT)


@pytest.mark.parametrize("status", sorted(SERVER_ERRORS))
def test_an_error_of_the_server_is_requested_again(status: int) -> None:
    assert verdict(status) == ("server_error", Meaning.TRANSIENT)


def test_a_413_that_says_when_to_come_again_is_requested_then() -> None:
    answer = answer_to(413, {"Retry-After": "7"})
    assert (answer.meaning, answer.retry_after) == (Meaning.TRANSIENT, 7.0)


def test_refused_credentials_and_a_busy_account_are_no_errors_of_the_call() -> None:
    assert verdict(401) == ("unauthorized", Meaning.UNAUTHORIZED)
    assert verdict(429) == ("rate_limited", Meaning.BUSY)


@pytest.mark.parametrize("status", [101, 204, 206, 408, 421, 423, 425, 503, 511, 520, 600])
def test_a_call_arrives_after_a_status_that_passes(
    server: ScriptedServer, client: Client, status: int
) -> None:
    body = b"" if status in {101, 204} else b"{}"
    server.script[sid(1)] = [Reply(status, body)]
    [outcome] = client.fetch_many([sid(1)])
    assert isinstance(outcome, Fetched)
    assert outcome.attempts == 2


@pytest.mark.parametrize("status", [101, 408, 421])
def test_another_attempt_goes_by_another_connection_where_the_status_asks_for_it(
    server: ScriptedServer, client: Client, status: int
) -> None:
    server.script[sid(1)] = [Reply(status, b"")]
    list(client.fetch_many([sid(1)]))
    assert server.connections == 2
