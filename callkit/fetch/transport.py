"""One request and its answer: what goes over the wire, with every length and time bounded."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callkit.fetch.credentials import Credentials
    from callkit.outcomes import Reason

__all__ = ["Answer", "Line", "NoAnswer", "Wire", "mount_on"]

_CONNECT_WITHIN = 10.0
_BODY_AT_MOST = 1 << 20  # a call is some 2 kB
_READ_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why nothing usable came back."""

    reason: Reason
    message: str


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
        manager.pool_classes_by_scheme = self.poolmanager.pool_classes_by_scheme
        return manager


def mount_on(session: requests.Session, prefix: str, connections: int) -> None:
    """Have `session` reach everything under `prefix` over that many kept-alive connections."""
    session.mount(prefix, _Adapter(pool_connections=1, pool_maxsize=connections, max_retries=0))


class Wire:
    """How requests are sent: prepared once, then only re-addressed for each call.

    What a user has set on the session (proxies, CA bundle, client certificate, headers, adapters)
    and in the environment counts, and is looked up once. Redirects are never followed, so that the
    sign-in reaches no other host, and ``.netrc`` is never read.
    """

    def __init__(
        self, session: requests.Session, base_url: str, credentials: Credentials, timeout: float
    ) -> None:
        self._template = session.prepare_request(
            requests.Request("GET", base_url, auth=_BasicAuth(credentials))
        )
        self._settings: dict[str, Any] = dict(
            session.merge_environment_settings(base_url, {}, True, None, None)
        )
        self._adapter = session.get_adapter(base_url)
        self.base_url = base_url
        self._timeout = timeout

    def line(self) -> Line:
        """Open a line for one worker."""
        return Line(self)

    def request_for(self, sid: str, account_sid: str) -> requests.PreparedRequest:
        """Address the prepared request to one call."""
        request = self._template.copy()
        request.url = f"{self.base_url}/2010-04-01/Accounts/{account_sid}/Calls/{sid}.json"
        return request

    def send(self, request: requests.PreparedRequest) -> Answer:
        """Send one request and read its whole answer."""
        timeout = (min(_CONNECT_WITHIN, self._timeout), self._timeout)
        with contextlib.closing(
            self._adapter.send(request, timeout=timeout, **self._settings)
        ) as response:
            body = bytearray()
            for piece in response.iter_content(_READ_AT_ONCE):
                body += piece
                if len(body) > _BODY_AT_MOST:
                    raise _TooLongError
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
            return self._wire.send(self._wire.request_for(sid, account_sid))
        except _TooLongError:
            return NoAnswer("bad_response", f"the body is longer than {_BODY_AT_MOST:,} bytes")
        except requests.exceptions.Timeout:
            return NoAnswer("timeout", "no answer in time")
        except _UNREADABLE as error:
            return NoAnswer("bad_response", _innermost(error))
        except (requests.exceptions.RequestException, OSError) as error:
            if self._was_cut:
                return NoAnswer("timeout", "no whole answer in time")
            return NoAnswer("connection", _innermost(error))
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


_UNREADABLE = (requests.exceptions.ContentDecodingError, requests.exceptions.InvalidHeader)


class _TooLongError(Exception):
    pass


class _BasicAuth(requests.auth.AuthBase):
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._credentials.authorization()
        return request


def _innermost(error: BaseException) -> str:
    """Say what went wrong at the bottom: the layers above may name a proxy's sign-in."""
    while True:
        inner = error.__cause__ or error.__context__ or next(iter(_wrapped(error)), None)
        if inner is None:
            break
        error = inner
    text = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
    return f"{type(error).__name__}: {text}"


def _wrapped(error: BaseException) -> list[BaseException]:
    return [arg for arg in error.args if isinstance(arg, BaseException)]
