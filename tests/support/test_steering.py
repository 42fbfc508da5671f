"""A running sandbox can be steered and asked, in this process or in one of its own."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from callkit.errors import SandboxError
from tests.support.faults import Faults
from tests.support.sandbox import FaultySandbox


@pytest.fixture(params=[False, True], ids=["thread", "process"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[FaultySandbox]:
    with FaultySandbox(calls=100, count_calls=True, own_process=request.param) as sandbox:
        yield sandbox


def ask(sandbox: FaultySandbox, sid: str, timeout: float = 30) -> requests.Response:
    url = f"{sandbox.url}/2010-04-01/Accounts/{sandbox.account_sid}/Calls/{sid}.json"
    auth = (sandbox.account_sid, sandbox.auth_token)
    return requests.get(url, auth=auth, timeout=timeout)


def in_flight(sandbox: FaultySandbox) -> int:
    return int(requests.get(sandbox.url, timeout=30).headers["Twilio-Concurrent-Requests"])


def test_it_answers_and_counts(sandbox: FaultySandbox) -> None:
    known, unknown = sandbox.sids(1)[0], sandbox.unknown_sids(1)[0]
    assert ask(sandbox, known).json()["sid"] == known
    assert ask(sandbox, unknown).status_code == 404
    assert sandbox.served == Counter({200: 1, 404: 1})
    assert sandbox.peak_in_flight == 1


def test_its_client_is_signed_in(sandbox: FaultySandbox) -> None:
    sid = sandbox.sids(1)[0]
    with sandbox.client() as client:
        assert client.fetch(sid)["sid"] == sid


def test_the_limit_can_be_moved(sandbox: FaultySandbox) -> None:
    sid = sandbox.sids(1)[0]
    seen = []
    for limit in (0, 10, 0, None):
        sandbox.limit = limit
        assert sandbox.limit == limit
        seen.append(ask(sandbox, sid).status_code)
    assert seen == [429, 200, 429, 200]


def test_a_limit_out_of_range_is_named(sandbox: FaultySandbox) -> None:
    with pytest.raises(ValueError, match="Invalid limit -1: expected at least 0"):
        sandbox.limit = -1


def test_a_foreign_load_shows_and_counts_against_the_limit(sandbox: FaultySandbox) -> None:
    sid = sandbox.sids(1)[0]
    sandbox.load(20)
    while in_flight(sandbox) < 21:
        pass  # its callers come one by one
    assert sandbox.foreign_refused == 0
    sandbox.limit = 5
    while sandbox.foreign_refused < 20:
        pass  # callers are refused when they ask anew
    assert sandbox.foreign_refused < sandbox.foreign_asked
    sandbox.load(0)
    while in_flight(sandbox) > 1:
        pass  # callers leave when they are answered
    assert ask(sandbox, sid).status_code == 200
    assert 429 not in sandbox.served


def test_a_foreign_load_leaves_no_room_where_there_is_none(sandbox: FaultySandbox) -> None:
    sandbox.load(1)
    while in_flight(sandbox) < 2:
        pass  # it has not come yet
    sandbox.limit = 1
    while ask(sandbox, sandbox.sids(1)[0]).status_code != 429:
        pass  # between two of its requests there is room


def test_an_outage_refuses_everybody_until_it_is_over(sandbox: FaultySandbox) -> None:
    sid = sandbox.sids(1)[0]
    sandbox.outage(3600)
    assert ask(sandbox, sid).status_code == 503
    assert requests.get(sandbox.url, timeout=30).status_code == 503
    sandbox.outage(0)
    assert ask(sandbox, sid).status_code == 200
    assert sandbox.faults == {"outage": 2}


@pytest.mark.parametrize("kind", ["close", "reset"])
def test_in_an_outage_connections_may_end_without_an_answer(
    sandbox: FaultySandbox, kind: Any
) -> None:
    sandbox.outage(3600, kind)
    with pytest.raises(requests.ConnectionError):
        requests.get(sandbox.url, timeout=30)
    assert sandbox.faults == {"outage": 1}
    assert sandbox.served == {}


def test_one_call_can_be_made_to_fail_so_often_or_always(sandbox: FaultySandbox) -> None:
    one, other = sandbox.sids(2)
    sandbox.answer_with(one, "500", times=2)
    sandbox.answer_with("CA" + one[2:].upper(), "503", times=1)
    sandbox.answer_with(other, "html")
    assert [ask(sandbox, one).status_code for _ in range(4)] == [500, 500, 503, 200]
    assert {ask(sandbox, other).headers["Content-Type"] for _ in range(4)} == {
        "text/html; charset=utf-8"
    }
    assert sandbox.faults == {"500": 2, "503": 1, "html": 4}


def test_the_ledger_says_what_each_sid_has_seen(sandbox: FaultySandbox) -> None:
    once, thrice, never = sandbox.sids(3)
    for kind in ("502", "gzip"):
        sandbox.answer_with(thrice, kind, times=1)
    for sid in (once, thrice, thrice, "CA" + thrice[2:].upper()):
        ask(sandbox, sid)
    assert sandbox.ledger() == {once: (1, 1, ()), thrice: (3, 2, ("502", "gzip"))}
    assert [sandbox.asked(sid) for sid in (once, thrice, never)] == [1, 3, 0]
    assert sandbox.asked_once() == {once}


def test_a_call_for_a_client_that_has_left_is_not_served_whole() -> None:
    with FaultySandbox(calls=10, latency=0.2, count_calls=True) as sandbox:
        sid = sandbox.sids(1)[0]
        with pytest.raises(requests.ReadTimeout):
            ask(sandbox, sid, timeout=0.05)
        while sandbox.served[200] < 1:
            pass  # the server is still looking the call up
        assert sandbox.ledger()[sid][:2] == (1, 0)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda s: s.answer_with(s.sids(1)[0], "teapot"), "'teapot' is no kind of fault here"),
        (lambda s: s.answer_with(s.sids(1)[0], "500", times=0), "Invalid times 0: expected at"),
        (lambda s: s.outage(1, "html"), "'html' is no kind of fault here: those are 503, close"),
        (lambda s: s.outage(-1), "Invalid seconds -1: expected at least 0"),
        (lambda s: s.load(-1), "Invalid callers -1: expected at least 0"),
    ],
)
def test_a_request_out_of_range_is_named(act: Any, message: str) -> None:
    with FaultySandbox(calls=10) as sandbox, pytest.raises(ValueError, match=message):
        act(sandbox)


def test_calls_are_counted_one_by_one_only_if_asked_for() -> None:
    with FaultySandbox(calls=10) as sandbox:
        ask(sandbox, sandbox.sids(1)[0])
        with pytest.raises(ValueError, match="counted one by one with `count_calls=True`"):
            sandbox.ledger()
        assert sandbox._fate.entries() == {}


def test_a_plan_reaches_a_process_of_its_own() -> None:
    plan = Faults(share=1, kinds=("500",), in_a_row=1)
    with FaultySandbox(calls=10, faults=plan, own_process=True) as sandbox:
        sid = sandbox.sids(1)[0]
        assert [ask(sandbox, sid).status_code for _ in range(2)] == [500, 200]
        assert sandbox.faults == {"500": 1}


def test_an_error_in_a_process_of_its_own_is_raised_here() -> None:
    with FaultySandbox(calls=10, own_process=True) as sandbox:
        with pytest.raises(ValueError, match="counted one by one with `count_calls=True`"):
            sandbox.ledger()
        port = int(sandbox.url.rpartition(":")[2])
        with (
            pytest.raises(SandboxError, match=f"Port {port} on 127.0.0.1 is in use"),
            FaultySandbox(port=port, own_process=True),
        ):
            pass


def test_a_process_of_its_own_ends_with_the_sandbox_and_can_be_started_again() -> None:
    sandbox = FaultySandbox(calls=10, own_process=True)
    for _ in range(2):
        with sandbox:
            assert ask(sandbox, sandbox.sids(1)[0]).status_code == 200
            process = process_of(sandbox)
        assert process.returncode == 0
    with pytest.raises(SandboxError, match="The sandbox is not running"):
        _ = sandbox.served


def test_a_process_that_has_ended_by_itself_is_missed() -> None:
    with FaultySandbox(calls=10, own_process=True) as sandbox:
        process_of(sandbox).kill()
        with pytest.raises(SandboxError, match="the sandbox's process has ended by itself"):
            _ = sandbox.served


def process_of(sandbox: FaultySandbox) -> subprocess.Popen[bytes]:
    assert sandbox.process is not None
    assert sandbox.process.process is not None
    return sandbox.process.process


def test_a_process_of_its_own_does_not_outlive_who_started_it() -> None:
    program = (
        "from tests.support.sandbox import FaultySandbox\n"
        "with FaultySandbox(calls=10, own_process=True):\n"
        "    print('running', flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "running\n"
        starter.kill()
        # Both have the pipe open, and its end is read only when both have ended.
        assert starter.stdout.read() == ""


def test_the_present_time_can_be_moved(sandbox: FaultySandbox) -> None:
    sandbox.now = datetime(2025, 2, 1, tzinfo=UTC)
    assert sandbox.now == datetime(2025, 2, 1, tzinfo=UTC)
    answer = requests.get(sandbox.url, timeout=30)
    assert answer.headers["Date"] == "Sat, 01 Feb 2025 00:00:00 GMT"


def test_a_present_time_that_was_set_before_it_started_is_its_processs_too() -> None:
    sandbox = FaultySandbox(calls=10, own_process=True)
    sandbox.now = datetime(2025, 2, 1, tzinfo=UTC)
    with sandbox:
        answer = requests.get(sandbox.url, timeout=30)
    assert answer.headers["Date"] == "Sat, 01 Feb 2025 00:00:00 GMT"


def test_a_page_meets_what_is_asked_for_it_and_is_counted(sandbox: FaultySandbox) -> None:
    page = f"/2010-04-01/Accounts/{sandbox.account_sid}/Calls.json?PageSize=10"
    auth = (sandbox.account_sid, sandbox.auth_token)
    sandbox.answer_with(page, "503", times=1)
    seen = [requests.get(sandbox.url + page, auth=auth, timeout=30).status_code for _ in range(2)]
    assert seen == [503, 200]
    assert sandbox.ledger()[page] == (2, 1, ("503",))
