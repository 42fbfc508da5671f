"""What is asked before days can be listed: the server's date, and the accounts."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import callkit
from callkit import CallList
from callkit.errors import FetchInterrupted, RunStoppedError, SignInError
from callkit.fetch.concurrency import RetryPolicy
from tests.support.scripted import ACCOUNT, QUICK_RETRIES, Reply

if TYPE_CHECKING:
    from callkit import Client
    from tests.support.scripted import Act, Handler, ScriptedServer

ACCOUNTS = "/2010-04-01/Accounts.json"
CALLS = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
OTHER, CLOSED = "AC" + "b" * 32, "AC" + "c" * 32
THE_DATE = "Sat, 15 Mar 2025 01:00:00 GMT"
TWO_DAYS = ("2025-03-01", "2025-03-03")


def page(name: str, *rows: dict[str, str], next_uri: str | None = None, **headers: str) -> Reply:
    body = {name: rows, "next_page_uri": next_uri}
    return Reply(body=json.dumps(body).encode(), headers=headers)


def account(sid: str, status: str = "active") -> dict[str, str]:
    return {"sid": sid, "status": status, "friendly_name": "Zoë Ltd"}


def answers(server: ScriptedServer, *of_accounts: Act) -> None:
    """Script the pages of accounts, the last for ever; every page of calls is empty."""
    remaining = list(of_accounts)

    def answer(handler: Handler) -> None:
        is_of_accounts = handler.path.startswith(ACCOUNTS)
        act: Act = page("calls", Date=THE_DATE)
        if is_of_accounts:
            act = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if isinstance(act, Reply):
            handler.answer(act)
        else:
            act(handler)

    server.always = answer


def asked_for(server: ScriptedServer, path: str) -> int:
    return sum(each.partition("?")[0] == path for each in server.paths)


def attributes(client: Client, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = callkit.to_frame(CallList(**asked), client=client).attrs["callkit"]
    return found


# The server's date


def test_a_range_of_dates_needs_no_question(
    server: ScriptedServer, scripted_client: Client
) -> None:
    answers(server)
    attributes(scripted_client, started=TWO_DAYS)
    assert len(server.paths) == 2


def test_days_counted_back_need_the_smallest_page_first(
    server: ScriptedServer, scripted_client: Client
) -> None:
    answers(server)
    attributes(scripted_client, started="-3d")
    assert server.paths[0] == f"{CALLS}?PageSize=1"
    assert len(server.paths) == 1 + 3


def test_today_is_that_of_the_server_and_not_of_this_computer(
    server: ScriptedServer, scripted_client: Client
) -> None:
    answers(server)
    found = attributes(scripted_client, started="today")
    assert found["started"] == ["2025-03-15T00:00:00+00:00", "2025-03-16T00:00:00+00:00"]


def test_today_is_that_of_the_zone_at_the_servers_time(
    server: ScriptedServer, scripted_client: Client
) -> None:
    answers(server)
    found = attributes(scripted_client, started="today", tz="America/New_York")
    assert found["started"] == ["2025-03-14T04:00:00+00:00", "2025-03-15T04:00:00+00:00"]


# The accounts


def test_an_account_that_is_named_is_not_looked_up(
    server: ScriptedServer, scripted_client: Client
) -> None:
    answers(server)
    found = attributes(scripted_client, started=TWO_DAYS, account_sid=[OTHER, ACCOUNT])
    assert found["accounts"] == [OTHER, ACCOUNT]
    assert asked_for(server, ACCOUNTS) == 0


def test_all_accounts_come_in_the_order_of_the_server(
    server: ScriptedServer, scripted_client: Client
) -> None:
    answers(server, page("accounts", account(OTHER), account(ACCOUNT)))
    found = attributes(scripted_client, started=TWO_DAYS, account_sid="all")
    assert found["accounts"] == [OTHER, ACCOUNT]
    assert asked_for(server, CALLS) == asked_for(server, CALLS.replace(ACCOUNT, OTHER)) == 2


def test_all_pages_of_accounts_are_read(server: ScriptedServer, scripted_client: Client) -> None:
    answers(
        server,
        page("accounts", account(ACCOUNT), next_uri=f"{ACCOUNTS}?Page=1&PageToken=PA{ACCOUNT}"),
        page("accounts", account(OTHER)),
    )
    found = attributes(scripted_client, started=TWO_DAYS, account_sid="all")
    assert found["accounts"] == [ACCOUNT, OTHER]


def test_a_closed_account_is_listed_and_reported(
    server: ScriptedServer, scripted_client: Client
) -> None:
    answers(server, page("accounts", account(ACCOUNT), account(CLOSED, "closed")))
    found = attributes(scripted_client, started=TWO_DAYS, account_sid="all")
    assert found["accounts_closed"] == [CLOSED]
    assert asked_for(server, CALLS.replace(ACCOUNT, CLOSED)) == 2


# What ends the run


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (
            Reply(403, b'{"message": "Forbidden", "code": 20403}'),
            "the API key may not list them; use another key, or fetch by SID",
        ),
        (Reply(404, b'{"message": "No such thing", "code": 20404}'), "not_found: No such thing"),
        (Reply(body=b"[]"), "bad_response: "),
        (Reply(body=b'{"accounts": []}'), "bad_response: "),
        (page("accounts", {"status": "active"}), "an account cannot be read (Object missing"),
        (page("accounts", account("../Accounts")), "an account cannot be read (Expected `str`"),
        (page("accounts", account(f"{ACCOUNT}\n")), "an account cannot be read (Expected `str`"),
        (page("accounts", next_uri="https://example.com/x"), "the next page is on another host"),
        (page("accounts", next_uri=f"{CALLS}?Page=1"), "the next page is of another list"),
        (page("accounts", account(OTHER), next_uri=f"{ACCOUNTS}?Page=1"), "has no new account"),
        (page("accounts", next_uri=f"{ACCOUNTS}?Page=1"), "has no new account"),
    ],
)
def test_without_the_accounts_no_day_is_listed(
    server: ScriptedServer, reply: Reply, why: str
) -> None:
    answers(server, reply)
    expected = "^Cannot list the accounts or calls of AC"
    with (
        server.client(retry_policy=QUICK_RETRIES) as client,
        pytest.raises(RunStoppedError, match=expected) as caught,
    ):
        attributes(client, started=TWO_DAYS, account_sid="all")
    assert why in str(caught.value)
    assert asked_for(server, ACCOUNTS) == len(server.paths)


def test_what_is_stopped_before_the_first_day_has_an_empty_frame(
    server: ScriptedServer, scripted_client: Client
) -> None:
    answers(server, Reply(403, b"{}"))
    with pytest.raises(RunStoppedError) as caught:
        attributes(scripted_client, started=TWO_DAYS, account_sid="all")
    assert isinstance(caught.value.frame, pd.DataFrame)
    assert (len(caught.value.frame), len(caught.value.failures)) == (0, 0)


def test_a_refused_sign_in_is_a_sign_in_error(server: ScriptedServer) -> None:
    server.always = Reply(401, b'{"message": "Authenticate", "code": 20003}')
    with server.client(retry_policy=QUICK_RETRIES) as client, pytest.raises(SignInError):
        attributes(client, started="yesterday")


def test_a_question_is_repeated_after_an_error_of_the_server(server: ScriptedServer) -> None:
    replies = [Reply(503, b"{}"), Reply(429, b"{}"), page("accounts", account(OTHER))]
    answers(server, *replies)
    with server.client(retry_policy=QUICK_RETRIES) as client:
        found = attributes(client, started=TWO_DAYS, account_sid="all")
    assert found["accounts"] == [OTHER]


def test_a_question_that_is_never_answered_ends_the_run(server: ScriptedServer) -> None:
    server.always = Reply(503, b"{}")
    policy = RetryPolicy(attempts=2, first_back_off=0.001)
    with (
        server.client(retry_policy=policy) as client,
        pytest.raises(
            RunStoppedError, match="Cannot list the accounts or calls of .*: server_error: "
        ),
    ):
        attributes(client, started="today")


def test_an_interrupt_while_the_accounts_are_listed_ends_the_run(
    server: ScriptedServer, scripted_client: Client
) -> None:
    def interrupt(handler: Handler) -> None:
        signal.raise_signal(signal.SIGINT)
        handler.answer(page("accounts", account(ACCOUNT)))

    answers(server, interrupt, page("accounts", account(ACCOUNT)))
    with pytest.raises(FetchInterrupted) as caught:
        attributes(scripted_client, started=TWO_DAYS, account_sid="all")
    assert caught.value.frame.empty
