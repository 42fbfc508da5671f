"""The calls of a date range, over the sandbox: those that a filter over all bodies gives."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import callkit
from callkit import CallList
from callkit.errors import AgeWarning, RunStoppedError
from callkit.sandbox import Sandbox
from callkit.sandbox.api import App
from callkit.sandbox.calls import body_of

if TYPE_CHECKING:
    from pathlib import Path

    from callkit import Client
    from callkit.sandbox.api import Answer, Exchange

NUMBER = 8_000
MARCH = ("2025-03-01", "2025-04-01")
TEN_DAYS = ("2025-03-01", "2025-03-11")


@dataclass
class Everything:
    """A sandbox and all its bodies, as a frame."""

    sandbox: Sandbox
    calls: pd.DataFrame

    @property
    def client(self) -> Client:
        return self.sandbox.client()

    def started(self, first: str, after: str, tz: str, account: str | None = None) -> pd.DataFrame:
        """Filter by the local date of the start, and put the calls in order."""
        local = self.calls["start_time"].dt.tz_convert(tz).dt.tz_localize(None)
        wanted = (local >= first) & (local < after)
        wanted &= self.calls["account_sid"] == (account or self.sandbox.account_sid)
        calls: pd.DataFrame = self.calls[wanted]
        return calls.sort_values(["start_time", "sid"], ignore_index=True)


def all_calls(sandbox: Sandbox, number: int = NUMBER) -> pd.DataFrame:
    sids = sandbox.sid_frame(number)["sid"]
    return callkit.normalise([body_of(sandbox.call(sid)) for sid in sids])


@pytest.fixture(scope="module")
def everything() -> Everything:
    sandbox = Sandbox(calls=NUMBER)
    return Everything(sandbox, all_calls(sandbox))


def same(got: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert len(expected) > 0
    assert_frame_equal(got, expected)


# Which calls there are


@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu"])
@pytest.mark.parametrize(
    ("first", "after"),
    [("2025-03-01", "2025-04-01"), ("2025-03-30", "2025-03-31"), ("2025-03-09", "2025-03-10")],
)
def test_a_range_has_the_calls_that_a_filter_over_all_bodies_gives(
    everything: Everything, tz: str, first: str, after: str
) -> None:
    got = callkit.to_frame(CallList(started=(first, after), tz=tz), client=everything.client)
    same(got, everything.started(first, after, tz))


@pytest.mark.parametrize(
    ("tz", "night"),
    [("America/St_Johns", date(2025, 3, 9)), ("Europe/Berlin", date(2025, 3, 30))],
)
def test_days_around_the_night_of_the_clock_change_add_up(
    everything: Everything, tz: str, night: date
) -> None:
    days = [night + timedelta(days=n) for n in (-1, 0, 1)]
    ranges = [CallList(started=(day, day + timedelta(days=1)), tz=tz) for day in days]
    got = [callkit.to_frame(each, client=everything.client) for each in ranges]
    expected = everything.started(str(days[0]), str(night + timedelta(days=2)), tz)
    same(pd.concat(got, ignore_index=True), expected)


def test_a_range_of_hours_is_exact_to_the_second(everything: Everything) -> None:
    start = everything.started("2025-03-05", "2025-03-06", "UTC")["start_time"].iloc[3]
    asked = CallList(started=(start, start + timedelta(seconds=1)))
    got = callkit.to_frame(asked, client=everything.client)
    assert got["start_time"].unique().tolist() == [start]


def test_a_range_without_calls_is_an_empty_frame(everything: Everything) -> None:
    got = callkit.to_frame(CallList(started=("2024-03-01", "2024-03-03")), client=everything.client)
    assert (len(got), list(got.columns)) == (0, callkit.SCHEMA.names)


def test_the_frame_is_that_of_a_sid_list(everything: Everything) -> None:
    got = callkit.to_frame(CallList(started=TEN_DAYS), client=everything.client)
    same(got, callkit.to_frame(got["sid"], client=everything.client))


def test_columns_choose_and_order(everything: Everything) -> None:
    asked = CallList(started=TEN_DAYS)
    got = callkit.to_frame(asked, client=everything.client, columns=["price", "sid"])
    assert list(got.columns) == ["price", "sid"]


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_an_export_has_the_calls_of_the_frame(
    everything: Everything, tmp_path: Path, form: Any
) -> None:
    asked = CallList(started=TEN_DAYS, tz="Asia/Kathmandu")
    path = tmp_path / f"calls.{form}"
    got = callkit.export(asked, path, client=everything.client, format=form)
    assert len(got.failures) == 0
    same(got.frame, callkit.to_frame(asked, client=everything.client))


@pytest.mark.parametrize(
    ("filters", "column"),
    [({"status": "busy"}, "status"), ({"to": None}, "to"), ({"from_": None}, "from")],
)
def test_a_filter_leaves_the_calls_that_match(
    everything: Everything, filters: dict[str, Any], column: str
) -> None:
    march = everything.started(*MARCH, "UTC")
    [[name, value]] = filters.items()
    value = value or march[column].iloc[0]
    got = callkit.to_frame(CallList(started=MARCH, **{name: value}), client=everything.client)
    same(got.astype("str"), march[march[column] == value].reset_index(drop=True).astype("str"))


def test_the_legs_that_a_call_dialled(everything: Everything) -> None:
    march = everything.started(*MARCH, "UTC")
    parent = march["parent_call_sid"].dropna().iloc[0]
    asked = CallList(started=MARCH, parent_call_sid=parent)
    got = callkit.to_frame(asked, client=everything.client)
    assert got["sid"].tolist() == march[march["parent_call_sid"] == parent]["sid"].tolist()


# Several accounts


def test_accounts_come_in_the_order_given(everything: Everything) -> None:
    accounts = [everything.sandbox.subaccount_sid, everything.sandbox.account_sid]
    asked = CallList(started=TEN_DAYS, account_sid=accounts)
    expected = [everything.started(*TEN_DAYS, "UTC", account) for account in accounts]
    got = callkit.to_frame(asked, client=everything.client)
    same(got, pd.concat(expected, ignore_index=True))


def test_one_account_may_be_another_than_the_clients(everything: Everything) -> None:
    subaccount = everything.sandbox.subaccount_sid
    asked = CallList(started=TEN_DAYS, account_sid=subaccount)
    got = callkit.to_frame(asked, client=everything.client)
    same(got, everything.started(*TEN_DAYS, "UTC", subaccount))


def test_all_accounts_are_the_clients_and_its_subaccounts(everything: Everything) -> None:
    sandbox = everything.sandbox
    got = callkit.to_frame(CallList(started=TEN_DAYS, account_sid="all"), client=everything.client)
    assert got["account_sid"].unique().tolist() == [sandbox.account_sid, sandbox.subaccount_sid]
    assert got.attrs["callkit"]["accounts"] == [
        sandbox.account_sid,
        sandbox.subaccount_sid,
        sandbox.closed_subaccount_sid,
    ]


def test_closed_accounts_are_reported(everything: Everything) -> None:
    got = callkit.to_frame(CallList(started=TEN_DAYS, account_sid="all"), client=everything.client)
    closed = everything.sandbox.closed_subaccount_sid
    assert got.attrs["callkit"]["accounts_closed"] == [closed]


def test_each_account_has_a_limiter_of_its_own() -> None:
    with Sandbox(calls=500, latency=0.05) as sandbox, sandbox.client(concurrency=1) as client:
        callkit.to_frame(CallList(started=TEN_DAYS, account_sid="all"), client=client)
    assert sandbox.peak_in_flight == 3


def test_an_unknown_account_has_no_day_that_could_be_listed(everything: Everything) -> None:
    unknown = "AC" + "0" * 32
    asked = CallList(started=("2025-03-01", "2025-03-03"), account_sid=unknown)
    failures = callkit.collect(asked, client=everything.client).failures
    assert failures["day"].tolist() == ["2025-03-01", "2025-03-02"]
    assert set(failures["account_sid"]) == {unknown}
    assert failures["sid"].isna().all()
    assert set(failures["reason"]) == {"not_found"}


# What the frame and the file say about the range


def test_attrs_say_what_was_asked(everything: Everything) -> None:
    asked = CallList(started=TEN_DAYS, tz="Europe/Berlin")
    attributes = callkit.to_frame(asked, client=everything.client).attrs["callkit"]
    assert attributes["started"] == ["2025-02-28T23:00:00+00:00", "2025-03-10T23:00:00+00:00"]
    assert attributes["tz"] == "Europe/Berlin"
    assert attributes["accounts"] == [everything.sandbox.account_sid]
    assert (attributes["days_asked"], attributes["days_failed"]) == (11, 0)


def test_attrs_name_filters_and_show_no_party(everything: Everything) -> None:
    asked = CallList(started=TEN_DAYS, to="+15550100", from_="client:amy_1", status="busy")
    attrs = callkit.to_frame(asked, client=everything.client).attrs
    assert attrs["callkit"]["filters"] == ["Status", "To", "From"]
    assert "5550100" not in str(attrs)
    assert "amy" not in str(attrs)


def test_a_parquet_file_keeps_what_was_asked(everything: Everything, tmp_path: Path) -> None:
    asked = CallList(started=TEN_DAYS, tz="Asia/Kolkata", account_sid="all")
    path = tmp_path / "calls.parquet"
    written = callkit.export(asked, path, client=everything.client).frame.attrs["callkit"]
    kept = callkit.read_parquet(path).attrs["callkit"]
    for name in ("started", "tz", "accounts", "accounts_closed", "as_of_first", "days_asked"):
        assert kept[name] == written[name]


# The server's clock


@pytest.mark.parametrize(
    ("started", "first", "after"),
    [
        ("today", "2025-02-10", "2025-02-11"),
        ("yesterday", "2025-02-09", "2025-02-10"),
        ("-3d", "2025-02-07", "2025-02-10"),
        ("-1w", "2025-02-03", "2025-02-10"),
        ("-1m", "2025-01-01", "2025-02-01"),
    ],
)
def test_days_are_counted_back_from_the_servers_date(started: str, first: str, after: str) -> None:
    sandbox = Sandbox(calls=4_000, now=datetime(2025, 2, 10, 15, tzinfo=UTC))
    got = callkit.to_frame(CallList(started=started), client=sandbox.client())
    expected = callkit.to_frame(CallList(started=(first, after)), client=sandbox.client())
    same(got, expected)
    assert got.attrs["callkit"]["started"] == expected.attrs["callkit"]["started"]


def test_calls_of_today_are_as_they_are_now() -> None:
    now = datetime(2025, 3, 12, 15, tzinfo=UTC)
    sandbox = Sandbox(calls=100_000, now=now)
    got = callkit.to_frame(CallList(started="today"), client=sandbox.client())
    assert got["start_time"].max() <= pd.Timestamp(now)
    assert (got["status"] == "in-progress").any()
    as_it_is = callkit.normalise([body_of(sandbox.call(sid)) for sid in got["sid"]])
    same(got, as_it_is)


def test_a_range_of_long_ago_names_bulk_export() -> None:
    sandbox = Sandbox(calls=100, now=datetime(2026, 6, 1, tzinfo=UTC))
    asked = CallList(started=("2025-03-01", "2025-03-04"))
    expected = "more than 13 months ago: calls before 1 May 2025 are available only from Bulk Ex"
    with pytest.warns(AgeWarning, match=expected) as caught:
        callkit.to_frame(asked, client=sandbox.client())
    assert len(caught) == 1


@pytest.mark.parametrize(
    "now", [datetime(2025, 4, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)]
)
def test_a_range_of_the_last_13_months_does_not_warn(now: datetime) -> None:
    sandbox = Sandbox(calls=100, now=now)
    with warnings.catch_warnings(action="error"):
        callkit.to_frame(CallList(started=TEN_DAYS), client=sandbox.client())


# Keys that may not list


def restricted(sandbox: Sandbox) -> Client:
    key, secret = sandbox.restricted_api_key, sandbox.restricted_api_secret
    return callkit.Client(
        account_sid=sandbox.account_sid, api_key=key, api_secret=secret, base_url=sandbox.url
    )


def test_each_day_fails_if_a_key_may_not_list() -> None:
    with Sandbox(calls=100) as sandbox, restricted(sandbox) as client:
        got = callkit.collect(CallList(started=("2025-03-01", "2025-03-03")), client=client)
    assert got.calls == 0
    assert got.failures[["day", "reason", "http_status", "code"]].to_numpy().tolist() == [
        ["2025-03-01", "forbidden", 403, 20403],
        ["2025-03-02", "forbidden", 403, 20403],
    ]


@pytest.mark.parametrize(
    "asked",
    [CallList(started="yesterday"), CallList(started=TEN_DAYS, account_sid="all")],
    ids=["the server's date", "the accounts"],
)
def test_nothing_can_be_listed_if_a_key_may_not_ask_what_comes_first(asked: CallList) -> None:
    with Sandbox(calls=100) as sandbox, restricted(sandbox) as client:
        with pytest.raises(RunStoppedError, match="the API key may not list them"):
            callkit.to_frame(asked, client=client)
        assert sandbox.served == {403: 1}


# While calls are being made


class _TimePasses(App):
    """Half an hour passes with every answer."""

    async def look_up(self, exchange: Exchange) -> Answer:
        answer = await super().look_up(exchange)
        self.api.now += timedelta(minutes=30)
        return answer


class Busy(Sandbox):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._app = _TimePasses(self._app.api)


def test_no_call_is_lost_if_others_are_made_between_the_pages() -> None:
    now = datetime(2025, 3, 12, 15, tzinfo=UTC)
    asked = CallList(started=("2025-03-12", "2025-03-13"))
    still, busy = Sandbox(calls=400_000, now=now), Busy(calls=400_000, now=now)
    there = callkit.to_frame(asked, client=still.client())
    with busy, busy.client() as client:
        got = callkit.to_frame(asked, client=client)
    assert busy.served[200] > 1
    assert set(there["sid"]) <= set(got["sid"])
    assert got["sid"].is_unique
