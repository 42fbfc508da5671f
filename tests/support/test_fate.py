"""Which request meets which fault is drawn from a seed, bounded and counted."""

import pickle
from collections import Counter
from typing import Any

import pytest
import requests

from tests.support.fate import Fate
from tests.support.faults import BURSTS, HARMLESS, KINDS, LASTING, Faults, Outage
from tests.support.sandbox import FaultySandbox

SIDS = [f"CA{number:032x}" for number in range(5_000)]
REAL = tuple(kind for kind in KINDS if kind not in BURSTS | HARMLESS)


def meet(fate: Fate, sid: str) -> str | None:
    """Ask for a SID once, and say what it meets."""
    met = fate.arrives(sid) or fate.meets(sid)
    if met is not None:
        fate.count(met, sid)
    return None if met is None else met.counted_as


def test_the_share_of_requests_that_meet_a_fault_is_the_one_asked_for() -> None:
    fate = Fate(Faults(share=0.1, burst=0, seed=3), keep=False)
    met = [meet(fate, sid) for sid in SIDS]
    assert 0.09 < 1 - met.count(None) / len(SIDS) < 0.11
    assert set(met) == {*KINDS, None}


def test_kinds_come_as_often_as_their_weights_say() -> None:
    plan = Faults(share=1, kinds={"500": 3, "reset": 1})
    fate = Fate(plan, keep=False)
    counts = Counter(meet(fate, sid) for sid in SIDS)
    assert set(counts) == {"500", "reset"}
    assert 2.7 < counts["500"] / counts["reset"] < 3.3


def test_what_a_sid_meets_does_not_depend_on_the_order_of_requests() -> None:
    plan = Faults(share=0.5, burst=0, lasting=0.05, seed=3)
    in_turn, one_by_one = Fate(plan, keep=False), Fate(plan, keep=False)
    for _ in range(4):
        for sid in SIDS[:500]:
            meet(in_turn, sid)
    for sid in reversed(SIDS[:500]):
        for _ in range(4):
            meet(one_by_one, sid)
    assert in_turn.entries() == one_by_one.entries()
    assert in_turn.faults == one_by_one.faults


def test_another_seed_makes_other_faults() -> None:
    one, other = (Fate(Faults(share=0.5, burst=0, seed=seed), keep=False) for seed in (1, 2))
    assert [meet(one, sid) for sid in SIDS[:100]] != [meet(other, sid) for sid in SIDS[:100]]


def test_a_sid_is_spared_after_so_many_faults_in_a_row() -> None:
    fate = Fate(Faults(share=1, kinds=("500",), in_a_row=3), keep=False)
    assert [meet(fate, SIDS[0]) for _ in range(8)] == ["500", "500", "500", None] * 2


def test_a_429_between_breaks_no_row() -> None:
    fate = Fate(Faults(share=1, kinds=("429", "500"), in_a_row=2, burst=0), keep=False)
    for sid in SIDS[:200]:
        row: list[str] = []
        while (met := meet(fate, sid)) is not None:
            row.append(met)
        assert row.count("500") == 2


def test_a_sid_meets_one_401_and_never_another() -> None:
    fate = Fate(Faults(share=1, kinds=("401",)), keep=False)
    assert [meet(fate, SIDS[0]) for _ in range(4)] == ["401", None, None, None]


def test_a_drawn_429_meets_everybody_until_its_burst_is_over() -> None:
    endless = Fate(Faults(share=1, kinds=("429_retry_after",), burst=3600), keep=False)
    assert [meet(endless, sid) for sid in SIDS[:4]] == ["429_retry_after"] + ["burst"] * 3
    met = endless.meets(SIDS[5])
    assert met is not None
    assert met.kind == "429_retry_after"


def test_requests_in_a_burst_are_not_drawn() -> None:
    plan = Faults(share=1, kinds=("429", "500"), seed=1, burst=3600)
    fate, alike = Fate(plan, keep=False), Fate(plan, keep=False)
    first_429 = next(sid for sid in SIDS if meet(fate, sid) == "429")
    spared = SIDS[SIDS.index(first_429) + 1]
    assert [meet(fate, spared) for _ in range(5)] == ["burst"] * 5
    fate._burst = alike._burst
    assert meet(fate, spared) == meet(alike, spared)


def test_a_lasting_share_of_sids_always_meets_the_same_fault() -> None:
    fate = Fate(Faults(lasting=0.2, seed=3), keep=False)
    meant = {sid: fate.meant_to_fail(sid) for sid in SIDS}
    assert 0.18 < sum(kind is not None for kind in meant.values()) / len(SIDS) < 0.22
    assert set(meant.values()) == {*LASTING, None}
    for _ in range(7):
        assert {sid: meet(fate, sid) for sid in SIDS} == meant


def test_what_would_never_end_or_end_everything_does_not_last() -> None:
    assert set(KINDS) - LASTING == {"401", "429", "429_retry_after", "gzip"}


def test_a_planned_outage_begins_with_the_request_of_its_number() -> None:
    fate = Fate(Faults(outage=Outage(after=3, seconds=3600, kind="reset")), keep=False)
    assert [meet(fate, sid) for sid in SIDS[:5]] == [None, None, "outage", "outage", "outage"]
    assert fate.faults == {"outage": 3}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"share": 1.5}, "share is 1.5, and should be from 0 to 1"),
        ({"lasting": -0.1}, "lasting is -0.1, and should be from 0 to 1"),
        ({"burst": -1}, "Invalid burst -1: expected at least 0"),
        ({"in_a_row": -1}, "Invalid in_a_row -1: expected at least 0"),
        ({"retry_after": -1}, "Invalid retry_after -1: expected at least 0"),
        ({"kinds": ("500", "teapot")}, "'teapot' is no kind of fault here: those are 401, 429, "),
        ({"kinds": ("gzip_bomb",)}, "'gzip_bomb' is no kind of fault here: those are 401, 429, "),
        ({"kinds": {"500": -1}}, "the weight of 500 is -1, and should be more than 0"),
        ({"kinds": (), "share": 0.1}, "kinds is empty, and a share needs at least one"),
        ({"kinds": ("gzip",), "lasting": 0.1}, "none of the kinds can last: those are 500, 502, "),
        ({"outage": Outage(0, 1)}, "the outage begins with request 0, and should with 1 or later"),
    ],
)
def test_a_plan_out_of_range_is_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Faults(**parameters)


def test_a_plan_can_be_sent_to_another_process() -> None:
    plan = Faults(share=0.1, kinds=iter(("500", "reset")), outage=Outage(5, 1.5))
    assert pickle.loads(pickle.dumps(plan)) == plan


def get(sandbox: FaultySandbox, sid: str) -> int | None:
    url = f"{sandbox.url}/2010-04-01/Accounts/{sandbox.account_sid}/Calls/{sid}.json"
    auth = (sandbox.account_sid, sandbox.auth_token)
    try:
        return requests.get(url, auth=auth, timeout=30, allow_redirects=False).status_code
    except requests.RequestException:
        return None


def test_a_client_of_five_attempts_loses_only_what_is_meant_to_fail() -> None:
    kinds = tuple(kind for kind in REAL if kind not in {"stall", "redirect"})
    plan = Faults(share=0.6, lasting=0.1, kinds=(*kinds, "gzip"), seed=3)
    with FaultySandbox(calls=1_000, faults=plan) as sandbox:
        for sid in sandbox.sids(100):
            for _ in range(5):
                get(sandbox, sid)
                if sandbox.ledger()[sid].served:
                    break
        ledger = sandbox.ledger()
        lost = {sid: entry.met for sid, entry in ledger.items() if not entry.served}
        meant = {sid: sandbox.meant_to_fail(sid) for sid in sandbox.sids(100)}
        assert {sid: met[-1] for sid, met in lost.items()} == {s: k for s, k in meant.items() if k}
        assert sandbox.faults == Counter(kind for entry in ledger.values() for kind in entry.met)
        assert {entry.served for entry in ledger.values()} == {0, 1}


def test_without_a_plan_every_answer_is_right() -> None:
    with FaultySandbox(calls=100, count_calls=True) as sandbox:
        assert [get(sandbox, sid) for sid in sandbox.sids(80)] == [200] * 80
        assert sandbox.faults == {}
        assert {sandbox.meant_to_fail(sid) for sid in sandbox.sids(80)} == {None}


def test_requests_that_are_refused_anyway_are_not_drawn() -> None:
    plan = Faults(share=1, kinds=("500",), in_a_row=1)
    with FaultySandbox(calls=10, faults=plan, limit=0) as sandbox:
        sid = sandbox.sids(1)[0]
        assert [get(sandbox, sid), get(sandbox, sid)] == [429, 429]
        sandbox.limit = None
        assert [get(sandbox, sid), get(sandbox, sid)] == [500, 200]
        assert sandbox.ledger()[sid] == (4, 1, ("500",))
