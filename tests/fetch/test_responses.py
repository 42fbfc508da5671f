"""What time it is: the server's, by the ``Date`` of its response."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit import Fetched
from callkit.fetch.connection import Response
from callkit.fetch.credentials import Credentials, Secret
from callkit.fetch.responses import judge, retry_after, server_now
from callkit.sids import CallKey
from tests.support.scripted import ACCOUNT, TOKEN, Reply, ScriptedServer, call_body, sid

if TYPE_CHECKING:
    from pathlib import Path

    from callkit import Client

KEY = CallKey(sid(1), None)
CREDENTIALS = Credentials(ACCOUNT, ACCOUNT, Secret(TOKEN))
APRIL = datetime(2025, 4, 1, tzinfo=UTC)
APRIL_DATE = "Tue, 01 Apr 2025 00:00:00 GMT"


def test_a_call_is_fetched_at_the_date_of_its_response() -> None:
    response = Response(200, {"Date": APRIL_DATE}, call_body(sid(1)))
    outcome = judge(response, KEY, ACCOUNT, 1, CREDENTIALS).outcome
    assert isinstance(outcome, Fetched)
    assert outcome.fetched_at == APRIL


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Date": ""},
        {"Date": "2025-04-01T00:00:00Z"},
        {"Date": "Tue, 01 Apr 2025 00:00:00 +0200"},
        {"Date": "Tue, 31 Feb 2025 00:00:00 GMT"},
        {"Date": "Tue, 01 Xyz 2025 00:00:00 GMT"},
        {"Date": "Tue, 01 Apr 2025 25:00:00 GMT"},
        {"Date": "Tue, 01 Apr 0000 00:00:00 GMT"},
        {"Date": f"{APRIL_DATE}, {APRIL_DATE}"},
    ],
    ids=lambda headers: headers.get("Date", "none"),
)
def test_without_a_valid_date_this_machines_clock_counts(headers: dict[str, str]) -> None:
    before = datetime.now(UTC)
    assert before <= server_now(headers) <= datetime.now(UTC)


def test_a_date_to_wait_for_is_compared_with_the_servers_clock() -> None:
    headers = {"Date": APRIL_DATE, "Retry-After": "Tue, 01 Apr 2025 00:01:30 GMT"}
    assert judge(Response(503, headers, b""), KEY, ACCOUNT, 1, CREDENTIALS).retry_after == 90.0


def test_a_date_to_wait_for_that_has_passed_asks_for_no_wait() -> None:
    assert retry_after("Mon, 31 Mar 2025 23:59:59 GMT", APRIL) == 0.0


def test_a_wait_of_any_length_is_read_and_cut() -> None:
    assert [retry_after(digit * 40, APRIL) for digit in "90"] == [3600.0, 0.0]


def test_as_of_times_are_the_servers(server: ScriptedServer, scripted_client: Client) -> None:
    server.script[sid(1)] = [Reply(headers={"Date": APRIL_DATE})]
    server.script[sid(2)] = [Reply(headers={"Date": "Tue, 01 Apr 2025 00:00:07 GMT"})]
    attributes = callkit.to_frame([sid(1), sid(2)], client=scripted_client).attrs["callkit"]
    assert attributes["as_of_first"] == "2025-04-01T00:00:00+00:00"
    assert attributes["as_of_last"] == "2025-04-01T00:00:07+00:00"


@pytest.mark.parametrize(
    ("date", "requests"),
    [("Tue, 01 Apr 2025 12:00:00 GMT", 2), ("Thu, 01 May 2025 12:00:00 GMT", 1)],
    ids=["29 days after its end", "59 days after its end"],
)
def test_whether_a_record_is_final_is_a_matter_of_the_servers_date(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path, date: str, requests: int
) -> None:
    unpriced = call_body(
        sid(1), status="completed", end_time="Mon, 03 Mar 2025 12:00:00 +0000", price=None
    )
    server.always = Reply(body=unpriced, headers={"Date": date})
    for _ in range(2):
        callkit.to_frame([sid(1)], client=scripted_client, cache=tmp_path / "calls.sqlite")
    assert server.asked[sid(1)] == requests
