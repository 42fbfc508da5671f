"""uvicorn on a socket that is open already, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import uvicorn

from callkit.errors import SandboxError
from callkit.sandbox.wire import Wire

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from starlette.types import ASGIApp

__all__ = ["Runner"]

# A client may keep a connection for as long as a notebook cell is being written.
_KEEP_ALIVE_SECONDS = 600
# How long a stop waits for clients that do not read their answer.
_GRACE_SECONDS = 1


class Runner:
    """A running server.

    Parameters
    ----------
    app : ASGI application
        What to serve.
    listener : socket.socket
        Where to serve it; closed by :meth:`stop`.
    stopping : asyncio.Event
        Set, on the server's own event loop, when it begins to stop.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket, stopping: asyncio.Event) -> None:
        config = uvicorn.Config(
            app,
            access_log=False,
            http=Wire,
            lifespan="off",
            log_config=None,
            log_level=None,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            ws="none",
        )
        self._server = _Server(config, stopping)
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="callkit-sandbox", daemon=True)

    def start(self) -> None:
        """Return once the server answers."""
        self._thread.start()
        self._server.ready.wait()
        if self._error is not None:
            self._thread.join()
            raise SandboxError(f"the sandbox cannot start: {self._error}") from self._error

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Have something called on the server's event loop."""
        self._server.loop.call_soon_threadsafe(callback)

    def stop(self) -> None:
        """Return once no thread, connection or socket is left."""
        self._server.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._listener])
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits
            self._error = error
        finally:
            self._listener.close()
            self._server.ready.set()


class _Server(uvicorn.Server):
    """uvicorn, which says when it is ready and when it begins to stop."""

    loop: asyncio.AbstractEventLoop

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets=sockets)
