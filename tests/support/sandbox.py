"""A sandbox in which things go wrong on purpose, and which counts what became of each call."""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, get_args

from callkit.sandbox import Sandbox
from callkit.sandbox.sandbox import check_least, in_utc
from callkit.sandbox.server import Server
from tests.support.app import FaultyApp
from tests.support.fate import Fate
from tests.support.faults import HOSTILE, KINDS, OutageKind, check_kind
from tests.support.foreign import ForeignLoad
from tests.support.protocol import BreakableProtocol
from tests.support.remote import OtherProcess

if TYPE_CHECKING:
    import socket
    from collections import Counter
    from collections.abc import Callable
    from datetime import datetime
    from typing import Self

    from tests.support.fate import Entry
    from tests.support.faults import Faults, Kind

__all__ = ["FaultySandbox"]

P = ParamSpec("P")
T = TypeVar("T")


def _wherever_it_runs(
    act: Callable[Concatenate[FaultySandbox, P], T],
) -> Callable[Concatenate[FaultySandbox, P], T]:
    """Have something done by the sandbox in the other process, if there is one."""

    @wraps(act)
    def there_or_here(sandbox: FaultySandbox, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if sandbox.process is None:
            return act(sandbox, *args, **kwargs)
        done: T = sandbox.process.do(act.__name__, *args, **kwargs)
        return done

    return there_or_here


class _FaultyServer(Server):
    """A server whose connections can break, and whose event loop is at hand."""

    protocol = BreakableProtocol

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)


class FaultySandbox(Sandbox):
    """A :class:`callkit.sandbox.Sandbox` that can go wrong.

    Parameters
    ----------
    faults : Faults, optional
        What is to go wrong; without it, only what :meth:`outage` and :meth:`answer_with` ask for.
    count_calls : bool, default False
        Whether to keep an entry for every SID that is asked for, as is always done with faults.
    own_process : bool, default False
        Whether the server is a process of its own rather than a thread of this one. Its counts can
        then be read only until the sandbox is left.
    **options
        As for :class:`callkit.sandbox.Sandbox`.

    Examples
    --------
    >>> with FaultySandbox(calls=100, count_calls=True) as sandbox, sandbox.client() as client:
    ...     sandbox.answer_with(sandbox.sids(1)[0], "503", times=1)
    ...     _ = client.fetch(sandbox.sids(1)[0])
    ...     sandbox.ledger()[sandbox.sids(1)[0]]
    Entry(asked=2, served=1, met=('503',))
    """

    def __init__(
        self,
        *,
        faults: Faults | None = None,
        count_calls: bool = False,
        own_process: bool = False,
        **options: Any,
    ) -> None:
        self._fate = Fate(faults, keep=count_calls)
        super().__init__(**options)
        self._app = FaultyApp(self._fate, self._app)
        again = {"faults": faults, "count_calls": count_calls, **options}
        self.process = OtherProcess(FaultySandbox, again) if own_process else None
        self._foreign = ForeignLoad(self._app)

    def __enter__(self) -> Self:
        if self.process is None:
            self._server = self._faulty_server = _FaultyServer(self._app, self._port)
        else:
            self.process.start()
            self.process.do("now", self.now)
        return self

    def __exit__(self, *error: object) -> None:
        if self.process is None:
            super().__exit__(*error)
        else:
            self.process.stop()

    @property
    @_wherever_it_runs
    def url(self) -> str:
        """Where the server answers: the ``base_url`` for a client."""
        return super().url

    @property
    @_wherever_it_runs
    def served(self) -> Counter[int]:
        """How many requests the server answered with which HTTP status, as a copy."""
        return super().served

    @property
    @_wherever_it_runs
    def peak_in_flight(self) -> int:
        """The most requests that were in flight at a time, a foreign load's included."""
        return super().peak_in_flight

    @property
    @_wherever_it_runs
    def limit(self) -> int | None:
        """How many requests may be in flight; it can be set while the sandbox runs."""
        return self._app.limit

    @limit.setter
    @_wherever_it_runs
    def limit(self, limit: int | None) -> None:
        check_least("limit", limit, 0)
        self._app.limit = limit

    @property
    def now(self) -> datetime:
        """The sandbox's present time, which both processes know."""
        return super().now

    @now.setter
    def now(self, now: datetime) -> None:
        self._app.api.now = in_utc(now)
        if self.process is not None and self.process.is_running:
            self.process.do("now", now)

    @_wherever_it_runs
    def load(self, callers: int) -> None:
        """Put a foreign load on the account: `callers` who always have a request in flight.

        Their requests last as long as the latency, show in ``Twilio-Concurrent-Requests`` and
        count against the limit. Who is refused tries again a latency later. 0 ends it.
        """
        check_least("callers", callers, 0)
        self._faulty_server.loop.call_soon_threadsafe(self._foreign.want, callers)

    @property
    @_wherever_it_runs
    def foreign_asked(self) -> int:
        """How many requests the foreign load has made."""
        return self._foreign.asked

    @property
    @_wherever_it_runs
    def foreign_refused(self) -> int:
        """How many of them were refused by the limit."""
        return self._foreign.refused

    @property
    @_wherever_it_runs
    def faults(self) -> Counter[str]:
        """How many requests met which kind of fault, as a copy.

        Requests that were refused in an ``outage``, or in what was left of a ``burst`` after the
        429 that was drawn, count under these names.
        """
        return self._fate.faults.copy()

    @property
    @_wherever_it_runs
    def strayed(self) -> Counter[str]:
        """How many followed a redirect, as ``with a sign-in`` and ``without a sign-in``."""
        return self._fate.strayed.copy()

    @_wherever_it_runs
    def outage(self, seconds: float, kind: OutageKind = "503") -> None:
        """Refuse every request from now on for so many seconds; 0 ends an outage."""
        check_kind(kind, get_args(OutageKind))
        check_least("seconds", seconds, 0)
        self._fate.begin_outage(seconds, kind)

    @_wherever_it_runs
    def answer_with(self, sid: str, kind: Kind, times: int | None = None) -> None:
        """Have the call `sid` meet a fault from its next request on, so many times or always.

        Asked again for the same SID, this queues up. `kind` is one that :class:`Faults` knows, or:

        - ``endless_body``: the call, then white space without end; ``drip``: slowly;
        - ``huge_body``: the call in a gigabyte of white space, ``gzip_bomb``: compressed;
        - ``endless_headers``: a header after the other, and no body;
        - ``redirect_loop``: a 302 to the call itself.
        """
        check_kind(kind, (*KINDS, *HOSTILE))
        check_least("times", times, 1)
        self._fate.script(sid, kind, times)

    def meant_to_fail(self, sid: str) -> Kind | None:
        """Say which fault the plan has `sid` meet for ever; most meet none."""
        return self._fate.meant_to_fail(sid)

    @_wherever_it_runs
    def asked(self, sid: str) -> int:
        """Count the requests for `sid`, or for the page with that URI, whatever became of them."""
        self._check_counting()
        return self._fate.asked(sid)

    def asked_once(self) -> set[str]:
        """List the SIDs that were asked for exactly once."""
        return {sid for sid, entry in self.ledger().items() if entry.asked == 1}

    @_wherever_it_runs
    def ledger(self) -> dict[str, Entry]:
        """Copy what every SID has seen: how often it was ``asked`` for and ``served`` whole.

        ``met`` has the faults in their order. Digits of SIDs are lower-case. Pages of lists are
        there too, under their URIs: the path, ``?`` and the query as it was sent.
        """
        self._check_counting()
        return self._fate.entries()

    @property
    def _is_running(self) -> bool:
        return super()._is_running or (self.process is not None and self.process.is_running)

    def _check_counting(self) -> None:
        if not self._fate.keeps:
            raise ValueError("calls are counted one by one with `count_calls=True` or with faults")
