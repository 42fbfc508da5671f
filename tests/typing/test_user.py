"""A user's script, over the whole public API: mypy and pyright check its types, pytest runs it.

``assert_type`` says what a user's editor knows of a result. What must not pass is in ``wrong.py``.
"""
# pyright: strict, reportUnknownMemberType=false
# (pyarrow has no types, matplotlib's are not complete)

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import callkit
from callkit.breakdown import Summary
from callkit.sandbox import Call, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callkit import Client


@pytest.fixture(scope="module")
def df(sandbox: Sandbox) -> pd.DataFrame:
    with sandbox.client() as client:
        return callkit.to_frame(sandbox.sids(500), client=client)


def test_a_sid_list_may_be_whatever_a_user_holds(
    sandbox: Sandbox, client: Client, tmp_path: Path
) -> None:
    sids = sandbox.sids(3)
    path = tmp_path / "sids.txt"
    path.write_text("\n".join(sids))
    frame = pd.DataFrame({"sid": sids})
    for frame_of in (
        callkit.to_frame(sids, client=client),
        callkit.to_frame(tuple(sids), client=client),
        callkit.to_frame((sid for sid in sids), client=client),
        callkit.to_frame(path, client=client),
        callkit.to_frame(str(path), client=client),
        callkit.to_frame(frame, client=client),
        callkit.to_frame(frame["sid"], client=client),
        callkit.to_frame(pd.Index(sids), client=client),
        callkit.to_frame(frame["sid"].to_numpy(), client=client),
    ):
        assert_type(frame_of, pd.DataFrame)
        assert frame_of["sid"].tolist() == sids


def test_options_of_a_fetch(sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    sids = sandbox.sids(3)
    got = callkit.collect(
        sids,
        client=client,
        cache=tmp_path / "calls.sqlite",
        refresh="unpriced",
        columns=["sid", "price"],
        progress=False,
    )
    assert_type(got, callkit.FetchResult)
    assert_type(got.frame, pd.DataFrame)
    assert_type(got.failures, pd.DataFrame)
    assert_type(got.price_changes, pd.DataFrame)
    assert callkit.collect(got.failures, client=client).frame.empty
    march = datetime(2025, 3, 1, tzinfo=UTC)
    known = callkit.collect(
        sids, client=client, cache=str(tmp_path / "calls.sqlite"), refresh=march
    )
    assert len(callkit.to_frame(known.frame, client=client, errors="warn", progress=None)) == 3
    assert (
        len(callkit.to_frame(sids, client=client, pages=True, started=[march, "2025-04-01"])) == 3
    )
    assert len(callkit.to_frame(known.frame, client=client, date_column="start_time")) == 3


def test_a_client_signs_in_with_a_token_or_a_key(sandbox: Sandbox) -> None:
    sid = sandbox.sids(1)[0]
    with callkit.Client(
        account_sid=sandbox.account_sid,
        auth_token=sandbox.auth_token,
        base_url=sandbox.url,
        timeout=10,
        concurrency=5,
        give_up_after=60.0,
    ) as client:
        assert_type(client, callkit.Client)
        assert_type(client.account_sid, str)
        assert_type(client.base_url, str)
        call = client.fetch(sid)
        assert_type(call, dict[str, Any])
        assert client.fetch(sid, account_sid=sandbox.account_sid) == call
    by_key = callkit.Client(
        account_sid=sandbox.account_sid,
        api_key=sandbox.api_key,
        api_secret=sandbox.api_secret,
        base_url=sandbox.url,
    )
    assert by_key.fetch(sid)["sid"] == sid
    by_key.close()


def test_outcomes_are_told_apart_by_their_class(sandbox: Sandbox, client: Client) -> None:
    bodies: list[bytes] = []
    reasons: Counter[str] = Counter()
    outcomes = client.fetch_many(sandbox.sids(3) + sandbox.unknown_sids(2))
    assert_type(outcomes, Generator[callkit.Fetched | callkit.Failure, None, None])
    for outcome in outcomes:
        assert_type(outcome.attempts, int)
        assert_type(outcome.request_id, str | None)
        if isinstance(outcome, callkit.Fetched):
            assert_type(outcome.sid, str)
            assert_type(outcome.fetched_at, datetime)
            bodies.append(outcome.body)
        else:
            assert_type(outcome, callkit.Failure)
            assert_type(outcome.sid, str | None)
            assert_type(outcome.http_status, int | None)
            assert_type(outcome.code, int | None)
            assert_type(outcome.message, str)
            reasons[outcome.reason] += 1
    typed = callkit.normalise(bodies, errors="warn")
    assert_type(typed, pd.DataFrame)
    assert len(typed) == 3
    assert reasons == {"not_found": 2}


def test_bodies_may_be_bytes_text_or_mappings() -> None:
    sid = "CA" + "0" * 32
    body: dict[str, str | None] = {"sid": sid, "price": None}
    frame = callkit.normalise([f'{{"sid": "{sid}"}}'.encode(), f'{{"sid": "{sid}"}}', body])
    assert len(frame) == 1
    assert frame.columns.tolist() == callkit.SCHEMA.names


def test_errors_carry_what_worked(sandbox: Sandbox, client: Client) -> None:
    sids = sandbox.sids(2) + sandbox.unknown_sids(1)
    try:
        callkit.to_frame(sids, client=client)
    except callkit.FetchError as error:
        assert_type(error.frame, pd.DataFrame)
        assert_type(error.failures, pd.DataFrame)
        kept = len(error.frame)
    else:
        kept = 0
    assert kept == 2
    with pytest.raises(callkit.errors.CallFailedError) as caught:
        client.fetch(sids[-1])
    assert_type(caught.value.failure, callkit.Failure)
    assert caught.value.failure.reason == "not_found"
    with pytest.raises(callkit.CallkitError):
        callkit.normalise(["null"])


def test_an_interrupted_run_is_a_keyboard_interrupt() -> None:
    def until(error: callkit.errors.FetchInterrupted) -> tuple[pd.DataFrame, pd.DataFrame]:
        interrupt: KeyboardInterrupt = error
        assert interrupt is error
        return error.frame, error.failures

    empty = pd.DataFrame()
    assert (
        until(callkit.errors.FetchInterrupted("stopped", frame=empty, failures=empty))[0] is empty
    )


def test_files_out_and_in(sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    target = tmp_path / "calls.parquet"
    out = callkit.export(sandbox.sids(3), target, client=client, errors="raise")
    assert_type(out, callkit.FetchResult)
    assert_type(out.path, Path | None)
    assert_type(out.calls, int)
    assert_type(out.failures, pd.DataFrame)
    assert_type(out.failures_path, Path | None)
    read = callkit.read_parquet(str(target), columns=["sid", "price"])
    assert_type(read, pd.DataFrame)
    callkit.to_parquet(read, tmp_path / "copy.parquet")
    pd.testing.assert_frame_equal(callkit.read_parquet(tmp_path / "copy.parquet"), read)


def test_files_for_others(
    sandbox: Sandbox, client: Client, df: pd.DataFrame, tmp_path: Path
) -> None:
    pseudonyms = callkit.Pseudonyms(b"a key of this test alone", keep="country")
    sids = sandbox.sids(3)
    callkit.export(sids, tmp_path / "calls.csv", client=client, format="csv")
    callkit.export(sids, tmp_path / "calls.parquet", client=client, pseudonyms=pseudonyms)
    callkit.to_parquet(df, tmp_path / "months", by_month=True, pseudonyms=pseudonyms)
    assert_type(pseudonyms.of("+442079460000"), str)
    shared = callkit.pseudonymise(df, "a key of this test alone", keep="country")
    assert_type(shared, pd.DataFrame)
    assert callkit.pseudonymise(df, b"a key of this test alone")["sid"].equals(df["sid"])


def test_a_cache_is_looked_after(sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    cache = tmp_path / "calls.sqlite"
    callkit.collect(sandbox.sids(3), client=client, cache=cache)
    info = callkit.cache.info(cache)
    assert_type(info, callkit.cache.CacheInfo)
    assert_type(info.calls, int)
    assert_type(info.fetched_first, datetime | None)
    assert_type(callkit.cache.prune(str(cache), timedelta(days=90)), int)
    assert callkit.cache.erase(cache, ["+442079460000", "client:amy"]) == 0
    assert info.calls == 3


def test_breakdowns_by_whatever_names_a_key(df: pd.DataFrame) -> None:
    keys: list[str] = ["direction", "status"]
    costs = [
        callkit.cost_breakdown(df),
        callkit.cost_breakdown(df, "country"),
        callkit.cost_breakdown(df, by=keys, freq="D", tz="Europe/Berlin"),
        callkit.cost_breakdown(df, ("leg", "channel"), margins=True),
        callkit.cost_breakdown(df, freq="W", fill=True),
        callkit.cost_breakdown(df, increment=6),
        callkit.cost_breakdown(df, increment="6s"),
        callkit.cost_breakdown(df, increment=timedelta(seconds=6)),
        callkit.cost_breakdown(df, increment=pd.Timedelta("6s")),
    ]
    for cost in costs:
        assert_type(cost, pd.DataFrame)
        assert {"price_unit", "cost"} <= set(cost.columns)
    assert_type(callkit.duration_breakdown(df, by="hour", increment=1), pd.DataFrame)
    assert_type(callkit.calls_in_progress(df, freq="h", tz="UTC"), pd.DataFrame)
    assert_type(callkit.roll_up(df), pd.DataFrame)


def test_a_page_holds_its_tables(df: pd.DataFrame) -> None:
    page = callkit.summary(df, freq="MS", tz="UTC")
    assert_type(page, Summary)
    assert_type(page.calls, int)
    assert_type(page.tz, str)
    assert_type(page.first_start, pd.Timestamp)
    assert_type(page.changes, pd.DataFrame)
    assert str(page)


def test_charts_draw_on_axes_of_their_own_or_yours(df: pd.DataFrame) -> None:
    weekly = callkit.cost_breakdown(df, "direction", freq="W")
    with mpl.rc_context({"backend": "agg"}):
        assert_type(callkit.charts.cost(weekly), Axes)
        assert_type(callkit.charts.duration(df), Axes)
        assert_type(callkit.charts.in_progress(callkit.calls_in_progress(df, freq="D")), Axes)
        daily = callkit.duration_breakdown(df, "status", freq="D")
        assert_type(callkit.charts.status(daily), Axes)
        by_clock = callkit.duration_breakdown(df, ["weekday", "hour"])
        assert_type(callkit.charts.heat_map(by_clock, measure="calls"), Axes)
        plt.close("all")
    ax = Figure().add_subplot()
    assert callkit.charts.cost(weekly, ax=ax) is ax


def test_a_sandbox_serves_and_answers_without_a_server() -> None:
    assert_type(callkit.sample(10), pd.DataFrame)
    assert_type(Sandbox(calls=20).client(timeout=1.0), callkit.Client)
    with Sandbox(calls=20, seed=3, limit=9, retry_after=1) as sandbox:
        assert_type(sandbox, Sandbox)
        assert_type(sandbox.url, str)
        assert_type(sandbox.limit, int | None)
        assert_type(sandbox.sids(2), list[str])
        assert_type(sandbox.sid_frame(4), pd.DataFrame)
        call = sandbox.call(sandbox.sids(1)[0])
        assert_type(call, Call)
        assert_type(call.duration, int | None)
        with sandbox.client(concurrency=2) as client:
            assert_type(client, callkit.Client)
            assert callkit.to_frame(sandbox.sids(2), client=client)["sid"].tolist() == (
                sandbox.sids(2)
            )
        assert_type(sandbox.served, Counter[int])
        assert sandbox.served[200] == 2


def _outcomes(client: callkit.Client, sids: Iterator[str]) -> Iterator[bytes]:
    """Handed on lazily: a generator of SIDs in, bodies out."""
    return (got.body for got in client.fetch_many(sids) if isinstance(got, callkit.Fetched))


def test_a_generator_goes_straight_through(sandbox: Sandbox, client: Client) -> None:
    assert len(list(_outcomes(client, iter(sandbox.sids(3))))) == 3
