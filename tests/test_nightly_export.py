"""The nightly job as users run it: a date range exported into a dataset by month."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import callkit
from callkit import CallList
from callkit.errors import ParquetError, SignInError
from tests.files.updating import call, day, held, not_final, write
from tests.support import hostile
from tests.support.hostile import HostileSandbox
from tests.support.scripted import (
    ACCOUNT,
    QUICK_RETRIES,
    TOKEN,
    Reply,
    ScriptedServer,
    call_body,
    sid,
)

if TYPE_CHECKING:
    from pathlib import Path

    from callkit import FetchResult
    from callkit.sandbox import Sandbox
    from tests.support.scripted import Handler

FIRST_NIGHT = datetime(2025, 2, 20, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def exported(sandbox: Sandbox, target: Path, **options: Any) -> FetchResult:
    """Export the last three days of all accounts."""
    asked = CallList(started="-3d", account_sid="all")
    return callkit.export(asked, target, client=sandbox.client(), **options)


def exported_at_once(sandbox: Sandbox, target: Path, first: date, after: date) -> pd.DataFrame:
    asked = CallList(started=(first, after), account_sid="all")
    callkit.export(asked, target, by_month=True, client=sandbox.client())
    return callkit.read_parquet(target)


@pytest.mark.parametrize(("seed", "with_cache"), [(1, False), (2, False), (3, True)])
def test_thirty_nightly_runs_make_what_one_export_at_the_end_makes(
    tmp_path: Path, seed: int, with_cache: bool
) -> None:
    sandbox = callkit.sandbox.Sandbox(calls=2_000, seed=seed)
    target = tmp_path / "calls"
    cache = tmp_path / "calls.sqlite" if with_cache else None
    for night in range(30):
        sandbox.now = FIRST_NIGHT + night * DAY
        exported(sandbox, target, by_month=True, cache=cache)
    first = (FIRST_NIGHT - 3 * DAY).date()
    at_once = exported_at_once(sandbox, tmp_path / "once", first, sandbox.now.date())
    nightly = callkit.read_parquet(target)
    pd.testing.assert_frame_equal(nightly, at_once)
    assert nightly["start_time"].dt.month.nunique() == 2
    assert nightly.attrs["callkit"]["started"] == at_once.attrs["callkit"]["started"]


def test_a_dataset_that_exists_is_brought_up_to_date_without_being_asked(tmp_path: Path) -> None:
    sandbox = callkit.sandbox.Sandbox(calls=3_000)
    for night in range(2):
        sandbox.now = FIRST_NIGHT + night * DAY
        exported(sandbox, tmp_path / "calls", by_month=night == 0)
    first = (FIRST_NIGHT - 3 * DAY).date()
    at_once = exported_at_once(sandbox, tmp_path / "once", first, sandbox.now.date())
    pd.testing.assert_frame_equal(callkit.read_parquet(tmp_path / "calls"), at_once)


@pytest.mark.parametrize("runs", [1, 2])
def test_the_result_travels_in_a_pickle(tmp_path: Path, runs: int) -> None:
    sandbox = callkit.sandbox.Sandbox(calls=3_000)
    sandbox.now = FIRST_NIGHT
    for _ in range(runs):
        out = exported(sandbox, tmp_path / "calls", by_month=True)
    again = pickle.loads(pickle.dumps(out))
    pd.testing.assert_frame_equal(again.frame, callkit.read_parquet(tmp_path / "calls"))


def test_a_month_of_which_a_day_failed_stays_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "calls"
    with HostileSandbox(1) as sandbox, sandbox.client(retry_policy=QUICK_RETRIES) as client:
        january, february = (("2025-01-30", "2025-02-01"), ("2025-02-01", "2025-02-03"))
        for started in (january, february):
            callkit.export(CallList(started=started), target, by_month=True, client=client)
        files = {path.parent.name: path for path in target.rglob("*.parquet")}
        before = {month: path.read_bytes() for month, path in files.items()}
        sandbox.play(hostile.never_ends, [date(2025, 2, 2)])
        both = CallList(started=("2025-01-31", "2025-02-04"))
        with pytest.raises(callkit.FetchError) as caught:
            callkit.export(both, target, client=client)
    after = {month: path.read_bytes() for month, path in files.items()}
    assert after["month=2025-02"] == before["month=2025-02"]
    assert after["month=2025-01"] != before["month=2025-01"]
    assert caught.value.failures["day"].tolist() == ["2025-02-02"]


def test_calls_deleted_meanwhile_stay_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is not found any more is no failure: it was billed all the same."""
    target = tmp_path / "calls"
    sandbox = callkit.sandbox.Sandbox(calls=3_000, now=FIRST_NIGHT)
    exported(sandbox, target, by_month=True)
    old = callkit.read_parquet(target)
    gone = old[old["price"].isna()]["sid"].tolist()
    assert gone
    find = sandbox._generator.index_of
    monkeypatch.setattr(
        sandbox._generator, "index_of", lambda sid: None if sid in gone else find(sid)
    )
    sandbox.now = FIRST_NIGHT + 10 * DAY
    assert exported(sandbox, target).failures.empty
    new = callkit.read_parquet(target)
    pd.testing.assert_frame_equal(new[new["sid"].isin(old["sid"])].reset_index(drop=True), old)


def test_the_failures_of_a_date_range_replace_no_dataset(tmp_path: Path) -> None:
    target = tmp_path / "calls"
    asked = CallList(started=("2025-02-01", "2025-02-03"))
    with HostileSandbox(1) as sandbox, sandbox.client(retry_policy=QUICK_RETRIES) as client:
        callkit.export(asked, target, by_month=True, client=client)
        sandbox.play(hostile.never_ends, [date(2025, 2, 2)])
        failures = callkit.collect(asked, client=client).failures
        with pytest.raises(ParquetError, match="failures of a date range"):
            callkit.export(failures, target, by_month=True, client=client)


def test_a_dataset_of_filtered_calls_is_not_updated_and_nothing_is_requested(
    tmp_path: Path,
) -> None:
    target, started = tmp_path / "calls", ("2025-02-01", "2025-02-03")
    with HostileSandbox(1) as sandbox, sandbox.client() as client:
        busy = CallList(started=started, status="busy")
        callkit.export(busy, target, by_month=True, client=client)
        sandbox.play(None)  # counts anew
        with pytest.raises(ParquetError, match=r"it holds calls filtered by Status\. Export to an"):
            callkit.export(CallList(started=started), target, client=client)
    assert not sandbox.listed


def page_of(*bodies: bytes) -> Reply:
    page = {"calls": [json.loads(body) for body in bodies], "next_page_uri": None}
    now = {"Date": "Sat, 05 Apr 2025 02:00:00 GMT"}
    return Reply(body=json.dumps(page).encode(), headers=now)


def lists_march_and_refuses_april(handler: Handler) -> None:
    is_of_march = "StartTime%3E=2025-03" in handler.path
    handler.answer(page_of(call(2, day(31))) if is_of_march else Reply(401, b"{}"))


def test_after_a_run_that_stopped_early_calls_that_were_not_final_stay_as_they_were(
    tmp_path: Path, server: ScriptedServer
) -> None:
    target = write(tmp_path / "calls", call(1, day(10), price=None))
    server.always = lists_march_and_refuses_april
    with (
        server.client(retry_policy=QUICK_RETRIES, concurrency=1) as client,
        pytest.raises(SignInError),
    ):
        callkit.export(CallList(started=("2025-03-31", "2025-04-05")), target, client=client)
    assert (held(target), not_final(target, "2025-03")) == ([1, 2], [1])
    assert server.asked[sid(1)] == 0


def test_an_account_in_capital_letters_is_the_same_account(tmp_path: Path) -> None:
    target = tmp_path / "calls"
    day = {"account_sid": ACCOUNT, "start_time": "Sat, 01 Feb 2025 12:00:00 +0000"}
    with ScriptedServer() as server:
        client = callkit.Client(
            account_sid="AC" + ACCOUNT[2:].upper(), auth_token=TOKEN, base_url=server.url
        )
        for calls in ([1], [1, 2]):
            rows = b",".join(call_body(sid(number), **day) for number in calls)
            page = b'{"calls": [%s], "next_page_uri": null}' % rows
            server.always = Reply(body=page, headers={"Date": "Tue, 04 Feb 2025 00:00:00 GMT"})
            asked = CallList(started=("2025-02-01", "2025-02-02"))
            callkit.export(asked, target, by_month=True, client=client)
    assert callkit.read_parquet(target)["sid"].tolist() == [sid(1), sid(2)]
