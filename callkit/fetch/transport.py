"""One request and its answer: what goes over the wire, with every length and time bounded."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from callkit.errors import CredentialsError
from callkit.fetch.connections import hold_by
from callkit.fetch.credentials import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3.connection import HTTPConnection

    from callkit.fetch.credentials import Credentials
    from callkit.outcomes import Reason

__all__ = ["Answer", "Line", "NoAnswer", "Wire", "WireError", "describe", "innermost"]

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


_OK = 200
_REPEATS = "not shown, since it repeats the sign-in"
_TOO_LONG = NoAnswer("bad_response", f"the body is longer than {_BODY_AT_MOST:,} bytes")


class WireError(Exception):
    """Requests cannot be made at all."""


class Wire:
    """How requests are sent: prepared once, then only re-addressed for each call.

    What a user has set on the session (proxies, CA bundle, client certificate, headers, adapters)
    and in the environment counts, and is looked up once. Where the session has no adapter of the
    user's own for that host, `adapter` stands in, and requests go straight to its pool of
    connections: the steps between cost more than all the rest. Redirects are never followed, so
    that the sign-in reaches no other host, and ``.netrc`` is never read. An answer that repeats
    the sign-in goes no further.

    Raises
    ------
    CredentialsError
        The session is set not to verify certificates.
    WireError
        A certificate file is missing, say, or a proxy's address is none.
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
        self._credentials = credentials
        self._timeout = timeout
        self._prefix = urlsplit(base_url).path
        try:
            self._lay(session, adapter)
        except _BROKEN as error:
            raise WireError(_told(error)) from None

    def _lay(self, session: requests.Session, adapter: HTTPAdapter) -> None:
        self._template = session.prepare_request(
            requests.Request("GET", self.base_url, auth=_BasicAuth(self._credentials))
        )
        self._settings: dict[str, Any] = dict(
            session.merge_environment_settings(self.base_url, {}, True, session.verify, None)
        )
        if is_loopback(self.base_url):
            self._settings["proxies"] = {}  # a proxy is no part of this machine
        elif not self._settings["verify"]:
            raise CredentialsError(
                "credentials are only sent where the certificate is verified: name the CA bundle "
                "to trust in session.verify, or in REQUESTS_CA_BUNDLE, instead of verify=False"
            )
        theirs = session.get_adapter(self.base_url)
        self._pool: Any = None
        if type(theirs) is HTTPAdapter:
            self._find_pool(adapter)
        else:
            self._adapter = theirs

    def line(self) -> Line:
        """Open a line for one worker."""
        return Line(self)

    def send(self, path: str) -> Answer | NoAnswer:
        """Send one request."""
        return self._send_by_adapter(path) if self._pool is None else self._send_by_pool(path)

    def discreet(self, reply: Answer | NoAnswer) -> Answer | NoAnswer:
        """Keep `reply` only if it does not repeat the sign-in, and what it means in any case."""
        if isinstance(reply, NoAnswer):
            if self._credentials.stand_in(reply.message.encode(errors="replace")):
                return replace(reply, message=_REPEATS)
        elif self._credentials.stand_in(
            reply.body + reply.headers.get("Twilio-Request-Id", "").encode()
        ):
            if reply.status == _OK:
                return NoAnswer("bad_response", _REPEATS)
            return Answer(reply.status, {}, b"")
        return reply

    def _find_pool(self, adapter: HTTPAdapter) -> None:
        self._headers = dict(self._template.headers)
        self._bounds = urllib3.Timeout(min(_CONNECT_WITHIN, self._timeout), self._timeout)
        proxies, verify, cert = (self._settings[name] for name in ("proxies", "verify", "cert"))
        self._pool = adapter.get_connection_with_tls_context(
            self._template, verify, proxies=proxies, cert=cert
        )
        adapter.cert_verify(self._pool, self._template.url, verify, cert)  # type: ignore[no-untyped-call]

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
        return self._wire.discreet(self._ask(sid, account_sid))

    def _ask(self, sid: str, account_sid: str) -> Answer | NoAnswer:
        hold_by(self)
        self._was_cut = False
        self.busy_since = time.monotonic()
        try:
            return self._wire.send(f"/2010-04-01/Accounts/{account_sid}/Calls/{sid}.json")
        except urllib3.exceptions.NewConnectionError as error:  # urllib3 counts it as a time-out
            return _no_connection(error)
        except _TIMEOUTS:
            return NoAnswer("timeout", "no answer in time")
        except _UNREADABLE as error:
            return NoAnswer("bad_response", describe(innermost(error)))
        except _BROKEN as error:
            if self._was_cut:
                return NoAnswer("timeout", "no whole answer in time")
            return _no_connection(error)
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


class _BasicAuth(AuthBase):
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._credentials.authorization()
        return request


def _no_connection(error: BaseException) -> NoAnswer:
    bottom = innermost(error)
    return NoAnswer("connection", describe(bottom), isinstance(bottom, _HOPELESS))


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


def _told(error: BaseException) -> str:
    """Describe what keeps requests from being made; a proxy's address may hold a sign-in."""
    if isinstance(error, urllib3.exceptions.LocationParseError):
        return "the address of the proxy is no URL"
    return describe(innermost(error))


def _wrapped(error: BaseException) -> list[BaseException]:
    return [arg for arg in error.args if isinstance(arg, BaseException)]
