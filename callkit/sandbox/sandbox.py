"""The public face of the sandbox: in Python, as a process, and as a DataFrame of calls."""

import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from heapq import merge
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from callkit.errors import SandboxError
from callkit.fetch import Client
from callkit.loop import attributes
from callkit.normaliser import normalise
from callkit.sandbox.api import BASE_URL, Api, App, answered_by
from callkit.sandbox.calls import Call, CallGenerator, body_of
from callkit.sandbox.draws import AS_OF

if TYPE_CHECKING:
    from callkit.sandbox.server import Server

_LAST_PORT = 65_535


class Sandbox:
    """Twilio's API for synthetic calls, in this process or on loopback.

    It fetches a call, lists the calls of an account in pages, and lists the accounts.
    :meth:`client` needs no server: its requests are answered in this process. As a context manager
    the sandbox is also a real HTTP server, with a latency and a limit.

    Calls are listed newest first, and the pages of a date range are found at once, however many
    calls there are. Filters by party, parent call or status have to generate every call of the
    range: combine them with dates if there are millions of calls. A date is a day in UTC; a date
    and time is an instant, in UTC unless it has an offset. Parameters with other names are ignored.

    Parameters
    ----------
    calls : int, default 10_000
        How many calls there are. Each is made when it is requested: ten million need no memory.
    seed : int, default 7
        The same seed and number of calls give the same calls and credentials.
    latency : float, default 0.0
        Seconds that the server takes to look up a call or a page; at 0, requests hardly overlap.
    limit : int, optional
        How many requests may be in flight: the server refuses more with a 429. 0 refuses all.
    retry_after : int, optional
        Seconds given in the ``Retry-After`` header of a 429; without it, there is no header.
    port : int, default 0
        The port on which the server listens; 0 is any free port.
    now : datetime, default 2025-04-01 00:00 UTC
        The sandbox's present time, with a time zone; see :attr:`now`.

    Attributes
    ----------
    account_sid, auth_token, api_key, api_secret : str
        Both kinds of credentials of the parent account.
    restricted_api_key, restricted_api_secret : str
        An API key that may fetch calls but not list anything.
    subaccount_sid : str
        The account of every fifth call, billed in another currency. The parent account can fetch
        its calls by naming it in the path.
    closed_subaccount_sid : str
        A closed account, which has no calls.

    Raises
    ------
    SandboxError
        When entered: the port is taken, or the extra ``sandbox`` is not installed.
    ValueError
        A parameter is out of its range.

    Examples
    --------
    >>> sandbox = Sandbox(calls=100)
    >>> len(callkit.to_frame(sandbox.sids(20), client=sandbox.client()))
    20
    >>> with sandbox, sandbox.client() as client:
    ...     df = callkit.to_frame(sandbox.sids(20), client=client)
    >>> sandbox.served[200]
    20

    >>> sandbox.now = datetime(2025, 2, 1, tzinfo=UTC)
    >>> sandbox.now.isoformat()
    '2025-02-01T00:00:00+00:00'
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
        now: datetime = AS_OF,
    ) -> None:
        check_least("calls", calls, 1)
        check_least("latency", latency, 0)
        check_least("limit", limit, 0)
        check_least("retry_after", retry_after, 0)
        if not 0 <= port <= _LAST_PORT:
            raise ValueError(f"Invalid port {port}: expected 0 (any free port) to {_LAST_PORT}")
        self._generator = CallGenerator(calls=calls, seed=seed)
        self._app = App(Api(self._generator, in_utc(now)), latency, limit, retry_after)
        self._port = port
        self._server: Server | None = None
        self.account_sid: str = self._generator.parent.sid
        self.auth_token: str = self._generator.auth_token
        self.api_key: str = self._generator.api_key
        self.api_secret: str = self._generator.api_secret
        self.restricted_api_key: str = self._generator.restricted_api_key
        self.restricted_api_secret: str = self._generator.restricted_api_secret
        self.subaccount_sid: str = self._generator.subaccount.sid
        self.closed_subaccount_sid: str = self._generator.closed_sid

    def __repr__(self) -> str:
        where = f"at {self.url}" if self._is_running else "not running"
        return f"<Sandbox of {self._generator.calls:,} calls, {where}>"

    def __enter__(self) -> Self:
        try:
            from callkit.sandbox.server import Server  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise SandboxError(
                f"Running the sandbox needs the package {error.name}, which is not installed: "
                "pip install httptools uvicorn"
            ) from error
        self._server = Server(self._app, self._port)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def url(self) -> str:
        """The URL of the server: the ``base_url`` for a client."""
        if self._server is None:
            raise SandboxError(
                "The sandbox is not running: start it with `with Sandbox() as sandbox:`"
            )
        return self._server.url

    @property
    def served(self) -> Counter[int]:
        """How many requests the server answered with each HTTP status, as a copy."""
        return self._app.served.copy()

    @property
    def peak_in_flight(self) -> int:
        """The most requests that the server had in flight at a time."""
        return self._app.peak

    @property
    def limit(self) -> int | None:
        """How many requests may be in flight; it can be set while the sandbox runs."""
        return self._app.limit

    @limit.setter
    def limit(self, limit: int | None) -> None:
        check_least("limit", limit, 0)
        self._app.limit = limit

    @property
    def now(self) -> datetime:
        """The sandbox's present time, in UTC: the ``Date`` of every answer.

        It stands still until it is set, which is possible at any time. A call does not exist before
        its record is created; it is queued, rings and is in progress, ends, and is priced some time
        later. A time without a time zone is a ValueError.
        """
        return self._app.api.now

    @now.setter
    def now(self, now: datetime) -> None:
        self._app.api.now = in_utc(now)

    def client(self, **options: Any) -> Client:
        """Make a client that is signed in to the parent account.

        Its requests go to the server while the sandbox runs, and are answered in this process
        otherwise: at once, whatever the latency and the limit. `options` are those of
        :class:`callkit.Client`, except credentials and ``base_url``.
        """
        url = self.url if self._is_running else BASE_URL
        if not self._is_running:
            options["session"] = answered_by(self._app.api, options.get("session"))
        return Client(
            account_sid=self.account_sid, auth_token=self.auth_token, base_url=url, **options
        )

    def sids(self, n: int) -> list[str]:
        """List the SIDs of `n` calls of the parent account, in order of start time.

        They are spread evenly over the whole period and thus over all kinds of calls, with legs
        next to the calls that dialled them, and the same every time, whatever the present time. If
        there are fewer, a ValueError is raised.
        """
        calls = self._generator.of_parent
        _check_enough(n, len(calls), "its parent account")
        return [self._generator.sid_of(index) for index in self._generator.spread(n, calls)]

    def sid_frame(self, n: int) -> pd.DataFrame:
        """List `n` calls over both accounts, in the columns ``sid`` and ``account_sid``.

        They are chosen and ordered as for :meth:`sids`, with the same error.
        """
        generator = self._generator
        _check_enough(n, generator.calls, "both accounts")
        of_subaccount = round(n * len(generator.of_subaccount) / generator.calls)
        chosen = merge(
            generator.spread(n - of_subaccount, generator.of_parent),
            generator.spread(of_subaccount, generator.of_subaccount),
            key=generator.start_of,
        )
        rows = [(generator.sid_of(index), generator.account_of(index).sid) for index in chosen]
        return pd.DataFrame(rows, columns=["sid", "account_sid"], dtype="str")

    def unknown_sids(self, n: int) -> list[str]:
        """List `n` well-formed SIDs that the sandbox has no call for."""
        return [self._generator.sid_of(index) for index in islice(count(self._generator.calls), n)]

    def call(self, sid: str) -> Call:
        """Return the call `sid`, of either account; raise LookupError if there is no such call."""
        index, now = self._generator.index_of(sid), self.now
        call = None if index is None else self._generator.call(index, now)
        if call is None or call.date_created > now:
            raise LookupError(
                f"No call with SID {sid!r} in this sandbox of {self._generator.calls:,} calls"
            )
        return call

    @property
    def _is_running(self) -> bool:
        return self._server is not None


def serve(
    *,
    port: int = 0,
    calls: int = 10_000,
    seed: int = 7,
    latency: float = 0.0,
    limit: int | None = None,
    retry_after: int | None = None,
    now: datetime = AS_OF,
) -> None:
    """Run a sandbox until SIGINT or SIGTERM.

    As soon as it answers, it prints its URL and, on a separate line, the credentials to stdout.

    Parameters
    ----------
    port, calls, seed, latency, limit, retry_after, now
        As for :class:`Sandbox`.

    Examples
    --------
    >>> serve(port=8080)  # doctest: +SKIP
    """
    sandbox = Sandbox(
        calls=calls,
        seed=seed,
        latency=latency,
        limit=limit,
        retry_after=retry_after,
        port=port,
        now=now,
    )
    serve_until_stopped(sandbox, announce=_print)


def serve_until_stopped(sandbox: Sandbox, announce: Callable[[str], object]) -> None:
    stop = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in signals}
    try:
        with sandbox:
            announce(
                f"callkit sandbox at {sandbox.url} (Ctrl-C stops it); in another terminal:\n"
                f"export TWILIO_ACCOUNT_SID={sandbox.account_sid} "
                f"TWILIO_AUTH_TOKEN={sandbox.auth_token} CALLKIT_BASE_URL={sandbox.url}"
            )
            stop.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def sample(calls: int = 1_000) -> pd.DataFrame:
    """Make a DataFrame of synthetic calls to try callkit with: no account, server or file needed.

    Parameters
    ----------
    calls : int, default 1_000
        How many calls: those of ``callkit.sandbox.Sandbox(calls=calls)``.

    Returns
    -------
    pandas.DataFrame
        Calls of two accounts, billed in USD and EUR, from the first three months of 2025, with the
        columns and dtypes of :func:`callkit.to_frame`, in order of start time. The same calls every
        time; no person, number or price is real.

    Raises
    ------
    ValueError
        `calls` is less than 1.

    Examples
    --------
    >>> df = callkit.sample()
    >>> callkit.cost_breakdown(df)[["price_unit", "calls", "cost"]]
      price_unit  calls         cost
    0        EUR    200  10.92936400
    1        USD    800  49.19060000
    """
    check_least("calls", calls, 1)
    generator = CallGenerator(calls=calls, seed=7)
    in_order = sorted(range(calls), key=generator.start_of)
    df = normalise(body_of(generator.call(index)) for index in in_order)
    df.attrs.update(attributes(calls, 0, [AS_OF]))
    df.attrs["callkit"]["calls_from_pages"] = 0
    return df


def in_utc(now: datetime) -> datetime:
    if now.utcoffset() is None:
        raise ValueError(f"Invalid now {now}: expected a datetime with a time zone")
    return now.astimezone(UTC)


def check_least(name: str, value: float | None, least: int) -> None:
    if value is not None and not value >= least:
        raise ValueError(f"Invalid {name} {value}: expected at least {least}")


def _check_enough(n: int, calls: int, holder: str) -> None:
    check_least("n", n, 0)
    if n > calls:
        raise ValueError(f"Cannot list {n:,} SIDs: the sandbox has {calls:,} calls in {holder}")
