"""What a list repeats of the credentials goes no further either."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import callkit
from callkit import CallList, Client
from callkit.errors import RunStoppedError
from callkit.fetch.concurrency import RetryPolicy
from tests.support.scripted import ACCOUNT, Reply, ScriptedServer, sid

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
DAY = ("2025-03-01", "2025-03-02")


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    with Client(
        account_sid=ACCOUNT,
        auth_token=SECRET,
        base_url=server.url,
        retry_policy=RetryPolicy(attempts=1),
    ) as client:
        yield client


def page(*calls: dict[str, Any], next_uri: str | None = None) -> Reply:
    body = json.dumps({"calls": calls, "accounts": calls, "next_page_uri": next_uri})
    return Reply(body=body.encode(), headers={"Date": "Mon, 10 Mar 2025 12:00:00 GMT"})


def call(**attributes: str) -> dict[str, Any]:
    started = "Sat, 01 Mar 2025 12:00:00 +0000"
    return {"sid": sid(1), "account_sid": ACCOUNT, "start_time": started, **attributes}


def escaped(reply: Reply) -> Reply:
    """Spell the token in JSON escapes."""
    spelled = "".join(f"\\u{ord(letter):04x}" for letter in SECRET)
    assert reply.body is not None
    return replace(reply, body=reply.body.replace(SECRET.encode(), spelled.encode()))


@pytest.mark.parametrize(
    "reply",
    [
        page(call(price=SECRET)),
        escaped(page(call(price=SECRET))),
        page(call(sid=SECRET)),
        page(next_uri=f"https://me:{SECRET}@far.example/"),
        page(next_uri=f"/{SECRET}/Calls.json"),
        Reply(400, json.dumps({"message": SECRET}).encode()),
        escaped(Reply(400, json.dumps({"message": SECRET}).encode())),
    ],
    ids=["price", "price in escapes", "SID", "host", "path", "message", "message in escapes"],
)
def test_a_day_that_repeats_the_token_fails_without_it(
    server: ScriptedServer, client: Client, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    server.always = reply
    with caplog.at_level(logging.DEBUG):
        failures = callkit.collect(CallList(started=DAY), client=client).failures
    assert len(failures) == 1
    assert "not shown" in failures["message"][0] or failures["message"][0] == "HTTP 400"
    assert SECRET[:12] not in f"{failures.to_dict()} {caplog.text}"


def test_a_list_of_accounts_that_repeats_the_token_is_not_quoted(
    server: ScriptedServer, client: Client
) -> None:
    server.always = page(next_uri=f"https://me:{SECRET}@far.example/")
    with pytest.raises(RunStoppedError, match="not shown") as caught:
        callkit.collect(CallList(account_sid="all", started=DAY), client=client)
    assert SECRET[:12] not in str(caught.value)
