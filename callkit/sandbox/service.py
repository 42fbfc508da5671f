"""The running side of a sandbox: what it serves, under which conditions, and what it has seen."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING, NamedTuple

from callkit.errors import SandboxError
from callkit.sandbox.faults.fate import Fate
from callkit.sandbox.foreign import ForeignLoad
from callkit.sandbox.traffic import Conditions, Traffic
from callkit.sandbox.world import World

if TYPE_CHECKING:
    from collections import Counter

    from callkit.sandbox.faults import Faults
    from callkit.sandbox.faults.fate import Entry
    from callkit.sandbox.faults.plan import Kind, OutageKind
    from callkit.sandbox.runner import Runner

__all__ = ["HOST", "Service", "Settings"]

HOST = "127.0.0.1"
_BACKLOG = 2048


class Settings(NamedTuple):
    """The parameters of :class:`callkit.sandbox.Sandbox`."""

    calls: int
    seed: int
    latency: float
    limit: int | None
    retry_after: int | None
    port: int
    faults: Faults | None
    count_calls: bool


class _Running(NamedTuple):
    runner: Runner
    foreign: ForeignLoad


class Service:
    """A server that can be started, asked about and steered; what it has seen outlives it.

    :class:`callkit.sandbox.Sandbox` has the same methods, and says what they mean.
    """

    def __init__(self, settings: Settings) -> None:
        self._world = World(calls=settings.calls, seed=settings.seed)
        self._conditions = Conditions(settings.latency, settings.limit, settings.retry_after)
        self._traffic = Traffic()
        self._fate = Fate(settings.faults, keep=settings.count_calls)
        self._port = settings.port
        self._now: _Running | None = None

    def start(self) -> None:
        """Return once the server answers."""
        try:
            from callkit.sandbox.app import Premises, create_app  # noqa: PLC0415 - an extra
            from callkit.sandbox.runner import Runner  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise SandboxError(
                f"the sandbox needs {error.name}, which is not installed: "
                "pip install 'callkit[sandbox]'"
            ) from error
        stopping = asyncio.Event()
        seen = (self._conditions, self._traffic)
        app = create_app(Premises(self._world, *seen, self._fate, stopping))
        runner = Runner(app, _listen(self._port), stopping)
        runner.start()
        self._now = _Running(runner, ForeignLoad(*seen, stopping))

    def stop(self) -> None:
        """Return once nothing is left of the server."""
        if self._now is not None:
            self._now.runner.stop()
            self._now = None

    def port(self) -> int:
        """Say where the server listens."""
        return self._running().runner.port

    def served(self) -> Counter[int]:
        """Copy the answers by status."""
        return self._traffic.served.copy()

    def peak_in_flight(self) -> int:
        """Say how many requests there were at a time."""
        return self._traffic.peak

    def limit(self) -> int | None:
        """Say how many there may be."""
        return self._conditions.limit

    def move_limit(self, limit: int | None) -> None:
        """Change that."""
        self._conditions.limit = limit

    def load(self, callers: int) -> None:
        """Set how many foreign requests there are."""
        runner, foreign = self._running()
        runner.call_soon(lambda: foreign.want(callers))

    def foreign_asked(self) -> int:
        """Count the foreign requests."""
        return self._traffic.foreign_asked

    def foreign_refused(self) -> int:
        """Count those that were refused."""
        return self._traffic.foreign_refused

    def faults(self) -> Counter[str]:
        """Copy the faults by kind."""
        return self._fate.faults.copy()

    def strayed(self) -> Counter[str]:
        """Copy the requests that followed a redirect."""
        return self._fate.strayed.copy()

    def outage(self, seconds: float, kind: OutageKind) -> None:
        """Refuse everything for so long."""
        self._fate.begin_outage(seconds, kind)

    def answer_with(self, sid: str, kind: Kind, times: int | None) -> None:
        """Have a SID meet a fault."""
        self._fate.script(sid, kind, times)

    def meant_to_fail(self, sid: str) -> Kind | None:
        """Say which fault a SID always meets."""
        return self._fate.meant_to_fail(sid)

    def asked(self, sid: str) -> int:
        """Count the requests for a SID."""
        self._check_counting()
        return self._fate.asked(sid)

    def ledger(self) -> dict[str, Entry]:
        """Copy what every SID has seen."""
        self._check_counting()
        return self._fate.entries()

    def _check_counting(self) -> None:
        if not self._fate.keeps:
            raise ValueError("calls are counted one by one with `count_calls=True` or with faults")

    def _running(self) -> _Running:
        if self._now is None:
            raise SandboxError("the sandbox is not running: enter it, as in `with Sandbox() as s:`")
        return self._now


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port), backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SandboxError(
                f"port {port} on {HOST} is in use: choose another, or 0 for any free one"
            ) from error
        raise SandboxError(f"port {port} on {HOST} cannot be used: {error.strerror}") from error
