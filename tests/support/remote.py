"""A sandbox in a process of its own, steered through a pipe."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callkit.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callkit.sandbox import Sandbox

__all__ = ["OtherProcess", "obey"]

_ROOT = Path(__file__).parents[2]
# Not multiprocessing.Process, which would import the test's main module once more.
_COMMAND = "import sys; from tests.support.remote import obey; obey(int(sys.argv[1]))"


class OtherProcess:
    """Another process that holds a sandbox and does with it what it is told.

    It ends with this one, however this one ends: by then the pipe is closed.
    """

    def __init__(self, make: Callable[..., Sandbox], options: Mapping[str, Any]) -> None:
        self._recipe = (make, options)
        self._pipe: Connection | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()

    @property
    def is_running(self) -> bool:
        """Whether there is such a process."""
        return self._pipe is not None

    def start(self) -> None:
        """Return once its server answers."""
        self._pipe, theirs = Pipe()
        with theirs:
            end = theirs.fileno()
            command = [sys.executable, "-c", _COMMAND, str(end)]
            self.process = subprocess.Popen(command, pass_fds=[end], cwd=_ROOT)
        try:
            self._talk(self._pipe, self._recipe)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Return once the process has ended."""
        with self._turn:
            if self._pipe is not None:
                self._pipe.close()
                self._pipe = None
            if self.process is not None:
                self.process.wait()

    def do(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the sandbox, or read or set a property."""
        with self._turn:
            if self._pipe is None:
                raise SandboxError("The sandbox is not running, and its process keeps no counts")
            return self._talk(self._pipe, (name, args, kwargs))

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
        make, options = pipe.recv()
        sandbox = make(**options)
        pipe.send((None, _outcome(sandbox.__enter__)[1]))
        try:
            while True:
                pipe.send(_outcome(_do, sandbox, *pipe.recv()))
        finally:
            sandbox.__exit__(None, None, None)


def _do(sandbox: Sandbox, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    if not isinstance(getattr(type(sandbox), name), property):
        return getattr(sandbox, name)(*args, **kwargs)
    return setattr(sandbox, name, *args) if args else getattr(sandbox, name)


def _outcome(act: Callable[..., Any], *arguments: Any) -> tuple[Any, Exception | None]:
    try:
        return act(*arguments), None
    except Exception as error:  # noqa: BLE001 - raised in the other process
        return None, error
