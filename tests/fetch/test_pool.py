from __future__ import annotations

import gzip
import json
import threading
import time
import zlib
from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from callkit import Client, Failure, Fetched
from callkit.errors import InvalidSidError, RunStoppedError, SignInError, WrongAccountError
from callkit.fetch.concurrency import RetryPolicy
from tests.support.scripted import (
    ACCOUNT,
    QUICK_RETRIES,
    TOKEN,
    Reply,
    ScriptedServer,
    call_body,
    cut_short,
    reset,
    sid,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callkit.outcomes import Outcome
    from tests.support.scripted import Act, Handler


def outcomes_of(client: Client, *numbers: int) -> dict[str, Outcome]:
    outcomes = list(client.fetch_many([sid(number) for number in numbers]))
    by_sid = {outcome.sid: outcome for outcome in outcomes if outcome.sid is not None}
    assert len(by_sid) == len(outcomes)
    return by_sid


def failure_of(client: Client, number: int = 1) -> Failure:
    outcome = outcomes_of(client, number)[sid(number)]
    assert isinstance(outcome, Failure)
    return outcome


def test_every_call_ends_in_one_outcome_with_its_own_body(
    server: ScriptedServer, client: Client
) -> None:
    outcomes = outcomes_of(client, *range(500))
    assert set(outcomes) == {sid(number) for number in range(500)}
    for call_sid, outcome in outcomes.items():
        assert isinstance(outcome, Fetched)
        assert json.loads(outcome.body)["sid"] == call_sid


def test_a_call_named_twice_is_fetched_once(server: ScriptedServer, client: Client) -> None:
    assert len(list(client.fetch_many([sid(1), sid(1).upper(), sid(1)]))) == 1
    assert server.asked[sid(1)] == 1


def test_an_empty_list_asks_nothing(server: ScriptedServer, client: Client) -> None:
    assert list(client.fetch_many([])) == []
    assert server.paths == []


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(500, b"oops"),
        Reply(503, b'{"message": "later"}'),
        reset,
        cut_short,
        Reply(200, b"<html>"),
        Reply(200, b'{"sid": '),
        Reply(200, b"null"),
        Reply(200, b'{"no": "sid"}'),
        Reply(200, call_body(sid(99))),
        Reply(200, b"[" * 100_000),
        Reply(200, b"not gzip", {"Content-Encoding": "gzip"}),
        Reply(401, b"{}"),
        Reply(302, b"", {"Location": "http://portal.example/"}),
    ],
    ids=[
        "500",
        "503",
        "reset",
        "cut short",
        "HTML",
        "half JSON",
        "null",
        "no SID",
        "another call",
        "deep",
        "broken gzip",
        "a spurious 401",
        "a portal's redirect",
    ],
)
def test_passing_trouble_is_tried_again(
    server: ScriptedServer, client: Client, trouble: Act
) -> None:
    server.script[sid(1)] = [trouble]
    outcome = outcomes_of(client, 1)[sid(1)]
    assert isinstance(outcome, Fetched)
    assert outcome.attempts == 2


@pytest.mark.parametrize(
    ("trouble", "reason", "status"),
    [
        (Reply(500, b"oops"), "server_error", 500),
        (reset, "connection", None),
        (cut_short, "connection", None),
        (Reply(200, b"<html>"), "bad_response", 200),
        (Reply(200, call_body(sid(99))), "bad_response", 200),
    ],
    ids=["500", "reset", "cut short", "HTML", "another call"],
)
def test_lasting_trouble_is_a_failure_after_five_attempts(
    server: ScriptedServer, client: Client, trouble: Act, reason: str, status: int | None
) -> None:
    server.script[sid(1)] = [trouble] * 20
    failure = failure_of(client)
    assert (failure.reason, failure.http_status, failure.attempts) == (reason, status, 5)
    assert server.asked[sid(1)] == 5


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, "not_found"), (403, "forbidden"), (400, "http_error"), (405, "http_error")],
)
def test_what_another_attempt_cannot_mend_is_asked_once(
    server: ScriptedServer, client: Client, status: int, reason: str
) -> None:
    server.script[sid(1)] = [Reply(status, b"{}")]
    assert failure_of(client).reason == reason
    assert server.asked[sid(1)] == 1


def test_a_failure_says_what_the_server_said(server: ScriptedServer, client: Client) -> None:
    body = json.dumps({"code": 20403, "message": "Forbidden", "status": 403}).encode()
    server.script[sid(1)] = [Reply(403, body, {"Twilio-Request-Id": "RQ7"})]
    assert failure_of(client) == Failure(
        sid(1), ACCOUNT, "forbidden", "Forbidden", 403, 20403, "RQ7", 1
    )


def test_a_call_may_meet_many_429s_and_still_arrive(server: ScriptedServer, client: Client) -> None:
    server.script[sid(1)] = [Reply(429, b'{"code": 20429}')] * 8
    outcome = outcomes_of(client, 1)[sid(1)]
    assert isinstance(outcome, Fetched)
    assert outcome.attempts == 9


def test_a_429_holds_everybody_back_for_as_long_as_it_asks(
    server: ScriptedServer, client: Client
) -> None:
    server.script[sid(1)] = [Reply(429, b"{}", {"Retry-After": "1"})]
    began = time.monotonic()
    assert all(isinstance(o, Fetched) for o in outcomes_of(client, 1, 2, 3).values())
    assert time.monotonic() - began >= 1.0


def test_a_silent_server_is_a_timeout(server: ScriptedServer) -> None:
    silence = threading.Event()
    server.always = lambda handler: _keep_silent(handler, silence)
    with server.client(timeout=0.05, retry_policy=QUICK_RETRIES) as client:
        failure = failure_of(client)
    silence.set()
    assert (failure.reason, failure.attempts) == ("timeout", 5)


@pytest.mark.parametrize("header", [("Content-Length", "100000"), ("Connection", "close")])
def test_an_answer_that_drips_in_for_ever_is_cut_off(
    server: ScriptedServer, header: tuple[str, str]
) -> None:
    server.script[sid(1)] = [lambda handler: _drip(handler, *header)] * 5
    with server.client(timeout=0.3, retry_policy=QUICK_RETRIES) as client:
        assert failure_of(client).reason == "timeout"


def test_a_body_without_end_is_refused(server: ScriptedServer, client: Client) -> None:
    server.script[sid(1)] = [Reply(200, b"x" * 3_000_000)] * 5
    failure = failure_of(client)
    assert (failure.reason, failure.message) == (
        "bad_response",
        "the body is longer than 1,048,576 bytes",
    )


@pytest.mark.parametrize(
    "compress",
    [
        gzip.compress,
        zlib.compress,
        lambda body: gzip.compress(body[:20]) + gzip.compress(body[20:]),
    ],
    ids=["gzip", "zlib", "gzip in two members"],
)
def test_a_compressed_body_arrives_plain(
    server: ScriptedServer, client: Client, compress: Callable[[bytes], bytes]
) -> None:
    packed = compress(call_body(sid(1)))
    server.script[sid(1)] = [Reply(200, packed, {"Content-Encoding": "gzip"})]
    outcome = outcomes_of(client, 1)[sid(1)]
    assert isinstance(outcome, Fetched)
    assert outcome.body == call_body(sid(1))


def test_a_sign_in_that_stays_refused_stops_the_run(server: ScriptedServer, client: Client) -> None:
    server.always = Reply(401, b"{}")
    outcomes: list[Outcome] = []
    with pytest.raises(SignInError):
        outcomes.extend(client.fetch_many([sid(number) for number in range(1000)]))
    reasons = Counter(o.reason for o in outcomes if isinstance(o, Failure))
    assert reasons["unauthorized"] == sum(server.asked.values()) < 10
    assert reasons["not_attempted"] == 1000 - reasons["unauthorized"]


def test_the_sign_in_is_proved_by_one_call_before_the_crowd_starts(
    server: ScriptedServer, client: Client
) -> None:
    under_way, peak = 0, [0]

    def slowly(handler: Handler) -> None:
        nonlocal under_way
        under_way += 1
        peak[0] = max(peak[0], under_way)
        threading.Event().wait(0.1)
        under_way -= 1
        handler.answer(Reply())

    server.script[sid(0)] = [slowly]
    list(client.fetch_many([sid(number) for number in range(10)]))
    assert peak == [1]
    assert server.paths[0].endswith(f"{sid(0)}.json")


def test_an_account_that_is_refused_stops_no_other(server: ScriptedServer, client: Client) -> None:
    other = "AC" + "b" * 32
    for number in range(3):
        server.script[sid(number)] = [Reply(401, b"{}")] * 50
    accounts = [other] * 3 + [None] * 57
    listed = pd.DataFrame({"sid": [sid(number) for number in range(60)], "account_sid": accounts})
    failed = [o for o in client.fetch_many(listed) if isinstance(o, Failure)]
    assert {(o.sid, o.reason) for o in failed} == {
        (sid(number), "unauthorized") for number in range(3)
    }


def test_one_call_that_is_refused_stops_no_other(server: ScriptedServer, client: Client) -> None:
    server.script[sid(59)] = [Reply(401, b"{}")] * 50
    outcomes = outcomes_of(client, *range(60))
    failed = [o for o in outcomes.values() if isinstance(o, Failure)]
    assert [(o.sid, o.reason) for o in failed] == [(sid(59), "unauthorized")]


def test_unknown_calls_of_another_account_do_not_stop_the_run(
    server: ScriptedServer, client: Client
) -> None:
    accounts = ["AC" + "b" * 32] * 250 + [None] * 50
    for number in range(250):
        server.script[sid(number)] = [Reply(404, b"{}")]
    listed = pd.DataFrame({"sid": [sid(number) for number in range(300)], "account_sid": accounts})
    fetched = [o for o in client.fetch_many(listed) if isinstance(o, Fetched)]
    assert len(fetched) == 50


def test_a_few_calls_that_always_fail_are_failures_and_no_outage(
    server: ScriptedServer, client: Client
) -> None:
    server.always = Reply(500, b"")
    outcomes = outcomes_of(client, 1, 2, 3)
    assert {o.reason for o in outcomes.values() if isinstance(o, Failure)} == {"server_error"}


def test_a_request_that_cannot_be_made_ends_the_run_and_hangs_nobody() -> None:
    with (
        Client(account_sid=ACCOUNT, auth_token=TOKEN, base_url="https://a..b.example") as client,
        pytest.raises(RunStoppedError, match="Cannot send requests .*: UnicodeError"),
    ):
        list(client.fetch_many([sid(number) for number in range(100)]))


def test_retry_after_of_a_503_is_obeyed(server: ScriptedServer, client: Client) -> None:
    server.script[sid(1)] = [Reply(503, b"", {"Retry-After": "1"})]
    began = time.monotonic()
    assert isinstance(outcomes_of(client, 1, 2, 3)[sid(1)], Fetched)
    assert time.monotonic() - began >= 1.0


@pytest.mark.parametrize(
    "retry_after",
    ["Mon, 01 Jan 2024 00:00:99999999999999999999 GMT", "soon", "-1", "", "9" * 400],
)
def test_a_retry_after_that_is_none_is_passed_over(
    server: ScriptedServer, client: Client, retry_after: str
) -> None:
    server.script[sid(1)] = [Reply(429, b"", {"Retry-After": retry_after})]
    assert isinstance(outcomes_of(client, 1)[sid(1)], Fetched)


def test_an_error_code_beyond_bounds_is_left_out(server: ScriptedServer, client: Client) -> None:
    server.script[sid(1)] = [Reply(400, b'{"code": 9223372036854775808}')]
    failure = failure_of(client)
    assert (failure.reason, failure.code) == ("http_error", None)


def test_nothing_but_unknown_calls_stops_the_run(server: ScriptedServer) -> None:
    server.always = Reply(404, b"{}")
    outcomes: list[Outcome] = []
    with (
        server.client(concurrency=1) as client,
        pytest.raises(WrongAccountError, match=f"None of 220 calls .*{ACCOUNT} at"),
    ):
        outcomes.extend(client.fetch_many([sid(number) for number in range(5000)]))
    reasons = Counter(o.reason for o in outcomes if isinstance(o, Failure))
    assert reasons == {"not_found": 220, "not_attempted": 4780}


def test_one_known_call_among_the_first_keeps_the_run_going(
    server: ScriptedServer, client: Client
) -> None:
    server.always = Reply(404, b"{}")
    server.script[sid(0)] = [Reply()]
    assert len(outcomes_of(client, *range(300))) == 300


def test_the_run_ends_when_nothing_succeeds_for_too_long(server: ScriptedServer) -> None:
    server.always = Reply(429, b"{}")
    outcomes: list[Outcome] = []
    with (
        server.client(give_up_after=0.2, retry_policy=QUICK_RETRIES) as client,
        pytest.raises(RunStoppedError, match="No successful response from .* rate_limited"),
    ):
        outcomes.extend(client.fetch_many([sid(number) for number in range(50)]))
    reasons = Counter(o.reason for o in outcomes if isinstance(o, Failure))
    assert reasons == {"rate_limited": 1, "not_attempted": 49}


def test_calls_of_several_accounts_are_asked_for_under_their_own(
    server: ScriptedServer, client: Client
) -> None:
    other = "AC" + "b" * 32
    list(client.fetch_many(pd.DataFrame({"sid": [sid(1), sid(2)], "account_sid": [other, None]})))
    assert sorted(path.split("/")[3] for path in server.paths) == [ACCOUNT, other]


def test_a_generator_is_read_only_so_far_ahead(client: Client) -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield sid(read)

    outcomes = client.fetch_many(endless())
    for _ in range(50):
        next(outcomes)
    assert 50 <= read <= 5_000
    outcomes.close()


def test_a_malformed_entry_in_a_list_is_refused_before_the_first_request(
    server: ScriptedServer, client: Client
) -> None:
    with pytest.raises(InvalidSidError, match="entry 2: 'CA1'"):
        client.fetch_many([sid(1), "CA1"])
    assert server.paths == []


def test_leaving_early_leaves_no_worker(server: ScriptedServer, client: Client) -> None:
    silence = threading.Event()
    for number in range(1, 100):
        server.script[sid(number)] = [lambda handler: _keep_silent(handler, silence)]
    outcomes = client.fetch_many([sid(number) for number in range(100)])
    next(outcomes)
    began = time.monotonic()
    outcomes.close()
    assert time.monotonic() - began < 20  # bounded; not a speed
    assert [t.name for t in threading.enumerate() if t.name.startswith("callkit-fetch")] == []
    silence.set()


def _keep_silent(handler: Handler, until: threading.Event) -> None:
    until.wait(10)
    handler.close_connection = True


def _drip(handler: Handler, *header: str) -> None:
    handler.send_response(200)
    handler.send_header(*header)
    handler.end_headers()
    pause = threading.Event()
    while not pause.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def test_an_outage_in_the_middle_costs_no_call(server: ScriptedServer, client: Client) -> None:
    began: list[float] = []

    def falter(handler: Handler) -> None:
        if sum(server.asked.values()) > 100 and not began:
            began.append(time.monotonic())
        down = bool(began) and time.monotonic() - began[0] < 1.0
        handler.answer(Reply(503, b"") if down else Reply())

    server.always = falter
    outcomes = outcomes_of(client, *range(400))
    assert began
    assert all(isinstance(outcome, Fetched) for outcome in outcomes.values())


def test_in_an_outage_one_probe_goes_out_at_a_time(server: ScriptedServer, client: Client) -> None:
    list(client.fetch_many([sid(0)]))
    until = time.monotonic() + 0.5

    def down(handler: Handler) -> None:
        handler.answer(Reply(503, b"") if time.monotonic() < until else Reply())

    server.always = down
    list(client.fetch_many([sid(number) for number in range(1000, 1200)]))
    assert sum(server.asked.values()) < 1 + 200 + 150


def test_calls_that_always_fail_are_told_from_an_outage_at_the_end_of_a_list(
    server: ScriptedServer, client: Client
) -> None:
    for number in range(3):
        server.script[sid(number)] = [Reply(500, b"")] * 50
    outcomes = outcomes_of(client, *range(3, 60), *range(3))
    failed = [o for o in outcomes.values() if isinstance(o, Failure)]
    assert sorted((o.sid, o.reason) for o in failed) == [
        (sid(number), "server_error") for number in range(3)
    ]


def test_a_call_that_always_fails_has_five_attempts_though_the_others_are_done(
    server: ScriptedServer, client: Client
) -> None:
    server.script[sid(1)] = [Reply(503, b"")] * 50
    outcomes = outcomes_of(client, 0, 1, 2)
    assert isinstance(outcomes[sid(1)], Failure)
    assert (outcomes[sid(1)].attempts, server.asked[sid(1)]) == (5, 5)


@pytest.mark.parametrize("size", [b"-5", b"zz", b"", b"fffffffffffffffff"])
def test_a_broken_chunk_size_fails_its_call_alone(
    server: ScriptedServer, client: Client, size: bytes
) -> None:
    def answer(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        handler.wfile.write(size + b"\r\n{}\r\n0\r\n\r\n")
        handler.close_connection = True

    server.script[sid(1)] = [answer] * 50
    outcomes = outcomes_of(client, 0, 1, 2)
    assert [type(outcomes[sid(number)]) for number in range(3)] == [Fetched, Failure, Fetched]


def test_two_threads_may_fetch_with_one_client(client: Client) -> None:
    results: list[int] = []

    def fetch(first: int) -> None:
        wanted = [sid(number) for number in range(first, first + 100)]
        results.append(sum(isinstance(o, Fetched) for o in client.fetch_many(wanted)))

    threads = [threading.Thread(target=fetch, args=(first,)) for first in (0, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [100, 100]


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 131_072, 300_000])
def test_a_long_body_arrives_whole(server: ScriptedServer, client: Client, length: int) -> None:
    body = call_body(sid(1), note="x" * length)[:-2][: length - 2] + b'"}'
    assert len(body) == length
    server.script[sid(1)] = [Reply(body=body)]
    outcome = outcomes_of(client, 1)[sid(1)]
    assert isinstance(outcome, Fetched)
    assert outcome.body == body


def test_a_body_cut_short_is_not_quoted(server: ScriptedServer, client: Client) -> None:
    server.script[sid(1)] = [Reply(body=b'{"to": "+4915112345678", "from": "sip:am')] * 5
    (failure,) = client.fetch_many([sid(1)])
    assert isinstance(failure, Failure)
    assert failure.message.endswith("its 40 bytes begin like one")


def close_afterwards(handler: Handler) -> None:
    """Answer, and close the connection without having said so."""
    handler.answer(Reply())
    handler.close_connection = True


def test_a_connection_closed_while_it_was_idle_is_no_attempt(server: ScriptedServer) -> None:
    server.always = close_afterwards
    with server.client(concurrency=1, retry_policy=RetryPolicy(attempts=1)) as client:
        outcomes = outcomes_of(client, *range(20))
    assert all(isinstance(outcome, Fetched) for outcome in outcomes.values())
    assert set(server.asked.values()) == {1}


@pytest.mark.parametrize("status", [200, 404, 429])
def test_an_answer_too_many_is_not_taken_for_that_of_the_next_call(
    server: ScriptedServer, status: int
) -> None:
    def answer_twice(handler: Handler) -> None:
        handler.answer(Reply())
        handler.answer(Reply(status, call_body(handler.call_sid)))

    server.script[sid(1)] = [answer_twice]
    with server.client(concurrency=1) as client:
        outcomes = [next(client.fetch_many([sid(number)])) for number in (1, 2, 3)]
    assert [type(outcome) for outcome in outcomes] == [Fetched] * 3
    assert [outcome.attempts for outcome in outcomes] == [1, 1, 1]
