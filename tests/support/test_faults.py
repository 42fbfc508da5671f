"""Each kind of fault is on the wire what its name says."""

import gzip
import json
import socket
import threading
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import pytest
import requests

from callkit.sandbox.calls import body_of
from tests.support.faults import HOSTILE, KINDS, Faults, Kind
from tests.support.sandbox import FaultySandbox

GIGABYTE = 1 << 30
HALVES: tuple[Kind, ...] = ("cut", "reset_in_body", "stall")
LINGERING: tuple[Kind, ...] = (
    "stall",
    "drip",
    "endless_body",
    "endless_headers",
    "huge_body",
)


class Seen(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    reset: bool


@pytest.fixture(scope="module")
def sandbox() -> Iterator[FaultySandbox]:
    with FaultySandbox(calls=1_000, count_calls=True) as sandbox:
        yield sandbox


@pytest.fixture
def sid(sandbox: FaultySandbox) -> str:
    return next(sid for sid in sandbox.sids(800) if not sandbox.asked(sid))


def path_of(sandbox: FaultySandbox, sid: str) -> str:
    return f"/2010-04-01/Accounts/{sandbox.account_sid}/Calls/{sid}.json"


@contextmanager
def asking(sandbox: FaultySandbox, sid: str, *, accept: str = "gzip") -> Iterator[socket.socket]:
    """Ask over a connection of our own, on which nothing is hidden by a client."""
    pair = f"{sandbox.account_sid}:{sandbox.auth_token}"
    host, _, port = sandbox.url.removeprefix("http://").partition(":")
    request = (
        f"GET {path_of(sandbox, sid)} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"Accept-Encoding: {accept}\r\nAuthorization: Basic {b64encode(pair.encode()).decode()}\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"{request}\r\n".encode())
        yield connection


def read(connection: socket.socket, at_most: int = GIGABYTE) -> tuple[bytes, bool]:
    """Read until so many bytes, the end, or a reset, which is told."""
    received = bytearray()
    try:
        while len(received) < at_most and (piece := connection.recv(1 << 16)):
            received += piece
    except ConnectionResetError:
        return bytes(received), True
    return bytes(received), False


def seen(received: bytes, *, reset: bool) -> Seen:
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = [line.split(": ", 1) for line in lines]
    named = {name.lower(): value for name, value in headers}
    return Seen(int(status.split()[1]), named, body, reset)


def ask(sandbox: FaultySandbox, sid: str, kind: Kind, **how: Any) -> Seen:
    sandbox.answer_with(sid, kind)
    with asking(sandbox, sid, **how) as connection:
        received, reset = read(connection)
    return seen(received, reset=reset)


def whole_body(sandbox: FaultySandbox, sid: str) -> bytes:
    return body_of(sandbox.call(sid))


def without_chunks(coded: bytes) -> bytes:
    """Undo the chunked coding as far as it was read."""
    body, rest = b"", coded
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("401", 401, 20003), ("429", 429, 20429), ("500", 500, 20500), ("503", 503, 20503)],
)
def test_an_error_has_the_form_that_twilio_gives_it(
    sandbox: FaultySandbox, sid: str, kind: Kind, status: int, code: int
) -> None:
    answer = ask(sandbox, sid, kind)
    assert answer.status == status
    assert (json.loads(answer.body)["status"], json.loads(answer.body)["code"]) == (status, code)
    assert "retry-after" not in answer.headers


def test_a_429_may_advise_how_long_to_wait() -> None:
    with FaultySandbox(calls=10, faults=Faults(retry_after=3)) as sandbox:
        answer = ask(sandbox, sandbox.sids(1)[0], "429_retry_after")
    assert (answer.status, answer.headers["retry-after"]) == (429, "3")


@pytest.mark.parametrize(("kind", "status"), [("502", 502), ("html", 200)])
def test_a_page_comes_from_something_between(
    sandbox: FaultySandbox, sid: str, kind: Kind, status: int
) -> None:
    answer = ask(sandbox, sid, kind)
    assert (answer.status, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert b"<title>" in answer.body
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_invalid_json_is_a_whole_answer_with_half_an_object(
    sandbox: FaultySandbox, sid: str
) -> None:
    answer = ask(sandbox, sid, "invalid_json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert answer.body.startswith(b"{")
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)


def test_another_calls_body_is_a_real_one_of_the_same_account(
    sandbox: FaultySandbox, sid: str
) -> None:
    answer = ask(sandbox, sid, "other_call")
    other = json.loads(answer.body)
    assert (answer.status, other["account_sid"]) == (200, sandbox.account_sid)
    assert other["sid"] != sid
    assert answer.body == whole_body(sandbox, other["sid"])


def test_gzip_is_the_call_itself(sandbox: FaultySandbox, sid: str) -> None:
    answer = ask(sandbox, sid, "gzip")
    assert (answer.status, answer.headers["content-encoding"]) == (200, "gzip")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert gzip.decompress(answer.body) == whole_body(sandbox, sid)


def test_gzip_comes_to_those_alone_who_accept_it(sandbox: FaultySandbox, sid: str) -> None:
    before = sandbox.faults["gzip"]
    answer = ask(sandbox, sid, "gzip", accept="identity")
    assert answer.body == whole_body(sandbox, sid)
    assert sandbox.faults["gzip"] == before


@pytest.mark.parametrize(("kind", "reset"), [("close", False), ("reset", True)])
def test_a_connection_ends_without_an_answer(
    sandbox: FaultySandbox, sid: str, kind: Kind, reset: bool
) -> None:
    sandbox.answer_with(sid, kind)
    with asking(sandbox, sid) as connection:
        assert read(connection) == (b"", reset)


@pytest.mark.parametrize(("kind", "reset"), [("cut", False), ("reset_in_body", True)])
def test_half_a_body_comes_under_the_whole_ones_length(
    sandbox: FaultySandbox, sid: str, kind: Kind, reset: bool
) -> None:
    answer = ask(sandbox, sid, kind)
    body = whole_body(sandbox, sid)
    assert (answer.status, answer.headers["content-length"]) == (200, str(len(body)))
    assert (answer.body, answer.reset) == (body[: len(body) // 2], reset)


def test_a_stalled_body_falls_silent_after_its_half(sandbox: FaultySandbox, sid: str) -> None:
    body = whole_body(sandbox, sid)
    half = body[: len(body) // 2]
    sandbox.answer_with(sid, "stall")
    with asking(sandbox, sid) as connection:
        received = b""
        while not received.endswith(half):
            received += connection.recv(1)
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
    assert seen(received, reset=False).headers["content-length"] == str(len(body))


def test_a_redirect_leads_to_another_host_that_counts_who_comes(
    sandbox: FaultySandbox, sid: str
) -> None:
    sandbox.answer_with(sid, "redirect")
    url, auth = sandbox.url + path_of(sandbox, sid), (sandbox.account_sid, sandbox.auth_token)
    answer = requests.get(url, auth=auth, timeout=30, allow_redirects=False)
    elsewhere = answer.headers["Location"]
    assert answer.status_code == 302
    assert elsewhere.startswith("http://localhost:")
    before = sandbox.strayed
    assert requests.get(url, auth=auth, timeout=30).status_code == 404
    assert sandbox.strayed - before == {"without a sign-in": 1}
    requests.get(elsewhere, auth=auth, timeout=30)
    assert sandbox.strayed - before == {"without a sign-in": 1, "with a sign-in": 1}


def test_a_redirect_leads_where_it_is_set_to() -> None:
    with FaultySandbox(calls=10, faults=Faults(redirect_to="https://elsewhere.test/x")) as sandbox:
        answer = ask(sandbox, sandbox.sids(1)[0], "redirect")
    assert answer.headers["location"] == "https://elsewhere.test/x"


def test_a_redirect_loop_leads_to_itself(sandbox: FaultySandbox, sid: str) -> None:
    answer = ask(sandbox, sid, "redirect_loop")
    assert (answer.status, answer.headers["location"]) == (302, path_of(sandbox, sid))


@pytest.mark.parametrize("kind", ["endless_body", "huge_body"])
def test_a_body_too_large_is_the_call_in_white_space(
    sandbox: FaultySandbox, sid: str, kind: Kind
) -> None:
    sandbox.answer_with(sid, kind)
    with asking(sandbox, sid) as connection:
        answer = seen(read(connection, 10 << 20)[0], reset=False)
    body = whole_body(sandbox, sid)
    if kind == "huge_body":
        assert answer.headers["content-length"] == str(GIGABYTE)
        assert answer.body.startswith(body + b" " * (9 << 20))
    else:
        assert without_chunks(answer.body).startswith(body + b" " * (9 << 20))


def test_a_dripping_body_goes_on_byte_by_byte(sandbox: FaultySandbox, sid: str) -> None:
    sandbox.answer_with(sid, "drip")
    with asking(sandbox, sid) as connection:
        received = b""
        while not received.endswith(b"1\r\n \r\n" * 3):
            received += connection.recv(1)
    body = without_chunks(seen(received, reset=False).body)
    assert body == whole_body(sandbox, sid) + b"   "


def test_a_gzip_bomb_is_a_thousand_times_its_size(sandbox: FaultySandbox, sid: str) -> None:
    sandbox.answer_with(sid, "gzip_bomb")
    with asking(sandbox, sid) as connection:
        answer = seen(read(connection, 50_000)[0], reset=False)
    assert answer.headers["content-encoding"] == "gzip"
    burst, rest = b"", without_chunks(answer.body)
    while rest:  # a member of the format after the other
        member = zlib.decompressobj(wbits=31)
        burst, rest = burst + member.decompress(rest), member.unused_data
    assert burst.startswith(whole_body(sandbox, sid))
    assert len(burst) > 500 * len(answer.body)


def test_headers_never_end(sandbox: FaultySandbox, sid: str) -> None:
    sandbox.answer_with(sid, "endless_headers")
    with asking(sandbox, sid) as connection:
        received, _ = read(connection, 5 << 20)
    status, *lines = received.split(b"\r\n")
    assert status == b"HTTP/1.1 200 OK"
    assert {line[:11] for line in lines[:-1]} == {b"x-padding: "}


def test_a_huge_body_ends_and_the_connection_serves_on() -> None:
    with FaultySandbox(calls=10) as sandbox, requests.Session() as session:
        session.auth = (sandbox.account_sid, sandbox.auth_token)
        first, second = sandbox.sids(2)
        sandbox.answer_with(first, "huge_body")
        with session.get(sandbox.url + path_of(sandbox, first), stream=True, timeout=30) as answer:
            length = sum(map(len, answer.iter_content(1 << 20)))
        again = session.get(sandbox.url + path_of(sandbox, second), timeout=30)
    assert (length, again.json()["sid"]) == (GIGABYTE, second)


@pytest.mark.parametrize("kind", LINGERING)
def test_a_client_that_leaves_is_out_of_flight(
    sandbox: FaultySandbox, sid: str, kind: Kind
) -> None:
    sandbox.answer_with(sid, kind)
    with asking(sandbox, sid) as connection:
        connection.recv(1)
    while requests.get(sandbox.url, timeout=30).headers["Twilio-Concurrent-Requests"] != "1":
        pass  # the server has not heard of it yet


def test_stopping_leaves_nothing_of_answers_without_an_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = threading.active_count()
    with ExitStack() as open_ones:
        with FaultySandbox(calls=100) as sandbox:
            connections = []
            for kind, sid in zip(LINGERING, sandbox.sids(10), strict=False):
                sandbox.answer_with(sid, kind)
                connections.append(open_ones.enter_context(asking(sandbox, sid)))
                connections[-1].recv(1)
        assert threading.active_count() == before
        assert [read(connection)[1] for connection in connections] == [True] * len(LINGERING)
    assert caplog.records == []


def test_no_kind_makes_the_server_complain(caplog: pytest.LogCaptureFixture) -> None:
    with FaultySandbox(calls=100) as sandbox:
        for kind, sid in zip((*KINDS, *HOSTILE), sandbox.sids(80), strict=False):
            sandbox.answer_with(sid, kind)
            with asking(sandbox, sid) as connection:
                read(connection, 1)
        assert sandbox.faults == dict.fromkeys((*KINDS, *HOSTILE), 1)
    assert caplog.records == []
