"""The connections under a client: kept alive, cut off from outside, and discreet."""

from __future__ import annotations

import threading
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from typing import Protocol

    class Holder(Protocol):
        """What is told which connection its request goes out on."""

        connection: HTTPConnection | None


__all__ = ["hold_by", "keep_alive"]

# The line that a thread is using, so that its connection can be cut off by another thread.
_thread = threading.local()


def hold_by(line: Holder) -> None:
    """Tell `line` from now on which connection this thread sends on."""
    _thread.line = line


class _DiscreetResponse(HTTPResponse):
    """A response whose malformed headers urllib3 does not log: they may repeat the sign-in."""

    def begin(self) -> None:
        super().begin()
        self.msg.defects.clear()
        self.msg.set_payload("")


# The standard library prints requests, sign-in and all, where somebody has set the debuglevel of
# http.client.HTTPConnection: hence the traced connections have one of their own.
class _TracedHTTPConnection(HTTPConnection):
    debuglevel = 0
    response_class = _DiscreetResponse

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        _thread.line.connection = self
        super().putrequest(*args, **kwargs)


class _TracedHTTPSConnection(HTTPSConnection):
    debuglevel = 0
    response_class = _DiscreetResponse

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        _thread.line.connection = self
        super().putrequest(*args, **kwargs)


# urllib3's own class does not fit its own protocol either.
class _TracedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _TracedHTTPConnection  # pyright: ignore[reportAssignmentType]


class _TracedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TracedHTTPSConnection  # pyright: ignore[reportAssignmentType]


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
