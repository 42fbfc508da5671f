"""Everything goes wrong at once, and every call still ends in exactly one place."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import callkit
from callkit import Failure, Fetched
from tests.support.faults import KINDS, Faults
from tests.support.sandbox import FaultySandbox

if TYPE_CHECKING:
    from callkit.outcomes import Outcome

pytestmark = pytest.mark.slow

CALLS = int(os.environ.get("CALLKIT_CAMPAIGN_CALLS", "10000"))
SEEDS = range(1, 1 + int(os.environ.get("CALLKIT_CAMPAIGN_SEEDS", "3")))
REASONS = {
    "500": "server_error",
    "502": "server_error",
    "503": "server_error",
    "close": "connection",
    "reset": "connection",
    "reset_in_body": "connection",
    "cut": "connection",
    "stall": "timeout",
    "html": "bad_response",
    "invalid_json": "bad_response",
    "other_call": "bad_response",
    "redirect": "http_error",
}
# A burst of 429s is felt by everybody, with Retry-After for a second: a few of them are enough.
WEIGHTS = {**dict.fromkeys(KINDS, 1.0), "429": 0.1, "429_retry_after": 0.02}
PROBES = 100  # to a call that has arrived, when nothing else does


@pytest.mark.parametrize("seed", SEEDS)
def test_every_call_ends_in_exactly_one_place(seed: int) -> None:
    faults = Faults(share=0.10, seed=seed, kinds=WEIGHTS, lasting=0.002)
    with FaultySandbox(calls=2 * CALLS, latency=0.01, faults=faults, own_process=True) as sandbox:
        listed = sandbox.sid_frame(CALLS)
        with sandbox.client(concurrency=50, timeout=1.0) as client:
            outcomes = list(client.fetch_many(listed))
        ledger, strayed, met = sandbox.ledger(), sandbox.strayed, sandbox.faults
        meant_to_fail = {
            sid: kind for sid in listed["sid"] if (kind := sandbox.meant_to_fail(sid)) is not None
        }
        meant = [sandbox.call(o.sid).attributes() for o in outcomes if isinstance(o, Fetched)]

    assert Counter(o.sid for o in outcomes) == Counter(listed["sid"])
    failed = {o.sid: o.reason for o in outcomes if isinstance(o, Failure)}
    assert failed == {sid: REASONS[kind] for sid, kind in meant_to_fail.items()}
    assert meant_to_fail
    assert set(met) >= set(KINDS)

    frame = callkit.normalise([o.body for o in outcomes if isinstance(o, Fetched)])
    assert_is_meant(frame, meant)
    assert all(ledger[o.sid].served >= 1 for o in outcomes if isinstance(o, Fetched))
    asked = {sid: entry.asked for sid, entry in ledger.items()}
    assert_counts_agree(outcomes, asked, closed=met["close"] + met["reset"])
    assert strayed.total() == 0


def assert_is_meant(frame: pd.DataFrame, meant: list[dict[str, Any]]) -> None:
    columns = ["sid", "price", "start_time", "duration", "status", "to"]
    expected = pd.DataFrame(meant)[columns]
    assert frame["sid"].tolist() == expected["sid"].tolist()
    for column in columns:
        values = [None if pd.isna(value) else value for value in frame[column]]
        if column == "duration":
            values = [None if value is None else value.total_seconds() for value in values]
        wanted = [None if pd.isna(value) else value for value in expected[column]]
        assert values == wanted, column


def assert_counts_agree(outcomes: list[Outcome], asked: dict[str, int], *, closed: int) -> None:
    """What was sent, by our count and by the server's.

    The rest are probes, and requests that were repeated at once and count once, since a connection
    that had been used was `closed` before any byte.
    """
    more = {o.sid: asked[o.sid] - o.attempts for o in outcomes if o.sid is not None}
    assert min(more.values()) >= 0
    assert sum(more.values()) <= PROBES + closed


def test_an_outage_of_some_seconds_costs_no_call() -> None:
    seconds = float(os.environ.get("CALLKIT_OUTAGE_SECONDS", "6"))
    with FaultySandbox(calls=20_000, latency=0.05, own_process=True) as sandbox:
        sids = sandbox.sids(5_000)
        got: list[Outcome] = []
        with sandbox.client() as client:
            for outcome in client.fetch_many(sids):
                got.append(outcome)
                if len(got) == 1_000:
                    sandbox.outage(seconds, "reset")
    assert Counter(outcome.sid for outcome in got) == Counter(sids)
    assert all(isinstance(outcome, Fetched) for outcome in got)
