"""uvicorn's HTTP connection, which an application can reset, close or write to by itself."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from callkit.sandbox.api import Exchange

__all__ = ["BreakableProtocol", "protocol_of"]

_EXTENSION = "callkit.protocol"
# On, and nothing to wait for: closing such a socket sends RST (socket(7), tcp(7)).
_NO_LINGER = struct.pack("ii", 1, 0)


class BreakableProtocol(HttpToolsProtocol):
    """A connection; the scope of each request on it leads back to it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._extensions: dict[str, Any] = {_EXTENSION: self}

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions

    @property
    def is_open(self) -> bool:
        """Whether an answer has a chance to arrive."""
        return not self.transport.is_closing()

    def reset(self) -> None:
        """End the connection by RST; what is not on its way yet is discarded."""
        if self.is_open:
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    def close(self) -> None:
        """End the connection by FIN, after what has been written."""
        self.transport.close()

    async def write(self, data: bytes) -> None:
        """Write past HTTP, as fast as the client reads."""
        await self.flow.drain()
        self.transport.write(data)
        await asyncio.sleep(0)


def protocol_of(exchange: Exchange) -> BreakableProtocol:
    """Find the connection that a request came by."""
    protocol: BreakableProtocol = exchange.scope["extensions"][_EXTENSION]
    return protocol
