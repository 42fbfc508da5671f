"""Without a server, a session of requests is answered in this process, as the server would."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import requests

import callkit
from callkit.sandbox import Sandbox
from callkit.sandbox.api import BASE_URL, answered_by

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What differs from one answer to the next.
OF_THE_SERVER = {"twilio-request-id", "twilio-request-duration"}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(calls=100, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(calls=100, seed=7)


@pytest.fixture
def session(sandbox: Sandbox) -> requests.Session:
    return answered_by(sandbox._app.api)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def path_of(account_sid: str, sid: str) -> str:
    return f"/2010-04-01/Accounts/{account_sid}/Calls/{sid}.json"


def shown(answer: requests.Response) -> tuple[int, dict[str, str], bytes]:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    kept = {name: value for name, value in headers.items() if name not in OF_THE_SERVER}
    return answer.status_code, kept, answer.content


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("sign_in", ["token", "key", "restricted", "wrong", "none"])
@pytest.mark.parametrize(
    "asked", ["own", "sub", "elsewhere", "unknown", "malformed", "%00", "calls", "accounts"]
)
def test_every_answer_is_the_servers(
    running: Sandbox, session: requests.Session, method: str, sign_in: str, asked: str
) -> None:
    rows = running.sid_frame(100)
    own, sub = (
        rows.loc[rows["account_sid"] == account, "sid"].iloc[0]
        for account in (running.account_sid, running.subaccount_sid)
    )
    path = {
        "own": path_of(running.account_sid, f"CA{own[2:].upper()}"),
        "sub": path_of(running.subaccount_sid, sub),
        "elsewhere": path_of(running.account_sid, sub),
        "unknown": path_of(running.account_sid, running.unknown_sids(1)[0]),
        "malformed": path_of(running.account_sid, "CA123"),
        "%00": path_of(running.account_sid, "%00"),
        "calls": f"/2010-04-01/Accounts/{running.account_sid}/Calls.json?Status=busy&PageSize=2",
        "accounts": "/2010-04-01/Accounts.json?PageSize=2&Status=active",
    }[asked]
    auth = {
        "token": (running.account_sid, running.auth_token),
        "key": (running.api_key, running.api_secret),
        "restricted": (running.restricted_api_key, running.restricted_api_secret),
        "wrong": (running.account_sid, "wrong"),
        "none": None,
    }[sign_in]
    here = session.request(method, BASE_URL + path, auth=auth, timeout=10)
    served = requests.request(method, running.url + path, auth=auth, timeout=10)
    assert shown(here) == shown(served)
    assert here.headers["Twilio-Request-Id"].startswith("RQ")


@pytest.mark.usefixtures("offline")
def test_a_client_fetches_without_a_socket(sandbox: Sandbox) -> None:
    sids = sandbox.sids(40)
    with sandbox.client(concurrency=3) as client:
        got = callkit.collect([*sids, *sandbox.unknown_sids(2)], client=client)
    assert got.frame["sid"].tolist() == sids
    assert got.failures["reason"].tolist() == ["not_found"] * 2
    assert sandbox.call(sids[0]).status == got.frame.loc[0, "status"]


@pytest.mark.usefixtures("offline")
def test_an_export_needs_no_socket_either(sandbox: Sandbox, tmp_path: Path) -> None:
    out = callkit.export(sandbox.sid_frame(100), tmp_path / "c.parquet", client=sandbox.client())
    assert out.calls == 100


def test_a_session_of_ones_own_is_answered_too(sandbox: Sandbox) -> None:
    session = requests.Session()
    session.headers["User-Agent"] = "mine"
    with sandbox.client(session=session) as client:
        assert client.fetch(sandbox.sids(1)[0])["sid"] == sandbox.sids(1)[0]
    assert session.get_adapter(BASE_URL) is not session.get_adapter("https://elsewhere.test")


def test_limits_and_latencies_are_the_servers() -> None:
    sandbox = Sandbox(calls=100, latency=3600, limit=0)
    with sandbox.client() as client:
        assert client.fetch(sandbox.sids(1)[0])["sid"] == sandbox.sids(1)[0]
    assert sandbox.served == {}


def test_a_client_made_inside_goes_to_the_server(running: Sandbox) -> None:
    before = running.served[200]
    with running.client() as client:
        client.fetch(running.sids(1)[0])
        assert client.base_url == running.url
    assert running.served[200] == before + 1


def test_a_wrong_sign_in_is_refused_without_a_server_too(sandbox: Sandbox) -> None:
    with (
        callkit.Client(
            account_sid=sandbox.account_sid,
            auth_token="0" * 32,
            base_url=BASE_URL,
            session=answered_by(sandbox._app.api),
            give_up_after=0.1,
        ) as client,
        pytest.raises(callkit.errors.RunStoppedError),
    ):
        client.fetch(sandbox.sids(1)[0])
