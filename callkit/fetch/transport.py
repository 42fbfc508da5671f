"""One request and its answer: what goes over the wire, with every length and time bounded."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from callkit.fetch.credentials import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callkit.fetch.credentials import Credentials
    from callkit.outcomes import Reason

__all__ = ["Answer", "Line", "NoAnswer", "Wire", "describe", "innermost", "keep_alive"]

_CONNECT_WITHIN = 10.0
_BODY_AT_MOST = 1 << 20  # a call is some 2 kB
_READ_AT_ONCE = 1 << 16
_ONCE = urllib3.Retry(total=False, redirect=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why nothing usable came back, and whether that is no wonder.

    A host name that is none, or a certificate that does not verify, will not mend by itself.
    """

    reason: Reason
    message: str
    hopeless: bool = False


_TOO_LONG = NoAnswer("bad_response", f"the body is longer than {_BODY_AT_MOST:,} bytes")

# The line that a thread is using, so that its connection can be cut off by another thread.
_thread = threading.local()


class _TracedHTTPConnection(HTTPConnection):
    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        _thread.line.connection = self
        super().putrequest(*args, **kwargs)


class _TracedHTTPSConnection(HTTPSConnection):
    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        _thread.line.connection = self
        super().putrequest(*args, **kwargs)


class _TracedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _TracedHTTPConnection


class _TracedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TracedHTTPSConnection


class _Adapter(HTTPAdapter):
    """Keeps one connection alive per worker, each of which can be cut off from outside."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _TracedHTTPPool,
            "https": _TracedHTTPSPool,
        }

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if type(manager) is urllib3.ProxyManager:  # SOCKS has connections of its own
            manager.pool_classes_by_scheme = self.poolmanager.pool_classes_by_scheme
        return manager


def keep_alive(connections: int) -> HTTPAdapter:
    """Make an adapter that keeps that many connections alive."""
    return _Adapter(pool_connections=1, pool_maxsize=connections, max_retries=0)


class Wire:
    """How requests are sent: prepared once, then only re-addressed for each call.

    What a user has set on the session (proxies, CA bundle, client certificate, headers, adapters)
    and in the environment counts, and is looked up once. Where the session has no adapter of the
    user's own for that host, `adapter` stands in, and requests go straight to its pool of
    connections: the steps between cost more than all the rest. Redirects are never followed, so
    that the sign-in reaches no other host, and ``.netrc`` is never read.
    """

    def __init__(
        self,
        session: requests.Session,
        adapter: HTTPAdapter,
        base_url: str,
        credentials: Credentials,
        timeout: float,
    ) -> None:
        self.base_url = base_url
        self._timeout = timeout
        self._template = session.prepare_request(
            requests.Request("GET", base_url, auth=_BasicAuth(credentials))
        )
        self._settings: dict[str, Any] = dict(
            session.merge_environment_settings(base_url, {}, True, session.verify, None)
        )
        if is_loopback(base_url):
            self._settings["proxies"] = {}  # a proxy is no part of this machine
        theirs = session.get_adapter(base_url)
        if type(theirs) is HTTPAdapter:
            self.send = self._send_by_pool
            self._find_pool(adapter)
        else:
            self.send = self._send_by_adapter
            self._adapter = theirs

    def line(self) -> Line:
        """Open a line for one worker."""
        return Line(self)

    def _find_pool(self, adapter: HTTPAdapter) -> None:
        self._headers = dict(self._template.headers)
        self._bounds = urllib3.Timeout(min(_CONNECT_WITHIN, self._timeout), self._timeout)
        proxies, verify, cert = (self._settings[name] for name in ("proxies", "verify", "cert"))
        self._pool: Any = adapter.get_connection_with_tls_context(
            self._template, verify, proxies=proxies, cert=cert
        )
        adapter.cert_verify(self._pool, self._template.url, verify, cert)  # type: ignore[no-untyped-call]
        through_plain_proxy = adapter.request_url(self._template, proxies).startswith("http")
        self._prefix = self.base_url if through_plain_proxy else urlsplit(self.base_url).path

    def _send_by_pool(self, path: str) -> Answer | NoAnswer:
        response = self._pool.urlopen(
            "GET",
            self._prefix + path,
            headers=self._headers,
            redirect=False,
            retries=_ONCE,
            assert_same_host=False,
            preload_content=False,
            timeout=self._bounds,
        )
        try:
            body = piece = response.read(_READ_AT_ONCE, decode_content=True)
            while len(piece) == _READ_AT_ONCE:  # a shorter one is the last
                if len(body) > _BODY_AT_MOST:
                    response.close()
                    return _TOO_LONG
                piece = response.read(_READ_AT_ONCE, decode_content=True)
                body += piece
            return Answer(response.status, response.headers, body)
        except BaseException:
            response.close()
            raise
        finally:
            response.release_conn()

    def _send_by_adapter(self, path: str) -> Answer | NoAnswer:
        request = self._template.copy()
        request.url = self.base_url + path
        timeout = (min(_CONNECT_WITHIN, self._timeout), self._timeout)
        with contextlib.closing(
            self._adapter.send(request, timeout=timeout, **self._settings)
        ) as response:
            body = bytearray()
            for piece in response.iter_content(_READ_AT_ONCE):
                body += piece
                if len(body) > _BODY_AT_MOST:
                    return _TOO_LONG
            return Answer(response.status_code, response.headers, bytes(body))


class Line:
    """One worker's way to the server; another thread can cut it off."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.connection: HTTPConnection | None = None
        self.busy_since: float | None = None
        self._was_cut = False

    def get(self, sid: str, account_sid: str) -> Answer | NoAnswer:
        """Ask for one call: one request, no repeats."""
        _thread.line = self
        self._was_cut = False
        self.busy_since = time.monotonic()
        try:
            return self._wire.send(f"/2010-04-01/Accounts/{account_sid}/Calls/{sid}.json")
        except _TIMEOUTS:
            return NoAnswer("timeout", "no answer in time")
        except _UNREADABLE as error:
            return NoAnswer("bad_response", describe(innermost(error)))
        except _BROKEN as error:
            if self._was_cut:
                return NoAnswer("timeout", "no whole answer in time")
            bottom = innermost(error)
            return NoAnswer("connection", describe(bottom), isinstance(bottom, _HOPELESS))
        finally:
            self.busy_since = None
            self.connection = None

    def cut(self) -> None:
        """Shut the connection down, so that a worker that waits on it stops waiting."""
        self._was_cut = True
        connection = self.connection
        if connection is not None and isinstance(connection.sock, socket.socket):
            with contextlib.suppress(OSError):
                # The plain socket's own method: an SSLSocket's would pull its TLS state away
                # from under the thread that is reading.
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


_TIMEOUTS = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)
_UNREADABLE = (
    requests.exceptions.ContentDecodingError,
    requests.exceptions.InvalidHeader,
    urllib3.exceptions.DecodeError,
    urllib3.exceptions.InvalidHeader,
)
_HOPELESS = (
    ssl.SSLCertVerificationError,
    urllib3.exceptions.LocationValueError,
    UnicodeError,  # a host name that cannot be encoded
)
_BROKEN = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError)


class _BasicAuth(requests.auth.AuthBase):
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._credentials.authorization()
        return request


def innermost(error: BaseException) -> BaseException:
    """Find what went wrong at the bottom: the layers above may name a proxy's sign-in."""
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__ or next(iter(_wrapped(error)), error)
    return error


def describe(error: BaseException) -> str:
    """Say in one line what went wrong."""
    text = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
    return f"{type(error).__name__}: {text}"


def _wrapped(error: BaseException) -> list[BaseException]:
    return [arg for arg in error.args if isinstance(arg, BaseException)]
