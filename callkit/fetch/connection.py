"""How one request is sent and its response received, with every length and time bounded."""

import contextlib
import errno
import http.client
import re
import socket
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import requests
import urllib3
from requests.adapters import BaseAdapter
from urllib3.util import wait_for_read

from callkit.fetch.decompression import decompressed
from callkit.fetch.descriptors import TOO_MANY_OPEN_FILES, none_is_left
from callkit.fetch.framing import (
    CLOSED,
    NO_STATUS,
    Head,
    UnusableResponseError,
    WireResponse,
    broken_off,
    joined,
    read_body,
    read_head,
    within,
)
from callkit.fetch.inherited import leave_to_parent
from callkit.outcomes import Reason

_CONNECT_WITHIN = 10.0  # seconds
_READ_AT_ONCE = 1 << 16
_WAITED_TOO_LONG = 408
_TUNNEL_FAILED = re.compile(r"Tunnel connection failed: [0-9]+")
_LOCAL_FAULTS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}

Connection: TypeAlias = "PlainConnection | AdapterConnection"


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes | memoryview


@dataclass(frozen=True, slots=True)
class NoResponse:
    """Why nothing usable arrived, and where that was decided.

    ``stale`` is what may be a connection that the server had closed before it read the request,
    ``local`` a fault of this machine, and ``settings`` what no attempt will mend: a host name that
    cannot be one, or a certificate that does not verify.
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
        self._http.response_class = WireResponse
        self._http.debuglevel = 0  # else the standard library might print requests
        self._prefix = prefix
        self._headers = headers
        self._timeout = timeout
        self._sock: socket.socket | None = None

    def get(self, path: str, at_most: int) -> Response | NoResponse:
        """Send one request; the body has `at_most` so many bytes.

        It is sent once more, on a new connection, if the server has closed the old one unread, or
        has said on it that it waits no longer for a request.
        """
        self._cut = False
        self.busy_since = time.monotonic()
        if self._http.sock is not None and _has_unread(self._http.sock):
            self._http.close()  # the server has closed it, or sent something unrequested
        is_reused = self._http.sock is not None
        try:
            try:
                response = self._ask(path, at_most)
                if not (is_reused and _was_waited_for(response)):
                    return response
            except CLOSED:  # before any byte
                if not is_reused or self._cut:
                    raise
            self._http.close()
            return self._ask(path, at_most)
        except _FAULTS as error:
            self._http.close()
            return LATE if self._cut else _explained(error)
        finally:
            self.busy_since = None

    def cut(self) -> None:
        """End what is under way, from another thread."""
        self._cut = True
        # The connection has one of its own while a proxy is being asked for a tunnel.
        for sock in (self._http.sock, self._sock):
            if sock is not None:
                with contextlib.suppress(OSError):
                    # The plain socket's own method: an SSLSocket's would pull its TLS state away
                    # from under the thread that is reading.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it; the next request opens it again."""
        self._http.close()

    def leave_to_parent(self) -> None:
        """Let go of it, in a forked process."""
        leave_to_parent(self, self._http.sock, self._sock)

    def _connect(self) -> None:
        self._http.timeout = min(_CONNECT_WITHIN, self._timeout)
        self._http.connect()
        # Held here too: http.client lets go of it before a last response is read.
        self._sock = self._http.sock
        if self._sock is None or self._cut:
            raise TimeoutError
        self._sock.settimeout(self._timeout)

    def _ask(self, path: str, at_most: int) -> Response:
        if self._http.sock is None:
            self._connect()
        self._http.putrequest(
            "GET", self._prefix + path, skip_host="Host" in self._headers, skip_accept_encoding=True
        )
        for name, value in self._headers.items():
            self._http.putheader(name, value)
        self._http.endheaders()
        response = self._http.getresponse()
        assert isinstance(response, WireResponse)  # noqa: S101  (as set above)
        with contextlib.closing(response):
            body = response.body(at_most)
        if self._cut and response.will_close:  # its end would look like that of the body
            raise TimeoutError
        head = response.head
        return Response(head.status, head.headers, _plain(body, head.headers, at_most))


class AdapterConnection:
    """Requests through an adapter of `requests`, which keeps its own connections.

    They can be cut off once the headers have arrived; until then each read ends with its time-out.
    """

    def __init__(
        self,
        adapter: BaseAdapter,
        base_url: str,
        request: requests.PreparedRequest,
        timeout: float,
        settings: Mapping[str, Any],
    ) -> None:
        self.busy_since: float | None = None
        self._adapter = adapter
        self._base_url = base_url
        self._request = request
        self._settings = {"timeout": (min(_CONNECT_WITHIN, timeout), timeout), **settings}
        self._answer: requests.Response | None = None
        self._has_answered = False

    def get(self, path: str, at_most: int) -> Response | NoResponse:
        self._cut = False
        self.busy_since = time.monotonic()
        try:
            return self._ask(path, at_most)
        except _FAULTS as error:
            if self._cut:
                return LATE
            cause = _innermost(error)
            # Which of its connections an adapter takes is not known; this may be a used one.
            if self._has_answered and isinstance(cause, CLOSED):
                return NoResponse("connection", describe(cause), "stale")
            return _explained(cause)
        finally:
            self.busy_since = self._answer = None

    def cut(self) -> None:
        """End what is under way, from another thread."""
        self._cut = True
        if (answer := self._answer) is not None:
            with contextlib.suppress(AttributeError, OSError, RuntimeError, ValueError):
                answer.raw.shutdown()

    def close(self) -> None:
        """Leave it to the adapter."""

    def leave_to_parent(self) -> None:
        """Leave it to the adapter."""

    def _ask(self, path: str, at_most: int) -> Response | NoResponse:
        request = self._request.copy()
        request.url = self._base_url + path
        answer = self._adapter.send(request, stream=True, **self._settings)
        with contextlib.closing(answer):
            self._answer, self._has_answered = answer, True
            if self._cut:
                raise TimeoutError
            wire = getattr(answer.raw, "_original_response", None)  # as requests itself asks
            if type(wire) is not http.client.HTTPResponse:
                return self._unless_cut(_read_otherwise(answer, at_most))
            head = Head(wire.version % 10, wire.status, joined(wire.headers.items()))
            if head.is_interim:
                with broken_off():
                    head = read_head(wire.fp)
            body = read_body(wire.fp, head, at_most)
            if head.keeps_alive:
                wire.close()
                answer.raw.release_conn()
            return self._unless_cut(
                Response(head.status, head.headers, _plain(body, head.headers, at_most))
            )

    def _unless_cut(self, response: Response) -> Response:
        """Return what was read, unless its end may be where it was cut off."""
        if self._cut:
            raise TimeoutError
        return response


def _read_otherwise(answer: requests.Response, at_most: int) -> Response:
    """Read the response of an adapter that does not use the standard library's connections."""
    body = bytearray()
    for piece in answer.iter_content(_READ_AT_ONCE):
        body += piece
        within(at_most, body)
    return Response(answer.status_code, answer.headers, bytes(body))


def _was_waited_for(response: Response) -> bool:
    """Whether a server may have said this, and closed, before it was asked (RFC 9110 §15.5.9)."""
    options = response.headers.get("Connection", "").lower()
    return response.status == _WAITED_TOO_LONG and "close" in options


def _has_unread(sock: socket.socket) -> bool:
    decrypted = sock.pending() if isinstance(sock, ssl.SSLSocket) else 0
    return bool(decrypted) or wait_for_read(sock, timeout=0.0)


_FAULTS = (
    *(http.client.HTTPException, OSError, ValueError, zlib.error, MemoryError),
    *(requests.exceptions.RequestException, urllib3.exceptions.HTTPError),
)
LATE = NoResponse("timeout", "no complete response in time")


def _plain(body: bytes, headers: Mapping[str, str], at_most: int) -> bytes | memoryview:
    if headers.get("Content-Encoding", "identity").strip().lower() == "identity":
        return body
    return within(at_most, decompressed(body, at_most))


def _explained(error: BaseException) -> NoResponse:
    match error:
        case UnusableResponseError():
            return NoResponse(error.reason, str(error))
        case http.client.BadStatusLine() if not isinstance(error, http.client.RemoteDisconnected):
            # Without what the standard library quotes, which may be a call.
            return NoResponse("bad_response", NO_STATUS)
        case TimeoutError() | requests.exceptions.Timeout():
            return NoResponse("timeout", "no response in time")
        case zlib.error() | requests.exceptions.ContentDecodingError():
            return NoResponse("bad_response", f"the body cannot be decompressed: {error}")
        case ssl.SSLCertVerificationError() | UnicodeError() | requests.exceptions.InvalidSchema():
            return NoResponse("connection", describe(error), "settings")
    shortage = _shortage(error)
    return NoResponse("connection", shortage or describe(error), "local" if shortage else "network")


def _shortage(error: BaseException) -> str | None:
    """Name what this machine is short of, if that is why there is no response."""
    match error:
        case OSError() if error.errno in _LOCAL_FAULTS:
            return describe(error)
        case MemoryError():
            return "MemoryError: Cannot allocate memory"
        case socket.gaierror() if none_is_left():
            return TOO_MANY_OPEN_FILES
    return None


def describe(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
    if found := _TUNNEL_FAILED.match(str(text)):  # what follows are the proxy's own words
        text = found[0]
    return f"{type(error).__name__}: {text}"


def _innermost(error: BaseException) -> BaseException:
    """Find what went wrong at the bottom: the layers above may name a proxy's password."""
    seen: list[BaseException] = []
    while error not in seen and not isinstance(error, UnusableResponseError):
        seen.append(error)
        wrapped = (arg for arg in error.args if isinstance(arg, BaseException))
        error = error.__cause__ or error.__context__ or next(wrapped, error)
    return error
