"""By what way requests go: proxies, certificates, headers, and the connections kept alive."""

import http.client
import os
import ssl
import threading
import weakref
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_auth_from_url, select_proxy

from callkit.errors import CredentialsError, RunStoppedError
from callkit.fetch.connection import AdapterConnection, Connection, PlainConnection, describe
from callkit.fetch.credentials import Credentials, Secret, basic, is_loopback
from callkit.fetch.descriptors import room_for_connections
from callkit.fetch.responses import discreet

_KEPT_ALIVE = 256  # connections through a proxy


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
            self._request.headers["Accept-Encoding"] = "gzip"
            self._settings = _settings_of(session, base_url)
            self._proxy = self._proxy_of()
            for secret in _secrets_of(self._proxy):
                credentials.conceal(secret)
            self._adapter = self._adapter_of(session)
            self._tls = None if self._adapter or base_url.startswith("http:") else self._context()
        except (requests.exceptions.RequestException, OSError) as error:
            raise RunStoppedError(
                f"Cannot send requests to {credentials.account_sid} at {base_url}: "
                f"{discreet(describe(error), credentials)}"
            ) from None

    @property
    def room(self) -> int:
        """How many connections there may be, with those that no worker is using."""
        return room_for_connections() + len(self._idle)

    def connection(self) -> Connection:
        """Give a worker a connection, one that was used before if there is any."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        if self._adapter is not None:
            return AdapterConnection(
                self._adapter, self.base_url, self._request, self.timeout, self._settings
            )
        path, headers = urlsplit(self.base_url).path, self._request.headers
        return PlainConnection(self._http(), path, headers, self.timeout)

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
        with suppress(ValueError):
            proxy = urlsplit(address if "://" in address else f"http://{address}")
            if proxy.hostname and proxy.port != 0:
                return proxy
        raise requests.exceptions.InvalidProxyURL("The address of the proxy is not a URL")

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


def _secrets_of(proxy: SplitResult | None) -> list[Secret]:
    """Return the password in the address of a proxy, and what is sent there for it."""
    user_and_password = unquote(proxy.netloc.rpartition("@")[0]) if proxy else ""
    password = user_and_password.partition(":")[2]
    return [Secret(text) for text in (user_and_password, password) if text]


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
