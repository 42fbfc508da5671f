"""The password of a proxy is as secret as the token, also if the proxy repeats it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
import requests

from callkit import Client, Failure
from callkit.errors import RunStoppedError
from callkit.fetch.concurrency import RetryPolicy
from tests.support.scripted import ACCOUNT, TOKEN, ScriptedServer, sending, sid

if TYPE_CHECKING:
    from collections.abc import Iterator

PAIR = "me:hunter2"
REPEATED = {
    "password": "hunter2",
    "credentials": PAIR,
    "header": "Basic " + base64.b64encode(PAIR.encode()).decode(),
    "escapes": "%68unter2",
}


@pytest.fixture(params=["environment", "session"])
def client(
    server: ScriptedServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Client]:
    """Give a client behind a proxy that `server` is."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    proxy = server.url.replace("://", f"://{PAIR}@")
    with requests.Session() as session:
        if request.param == "environment":
            monkeypatch.setenv("https_proxy", proxy)
        else:
            session.proxies = {"https": proxy}
        with client_of(session) as client:
            yield client


def client_of(session: requests.Session | None = None) -> Client:
    return Client(
        account_sid=ACCOUNT,
        auth_token=TOKEN,
        base_url="https://api.far.example",
        retry_policy=RetryPolicy(attempts=1),
        session=session,
    )


@pytest.mark.parametrize("repeated", REPEATED)
def test_a_proxy_that_repeats_its_password_in_the_reason_is_not_quoted(
    server: ScriptedServer, client: Client, repeated: str
) -> None:
    server.on_connect = sending(f"HTTP/1.1 407 {REPEATED[repeated]} is wrong\r\n\r\n".encode())
    [failure] = client.fetch_many([sid(1)])
    assert isinstance(failure, Failure)
    assert failure.message == "OSError: Tunnel connection failed: 407"


@pytest.mark.parametrize("repeated", REPEATED)
def test_a_message_that_repeats_the_password_is_not_shown(client: Client, repeated: str) -> None:
    pool = client.pool()
    pool.close()
    assert REPEATED[repeated] not in pool.discreet(f"refused: {REPEATED[repeated]}!")


@pytest.mark.parametrize("address", ["http://me:hun[ter2@far.example:1", "http://me:hunter2@:0"])
def test_the_address_of_a_proxy_that_is_no_url_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("https_proxy", address)
    monkeypatch.delenv("no_proxy", raising=False)
    with (
        client_of() as client,
        pytest.raises(RunStoppedError, match="The address of the proxy is not a URL") as caught,
    ):
        client.fetch(sid(1))
    assert "ter2" not in str(caught.value)
