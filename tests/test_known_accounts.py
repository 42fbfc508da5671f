"""What a client or a cache knows of an account proves it: 404s are then those calls' own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import callkit
from callkit import CallList, Client, Failure
from callkit.cache.file import connect
from callkit.errors import WrongAccountError
from tests.cli import shell
from tests.files.updating import call, day, write
from tests.support.sandbox import FaultySandbox
from tests.support.scripted import ACCOUNT, Reply, ScriptedServer, call_body, sid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Literal

    from tests.support.scripted import Handler

OTHER = "AC" + "b" * 32
FOUND = [sid(number) for number in range(900)]
DELETED = [sid(number) for number in range(1_000, 1_300)]
IN_APRIL = {"Date": "Sat, 05 Apr 2025 02:00:00 GMT"}
FINAL = {
    "status": "completed",
    "price": "-0.01",
    "start_time": "Sat, 01 Mar 2025 12:00:00 +0000",
    "end_time": "Sat, 01 Mar 2025 12:01:00 +0000",
}


@pytest.fixture
def counting() -> Iterator[FaultySandbox]:
    later = datetime(2025, 12, 1, tzinfo=UTC)  # all calls are final by then
    with FaultySandbox(calls=5_000, count_calls=True, now=later) as sandbox:
        yield sandbox


@pytest.fixture
def final_calls(server: ScriptedServer) -> ScriptedServer:
    """Serve final calls, and no other than those of `FOUND`."""

    def answer(handler: Handler) -> None:
        is_found = handler.call_sid in FOUND
        body = call_body(handler.call_sid, **FINAL)
        handler.answer(Reply(body=body) if is_found else Reply(404, b"{}"))

    server.always = answer
    return server


def every_fourth_deleted(sandbox: FaultySandbox) -> list[str]:
    """List 1,199 calls, of which every fourth is not found."""
    found, deleted = sandbox.sids(900), sandbox.unknown_sids(299)
    return [found[n - n // 4] if n % 4 < 3 else deleted[n // 4] for n in range(1_199)]


def test_a_nightly_rerun_has_the_same_failures_and_requests_no_final_call(
    counting: FaultySandbox, tmp_path: Path
) -> None:
    shell.listed(tmp_path, every_fourth_deleted(counting))
    deleted = counting.unknown_sids(299)
    codes, failures, requests = [], [], []
    for _ in range(5):
        before = sum(entry.asked for entry in counting.ledger().values())
        done = shell.run(
            *("export", "sids.txt", "-o", "calls.parquet", "--cache", "calls.sqlite"),
            folder=tmp_path,
            environment=shell.signed_in(counting),
        )
        codes.append(done.returncode)
        failures.append((tmp_path / "calls.failures.csv").read_text())
        requests.append(sum(entry.asked for entry in counting.ledger().values()) - before)
        assert len(callkit.read_parquet(tmp_path / "calls.parquet")) == 900
    assert codes == [1] * 5
    assert [text.count("not_found") for text in failures] == [299] * 5
    assert all(each in failures[-1] for each in deleted)
    assert requests[1:] == [299] * 4


@pytest.mark.parametrize("first", ["a single call", "a list", "a date range"])
def test_a_client_remembers_the_accounts_that_it_found_calls_in(
    final_calls: ScriptedServer, first: str
) -> None:
    with final_calls.client() as client:
        if first == "a single call":
            client.fetch(FOUND[0])
        elif first == "a list":
            list(client.fetch_many(FOUND[:1]))
        else:
            row = call_body(FOUND[0], account_sid=ACCOUNT, **FINAL).decode()
            page = f'{{"calls": [{row}], "next_page_uri": null}}'.encode()
            final_calls.script[""] = [Reply(body=page, headers=IN_APRIL)]
            asked = CallList(started=("2025-03-01", "2025-03-02"))
            assert len(callkit.to_frame(asked, client=client)) == 1
        outcomes = list(client.fetch_many(DELETED))
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, Failure)]
    assert reasons == ["not_found"] * 300


def test_failures_are_retried_with_the_client_that_had_them(final_calls: ScriptedServer) -> None:
    with final_calls.client() as client:
        got = callkit.collect(FOUND[:10] + DELETED, client=client)
        again = callkit.collect(got.failures, client=client)
    assert set(again.failures["reason"]) == {"not_found"}
    assert sorted(again.failures["sid"]) == DELETED


def test_failures_are_retried_by_another_client_too(final_calls: ScriptedServer) -> None:
    """Without `client`, every run has one of its own."""
    with final_calls.client() as client:
        failures = callkit.collect(FOUND[:10] + DELETED, client=client).failures
    for _ in range(2):
        with final_calls.client() as client:
            failures = callkit.collect(failures, client=client).failures
    assert sorted(failures["sid"]) == DELETED


@pytest.mark.parametrize("column", [None, "sid"])
def test_another_client_may_fetch_each_failure_again(
    final_calls: ScriptedServer, column: str | None
) -> None:
    with final_calls.client() as client:
        failures = callkit.collect(FOUND[:10] + DELETED, client=client).failures
    with final_calls.client() as client:
        outcomes = list(client.fetch_many(failures if column is None else failures[column]))
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, Failure)]
    assert reasons == ["not_found"] * 300


def test_attrs_of_other_programs_prove_nothing(final_calls: ScriptedServer) -> None:
    asked = pd.DataFrame({"sid": DELETED})
    for said in (None, "found_in", {"found_in": "AC"}, {"found_in": [None, OTHER]}):
        asked.attrs = {"callkit": said}
        with final_calls.client() as client, pytest.raises(WrongAccountError):
            callkit.to_frame(asked, client=client)


def test_a_cache_that_holds_another_call_of_the_account_proves_it(
    final_calls: ScriptedServer, tmp_path: Path
) -> None:
    cache = tmp_path / "calls.sqlite"
    for sids in (FOUND[:1], DELETED):
        with final_calls.client() as client:
            got = callkit.collect(sids, client=client, cache=cache)
    assert sorted(got.failures["sid"]) == DELETED


@pytest.mark.parametrize("refresh", [None, "all"])
def test_a_call_that_is_in_no_index_proves_its_account(
    final_calls: ScriptedServer, tmp_path: Path, refresh: Literal["all"] | None
) -> None:
    cache = tmp_path / "calls.sqlite"
    with final_calls.client() as client:
        callkit.collect(FOUND[:1], client=client, cache=cache)
    db = connect(cache, create=False)
    db.execute("UPDATE calls SET started_at = NULL")  # as version 1 of the format has it
    db.close()
    with final_calls.client() as client:
        got = callkit.collect(DELETED, client=client, cache=cache, refresh=refresh)
    assert set(got.failures["reason"]) == {"not_found"}


def test_a_cache_of_another_account_proves_nothing(
    final_calls: ScriptedServer, tmp_path: Path
) -> None:
    cache = tmp_path / "calls.sqlite"
    others = Client(account_sid=OTHER, auth_token="not-a-real-token", base_url=final_calls.url)
    with others:
        callkit.collect(FOUND, client=others, cache=cache)
    with final_calls.client() as client, pytest.raises(WrongAccountError):
        callkit.collect(DELETED, client=client, cache=cache)


def test_an_account_without_proof_still_ends_the_run_early(final_calls: ScriptedServer) -> None:
    with final_calls.client() as client:
        for _ in range(2):
            with pytest.raises(WrongAccountError) as caught:
                callkit.to_frame(DELETED, client=client)
    assert "not_attempted" in set(caught.value.failures["reason"])


def test_calls_of_a_dataset_that_are_all_deleted_stay_as_they_were(
    final_calls: ScriptedServer, tmp_path: Path
) -> None:
    calls = [call(number, day(10), price=None) for number in range(1_000, 1_300)]
    target = write(tmp_path / "calls", *calls)
    before = callkit.read_parquet(target)
    final_calls.script[""] = [Reply(body=b'{"calls": [], "next_page_uri": null}', headers=IN_APRIL)]
    asked = CallList(started=("2025-03-31", "2025-04-01"))
    with final_calls.client() as client:
        assert callkit.export(asked, target, client=client).failures.empty
    assert callkit.read_parquet(target).equals(before)
    assert final_calls.asked[DELETED[-1]] == 1
