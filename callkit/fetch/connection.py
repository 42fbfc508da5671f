"""How requests are sent and responses received, with every length and time bounded.

A :class:`Transport` looks up proxies, certificates and headers once for all connections.
"""

import contextlib
import errno
import http.client
import os
import socket
import ssl
import threading
import time
import weakref
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_auth_from_url, select_proxy
from urllib3.util import wait_for_read

from callkit.errors import CredentialsError, RunStoppedError
from callkit.fetch.credentials import Credentials, basic, is_loopback
from callkit.fetch.decompression import decompressed
from callkit.fetch.inherited import leave_to_parent
from callkit.outcomes import Reason

_KEPT_ALIVE = 256  # connections through a proxy
_CONNECT_WITHIN = 10.0  # seconds
_READ_AT_ONCE = 1 << 16
_LOCAL_FAULTS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}

Connection: TypeAlias = "PlainConnection | AdapterConnection"


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: http.client.HTTPMessage | Mapping[str, str]
    body: bytes | memoryview


@dataclass(frozen=True, slots=True)
class NoResponse:
    """Why nothing usable arrived, and where that was decided.

    ``stale`` is a connection that the server had closed before it read the request, ``local`` a
    fault of this machine, and ``settings`` what no attempt will mend: a host name that cannot be
    one, or a certificate that does not verify.
    """

    reason: Reason
    message: str
    cause: Literal["network", "stale", "local", "settings"] = "network"


class PlainConnection:
    """One worker's way to the server: a connection of the standard library's, kept alive."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        prefix: str,
        headers: Mapping[str, str | bytes],
        timeout: float,
    ) -> None:
        self.busy_since: float | None = None
        self._http = connection
        self._http.debuglevel = 0  # else the standard library might print requests
        self._prefix = prefix
        self._headers = headers
        self._timeout = timeout
        self._sock: socket.socket | None = None

    def get(self, path: str, at_most: int) -> Response | NoResponse:
        """Send one request, without repeating it; the body has `at_most` so many bytes."""
        self._cut = self._answering = False
        self.busy_since = time.monotonic()
        if self._http.sock is not None and wait_for_read(self._http.sock, timeout=0.0):
            self._http.close()  # the server has closed it, or sent something unrequested
        reused = self._http.sock is not None
        try:
            return self._ask(path, at_most)
        except _FAULTS as error:
            self._http.close()
            if self._cut:
                return NoResponse("timeout", "no complete response in time")
            if reused and not self._answering and isinstance(error, _CLOSED):
                return NoResponse("connection", describe(error), "stale")
            return _explained(error)
        finally:
            self.busy_since = None

    def cut(self) -> None:
        """End what is under way, from another thread."""
        self._cut = True
        if self._sock is not None:
            with contextlib.suppress(OSError):
                # The plain socket's own method: an SSLSocket's would pull its TLS state away
                # from under the thread that is reading.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it; the next request opens it again."""
        self._http.close()

    def leave_to_parent(self) -> None:
        """Let go of it, in a forked process."""
        leave_to_parent(self, self._sock)

    def _connect(self) -> None:
        self._http.timeout = min(_CONNECT_WITHIN, self._timeout)
        self._http.connect()
        # Held here too: http.client lets go of it before a last response is read.
        self._sock = self._http.sock
        if self._sock is None or self._cut:
            raise TimeoutError
        self._sock.settimeout(self._timeout)

    def _ask(self, path: str, at_most: int) -> Response | NoResponse:
        if self._http.sock is None:
            self._connect()
        self._http.putrequest(
            "GET", self._prefix + path, skip_host="Host" in self._headers, skip_accept_encoding=True
        )
        for name, value in self._headers.items():
            self._http.putheader(name, value)
        self._http.endheaders()
        response = self._http.getresponse()
        self._answering = True
        received = response.read(at_most + 1)
        if not response.isclosed():
            self._http.close()
        if self._cut and response.will_close:  # its end would look like that of the body
            raise TimeoutError
        if response.length and len(received) <= at_most:  # announced, and did not arrive
            raise http.client.IncompleteRead(b"", response.length)
        is_plain = response.headers.get("Content-Encoding", "identity") == "identity"
        body = received if is_plain else decompressed(received, at_most)
        if len(body) > at_most:
            return _too_long(at_most)
        return Response(response.status, response.headers, body)


class AdapterConnection:
    """Requests through an adapter of `requests`, which keeps its own connections.

    They cannot be cut off from outside: each ends by itself, at the latest with its time-out.
    """

    busy_since: float | None = None

    def __init__(
        self,
        adapter: BaseAdapter,
        base_url: str,
        request: requests.PreparedRequest,
        timeout: float,
        settings: Mapping[str, Any],
    ) -> None:
        self._adapter = adapter
        self._base_url = base_url
        self._request = request
        self._settings = {"timeout": (min(_CONNECT_WITHIN, timeout), timeout), **settings}

    def get(self, path: str, at_most: int) -> Response | NoResponse:
        try:
            return self._ask(path, at_most)
        except _FAULTS as error:
            return _explained(_innermost(error))

    def cut(self) -> None:
        """Leave it to its time-out."""

    def close(self) -> None:
        """Leave it to the adapter."""

    def leave_to_parent(self) -> None:
        """Leave it to the adapter."""

    def _ask(self, path: str, at_most: int) -> Response | NoResponse:
        request = self._request.copy()
        request.url = self._base_url + path
        answer = self._adapter.send(request, stream=True, **self._settings)
        with contextlib.closing(answer) as response:
            body = bytearray()
            for piece in response.iter_content(_READ_AT_ONCE):
                body += piece
                if len(body) > at_most:
                    return _too_long(at_most)
            return Response(response.status_code, response.headers, bytes(body))


_FAULTS = (
    *(http.client.HTTPException, OSError, ValueError, zlib.error),
    *(requests.exceptions.RequestException, urllib3.exceptions.HTTPError),
)
_CLOSED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


def _too_long(at_most: int) -> NoResponse:
    return NoResponse("bad_response", f"the body is longer than {at_most:,} bytes")


def _explained(error: BaseException) -> NoResponse:
    match error:
        case TimeoutError() | requests.exceptions.Timeout():
            return NoResponse("timeout", "no response in time")
        case zlib.error() | requests.exceptions.ContentDecodingError():
            return NoResponse("bad_response", f"the body cannot be decompressed: {error}")
        case ssl.SSLCertVerificationError() | UnicodeError() | requests.exceptions.InvalidSchema():
            return NoResponse("connection", describe(error), "settings")
        case OSError() if error.errno in _LOCAL_FAULTS:
            return NoResponse("connection", describe(error), "local")
    return NoResponse("connection", describe(error))


def describe(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
    return f"{type(error).__name__}: {text}"


def _innermost(error: BaseException) -> BaseException:
    """Find what went wrong at the bottom: the layers above may name a proxy's password."""
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        wrapped = (arg for arg in error.args if isinstance(arg, BaseException))
        error = error.__cause__ or error.__context__ or next(wrapped, error)
    return error


class Transport:
    """How requests are sent: what is set is looked up once, and connections are kept alive.

    Proxies, CA bundle, client certificate and headers are those of the session and the environment.
    Requests go over plain connections, or through the session's adapter where the user has mounted
    one for that host, or through a proxy that is not an HTTP proxy. Redirects are
    never followed, so that the credentials reach no other host, and ``.netrc`` is never read.
    """

    def __init__(
        self, session: requests.Session, base_url: str, credentials: Credentials, timeout: float
    ) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self.keeps_alive = True  # until it is closed, or this machine is short of connections
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _close_all, self._idle)
        try:
            request = requests.Request("GET", base_url, auth=credentials.sign)
            self._request = session.prepare_request(request)
            self._settings = _settings_of(session, base_url)
            self._proxy = self._proxy_of()
            self._adapter = self._adapter_of(session)
            self._tls = None if self._adapter or base_url.startswith("http:") else self._context()
        except (requests.exceptions.RequestException, OSError) as error:
            raise RunStoppedError(
                f"Cannot send requests to {credentials.account_sid} at {base_url}: "
                f"{describe(error)}"
            ) from None

    def connection(self) -> Connection:
        """Give a worker a connection, one that was used before if there is any."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        if self._adapter is not None:
            return AdapterConnection(
                self._adapter, self.base_url, self._request, self.timeout, self._settings
            )
        headers = CaseInsensitiveDict(self._request.headers)
        headers["Accept-Encoding"] = "gzip"
        return PlainConnection(self._http(), urlsplit(self.base_url).path, headers, self.timeout)

    def release(self, connection: Connection) -> None:
        """Take a connection back, open or closed, for another worker."""
        if not self.keeps_alive:
            connection.close()
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        """Close every connection that no worker is using."""
        self.keeps_alive = False
        with self._lock:
            _close_all(self._idle)
        if type(self._adapter) is HTTPAdapter:  # not the user's
            self._adapter.close()

    def leave_to_parent(self) -> None:
        """Let go of every connection in a forked process; a new transport has to be made."""
        for connection in self._idle:
            connection.leave_to_parent()
        self._idle.clear()

    def _proxy_of(self) -> SplitResult | None:
        address = select_proxy(self.base_url, self._settings["proxies"])
        if address is None:
            return None
        proxy = urlsplit(address if "://" in address else f"http://{address}")
        try:
            is_address = bool(proxy.hostname) and proxy.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise requests.exceptions.InvalidProxyURL("The address of the proxy is not a URL")
        return proxy

    def _adapter_of(self, session: requests.Session) -> BaseAdapter | None:
        """Return what the user has mounted for the host, or what can use a proxy of that kind."""
        mounted = session.get_adapter(self.base_url)
        if type(mounted) is not HTTPAdapter:
            return mounted
        if self._proxy is None or self._proxy.scheme == "http":
            return None
        return HTTPAdapter(pool_connections=1, pool_maxsize=_KEPT_ALIVE, max_retries=0)

    def _context(self) -> ssl.SSLContext:
        verify, cert = self._settings["verify"], self._settings["cert"]
        bundle = DEFAULT_CA_BUNDLE_PATH if verify in (True, False) else os.fspath(verify)
        if not os.path.exists(bundle):  # noqa: PTH110  (as requests words it)
            raise OSError(f"Could not find a suitable TLS CA certificate bundle: {bundle!r}")
        folder = os.path.isdir(bundle)  # noqa: PTH112
        context = ssl.create_default_context(
            cafile=None if folder else bundle, capath=bundle if folder else None
        )
        if not verify:  # which only this machine is trusted with
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if cert is not None:
            files = [cert] if isinstance(cert, str) else list(cert)
            if missing := [name for name in files if not os.path.exists(name)]:  # noqa: PTH110
                raise OSError(f"Could not find the TLS client certificate {missing[0]!r}")
            certificate, key = files[0], files[-1]
            context.load_cert_chain(certificate, key, password=_no_password)
        return context

    def _http(self) -> http.client.HTTPConnection:
        url = urlsplit(self.base_url)
        assert url.hostname is not None  # noqa: S101  (checked with the credentials)
        default = http.client.HTTP_PORT if self._tls is None else http.client.HTTPS_PORT
        host, port = url.hostname, url.port or default
        tunnel = self._proxy
        if tunnel is not None and tunnel.hostname is not None:
            host, port = tunnel.hostname, tunnel.port or http.client.HTTP_PORT
        if self._tls is None:
            return http.client.HTTPConnection(host, port)
        connection = http.client.HTTPSConnection(host, port, context=self._tls)
        if tunnel is not None:
            user, password = get_auth_from_url(tunnel.geturl())
            headers = {"Proxy-Authorization": basic(user, password)} if user else {}
            connection.set_tunnel(url.hostname, url.port or default, headers)
        return connection


def _settings_of(session: requests.Session, base_url: str) -> dict[str, Any]:
    """Merge the settings of the session and the environment, as `requests` does."""
    settings = dict(session.merge_environment_settings(base_url, {}, None, session.verify, None))
    del settings["stream"]
    if is_loopback(base_url):
        settings["proxies"] = {}  # loopback never goes through a proxy
    elif not settings["verify"]:
        raise CredentialsError(
            "Refusing to send credentials without certificate verification: instead of "
            "verify=False, name the CA bundle to trust in session.verify or "
            "REQUESTS_CA_BUNDLE"
        )
    return settings


def _close_all(connections: list[Connection]) -> None:
    while connections:
        connections.pop().close()


def _no_password() -> str:
    raise OSError(
        "The key of the TLS client certificate is encrypted, and no password is available"
    )
