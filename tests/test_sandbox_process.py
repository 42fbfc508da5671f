"""The sandbox as a process of its own."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from callkit.sandbox import Sandbox


@contextmanager
def process(parameters: str) -> Iterator[subprocess.Popen[str]]:
    command = f"from callkit.sandbox import serve; serve({parameters})"
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def first_line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_asked_to_stop_and_ends_cleanly(number: signal.Signals) -> None:
    sandbox = Sandbox(calls=100, seed=3)
    path = f"/2010-04-01/Accounts/{sandbox.account_sid}/Calls/{sandbox.sids(1)[0]}.json"
    auth = (sandbox.account_sid, sandbox.auth_token)
    with process("calls=100, seed=3") as running:
        url = first_line(running).split()[3]
        assert requests.get(url + path, auth=auth, timeout=10).status_code == 200
        running.send_signal(number)
        rest, errors = running.communicate(timeout=30)
    assert (running.returncode, rest, errors) == (0, "", "")


def test_a_stop_does_not_wait_for_requests_in_flight() -> None:
    sandbox = Sandbox(calls=100, seed=3)
    path = f"/2010-04-01/Accounts/{sandbox.account_sid}/Calls/{sandbox.sids(1)[0]}.json"
    with process("calls=100, seed=3, latency=3600") as running:
        url = first_line(running).split()[3]
        signed_in = requests.Request("GET", url, auth=(sandbox.account_sid, sandbox.auth_token))
        sign_in = signed_in.prepare().headers["Authorization"]
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {sign_in}\r\n\r\n"
            connection.sendall(request.encode())
            while requests.get(url, timeout=10).headers["Twilio-Concurrent-Requests"] != "2":
                pass  # the request is still on its way to the server
            running.terminate()
            _, errors = running.communicate(timeout=30)
            assert connection.recv(12) == b"HTTP/1.1 200"
    assert (running.returncode, errors) == (0, "")


def test_it_says_where_it_is_and_on_a_line_of_its_own_how_to_sign_in() -> None:
    sandbox = Sandbox(calls=100, seed=3)
    with process("calls=100, seed=3") as running:
        place, sign_in = first_line(running), first_line(running)
    url = re.search(r"http://127\.0\.0\.1:\d+", place)
    assert url is not None
    assert place == f"callkit sandbox at {url[0]} (Ctrl-C stops it); in another terminal:\n"
    assert sign_in == (
        f"export TWILIO_ACCOUNT_SID={sandbox.account_sid} TWILIO_AUTH_TOKEN={sandbox.auth_token} "
        f"CALLKIT_BASE_URL={url[0]}\n"
    )


def test_limit_and_advice_reach_the_server() -> None:
    sandbox = Sandbox(calls=100, seed=3)
    path = f"/2010-04-01/Accounts/{sandbox.account_sid}/Calls/{sandbox.sids(1)[0]}.json"
    with process("calls=100, seed=3, limit=0, retry_after=2") as running:
        url = first_line(running).split()[3]
        auth = (sandbox.account_sid, sandbox.auth_token)
        answer = requests.get(url + path, auth=auth, timeout=10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
