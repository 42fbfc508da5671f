"""What mypy and pyright must refuse, each by itself; an ignored error that is none is an error.

Never run: these are mistakes that a user's editor underlines before anything is fetched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import callkit
from callkit.sandbox import Sandbox

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def fetching(client: callkit.Client, sids: list[str]) -> None:
    callkit.to_frame(client=client)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    callkit.to_frame(None, client=client)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.to_frame(42, client=client)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.to_frame(sids, client)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    callkit.to_frame(sids, client=client, errors="ignore")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.to_frame(sids, pages="always")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.to_frame(sids, started=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.to_frame(sids, client="AC…")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.to_frame(sids, cache=True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.to_frame(sids, columns=[1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    callkit.collect(sids, errors="warn")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    callkit.collect(sids, refresh="some")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    _ = callkit.collect(sids).empty  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def signing_in(client: callkit.Client) -> None:
    callkit.Client("AC…", "secret")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    callkit.Client(token="secret")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    callkit.Client(concurrency="25")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.account_sid = "AC…"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    _ = client.auth_token  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def one_call_at_a_time(client: callkit.Client, sids: list[str]) -> None:
    client.fetch(sids)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    for outcome in client.fetch_many(sids):
        _ = outcome.body  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]
        outcome.attempts = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(outcome, callkit.Failure):
            _reason: Literal["lost"] = outcome.reason  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


def bodies_are_a_list_of_bodies(frame: pd.DataFrame) -> None:
    callkit.normalise([1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    callkit.normalise(frame, "silent")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def what_an_error_carries(error: callkit.CallkitError) -> None:
    _ = error.frame  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def files(frame: pd.DataFrame) -> None:
    callkit.to_parquet("calls.parquet", frame)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.read_parquet(frame)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.export(["CA…"], "calls.xlsx", format="xlsx")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.pseudonymise(frame)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    callkit.Pseudonyms("a key", keep="city")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.to_parquet(frame, "calls.parquet", pseudonyms="a key")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.cache.prune("calls.sqlite", 90)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.export(["CA…"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def breakdowns(frame: pd.DataFrame, figure: Figure) -> None:
    callkit.cost_breakdown(frame, by=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.cost_breakdown(frame, "status", "D")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    callkit.cost_breakdown(frame, increment=6.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.duration_breakdown(frame, tz=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.calls_in_progress(frame)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    callkit.summary(frame).calls = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    callkit.charts.cost(frame, ax=figure)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    callkit.charts.prices(frame)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def sandboxes() -> None:
    Sandbox(10)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    callkit.sample("1000")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Sandbox().url = "http://localhost"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
