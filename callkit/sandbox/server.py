"""An application served on loopback: uvicorn in a thread of its own."""

import asyncio
import errno
import socket
import threading

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from callkit.errors import SandboxError
from callkit.sandbox.api import App

_HOST = "127.0.0.1"


class Server(uvicorn.Server):
    """A running server, from its construction to :meth:`stop`; port 0 is any free port."""

    protocol: type[asyncio.Protocol] = HttpToolsProtocol

    def __init__(self, app: App, port: int) -> None:
        app.stopping = self._stopping = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                date_header=False,  # the application sends the sandbox's
                http=self.protocol,
                lifespan="off",
                log_config=None,
                log_level=None,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=1,  # second, for clients that do not read their answer
                timeout_keep_alive=600,  # seconds: while a notebook cell is being written
                ws="none",
            )
        )
        listener = _listen(port)
        self.url = f"http://{_HOST}:{listener.getsockname()[1]}"
        self._thread = threading.Thread(
            target=self.run, args=([listener],), name="callkit-sandbox", daemon=True
        )
        self._thread.start()
        while self._thread.is_alive() and not self.started:
            self._thread.join(0.001)
        if not self.started:
            listener.close()
            raise SandboxError("The sandbox cannot start; see standard error for the reason")

    def stop(self) -> None:
        self.should_exit = True
        self._thread.join()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer requests in flight at once, and stop."""
        self._stopping.set()
        await super().shutdown(sockets=sockets)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, port), backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SandboxError(
                f"Port {port} on {_HOST} is in use: choose another one, or 0 for any free port"
            ) from error
        raise SandboxError(f"Cannot use port {port} on {_HOST}: {error.strerror}") from error
