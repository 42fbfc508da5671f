"""What earlier versions wrote is read, and no final call of their caches is fetched again.

`make_fixtures.py` says how the files were made, `calls.py` which calls they hold.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import callkit
from tests.support.scripted import Reply
from tests.upgrades.calls import (
    ACCOUNT,
    BROKEN,
    CALLS,
    FETCHED_AT,
    FINAL,
    NOT_FINAL,
    NOT_THERE,
    Call,
    call,
)

if TYPE_CHECKING:
    from callkit import Client
    from tests.support.scripted import ScriptedServer

WRITTEN = Path(__file__).parent / "0.1.0"
NOVEMBER, DECEMBER, JANUARY = (
    datetime(year, month, 1, tzinfo=UTC) for year, month in ((2023, 11), (2023, 12), (2024, 1))
)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return Path(shutil.copy(WRITTEN / "calls.sqlite", tmp_path))


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame.astype(object)
    return plain.where(plain.notna(), None).to_dict("records")  # type: ignore[return-value]


def by_sid(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["sid"]: row for row in rows(frame)}


def meant(calls: list[Call]) -> dict[str, dict[str, Any]]:
    return {each.sid: each.meant for each in calls}


def listed(calls: list[Call]) -> pd.DataFrame:
    accounts = [each.meant["account_sid"] for each in calls]
    return pd.DataFrame({"sid": [each.sid for each in calls], "account_sid": accounts})


# Files


@pytest.mark.parametrize(
    ("name", "calls"),
    [("calls.parquet", CALLS), ("exported.parquet", FINAL), ("by_month", FINAL)],
)
def test_parquet_is_read_as_it_was_meant(name: str, calls: list[Call]) -> None:
    frame = callkit.read_parquet(WRITTEN / name)
    assert by_sid(frame) == meant(calls)
    today = callkit.normalise([each.body for each in calls])
    assert frame.dtypes.astype(str).to_dict() == today.dtypes.astype(str).to_dict()


def test_counts_and_as_of_times_come_with_the_calls() -> None:
    said = callkit.read_parquet(WRITTEN / "exported.parquet").attrs["callkit"]
    assert (said["calls_asked"], said["calls_got"], said["calls_failed"]) == (14, 12, 2)
    assert said["as_of_first"] == (FETCHED_AT - timedelta(days=30)).isoformat()
    assert said["as_of_last"] == (FETCHED_AT + timedelta(days=1)).isoformat()


def test_a_breakdown_of_cost_is_read() -> None:
    frame = callkit.read_parquet(WRITTEN / "cost.parquet")
    columns = ["period", "status", "price_unit", "calls", "unpriced_calls", "cost"]
    assert [tuple(row[column] for column in columns) for row in rows(frame)] == [
        (NOVEMBER, "in-progress", "USD", 1, 0, None),
        (NOVEMBER, "completed", "EUR", 1, 0, Decimal("-0.005")),
        (NOVEMBER, "completed", "USD", 8, 2, Decimal("1.59000001")),
        (NOVEMBER, "busy", "USD", 1, 0, None),
        (NOVEMBER, "on-hold", "USD", 1, 0, Decimal("0.03")),
        (DECEMBER, "completed", "USD", 1, 0, Decimal("0.03")),
        (JANUARY, "completed", "USD", 1, 0, Decimal("12.34567891")),
        (None, "canceled", "USD", 1, 0, None),
    ]


def test_a_breakdown_of_duration_is_read() -> None:
    frame = callkit.read_parquet(WRITTEN / "duration.parquet")
    columns = ["period", "direction", "calls", "answered_calls", "total_duration", "billed_minutes"]
    minute = timedelta(seconds=65)
    assert [tuple(row[column] for column in columns) for row in rows(frame)] == [
        (NOVEMBER, "inbound", 1, 1, minute, 0),
        (NOVEMBER, "outbound-api", 10, 7, 7 * minute, 14),
        (NOVEMBER, "outbound-pigeon", 1, 1, minute, 2),
        (DECEMBER, "outbound-api", 1, 1, minute, 2),
        (JANUARY, "outbound-api", 1, 1, timedelta(seconds=86_399), 1440),
        (None, "outbound-api", 1, 0, timedelta(0), 0),
    ]


def test_a_csv_of_failures_is_a_sid_list(server: ScriptedServer, scripted_client: Client) -> None:
    callkit.to_frame(WRITTEN / "exported.failures.csv", client=scripted_client)
    assert server.asked.keys() == {BROKEN.sid, NOT_THERE}
    assert all(path.startswith(f"/2010-04-01/Accounts/{ACCOUNT}/") for path in server.paths)


def test_a_csv_of_calls_is_a_sid_list(
    server: ScriptedServer, scripted_client: Client, cache: Path
) -> None:
    frame = callkit.to_frame(WRITTEN / "exported.csv", client=scripted_client, cache=cache)
    assert frame["sid"].tolist() == [each.sid for each in FINAL]
    assert by_sid(frame) == meant(FINAL)
    assert server.paths == []


def records_of(path: Path) -> list[dict[str, Any]]:
    """Read CSV or JSON Lines, whatever the order of the columns."""
    if path.suffix == ".csv":
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        return frame.to_dict("records")  # type: ignore[return-value]
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("exported.parquet", {}),
        ("by_month", {"by_month": True}),
        ("exported.csv", {"format": "csv"}),
        ("exported.jsonl", {"format": "jsonl"}),
    ],
)
def test_an_export_holds_what_it_held_and_takes_the_place_of_one_of_that_version(
    scripted_client: Client, tmp_path: Path, name: str, form: dict[str, Any]
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(WRITTEN, folder)
    callkit.export(
        listed(FINAL), folder / name, client=scripted_client, cache=folder / "calls.sqlite", **form
    )
    gone = {path.name for path in WRITTEN.iterdir()} - {path.name for path in folder.iterdir()}
    assert [left_out.endswith(".failures.csv") for left_out in gone] == [True]
    if form.get("format"):
        assert records_of(folder / name) == records_of(WRITTEN / name)
    else:
        assert by_sid(callkit.read_parquet(folder / name)) == meant(FINAL)


# Caches


@pytest.mark.parametrize("accounts_listed", [True, False])
def test_no_final_call_of_a_cache_is_fetched_again(
    server: ScriptedServer, scripted_client: Client, cache: Path, *, accounts_listed: bool
) -> None:
    sids = listed(FINAL) if accounts_listed else [each.sid for each in FINAL]
    frame = callkit.to_frame(sids, client=scripted_client, cache=cache)
    assert server.paths == []
    assert by_sid(frame) == meant(FINAL)
    assert frame.attrs["callkit"]["as_of_last"] == (FETCHED_AT + timedelta(days=1)).isoformat()


def test_a_call_that_is_not_final_is_fetched_again_and_kept_in_the_same_cache(
    server: ScriptedServer, scripted_client: Client, cache: Path
) -> None:
    ended = {"status": "completed", "price": "-0.02000"}
    priced = {"status": "completed", "price": Decimal("-0.02")}
    today = [call(number, ended, priced) for number in (21, 22, 23)]
    assert [each.sid for each in today] == [each.sid for each in NOT_FINAL]
    server.script = {each.sid: [Reply(body=each.body)] for each in today}
    for _ in range(2):
        got = callkit.collect(listed(CALLS), client=scripted_client, cache=cache)
        assert by_sid(got.frame) == meant([*FINAL, *today])
    assert server.asked == {each.sid: 1 for each in today}


def test_a_price_that_moved_since_is_reported(
    server: ScriptedServer, scripted_client: Client, cache: Path
) -> None:
    moved = call(1, {"price": "-0.04000"}, {})
    server.script[moved.sid] = [Reply(body=moved.body)]
    got = callkit.collect([moved.sid], client=scripted_client, cache=cache, refresh="all")
    assert rows(got.price_changes) == [
        {"sid": moved.sid, "old": Decimal("-0.03"), "new": Decimal("-0.04")}
    ]


def test_a_body_that_cannot_be_read_is_not_final_though_the_cache_says_so(
    server: ScriptedServer, scripted_client: Client, cache: Path
) -> None:
    mended = call(31, {}, {})
    server.script[BROKEN.sid] = [Reply(body=mended.body)]
    for _ in range(2):
        got = callkit.collect([BROKEN.sid], client=scripted_client, cache=cache)
        assert by_sid(got.frame) == meant([mended])
    assert server.asked == {BROKEN.sid: 1}
