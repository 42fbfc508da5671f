"""The sandbox as users hold it: a context manager."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, cast, get_args

import pandas as pd

from callkit.sandbox.faults.plan import HOSTILE, KINDS, OutageKind, check_kind
from callkit.sandbox.remote import RemoteService
from callkit.sandbox.service import HOST, Service, Settings
from callkit.sandbox.world import World

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from callkit.fetch import Client
    from callkit.sandbox.calls import Call
    from callkit.sandbox.faults import Faults
    from callkit.sandbox.faults.fate import Entry
    from callkit.sandbox.faults.plan import Kind

__all__ = ["Sandbox"]

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
    faults : Faults, optional
        What is to go wrong; without it, only what :meth:`outage` and :meth:`answer_with` ask for.
    count_calls : bool, default False
        Whether to keep an entry for every SID that is asked for, as is always done with faults.
    own_process : bool, default False
        Whether the server is a process of its own rather than a thread of this one. Its counts can
        then be read only until the sandbox is left.

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
        faults: Faults | None = None,
        count_calls: bool = False,
        own_process: bool = False,
    ) -> None:
        _check_least("calls", calls, 1)
        _check_least("latency", latency, 0)
        _check_least("limit", limit, 0)
        _check_least("retry_after", retry_after, 0)
        if not 0 <= port <= _LAST_PORT:
            raise ValueError(
                f"port is {port}, and should be from 0 (any free port) to {_LAST_PORT}"
            )
        settings = Settings(calls, seed, latency, limit, retry_after, port, faults, count_calls)
        here = Service if not own_process else RemoteService
        self._service = cast("Service", here(settings))
        self._running = False
        self._world = World(calls=calls, seed=seed)
        credentials = self._world.credentials
        self.account_sid: str = credentials.account_sid
        self.auth_token: str = credentials.auth_token
        self.api_key: str = credentials.api_key
        self.api_secret: str = credentials.api_secret
        self.subaccount_sid: str = self._world.subaccount.sid

    def __repr__(self) -> str:
        where = f"at {self.url}" if self._running else "not running"
        return f"<Sandbox of {self._world.calls:,} calls, {where}>"

    def __enter__(self) -> Self:
        self._service.start()
        self._running = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running = False
        self._service.stop()

    @property
    def url(self) -> str:
        """Where the sandbox answers: the ``base_url`` for a client."""
        return f"http://{HOST}:{self._service.port()}"

    @property
    def served(self) -> Counter[int]:
        """How many requests were answered with which HTTP status, as a copy."""
        return self._service.served()

    @property
    def peak_in_flight(self) -> int:
        """The most requests that were in flight at a time, a foreign load's included."""
        return self._service.peak_in_flight()

    @property
    def limit(self) -> int | None:
        """How many requests may be in flight; it can be set while the sandbox runs."""
        return self._service.limit()

    @limit.setter
    def limit(self, limit: int | None) -> None:
        _check_least("limit", limit, 0)
        self._service.move_limit(limit)

    def load(self, callers: int) -> None:
        """Put a foreign load on the account: `callers` who always have a request in flight.

        Their requests last as long as the latency, show in ``Twilio-Concurrent-Requests`` and
        count against the limit. Who is refused tries again a latency later. 0 ends it.
        """
        _check_least("callers", callers, 0)
        self._service.load(callers)

    @property
    def foreign_asked(self) -> int:
        """How many requests the foreign load has made."""
        return self._service.foreign_asked()

    @property
    def foreign_refused(self) -> int:
        """How many of them were refused by the limit."""
        return self._service.foreign_refused()

    @property
    def faults(self) -> Counter[str]:
        """How many requests met which kind of fault, as a copy.

        Requests that were refused in an ``outage``, or in what was left of a ``burst`` after the
        429 that was drawn, count under these names.
        """
        return self._service.faults()

    @property
    def strayed(self) -> Counter[str]:
        """How many followed a redirect, as ``with a sign-in`` and ``without a sign-in``."""
        return self._service.strayed()

    def outage(self, seconds: float, kind: OutageKind = "503") -> None:
        """Refuse every request from now on for so many seconds.

        Parameters
        ----------
        seconds : float
            How long; 0 ends an outage.
        kind : {"503", "close", "reset"}
            What a request meets.
        """
        check_kind(kind, get_args(OutageKind))
        _check_least("seconds", seconds, 0)
        self._service.outage(seconds, kind)

    def answer_with(self, sid: str, kind: Kind, times: int | None = None) -> None:
        """Have the call `sid` meet a fault, from its next request on.

        Parameters
        ----------
        sid : str
            Any SID. Asked again for the same one, this queues up.
        kind : str
            Any kind that :class:`Faults` knows, and besides:

            - ``endless_body``: the call, then white space without end; ``drip``: slowly;
            - ``huge_body``: the call in a gigabyte of white space, ``gzip_bomb``: compressed;
            - ``endless_headers``: a header after the other, and no body;
            - ``redirect_loop``: a 302 to the call itself.
        times : int, optional
            How often; by default always.
        """
        check_kind(kind, (*KINDS, *HOSTILE))
        _check_least("times", times, 1)
        self._service.answer_with(sid, kind, times)

    def meant_to_fail(self, sid: str) -> Kind | None:
        """Say which fault the plan has `sid` meet for ever; most meet none."""
        return self._service.meant_to_fail(sid)

    def asked(self, sid: str) -> int:
        """Count the requests for `sid`, whatever became of them.

        Raises
        ------
        ValueError
            Calls are not counted one by one: neither faults nor `count_calls` are on.
        """
        return self._service.asked(sid)

    def asked_once(self) -> set[str]:
        """List the SIDs that were asked for exactly once."""
        return {sid for sid, entry in self.ledger().items() if entry.asked == 1}

    def ledger(self) -> dict[str, Entry]:
        """Copy what every SID has seen: how often it was ``asked`` for and ``served`` whole.

        ``met`` has the faults in their order. Digits of SIDs are lower-case.

        Raises
        ------
        ValueError
            Calls are not counted one by one: neither faults nor `count_calls` are on.
        """
        return self._service.ledger()

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


def _check_least(name: str, value: float | None, least: int) -> None:
    if value is not None and not value >= least:
        raise ValueError(f"{name} is {value}, and should be at least {least}")
