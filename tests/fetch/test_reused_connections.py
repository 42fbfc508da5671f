"""A connection that the server closes between two requests costs no call an attempt."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import requests
import trustme

from callkit import Client, Failure, Fetched
from callkit.fetch.concurrency import RetryPolicy
from tests.support.scripted import (
    ACCOUNT,
    TOKEN,
    Reply,
    ScriptedServer,
    call_body,
    over_tls,
    reset,
    reset_after,
    sending,
    sid,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.scripted import Act, Handler

ONE_ATTEMPT = RetryPolicy(attempts=1, first_back_off=0.002)
CLOSINGS: dict[str, Act] = {"closes": sending(), "resets": reset}
INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"


@pytest.fixture(params=["http", "https", "an adapter of the user's"])
def client(
    server: ScriptedServer, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Client]:
    """Give a client that sends one request after the other, by each way, and has sent one."""
    with requests.Session() as session:
        if request.param == "an adapter of the user's":
            session.mount("http://", type("Adapter", (requests.adapters.HTTPAdapter,), {})())
        if request.param == "https":
            authority = trustme.CA()
            server.url = over_tls(server, authority.issue_cert("localhost"))
            authority.cert_pem.write_to_path(tmp_path / "ca.pem")
            session.verify = str(tmp_path / "ca.pem")
        with Client(
            account_sid=ACCOUNT,
            auth_token=TOKEN,
            base_url=server.url,
            session=session,
            concurrency=1,
            timeout=5,
            retry_policy=ONE_ATTEMPT,
        ) as client:
            client.fetch(sid(0))
            yield client


@pytest.mark.parametrize("closing", CLOSINGS)
def test_a_reused_connection_that_is_closed_before_any_byte_is_no_attempt(
    server: ScriptedServer, client: Client, closing: str
) -> None:
    server.script[sid(1)] = [CLOSINGS[closing]]
    [outcome] = client.fetch_many([sid(1)])
    assert isinstance(outcome, Fetched)
    assert (server.asked[sid(1)], server.connections) == (2, 2)


@pytest.mark.parametrize("closing", CLOSINGS)
def test_a_new_connection_that_is_closed_before_any_byte_is_an_attempt(
    server: ScriptedServer, client: Client, closing: str
) -> None:
    server.script[sid(1)] = [CLOSINGS[closing]] * 2
    [outcome] = client.fetch_many([sid(1)])
    assert isinstance(outcome, Failure)
    assert (outcome.reason, server.asked[sid(1)]) == ("connection", 2)


@pytest.mark.parametrize(
    "act",
    [sending(INTERIM), reset_after(INTERIM), sending(b"HTTP/1.1 2"), reset_after(b"HTTP/1.1 2")],
    ids=["closed after a 103", "reset after a 103", "closed in the status", "reset in the status"],
)
def test_a_reused_connection_that_is_closed_after_a_byte_is_an_attempt(
    server: ScriptedServer, act: Act
) -> None:
    with server.client(concurrency=1, timeout=5, retry_policy=ONE_ATTEMPT) as client:
        client.fetch(sid(0))
        server.script[sid(1)] = [act]
        [outcome] = client.fetch_many([sid(1)])
    assert isinstance(outcome, Failure)
    assert (outcome.reason, server.asked[sid(1)]) == ("connection", 1)


def test_a_server_that_waits_no_longer_for_a_request_costs_no_attempt(
    server: ScriptedServer,
) -> None:
    """It says so just before it closes, perhaps as the next request is on its way."""
    bye = Reply(408, b"{}", {"Connection": "close"})
    with server.client(concurrency=1, timeout=5, retry_policy=ONE_ATTEMPT) as client:
        client.fetch(sid(0))
        server.script[sid(1)] = [bye]
        server.script[sid(2)] = [bye, bye]
        found, failed = client.fetch_many([sid(1), sid(2)])
    assert isinstance(found, Fetched)
    assert isinstance(failed, Failure)
    assert (failed.http_status, server.asked[sid(2)], server.connections) == (408, 2, 3)


def test_a_response_that_was_not_asked_for_is_taken_for_one_other_at_most(
    server: ScriptedServer,
) -> None:
    """The next one on that connection would be taken for that of the call after it, and so on."""

    def twice(handler: Handler) -> None:
        threading.Event().wait(0.05)  # the second arrives together with what it is taken for
        handler.connection.sendall(_whole(0) + _whole(int(handler.call_sid.removeprefix("CA"), 16)))

    policy = RetryPolicy(attempts=2, first_back_off=0.002)
    with server.client(concurrency=1, timeout=5, retry_policy=policy) as client:
        client.fetch(sid(0))
        server.script[sid(1)] = [twice]
        outcomes = list(client.fetch_many(map(sid, range(1, 20))))
    attempts = [each.attempts for each in outcomes if isinstance(each, Fetched)]
    assert sorted(attempts) == [1] * 18 + [2]
    assert server.connections == 2


def test_a_connection_that_was_closed_while_idle_is_not_used(
    server: ScriptedServer, client: Client
) -> None:
    server.script[sid(1)] = [sending(_whole(1))]  # which closes it afterwards, and does not say so
    client.fetch(sid(1))
    [outcome] = client.fetch_many([sid(2)])
    assert isinstance(outcome, Fetched)


def _whole(number: int) -> bytes:
    body = call_body(sid(number))
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("closing", CLOSINGS)
def test_many_connections_closed_at_once_cost_no_call_an_attempt(
    server: ScriptedServer, closing: str
) -> None:
    old: set[Handler] = set()
    is_old = True

    def act(handler: Handler) -> None:
        if is_old:
            old.add(handler)
            threading.Event().wait(0.01)  # so that several are needed
        elif handler in old:
            _do(CLOSINGS[closing], handler)
            return
        handler.answer(Reply())

    server.always = act
    with server.client(concurrency=20, retry_policy=ONE_ATTEMPT) as client:
        list(client.fetch_many([sid(number) for number in range(400)]))
        is_old = False
        outcomes = list(client.fetch_many([sid(number) for number in range(400, 500)]))
    assert len(old) > 5
    assert all(isinstance(outcome, Fetched) for outcome in outcomes)


def _do(act: Act, handler: Handler) -> None:
    assert not isinstance(act, Reply)
    act(handler)
