from __future__ import annotations

import copy
import pickle
import signal
import threading
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

import callkit
from callkit import FetchError
from callkit.errors import FetchInterrupted, IncompleteWarning, InvalidSidError, WrongAccountError
from callkit.schema import ATTRIBUTES
from tests.support.scripted import ACCOUNT, Reply, ScriptedServer, call_body, sid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from callkit import Client
    from callkit.sandbox import Sandbox
    from tests.support.scripted import Handler

DTYPES = {
    "text": "str",
    "JSON text": "str",
    "category": "category",
    "instant": "datetime64[us, UTC]",
    "seconds": "timedelta64[ms]",
    "milliseconds": "timedelta64[ms]",
    "money": "decimal128(18, 8)[pyarrow]",
}


def test_rows_stand_in_the_order_of_first_mention(sandbox: Sandbox, client: Client) -> None:
    sids = sandbox.sids(300)
    df = callkit.to_frame([*sids[::-1], *sids], client=client)
    assert df["sid"].tolist() == sids[::-1]


def test_values_are_what_the_sandbox_meant(sandbox: Sandbox, client: Client) -> None:
    df = callkit.to_frame(sandbox.sids(1000), client=client)
    for row in df.to_dict("records"):
        meant = sandbox.call(row["sid"])
        price = None if pd.isna(row["price"]) else row["price"]
        duration = None if pd.isna(row["duration"]) else row["duration"].total_seconds()
        start = None if pd.isna(row["start_time"]) else row["start_time"].to_pydatetime()
        assert (price, duration, start) == (meant.price, meant.duration, meant.start_time)


@pytest.mark.parametrize("count", [0, 1, 50])
def test_columns_and_dtypes_are_the_same_however_many_calls(
    sandbox: Sandbox, client: Client, count: int
) -> None:
    df = callkit.to_frame(sandbox.sids(count), client=client)
    expected = {column.name: DTYPES[column.kind.value] for column in ATTRIBUTES}
    assert {str(name): str(dtype) for name, dtype in df.dtypes.items()} == expected


def test_an_empty_list_needs_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWILIO_ACCOUNT_SID", raising=False)
    assert callkit.to_frame([]).empty


def test_credentials_come_from_the_environment(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWILIO_ACCOUNT_SID", raising=False)
    with pytest.raises(callkit.errors.CredentialsError, match="TWILIO_ACCOUNT_SID"):
        callkit.to_frame([sid(1)])


def test_columns_choose_and_order(sandbox: Sandbox, client: Client) -> None:
    df = callkit.to_frame(sandbox.sids(3), client=client, columns=["price", "sid"])
    assert list(df.columns) == ["price", "sid"]


def test_an_unknown_column_is_refused_before_the_first_request(
    server: ScriptedServer, scripted_client: Client
) -> None:
    expected = "Unknown column 'cost'. Available columns: sid, start_time, "
    with pytest.raises(ValueError, match=expected):
        callkit.to_frame([sid(1)], client=scripted_client, columns=["cost"])
    assert server.paths == []


def test_errors_is_raise_or_warn(client: Client) -> None:
    with pytest.raises(ValueError, match="Invalid errors 'ignore': expected 'raise' or 'warn'"):
        callkit.to_frame([], client=client, errors="ignore")  # type: ignore[arg-type]


def test_a_failed_call_raises_at_the_end_and_the_others_are_kept(
    sandbox: Sandbox, client: Client
) -> None:
    known, unknown = sandbox.sids(20), sandbox.unknown_sids(2)
    with pytest.raises(FetchError, match="2 failures: 2 not_found, of 22 calls; .*e.frame") as e:
        callkit.to_frame([unknown[0], *known, unknown[1]], client=client)
    assert e.value.frame["sid"].tolist() == known
    assert e.value.failures["sid"].tolist() == unknown


def test_under_warn_a_failed_call_warns_once_with_the_counts(
    sandbox: Sandbox, client: Client
) -> None:
    known, unknown = sandbox.sids(5), sandbox.unknown_sids(2)
    with pytest.warns(IncompleteWarning, match="2 failures: 2 not_found, of 7 calls") as caught:
        df = callkit.to_frame(known + unknown, client=client, errors="warn")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert df["sid"].tolist() == known


def test_collect_puts_every_call_in_one_place(sandbox: Sandbox, client: Client) -> None:
    sids = sandbox.sids(20) + sandbox.unknown_sids(3)
    got = callkit.collect(sids, client=client)
    assert sorted([*got.frame["sid"], *got.failures["sid"]]) == sorted(sids)
    assert repr(got) == "FetchResult(20 calls, 3 failures: 3 not_found)"


def test_failures_are_a_sid_list_for_another_try(
    server: ScriptedServer, scripted_client: Client
) -> None:
    server.script[sid(1)] = [Reply(403, b"{}")]
    got = callkit.collect([sid(1), sid(2)], client=scripted_client)
    again = callkit.collect(got.failures, client=scripted_client)
    assert again.frame["sid"].tolist() == [sid(1)]


def test_a_body_that_breaks_the_contract_is_a_failure_with_its_column(
    server: ScriptedServer, scripted_client: Client
) -> None:
    broken = call_body(sid(1), price="a lot")
    server.script[sid(1)] = [Reply(body=broken, headers={"Twilio-Request-Id": "RQ1"})]
    got = callkit.collect([sid(1), sid(2)], client=scripted_client)
    [failure] = got.failures.to_dict("records")
    assert failure["reason"] == "bad_response"
    assert failure["message"].startswith("price: 'a lot'")
    assert (failure["sid"], failure["account_sid"]) == (sid(1), ACCOUNT)
    assert (failure["request_id"], failure["http_status"], failure["attempts"]) == ("RQ1", 200, 1)


def test_a_stopped_run_carries_what_was_fetched(
    server: ScriptedServer, scripted_client: Client
) -> None:
    server.always = Reply(404, b"{}")
    with pytest.raises(WrongAccountError) as caught:
        callkit.to_frame([sid(number) for number in range(1000)], client=scripted_client)
    assert caught.value.frame.empty
    assert len(caught.value.failures) == 1000


def test_a_generators_bad_entry_loses_nothing_before_it(sandbox: Sandbox, client: Client) -> None:
    sids = sandbox.sids(10)
    with pytest.raises(InvalidSidError, match="Entry 11") as caught:
        callkit.to_frame(iter([*sids, "nonsense", sid(1)]), client=client)
    assert caught.value.frame["sid"].tolist() == sids


def test_a_slow_list_delays_no_request(server: ScriptedServer, scripted_client: Client) -> None:
    asked = {number: threading.Event() for number in range(3)}

    def answer(handler: Handler) -> None:
        asked[int(handler.call_sid[-1])].set()
        handler.answer(Reply())

    def slowly() -> Iterator[str]:
        for number, event in asked.items():
            yield sid(number)
            assert event.wait(20), "the next SID was wanted before this one was asked for"

    server.always = answer
    assert len(callkit.to_frame(slowly(), client=scripted_client)) == 3


def test_an_interrupt_is_heard_while_a_list_keeps_the_run_waiting(
    server: ScriptedServer, scripted_client: Client
) -> None:
    asked = threading.Event()

    def answer(handler: Handler) -> None:
        handler.answer(Reply())
        asked.set()

    def slowly() -> Iterator[str]:
        yield sid(1)
        assert asked.wait(20)
        threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()
        threading.Event().wait(20)
        yield sid(2)

    server.always = answer
    with pytest.raises(FetchInterrupted, match="interrupted after 1 call had") as caught:
        callkit.to_frame(slowly(), client=scripted_client)
    assert caught.value.frame["sid"].tolist() == [sid(1)]


def test_calls_of_two_accounts_come_in_one_frame(sandbox: Sandbox, client: Client) -> None:
    listed = sandbox.sid_frame(200)
    df = callkit.to_frame(listed, client=client)
    assert df["sid"].tolist() == listed["sid"].tolist()
    assert df["account_sid"].tolist() == listed["account_sid"].tolist()
    assert df["price_unit"].nunique() == 2


def test_attrs_say_how_many_and_as_of_when(sandbox: Sandbox, client: Client) -> None:
    got = callkit.collect(sandbox.sids(20) + sandbox.unknown_sids(3), client=client)
    attributes = got.frame.attrs["callkit"]
    counts = [attributes[f"calls_{name}"] for name in ("asked", "got", "failed")]
    assert counts == [23, 20, 3]
    first, last = (pd.Timestamp(attributes[f"as_of_{name}"]) for name in ("first", "last"))
    assert first <= last <= pd.Timestamp.now("UTC")


def test_attrs_do_not_grow_with_the_failures(sandbox: Sandbox, client: Client) -> None:
    got = callkit.collect(sandbox.sids(1) + sandbox.unknown_sids(150), client=client)
    assert len(str(copy.deepcopy(got.frame.attrs))) < 500


def test_the_frame_joins_to_a_table_of_ones_own(sandbox: Sandbox, client: Client) -> None:
    sids = sandbox.sids(3)
    mine = pd.DataFrame({"sid": [sids[2], sids[0], sids[2]], "campaign": ["a", "b", "c"]})
    df = callkit.to_frame(mine, client=client)
    joined = mine.merge(df, on="sid", how="left", validate="many_to_one")
    assert joined["campaign"].tolist() == ["a", "b", "c"]
    assert joined["sid"].tolist() == [sids[2], sids[0], sids[2]]
    assert joined["from"].notna().all()


def test_a_table_in_upper_case_joins_once_its_sids_are_turned_back(
    sandbox: Sandbox, client: Client
) -> None:
    sids = sandbox.sids(3)
    mine = pd.DataFrame({"sid": [sid.upper() for sid in sids]})
    df = callkit.to_frame(mine, client=client)
    mine["sid"] = "CA" + mine["sid"].str[2:].str.lower()
    joined = mine.merge(df, on="sid", how="left", validate="many_to_one")
    assert joined["from"].notna().all()


def test_a_price_is_exact(server: ScriptedServer, scripted_client: Client) -> None:
    bodies = [call_body(sid(number), price="-0.10000", price_unit="USD") for number in range(30)]
    for number, body in enumerate(bodies):
        server.script[sid(number)] = [Reply(body=body)]
    df = callkit.to_frame([sid(number) for number in range(30)], client=scripted_client)
    assert df["price"].dtype == pd.ArrowDtype(pa.decimal128(18, 8))
    assert df["price"].sum() == Decimal(-3)


@pytest.mark.parametrize("progress", [True, False])
def test_progress_is_shown_when_asked(
    sandbox: Sandbox, client: Client, capfd: pytest.CaptureFixture[str], progress: bool
) -> None:
    callkit.to_frame(sandbox.sids(20), client=client, progress=progress)
    captured = capfd.readouterr()
    assert ("20/20" in captured.err) is progress
    assert captured.out == ""


def test_progress_is_silent_where_nobody_watches(
    sandbox: Sandbox, client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    callkit.to_frame(sandbox.sids(500), client=client)
    assert capfd.readouterr().err == ""


def test_a_list_may_be_a_file(sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    sids = sandbox.sids(3)
    (tmp_path / "sids.txt").write_text("\n".join(sids))
    assert callkit.to_frame(tmp_path / "sids.txt", client=client)["sid"].tolist() == sids


@pytest.mark.parametrize("refresh", ["none", True, 1, datetime(2025, 1, 1)])  # noqa: DTZ001
def test_an_invalid_refresh_is_refused(refresh: Any) -> None:
    with pytest.raises(
        ValueError, match="Invalid refresh .*: expected 'all', 'unpriced' or a datetime with"
    ):
        callkit.collect([], refresh=refresh)


def test_an_invalid_refresh_is_refused_before_the_list_is_read() -> None:
    with pytest.raises(ValueError, match="Invalid refresh 'none'"):
        callkit.collect("not there.txt", refresh="none")  # type: ignore[arg-type]


def test_a_result_and_its_error_travel_in_a_pickle(sandbox: Sandbox, client: Client) -> None:
    got = callkit.collect(sandbox.sids(3), client=client)
    again = pickle.loads(pickle.dumps(got))
    pd.testing.assert_frame_equal(again.frame, got.frame)
    assert again.table.equals(got.table)
    assert again.frame.attrs == got.frame.attrs
    with pytest.raises(FetchError) as caught:
        callkit.to_frame(sandbox.sids(3) + sandbox.unknown_sids(1), client=client)
    error = pickle.loads(pickle.dumps(caught.value))
    pd.testing.assert_frame_equal(error.frame, caught.value.frame)
    assert error.frame is error.frame
