from __future__ import annotations

import base64
import gc
import logging
import pickle
import threading
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import requests

from callkit import Client
from callkit.errors import CallFailedError, InvalidSidError, RunStoppedError, SignInError
from callkit.fetch.connection import PlainConnection
from tests.support.scripted import ACCOUNT, QUICK_RETRIES, TOKEN, Reply, ScriptedServer, sid

if TYPE_CHECKING:
    from pathlib import Path


def test_fetch_returns_the_object_as_the_server_sent_it(
    server: ScriptedServer, client: Client
) -> None:
    server.script[sid(1)] = [Reply(body=b'{"sid": "%s", "odd": [1, null]}' % sid(1).encode())]
    assert client.fetch(sid(1)) == {"sid": sid(1), "odd": [1, None]}


def test_fetch_asks_for_the_call_under_its_account(server: ScriptedServer, client: Client) -> None:
    client.fetch(sid(0xABC).upper())
    client.fetch(sid(1), account_sid="AC" + "b" * 32)
    assert server.paths == [
        f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid(0xABC)}.json",
        f"/2010-04-01/Accounts/AC{'b' * 32}/Calls/{sid(1)}.json",
    ]


def test_fetch_names_why_a_call_did_not_come(server: ScriptedServer, client: Client) -> None:
    body = b'{"code": 20404, "message": "no such call", "status": 404}'
    server.script[sid(1)] = [Reply(404, body, {"Twilio-Request-Id": "RQ1"})]
    with pytest.raises(CallFailedError, match="not_found: no such call") as caught:
        client.fetch(sid(1))
    failure = caught.value.failure
    assert (failure.http_status, failure.code, failure.request_id) == (404, 20404, "RQ1")


@pytest.mark.parametrize("malformed", ["CA1", "", "AC" + "0" * 32, "../../Keys.json"])
def test_fetch_refuses_what_is_no_sid(
    server: ScriptedServer, client: Client, malformed: str
) -> None:
    with pytest.raises(InvalidSidError):
        client.fetch(malformed)
    assert server.paths == []


def test_fetch_refuses_an_account_that_is_none(server: ScriptedServer, client: Client) -> None:
    with pytest.raises(InvalidSidError, match="Invalid account SID"):
        client.fetch(sid(1), account_sid="../Keys")
    assert server.paths == []


def test_a_refused_sign_in_is_told_apart_from_a_missing_call(
    server: ScriptedServer, client: Client
) -> None:
    server.always = Reply(401, b'{"code": 20003, "message": "Authenticate"}')
    with pytest.raises(SignInError, match=f"{ACCOUNT} at {server.url}: Authenticate"):
        client.fetch(sid(1))


def test_the_sign_in_is_basic_auth_and_never_netrc(
    server: ScriptedServer, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    client.fetch(sid(1))
    expected = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert server.request_headers[0]["Authorization"] == f"Basic {expected}"


def test_a_redirect_is_a_failure_and_carries_the_sign_in_nowhere(
    server: ScriptedServer, client: Client
) -> None:
    with ScriptedServer() as elsewhere:
        server.script[sid(1)] = [Reply(302, b"", {"Location": f"{elsewhere.url}/x"})] * 5
        with pytest.raises(CallFailedError, match="http_error: HTTP 302: a redirect"):
            client.fetch(sid(1))
        assert elsewhere.paths == []


def test_a_session_of_ones_own_is_used_and_left_open(server: ScriptedServer) -> None:
    session = requests.Session()
    session.headers["X-Gateway"] = "mine"
    with server.client(session=session) as client:
        client.fetch(sid(1))
    assert server.request_headers[0]["X-Gateway"] == "mine"
    assert session.get(f"{server.url}/").status_code == 200
    session.close()


def test_connections_are_kept_alive_one_for_each_worker(server: ScriptedServer) -> None:
    with server.client(concurrency=4) as client:
        assert len(list(client.fetch_many([sid(i) for i in range(200)]))) == 200
    assert 1 <= server.connections <= 4


def test_no_worker_is_left_behind(client: Client) -> None:
    list(client.fetch_many([sid(i) for i in range(50)]))
    assert [t.name for t in threading.enumerate() if t.name.startswith("callkit-fetch")] == []


def test_the_token_shows_in_no_repr_log_or_exception(
    server: ScriptedServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    server.always = Reply(401, b"{}")
    with caplog.at_level(logging.DEBUG), pytest.raises(SignInError) as caught:
        client.fetch(sid(1))
    shown = f"{client!r} {caplog.text} {''.join(traceback.format_exception(caught.value))}"
    encoded = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert server.url in shown
    assert TOKEN not in shown
    assert encoded not in shown


def test_the_environments_proxy_is_no_part_of_this_machine(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with server.client() as client:
        assert client.fetch(sid(1))


def test_an_environments_proxy_carries_what_goes_elsewhere(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server.url)
    with (
        Client(
            account_sid=ACCOUNT,
            auth_token=TOKEN,
            base_url="https://api.example",
            give_up_after=1,
            retry_policy=QUICK_RETRIES,
            timeout=1,
        ) as client,
        pytest.raises(CallFailedError),
    ):
        client.fetch(sid(1))
    assert server.connections >= 1
    assert server.paths == []


def test_an_adapter_of_ones_own_is_used(server: ScriptedServer) -> None:
    class Adapter(requests.adapters.HTTPAdapter):
        sent = 0

        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            type(self).sent += 1
            return super().send(*args, **kwargs)

    with requests.Session() as session:
        session.mount("http://", Adapter())
        with server.client(session=session) as client:
            client.fetch(sid(1))
    assert Adapter.sent == 1


def test_an_adapter_that_breaks_ends_the_run_and_the_client_goes_on(
    server: ScriptedServer,
) -> None:
    class Adapter(requests.adapters.HTTPAdapter):
        breaks = True

        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            if self.breaks:
                raise RuntimeError("a bug of the user's")
            return super().send(*args, **kwargs)

    adapter = Adapter()
    with requests.Session() as session:
        session.mount("http://", adapter)
        with server.client(session=session, concurrency=1) as client:
            with pytest.raises(
                RunStoppedError, match="Cannot send requests .*: RuntimeError: a bug"
            ):
                list(client.fetch_many([sid(1), sid(2)]))
            adapter.breaks = False
            assert len(list(client.fetch_many([sid(1), sid(2)]))) == 2


def test_a_client_that_nobody_closes_leaves_no_connection_open(server: ScriptedServer) -> None:
    client = server.client()
    client.fetch(sid(1))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del client
        gc.collect()
    assert [w for w in caught if issubclass(w.category, ResourceWarning)] == []


@pytest.mark.parametrize(("url", "port"), [("https://[::1]", 443), ("http://[::1]", 80)])
def test_an_address_without_a_port_has_that_of_its_scheme(url: str, port: int) -> None:
    with Client(account_sid=ACCOUNT, auth_token=TOKEN, base_url=url) as client:
        connection = client.pool()._transport.connection()
    assert isinstance(connection, PlainConnection)
    assert (connection._http.host, connection._http.port) == ("::1", port)


def test_a_connection_is_kept_from_one_run_to_the_next(
    server: ScriptedServer, client: Client
) -> None:
    for number in range(3):
        client.fetch(sid(number))
    assert server.connections == 1


def test_a_client_that_was_refused_still_has_a_repr() -> None:
    client = Client.__new__(Client)
    assert repr(client) == "Client()"


def test_a_failed_call_travels_in_a_pickle(server: ScriptedServer, client: Client) -> None:
    server.script[sid(1)] = [Reply(404, b"{}")]
    with pytest.raises(CallFailedError) as caught:
        client.fetch(sid(1))
    assert pickle.loads(pickle.dumps(caught.value)).failure == caught.value.failure


@pytest.mark.parametrize("name", ["timeout", "concurrency", "give_up_after"])
def test_the_limits_of_a_client_are_read_only(client: Client, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(client, name, 1)


def test_patience_names_what_replaces_it(client: Client) -> None:
    with pytest.raises(AttributeError, match="use 'give_up_after'"):
        _ = client.patience  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="use 'give_up_after'"):
        Client(patience=60)  # type: ignore[call-arg]


def test_a_client_cannot_be_pickled(client: Client) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(client)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"timeout": 0}, "Invalid timeout"),
        ({"timeout": float("inf")}, "Invalid timeout"),
        ({"give_up_after": 0}, "Invalid give_up_after"),
        ({"concurrency": 0}, "Invalid concurrency"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Client(account_sid=ACCOUNT, auth_token=TOKEN, **options)  # type: ignore[arg-type]
