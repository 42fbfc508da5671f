"""Neither token nor API secret shows in anything that callkit emits, or goes where it should not.

What is emitted is scanned as it reads, not only as it is stored: Parquet and the cache compress.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import traceback
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
import trustme
from IPython.core.ultratb import VerboseTB

import callkit
from callkit import Client, Fetched
from callkit.cache.store import Cache
from callkit.errors import CredentialsError, RunStoppedError
from callkit.fetch.concurrency import RetryPolicy
from callkit.fetch.credentials import base_url_for
from callkit.normaliser import to_table
from tests.support.faults import KINDS, Faults
from tests.support.sandbox import FaultySandbox
from tests.support.scripted import ACCOUNT, Reply, ScriptedServer, call_body, sid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.faults import Drawn
    from tests.support.scripted import Act, Handler

ROOT = Path(__file__).parent.parent


def the_secret() -> str:
    """Give it by a call, so that it stands in no local that a traceback may show."""
    return "s3cret/token+" + "0f1e2d3c4b5a6978"


def spellings(user: str, secret: str) -> set[str]:
    pair = f"{user}:{secret}"
    in_base64 = {base64.b64encode(text.encode()).decode().rstrip("=") for text in (pair, secret)}
    # Within other text it may begin at any of three places in a group of base64.
    in_base64 |= {
        base64.b64encode(b" " * before + secret.encode()).decode()[4:-4] for before in (0, 1, 2)
    }
    plain = {secret, *in_base64}
    return plain | {quote(text, safe="") for text in plain} | {t.replace("/", "\\/") for t in plain}


def showing(text: str, user: str, secret: str) -> list[str]:
    return [spelling for spelling in spellings(user, secret) if spelling in text]


def shows(text: str) -> bool:
    return bool(showing(text, ACCOUNT, the_secret()))


def contents(folder: Path) -> str:
    """Read all that the files of a folder say, compressed or not."""
    said = []
    for path in folder.rglob("*"):
        if path.is_file():
            octets = path.read_bytes()
            said.append(octets.decode("latin-1"))
            if octets.startswith(b"PAR1"):
                said += parquet_contents(path)
            elif octets.startswith(b"SQLite"):
                said += database_contents(path)
    return "\n".join(said)


def parquet_contents(path: Path) -> Iterator[str]:
    table = pq.read_table(path)
    yield str([table.schema.metadata, *(field.metadata for field in table.schema)])
    yield str(table.to_pylist())


def database_contents(path: Path) -> Iterator[str]:
    with sqlite3.connect(path) as db:
        yield from db.iterdump()
        for (body,) in db.execute("SELECT body FROM calls"):
            yield zlib.decompress(body).decode()
    db.close()


@pytest.fixture
def reflecting(server: ScriptedServer) -> Iterator[tuple[ScriptedServer, Client]]:
    with Client(
        account_sid=ACCOUNT,
        auth_token=the_secret(),
        base_url=server.url,
        retry_policy=RetryPolicy(attempts=1),
    ) as client:
        yield server, client


# What a run says


@pytest.mark.slow
def test_a_run_with_all_faults_says_neither_token_nor_secret(tmp_path: Path) -> None:
    slow: dict[Drawn, float] = {"429": 0.2, "429_retry_after": 0.05, "stall": 0.2}
    faults = Faults(share=0.2, seed=5, in_a_row=1, kinds={**dict.fromkeys(KINDS, 1.0), **slow})
    with FaultySandbox(calls=2_000, faults=faults, own_process=True) as sandbox:
        sids = sandbox.sids(30) + sandbox.unknown_sids(2)
        (tmp_path / "sids.txt").write_text("\n".join(sids))
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TWILIO_ACCOUNT_SID": sandbox.account_sid,
            "TWILIO_AUTH_TOKEN": sandbox.auth_token,
            "TWILIO_API_KEY": sandbox.api_key,
            "TWILIO_API_SECRET": sandbox.api_secret,
            "CALLKIT_BASE_URL": sandbox.url,
        }
        run = subprocess.run(
            [sys.executable, "-X", "dev", "-m", "tests.loud"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        met = sandbox.faults
    said = run.stdout + run.stderr + contents(tmp_path)
    for user, secret in (
        (sandbox.account_sid, sandbox.auth_token),
        (sandbox.api_key, sandbox.api_secret),
    ):
        assert showing(said, user, secret) == []
    # It did speak up, of a run in which much went wrong:
    assert len(met) > 5
    for heard in ("DEBUG:callkit", "failed=", "FetchInterrupted", "callkit/calls.py", "errors = "):
        assert heard in said
    assert {path.name for path in tmp_path.iterdir()} >= {"calls.parquet", "calls.failures.csv"}


@pytest.mark.parametrize("spelling", sorted(spellings(ACCOUNT, the_secret())))
def test_the_scan_finds_what_is_planted(tmp_path: Path, spelling: str) -> None:
    note = pa.schema([pa.field("a", pa.string())], metadata={"note": f"… {spelling} …"})
    planted: list[Callable[[Path], object]] = [
        lambda folder: (folder / "calls.csv").write_text(spelling),
        lambda folder: pq.write_table(pa.table({"a": [f"… {spelling} …"]}), folder / "a.parquet"),
        lambda folder: pq.write_table(note.empty_table(), folder / "b.parquet"),
        lambda folder: keep(folder / "calls", f'{{"caller_name": "… {spelling} …"}}'),
    ]
    for number, plant in enumerate(planted):
        folder = tmp_path / str(number)
        folder.mkdir()
        plant(folder)
        assert shows(contents(folder)), number


def keep(path: Path, body: str) -> None:
    with Cache(path) as cache:
        call = Fetched(sid(1), ACCOUNT, body.encode(), None, datetime.now(UTC), 1)
        table, _ = to_table([{"sid": sid(1)}])
        cache.store([call], table)


# Servers that repeat the sign-in


def saying(**attributes: object) -> Callable[[str], Act]:
    return lambda sign_in: (
        lambda handler: handler.answer(
            Reply(
                int(str(attributes.get("status", 404))),
                str(attributes.get("body", "{}")).replace("@", sign_in).encode(),
                {
                    "Twilio-Request-Id": str(attributes.get("request_id", "RQ1")).replace(
                        "@", sign_in
                    )
                },
            )
        )
    )


def raw(text: str) -> Callable[[str], Act]:
    def acting(sign_in: str) -> Act:
        def act(handler: Handler) -> None:
            handler.wfile.write(text.replace("@", sign_in).encode())
            handler.close_connection = True

        return act

    return acting


def as_sent() -> str:
    return "Basic " + base64.b64encode(f"{ACCOUNT}:{the_secret()}".encode()).decode()


@pytest.mark.parametrize(
    "repeated",
    [
        the_secret,
        as_sent,
        lambda: as_sent().replace("/", "\\/"),
    ],
)
@pytest.mark.parametrize(
    "answer",
    [
        saying(body='{"code": 20404, "message": "no call for @"}'),
        saying(body='{"code": 20403, "message": "@"}', status=403),
        saying(request_id="RQ @"),
        saying(status=200, body=f'{{"sid": "{sid(1)}", "price": "@"}}'),
        saying(status=200, body="@ is no JSON"),
        saying(status=200, body='{"sid": "@"}'),
        raw("@\r\n\r\n"),
        raw("HTTP/1.1 @ Found\r\n\r\n"),
        raw("HTTP/1.1 404 Not Found\r\n@\r\nX: 1\r\nContent-Length: 0\r\n\r\n"),
        raw("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n@\r\n"),
        raw("HTTP/1.1 200 OK\r\nContent-Length: 2, @\r\n\r\n{}"),
    ],
)
def test_an_answer_that_repeats_the_sign_in_goes_no_further(
    reflecting: tuple[ScriptedServer, Client],
    answer: Callable[[str], Act],
    repeated: Callable[[], str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, client = reflecting
    server.script[sid(1)] = [answer(repeated())] * 9
    with caplog.at_level(logging.DEBUG), pytest.warns(callkit.errors.IncompleteWarning) as warned:
        out = callkit.export(
            [sid(1), sid(2)],
            tmp_path / "calls.parquet",
            client=client,
            cache=tmp_path / "calls",
            errors="warn",
        )
    assert out.failures["sid"].tolist() == [sid(1)]
    said = f"{caplog.text} {out.failures.to_dict()} {[w.message for w in warned]}"
    assert not shows(said + contents(tmp_path))


def test_a_sid_that_spells_the_secret_in_escapes_is_not_shown(
    reflecting: tuple[ScriptedServer, Client],
) -> None:
    server, client = reflecting
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in the_secret())
    server.script[sid(1)] = [Reply(body=f'{{"sid": "{escaped}"}}'.encode())] * 9
    [failure] = [o for o in client.fetch_many([sid(1), sid(2)]) if not isinstance(o, Fetched)]
    assert failure.message == "not shown, since it repeats the credentials"


def test_a_refusal_that_repeats_the_sign_in_is_a_refusal_all_the_same(
    reflecting: tuple[ScriptedServer, Client],
) -> None:
    server, client = reflecting
    server.always = saying(status=401, body='{"message": "@?"}', request_id="@")(as_sent())
    with pytest.raises(callkit.errors.CallFailedError, match="unauthorized: HTTP 401$") as caught:
        client.fetch(sid(1))
    assert not shows(told(caught.value))


# Tracebacks


def told(error: BaseException) -> str:
    """Tell of an error as the loudest tracebacks do."""
    with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
    verbose = VerboseTB(theme_name="nocolor").text(type(error), error, error.__traceback__)
    return "".join(with_locals.format()) + verbose


@pytest.mark.parametrize(
    "make",
    [
        lambda: Client(account_sid="x", auth_token=the_secret()),
        lambda: Client(account_sid=ACCOUNT, auth_token=the_secret(), timeout=0),
        lambda: Client(account_sid=ACCOUNT, auth_token=the_secret(), api_key="SKx"),
        lambda: Client(account_sid=ACCOUNT, auth_token=the_secret() + "\n"),
        lambda: Client(account_sid=ACCOUNT, auth_token=the_secret() + "\udc80"),
        lambda: Client(account_sid=ACCOUNT, auth_token=the_secret(), region="A B"),
        lambda: Client(account_sid=ACCOUNT, auth_token=the_secret(), base_url="http://far.example"),
        lambda: Client(account_sid=ACCOUNT, api_key="x", api_secret=the_secret()),
        lambda: Client(account_sid="x"),
        lambda: Client(account_sid=ACCOUNT, edge="A B"),
        lambda: Client(account_sid=ACCOUNT, api_key="SKx", concurrency=0),
    ],
)
def test_no_argument_or_variable_shows_in_a_traceback(
    make: Callable[[], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", the_secret())
    monkeypatch.setenv("TWILIO_API_SECRET", the_secret())
    with pytest.raises((CredentialsError, ValueError)) as caught:
        make()
    text = told(caught.value)
    assert "account_sid" in text
    assert not shows(text)


@pytest.mark.parametrize("url", ["https://{}", "https://me:{}", "{}", "https://me:{}@far.example"])
def test_a_url_with_a_sign_in_in_it_is_not_shown(url: str) -> None:
    with pytest.raises(CredentialsError, match="expected a URL such as https://host") as caught:
        base_url_for(url.format(the_secret()), None, None)
    assert not shows(str(caught.value))


# Where the sign-in goes


@pytest.mark.parametrize(
    "url",
    [
        "http://far.example\\[::1]",  # one parser's host is another's path
        "http://far.example\\@127.0.0.1",
        "http://127.0.0.1\\.far.example",
        "http://127.0.0.1\n.far.example",
        "http://127.0.0.1%2f.far.example",
        "http://127.0.0.1:80:80",
        "http://[.]",
        "https://far.example:99999",
        "https://far.example ",
        "https://\u2488far.example",
    ],
)
def test_a_url_over_whose_host_parsers_may_disagree_is_refused(url: str) -> None:
    with pytest.raises(CredentialsError):
        base_url_for(url, None, None)


def test_a_session_that_verifies_nothing_is_refused() -> None:
    session = requests.Session()
    session.verify = False
    with (
        session,
        Client(
            account_sid=ACCOUNT,
            auth_token=the_secret(),
            base_url="https://far.example",
            session=session,
        ) as client,
        pytest.raises(
            CredentialsError, match="Refusing to send credentials without certificate verification"
        ),
    ):
        client.fetch(sid(1))


class ConnectProxy(threading.Thread):
    """A proxy that takes every CONNECT to one server, and keeps what crosses it."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._to = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.asked = b""
        self.crossed = b""

    def __enter__(self) -> ConnectProxy:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.join(timeout=20)

    def run(self) -> None:
        near, _ = self._listener.accept()
        with near, socket.create_connection(self._to) as far:
            while not self.asked.endswith(b"\r\n\r\n"):
                self.asked += near.recv(4096)
            near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self._carry, args=(far, near))
            back.start()
            self._carry(near, far)
            back.join()

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the other side is gone
            while octets := here.recv(4096):
                self.crossed += octets
                there.sendall(octets)
            there.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("bundle", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environments_proxy_carries_the_sign_in_and_cannot_read_it(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.far.example").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(bundle, str(tmp_path / "ca.pem"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("default login someone password else\n")
    with ConnectProxy(server.server_port) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:mine@127.0.0.1:{proxy.port}")
        with Client(
            account_sid=ACCOUNT, auth_token=the_secret(), base_url="https://api.far.example"
        ) as client:
            assert client.fetch(sid(1)) == {"sid": sid(1)}
    assert not proxy.is_alive()  # the client has closed its connection
    assert server.request_headers[0]["Authorization"] == as_sent()
    assert "Proxy-Authorization" not in server.request_headers[0]
    assert proxy.asked.startswith(b"CONNECT api.far.example:443 ")
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:mine") in proxy.asked
    assert not shows((proxy.asked + proxy.crossed).decode("latin-1"))


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        (
            "REQUESTS_CA_BUNDLE",
            "/nowhere.pem",
            "Cannot send .*: OSError: Could not find a .*CA",
        ),
        ("https_proxy", "http://me:mine@far.example:x", "The address of the proxy is not a URL"),
        ("https_proxy", "http://", "Cannot send requests to .*: "),
        (
            "https_proxy",
            "socks5://me:mine@far.example:1",
            "Cannot send .*: InvalidSchema: ",
        ),
    ],
)
def test_an_environment_that_cannot_be_is_told_in_a_sentence_without_its_sign_in(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.delenv("no_proxy", raising=False)
    with (
        Client(
            account_sid=ACCOUNT, auth_token=the_secret(), base_url="https://api.far.example"
        ) as client,
        pytest.raises(RunStoppedError, match=sentence) as caught,
    ):
        client.fetch(sid(1))
    assert "mine" not in str(caught.value)


def test_a_call_that_repeats_a_short_password_is_kept(server: ScriptedServer) -> None:
    body = call_body(sid(1), status="completed")
    server.script[sid(1)] = [Reply(body=body)]
    with Client(account_sid=ACCOUNT, auth_token="completed", base_url=server.url) as client:
        assert client.fetch(sid(1))["status"] == "completed"
