"""An application served on loopback: uvicorn in a thread of its own."""

import asyncio
import errno
import socket
import threading
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from callkit.errors import SandboxError
from callkit.sandbox.app import App

_HOST = "127.0.0.1"
_BACKLOG = 2048
# A client may keep a connection for as long as a notebook cell is being written.
_KEEP_ALIVE_SECONDS = 600
# How long a stop waits for clients that do not read their answer.
_GRACE_SECONDS = 1


class Server(uvicorn.Server):
    """A running server, from its construction to :meth:`stop`.

    Parameters
    ----------
    app : App
        What to serve.
    port : int
        Where to listen; 0 is any free port.
    http : type, optional
        The protocol that reads requests and writes answers.

    Raises
    ------
    SandboxError
        The port cannot be used.
    """

    def __init__(
        self,
        app: App,
        port: int,
        http: type[asyncio.Protocol] = HttpToolsProtocol,
    ) -> None:
        app.stopping = self._stopping = asyncio.Event()
        config = uvicorn.Config(
            app,
            access_log=False,
            http=http,
            lifespan="off",
            log_config=None,
            log_level=None,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            ws="none",
        )
        super().__init__(config)
        self._listener = _listen(port)
        self.url = f"http://{_HOST}:{self._listener.getsockname()[1]}"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="callkit-sandbox", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._loop is None:
            raise SandboxError("The sandbox cannot start; see standard error for the reason")

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call something on the server's event loop."""
        assert self._loop is not None  # noqa: S101 - it is running
        self._loop.call_soon_threadsafe(callback)

    def stop(self) -> None:
        """Return once no thread, connection or socket is left."""
        self.should_exit = True
        self._thread.join()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and let the thread that waits go on."""
        await super().startup(sockets=sockets)
        self._loop = asyncio.get_running_loop()
        self._ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer requests in flight at once, and stop."""
        self._stopping.set()
        await super().shutdown(sockets=sockets)

    def _run(self) -> None:
        try:
            self.run(sockets=[self._listener])
        finally:
            self._listener.close()
            self._ready.set()


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, port), backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SandboxError(
                f"Port {port} on {_HOST} is in use: choose another one, or 0 for any free port"
            ) from error
        raise SandboxError(f"Cannot use port {port} on {_HOST}: {error.strerror}") from error
