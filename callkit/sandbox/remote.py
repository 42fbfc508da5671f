"""A service in a process of its own, steered through a pipe."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from callkit.errors import SandboxError
from callkit.sandbox.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from callkit.sandbox.service import Settings

__all__ = ["RemoteService", "obey"]

# Not multiprocessing.Process, which would import the user's script or notebook once more.
_COMMAND = "import sys; from callkit.sandbox.remote import obey; obey(int(sys.argv[1]))"
_METHODS = frozenset(name for name in vars(Service) if not name.startswith("_"))


class RemoteService:
    """Has the methods of :class:`Service`, which another process carries out.

    That process ends with this one, however this one ends: by then the pipe is closed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pipe: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()

    def start(self) -> None:
        """Return once the server answers."""
        self._pipe, theirs = Pipe()
        with theirs:
            end = theirs.fileno()
            command = [sys.executable, "-c", _COMMAND, str(end)]
            self._process = subprocess.Popen(command, pass_fds=[end])  # noqa: S603 - our own
        try:
            self._talk(self._pipe, self._settings)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Return once the process has ended."""
        with self._turn:
            if self._pipe is not None:
                self._pipe.close()
                self._pipe = None
            if self._process is not None:
                self._process.wait()
                self._process = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in _METHODS:
            raise AttributeError(name)
        return lambda *arguments: self._do(name, arguments)

    def _do(self, name: str, arguments: tuple[Any, ...]) -> Any:
        with self._turn:
            if self._pipe is None:
                raise SandboxError(
                    "the sandbox is not running, and a process of its own keeps no counts after it"
                )
            return self._talk(self._pipe, (name, arguments))

    def _talk(self, pipe: Connection, message: object) -> Any:
        try:
            pipe.send(message)
            result, error = pipe.recv()
        except (EOFError, OSError) as ended:
            raise SandboxError("the sandbox's process has ended by itself") from ended
        if error is not None:
            raise error
        return result


def obey(end: int) -> None:
    """Be the process: serve, and do what comes through the pipe `end`, until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever holds the other end
    with Connection(end) as pipe, suppress(EOFError, OSError):
        service = Service(pipe.recv())
        pipe.send(_outcome(service.start, ()))
        try:
            while True:
                name, arguments = pipe.recv()
                pipe.send(_outcome(getattr(service, name), arguments))
        finally:
            service.stop()


def _outcome(act: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    try:
        return act(*arguments), None
    except Exception as error:  # noqa: BLE001 - told by the other process
        return None, error
