"""Where a response ends: wrong, absurd and endless lengths, and responses that break off."""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import requests

from callkit import Client, Failure, Fetched
from callkit.errors import RunStoppedError
from tests.support.scripted import (
    ACCOUNT,
    QUICK_RETRIES,
    TOKEN,
    ScriptedServer,
    call_body,
    sending,
    sending_without_end,
    sid,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.scripted import Act, Handler

BODY = call_body(sid(1))
HALF = len(BODY) // 2
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = OK + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


@pytest.fixture(params=["callkit's connections", "an adapter of the user's"])
def session(request: pytest.FixtureRequest) -> Iterator[requests.Session]:
    """Give a session for each way by which requests go."""
    with requests.Session() as session:
        if request.param == "an adapter of the user's":
            session.mount("http://", type("Adapter", (requests.adapters.HTTPAdapter,), {})())
        yield session


@pytest.fixture
def client(server: ScriptedServer, session: requests.Session) -> Iterator[Client]:
    with server.client(timeout=5, retry_policy=QUICK_RETRIES, session=session) as client:
        yield client


def failure_of(client: Client, server: ScriptedServer, act: Act) -> Failure:
    """Fetch a call that is always answered so; another call must be none the worse for it."""
    server.script[sid(1)] = [act] * 9
    outcomes = {outcome.sid: outcome for outcome in client.fetch_many([sid(1), sid(2)])}
    assert isinstance(outcomes[sid(2)], Fetched)
    failure = outcomes[sid(1)]
    assert isinstance(failure, Failure)
    return failure


def fetched(client: Client, server: ScriptedServer, act: Act) -> Fetched:
    server.script[sid(1)] = [act]
    [outcome] = client.fetch_many([sid(1)])
    assert isinstance(outcome, Fetched)
    return outcome


def chunk(body: bytes, after_length: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(body), after_length, body)


@pytest.mark.parametrize(
    "length", ["-1", "+5", "0x10", "1_000", "", "g", "5 5", " 5", "0" * 20, "\N{SUPERSCRIPT ONE}"]
)
def test_a_chunk_whose_length_is_no_hexadecimal_number_is_a_bad_response(
    server: ScriptedServer, client: Client, length: str
) -> None:
    sent = CHUNKED + length.encode("latin-1") + b"\r\n" + BODY + b"\r\n0\r\n\r\n"
    failure = failure_of(client, server, sending(sent))
    assert (failure.reason, failure.message) == (
        "bad_response",
        "the length of a chunk is not a hexadecimal number",
    )


@pytest.mark.parametrize("length", ["-5", "+5", "5_0", "1e3", "0x10", "9" * 19, "9" * 5_000])
def test_a_content_length_that_is_no_number_is_a_failure(
    server: ScriptedServer, client: Client, length: str
) -> None:
    sent = OK + f"Content-Length: {length}\r\n\r\n".encode() + BODY
    assert failure_of(client, server, sending(sent)).reason in {"bad_response", "connection"}


@pytest.mark.parametrize(
    "headers", [b"Content-Length: 5, 6\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n"]
)
def test_two_lengths_are_a_bad_response(server: ScriptedServer, headers: bytes) -> None:
    with server.client(timeout=5, retry_policy=QUICK_RETRIES) as client:
        failure = failure_of(client, server, sending(OK + headers + b"\r\n" + BODY))
    assert (failure.reason, failure.message) == (
        "bad_response",
        "Content-Length is not a number of bytes",
    )


@pytest.mark.parametrize("coding", ["gzip, chunked", "chunked, chunked", "xchunked", "identity"])
def test_a_transfer_coding_that_was_not_asked_for_is_a_bad_response(
    server: ScriptedServer, client: Client, coding: str
) -> None:
    sent = OK + f"Transfer-Encoding: {coding}\r\n\r\n".encode() + chunk(BODY) + chunk(b"")
    assert failure_of(client, server, sending(sent)).reason == "bad_response"


@pytest.mark.parametrize(
    "sent",
    [
        CHUNKED + chunk(BODY[:HALF], b" ; a=b") + chunk(BODY[HALF:], b"  ") + chunk(b""),
        CHUNKED + b"00000" + chunk(BODY) + b"0\r\nChecksum: 1\r\n\r\n",
        CHUNKED + b"".join(chunk(BODY[n : n + 1]) for n in range(len(BODY))) + chunk(b""),
        CHUNKED + chunk(BODY) + b"0\r\n",
        OK + b"Content-Length: %d, %d\r\n\r\n" % (len(BODY), len(BODY)) + BODY,
        OK + 2 * (b"Content-Length: %d\r\n" % len(BODY)) + b"\r\n" + BODY,
        OK + b"content-length:\r\n\t%d\r\n\r\n" % len(BODY) + BODY,
        OK + b"\r\n" + BODY,
    ],
    ids=[
        "chunk extensions",
        "zeros before the length, and trailers",
        "chunks of one byte",
        "chunks, and no trailers",
        "the same length twice",
        "the same header twice",
        "a header over two lines",
        "no length",
    ],
)
def test_a_body_may_be_delimited_in_every_way_of_http(
    server: ScriptedServer, client: Client, sent: bytes
) -> None:
    assert fetched(client, server, sending(sent)).body == BODY


ENDLESS = {
    "status": (b"HTTP/1.1 200 ", b"O" * 65_536),
    "header": (OK + b"X: ", b"x" * 65_536),
    "headers": (OK, b"X: x\r\n" * 10_000),
    "continues": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000),
    "early hints": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 1_000),
    "chunk extension": (CHUNKED + b"5;", b"x" * 65_536),
    "chunk extensions": (CHUNKED, (b"1;" + b"x" * 4_000 + b"\r\n \r\n") * 10),
    "length of a chunk": (CHUNKED, b"0" * 65_536),
    "chunk": (CHUNKED + b"ffffffffff\r\n", b" " * 65_536),
    "chunks": (CHUNKED, b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    "trailers": (CHUNKED + chunk(BODY) + b"0\r\n", b"X: x\r\n" * 10_000),
    "announced body": (OK + b"Content-Length: 999999999999\r\n\r\n", b" " * 65_536),
    "body": (OK + b"\r\n", b" " * 65_536),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_never_ends_is_left_soon(
    server: ScriptedServer, client: Client, what: str, request: pytest.FixtureRequest
) -> None:
    if what == "continues" and "adapter" in request.node.name:
        pytest.skip("the standard library reads them, before callkit has anything to cut off")
    sent: list[int] = []
    failure = failure_of(client, server, sending_without_end(*ENDLESS[what], sent))
    assert failure.reason in {"bad_response", "connection"}
    assert len(failure.message) < 200
    assert max(sent) < 1 << 24  # the buffers between two sockets hold some megabytes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("start", [b"", b"HTTP/1.0 200 OK\r\n\r\n"])
def test_a_body_in_the_wrong_place_or_encoding_is_not_quoted(
    server: ScriptedServer, client: Client, start: bytes, encoding: str
) -> None:
    body = '{"from": "+14155552671"}\n'.encode(encoding)
    failure = failure_of(client, server, sending(start + body))
    assert failure.reason in {"bad_response", "connection"}
    assert "4" not in failure.message.replace(f"{len(body)} bytes", "")


@contextlib.contextmanager
def ended_in_the_end() -> Iterator[threading.Event]:
    """Give an event that ends what hangs, and wait until the threads that hung are gone."""
    ends = threading.Event()
    try:
        yield ends
    finally:
        ends.set()
        for thread in threading.enumerate():
            if thread.name.startswith("callkit-fetch"):
                thread.join(10)


def test_a_request_that_an_adapter_never_ends_holds_up_no_other(server: ScriptedServer) -> None:
    """The standard library skips a 100 and reads on, before callkit has anything to cut off."""

    def go_on(handler: Handler) -> None:
        handler.close_connection = True
        while not ends.wait(0.01):
            handler.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    server.script[sid(1)] = [go_on] * 9
    policy = replace(QUICK_RETRIES, attempts=2)
    with requests.Session() as session, ended_in_the_end() as ends:
        session.mount("http://", type("Adapter", (requests.adapters.HTTPAdapter,), {})())
        with server.client(
            timeout=0.3, concurrency=2, retry_policy=policy, session=session
        ) as client:
            outcomes = {each.sid: each for each in client.fetch_many(map(sid, range(40)))}
    failure = outcomes.pop(sid(1))
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.attempts) == ("timeout", 2)
    assert all(isinstance(each, Fetched) for each in outcomes.values())
    assert len(outcomes) == 39


def test_a_run_whose_every_request_hangs_in_an_adapter_ends(server: ScriptedServer) -> None:
    class Adapter(requests.adapters.HTTPAdapter):
        def send(self, *_: object, **options: object) -> requests.Response:
            ends.wait(20)
            raise requests.ConnectionError

    with requests.Session() as session, ended_in_the_end() as ends:
        session.mount("http://", Adapter())
        with server.client(
            timeout=0.2, give_up_after=2, retry_policy=QUICK_RETRIES, session=session
        ) as client:
            before = time.monotonic()
            with pytest.raises(RunStoppedError, match="No successful response"):
                list(client.fetch_many(map(sid, range(40))))
            assert time.monotonic() - before < 15  # bounded; not a speed


def test_what_never_ends_takes_little_memory(server: ScriptedServer, client: Client) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for what, (start, piece) in ENDLESS.items():
        if what != "continues":
            failure_of(client, server, sending_without_end(start, piece, []))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


@pytest.mark.parametrize("status", [100, 102, 103, 104, 199])
def test_interim_responses_before_the_response_are_skipped(
    server: ScriptedServer, client: Client, status: int
) -> None:
    interim = b"HTTP/1.1 %d Wait\r\nLink: </style.css>\r\nContent-Length: 7\r\n\r\n" % status
    call = fetched(client, server, sending(interim * 50, WHOLE))
    assert (call.body, call.attempts) == (BODY, 1)


def test_after_interim_responses_the_connection_is_kept(
    server: ScriptedServer, client: Client
) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    for _ in range(3):
        fetched(client, server, sending(interim + WHOLE, keeps_open=True))
    assert server.connections == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 404 Not Fou",
        b"HTTP/1.1 404 Not Found\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        CHUNKED + chunk(BODY)[:-10],
        CHUNKED + chunk(BODY),
        WHOLE[:-1],
    ],
    ids=["status", "after the status", "headers", "interim", "chunk", "between chunks", "body"],
)
def test_a_response_that_breaks_off_is_no_response(server: ScriptedServer, sent: bytes) -> None:
    with server.client(timeout=5, retry_policy=QUICK_RETRIES) as client:
        assert failure_of(client, server, sending(sent)).reason == "connection"


def test_a_header_without_a_colon_is_a_bad_response(server: ScriptedServer) -> None:
    sent = OK + b"what is this\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
    with server.client(timeout=5, retry_policy=QUICK_RETRIES) as client:
        assert failure_of(client, server, sending(sent, keeps_open=True)).reason == "bad_response"


@pytest.mark.parametrize("rest", [b"x", b"x" * 20_000, b"HTTP/1.1 404 Not Found\r\n\r\n"])
def test_a_body_that_is_longer_than_announced_spoils_no_other_call(
    server: ScriptedServer, client: Client, rest: bytes
) -> None:
    assert fetched(client, server, sending(WHOLE + rest, keeps_open=True)).body == BODY
    assert all(isinstance(o, Fetched) for o in client.fetch_many([sid(2), sid(3)]))


def test_a_response_without_a_body_ends_with_its_headers(
    server: ScriptedServer, client: Client
) -> None:
    sent = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n"
    server.script[sid(1)] = [sending(sent, keeps_open=True)]
    [outcome] = client.fetch_many([sid(1)])
    assert (outcome.attempts, server.connections) == (2, 1)


def test_a_body_that_drips_in_for_ever_is_cut_off(
    server: ScriptedServer, session: requests.Session
) -> None:
    server.script[sid(1)] = [dripping(OK + b"Content-Length: 100000\r\n\r\n", b" ")] * 9
    with server.client(timeout=0.3, retry_policy=QUICK_RETRIES, session=session) as client:
        [failure] = client.fetch_many([sid(1)])
    assert isinstance(failure, Failure)
    assert failure.reason == "timeout"


def dripping(start: bytes, piece: bytes) -> Callable[[Handler], None]:
    def drip(handler: Handler) -> None:
        handler.close_connection = True
        with contextlib.suppress(OSError):  # the client has left
            handler.connection.sendall(start)
            while True:
                handler.connection.sendall(piece)
                threading.Event().wait(0.05)

    return drip


def test_a_proxy_whose_headers_never_end_is_cut_off(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on_connect = dripping(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n")
    monkeypatch.setenv("https_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    with Client(
        account_sid=ACCOUNT,
        auth_token=TOKEN,
        base_url="https://api.far.example",
        timeout=0.3,
        retry_policy=QUICK_RETRIES,
    ) as client:
        [failure] = client.fetch_many([sid(1)])
    assert isinstance(failure, Failure)
    assert failure.reason == "timeout"
