"""The sandbox as users hold it: a context manager."""

from __future__ import annotations

import asyncio
import errno
import socket
from itertools import islice
from typing import TYPE_CHECKING, Any

import pandas as pd

from callkit.errors import SandboxError
from callkit.sandbox.traffic import Conditions, Traffic
from callkit.sandbox.world import World

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from callkit.fetch import Client
    from callkit.sandbox.calls import Call
    from callkit.sandbox.runner import Runner

__all__ = ["Sandbox"]

_HOST = "127.0.0.1"
_BACKLOG = 2048
_LAST_PORT = 65_535


class Sandbox:
    """Twilio's Fetch Call endpoint on loopback, over synthetic calls.

    Parameters
    ----------
    calls : int, default 10_000
        How many calls there are. They are made when they are asked for: ten million cost no more
        memory than ten.
    seed : int, default 7
        What the calls and credentials are made from; the same seed gives the same ones.
    latency : float, default 0.0
        Seconds that each call takes to be looked up. Without it, requests are answered one after
        the other, and hardly two are in flight at a time.
    limit : int, optional
        With more requests in flight than this, the rest is refused with a 429; 0 refuses all.
    retry_after : int, optional
        Seconds that the ``Retry-After`` header of a 429 advises; without it, there is no header.
    port : int, default 0
        Where to listen; 0 is any free port.

    Attributes
    ----------
    account_sid, auth_token, api_key, api_secret : str
        Both ways of signing in to the parent account.
    subaccount_sid : str
        The account of every fifth pair of calls, billed in another currency. Its calls are found
        by naming it in the path, signed in as the parent.

    Raises
    ------
    SandboxError
        When entered: the port is taken, or the extra ``sandbox`` is not installed.
    ValueError
        A parameter is out of its range.

    Examples
    --------
    >>> with Sandbox(calls=100) as sandbox, sandbox.client() as client:
    ...     client.fetch(sandbox.sids(1)[0])["price"]
    '-0.04350'
    """

    def __init__(
        self,
        *,
        calls: int = 10_000,
        seed: int = 7,
        latency: float = 0.0,
        limit: int | None = None,
        retry_after: int | None = None,
        port: int = 0,
    ) -> None:
        _check_least("calls", calls, 1)
        _check_least("latency", latency, 0)
        _check_least("limit", limit, 0)
        _check_least("retry_after", retry_after, 0)
        if not 0 <= port <= _LAST_PORT:
            raise ValueError(
                f"port is {port}, and should be from 0 (any free port) to {_LAST_PORT}"
            )
        self._conditions = Conditions(latency, limit, retry_after)
        self._traffic = Traffic()
        self._port = port
        self._world = World(calls=calls, seed=seed)
        self._runner: Runner | None = None
        credentials = self._world.credentials
        self.account_sid = credentials.account_sid
        self.auth_token = credentials.auth_token
        self.api_key = credentials.api_key
        self.api_secret = credentials.api_secret
        self.subaccount_sid = self._world.subaccount.sid

    def __repr__(self) -> str:
        where = f"at {self.url}" if self._runner else "not running"
        return f"<Sandbox of {self._world.calls:,} calls, {where}>"

    def __enter__(self) -> Self:
        self._runner = self._started()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            self._runner.stop()
            self._runner = None

    @property
    def url(self) -> str:
        """Where the sandbox answers: the ``base_url`` for a client."""
        if self._runner is None:
            raise SandboxError("the sandbox is not running: enter it, as in `with Sandbox() as s:`")
        return f"http://{_HOST}:{self._runner.port}"

    @property
    def served(self) -> Counter[int]:
        """How many requests were answered with which HTTP status, as a copy."""
        return self._traffic.served.copy()

    @property
    def peak_in_flight(self) -> int:
        """The most requests that were in flight at a time."""
        return self._traffic.peak

    def client(self, **options: Any) -> Client:
        """Make a client that is signed in to the parent account.

        Parameters
        ----------
        **options
            Anything that :class:`callkit.Client` takes besides its sign-in and ``base_url``.
        """
        from callkit.fetch import Client  # noqa: PLC0415 - serving needs no client

        return Client(
            account_sid=self.account_sid, auth_token=self.auth_token, base_url=self.url, **options
        )

    def sids(self, n: int) -> list[str]:
        """List the SIDs of `n` calls of the parent account."""
        return self._sids(self._world.indices_of_parent(), n, "its parent account")

    def sid_frame(self, n: int) -> pd.DataFrame:
        """List `n` calls over both accounts, in the columns ``sid`` and ``account_sid``."""
        sids = self._sids(range(self._world.calls), n, "both accounts")
        accounts = [self._world.account_of(index).sid for index in range(n)]
        return pd.DataFrame({"sid": sids, "account_sid": accounts}, dtype="str")

    def unknown_sids(self, n: int) -> list[str]:
        """List `n` well-formed SIDs that the sandbox has no call for."""
        return list(islice(self._world.unknown_sids(), n))

    def call(self, sid: str) -> Call:
        """Say what the sandbox means by the call `sid`, of either account.

        Raises
        ------
        LookupError
            The sandbox has no such call.
        """
        index = self._world.index_of(sid)
        if index is None:
            raise LookupError(f"{sid!r} is none of the {self._world.calls:,} calls of the sandbox")
        return self._world.call(index)

    def _sids(self, indices: Iterable[int], n: int, holder: str) -> list[str]:
        chosen = list(islice(indices, n))
        if len(chosen) < n:
            raise ValueError(
                f"{n:,} SIDs were asked for, and the sandbox has {len(chosen):,} calls in {holder}"
            )
        return [self._world.sid_of(index) for index in chosen]

    def _started(self) -> Runner:
        try:
            from callkit.sandbox.app import create_app  # noqa: PLC0415 - an extra
            from callkit.sandbox.runner import Runner  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise SandboxError(
                f"the sandbox needs {error.name}, which is not installed: "
                "pip install 'callkit[sandbox]'"
            ) from error
        stopping = asyncio.Event()
        app = create_app(self._world, self._conditions, self._traffic, stopping)
        runner = Runner(app, _listen(self._port), stopping)
        runner.start()
        return runner


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, port), backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SandboxError(
                f"port {port} on {_HOST} is in use: choose another, or 0 for any free one"
            ) from error
        raise SandboxError(f"port {port} on {_HOST} cannot be used: {error.strerror}") from error


def _check_least(name: str, value: float | None, least: int) -> None:
    if value is not None and not value >= least:
        raise ValueError(f"{name} is {value}, and should be at least {least}")
