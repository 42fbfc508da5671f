"""The client: who signs in, where, and how hard it may ask."""

from collections.abc import Generator, Iterator
from itertools import islice
from typing import Any, Self

import msgspec
import requests

import callkit
from callkit.errors import CallFailedError, InvalidSidError, RunStoppedError
from callkit.fetch.concurrency import Limiters
from callkit.fetch.credentials import Credentials, base_url_for, hidden, refuse_unsafe
from callkit.fetch.policy import RetryPolicy
from callkit.fetch.pool import Pool, StopConditions
from callkit.fetch.transport import Transport, TransportError
from callkit.outcomes import Failure, Outcome
from callkit.sids import CallKey, SidSource, is_account_sid, read_sids

_LONGEST_TIMEOUT = 3_600
_LOOK_AHEAD = 2_048  # calls taken from a list and not yet handed over
_READ_AT_ONCE = 256


class Client:
    """A sign-in to the API, and the connections made with it.

    Whatever is not passed is taken from the environment variables that Twilio's own tools read:
    ``TWILIO_ACCOUNT_SID``, ``TWILIO_AUTH_TOKEN``, ``TWILIO_API_KEY``, ``TWILIO_API_SECRET``,
    ``TWILIO_REGION`` and ``TWILIO_EDGE``. ``CALLKIT_BASE_URL`` stands in for `base_url`.

    Parameters
    ----------
    account_sid : str, optional
        Whose calls are fetched (``AC…``), unless a SID list says otherwise.
    auth_token : str, optional
        The account's token: the simplest sign-in.
    api_key, api_secret : str, optional
        An API key (``SK…``) and its secret: the sign-in that Twilio advises.
    region, edge : str, optional
        Where the calls are kept and where to enter Twilio's network, ``ie1`` and ``dublin``, say.
    base_url : str, optional
        Another host altogether: a sandbox, or a gateway of your own.
    timeout : float, default 30
        How many seconds one request may take, from start to end.
    concurrency : int, default 25
        How many requests may be in flight at most, for each account of a list. The limit of an
        account is shared with everything else that it runs.
    patience : float, default 300
        How many seconds a run goes on while nothing succeeds. Time asleep does not count.
    retry_policy : callkit.fetch.RetryPolicy, optional
        How often and after which pauses a call is tried again; the default suits the API.
    session : requests.Session, optional
        Your own, where proxies, certificates or adapters need more than the environment's
        settings; it is looked at when the first call is fetched. An adapter of your own should keep
        `concurrency` connections alive. What it logs and prints of a request is its own, and its
        requests end by themselves, at the latest with their time-out, after an interrupt too.

    Raises
    ------
    CredentialsError
        There are no credentials, or none that may be sent to that host.

    Examples
    --------
    >>> from callkit.sandbox import Sandbox
    >>> sandbox = Sandbox(calls=10)  # synthetic calls; yours come with callkit.Client()
    >>> with sandbox.client(concurrency=10) as client:
    ...     call = client.fetch(sandbox.sids(1)[0])
    >>> len(call["sid"])
    34
    """

    def __init__(
        self,
        *,
        account_sid: str | None = None,
        auth_token: str | None = None,
        api_key: str | None = None,
        api_secret: str | None = None,
        region: str | None = None,
        edge: str | None = None,
        base_url: str | None = None,
        timeout: float = 30.0,
        concurrency: int = 25,
        patience: float = 300.0,
        retry_policy: RetryPolicy | None = None,
        session: requests.Session | None = None,
    ) -> None:
        token, secret = hidden(auth_token), hidden(api_secret)
        del auth_token, api_secret  # a traceback may show what is at hand here
        if not 0 < timeout <= _LONGEST_TIMEOUT:
            raise ValueError(
                f"timeout must be above 0 and at most {_LONGEST_TIMEOUT:,} seconds, not {timeout!r}"
            )
        if not patience > 0:
            raise ValueError(f"patience must be a number of seconds above 0, not {patience!r}")
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency!r}")
        self._credentials = Credentials.resolve(
            account_sid=account_sid,
            auth_token=token,
            api_key=api_key,
            api_secret=secret,
        )
        url = base_url_for(base_url, region, edge)
        refuse_unsafe(url)
        self._base_url = url
        self.timeout = float(timeout)
        self.patience = float(patience)
        self.concurrency = int(concurrency)
        self._limiters = Limiters(self.concurrency, retry_policy or RetryPolicy())
        self._own_session = session is None
        self._session = session if session is not None else _new_session()
        self._transport: Transport | None = None

    @property
    def account_sid(self) -> str:
        """Whose calls are fetched."""
        return self._credentials.account_sid

    @property
    def base_url(self) -> str:
        """Where the API is."""
        return self._base_url

    def __repr__(self) -> str:
        if not hasattr(self, "_base_url"):  # its arguments were refused
            return "Client()"
        return f"Client(account_sid={self.account_sid!r}, base_url={self.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; a session that was passed in stays open."""
        if self._transport is not None:
            self._transport.close()
        if self._own_session:
            self._session.close()

    def fetch(self, sid: str, *, account_sid: str | None = None) -> dict[str, Any]:
        """Fetch one call.

        Parameters
        ----------
        sid : str
            The call.
        account_sid : str, optional
            Whose it is, if not the client's own account's: a subaccount's, say.

        Returns
        -------
        dict
            The JSON object, as the server sent it.

        Raises
        ------
        InvalidSidError
            `sid` is no Call SID.
        CallFailedError
            The call did not arrive; ``.failure`` says why.
        SignInError
            The server keeps refusing the sign-in.

        Examples
        --------
        >>> from callkit.sandbox import Sandbox
        >>> sandbox = Sandbox(calls=10)
        >>> sandbox.client().fetch(sandbox.sids(1)[0])["status"]
        'completed'
        """
        if account_sid is not None and not is_account_sid(account_sid):
            raise InvalidSidError(f"account_sid {account_sid!r} is no Account SID")
        [key] = read_sids([sid])
        (outcome,) = _each(self.pool(), iter([key._replace(account_sid=account_sid)]))
        if isinstance(outcome, Failure):
            raise CallFailedError(outcome)
        call: dict[str, Any] = msgspec.json.decode(outcome.body)
        return call

    def fetch_many(self, sids: SidSource) -> Generator[Outcome, None, None]:
        """Fetch many calls, and yield each one's outcome as it completes.

        Parameters
        ----------
        sids : str, path, DataFrame, Series, Index or any iterable
            A SID list, as :func:`callkit.to_frame` takes it.

        Returns
        -------
        generator of Fetched or Failure
            One for each distinct call.

        Raises
        ------
        InvalidSidError, SidListError
            Before the first request (for a generator: where the entry is met).
        SignInError, WrongAccountError, RunStoppedError
            After the last outcome, where the run ended early.

        Examples
        --------
        >>> from callkit.sandbox import Sandbox
        >>> sandbox = Sandbox(calls=10)
        >>> sids = sandbox.sids(2) + sandbox.unknown_sids(1)
        >>> for outcome in sandbox.client().fetch_many(sids):
        ...     if isinstance(outcome, callkit.Failure):
        ...         print(outcome.reason)
        not_found
        """
        return _each(self.pool(), iter(read_sids(sids)))

    def pool(self) -> Pool:
        """Make the workers for one run over a SID list.

        Raises
        ------
        RunStoppedError
            Requests cannot be made at all.
        """
        if self._transport is None:
            try:
                self._transport = Transport(
                    self._session, self._base_url, self._credentials, self.timeout
                )
            except TransportError as error:
                where = f"{self.account_sid} at {self._base_url}"
                raise RunStoppedError(f"requests to {where} cannot be made: {error}") from None
        stop = StopConditions(
            self.account_sid, self._base_url, self.patience, self._limiters.policy
        )
        return Pool(self._transport, self._credentials, self._limiters, stop)


def _each(pool: Pool, keys: Iterator[CallKey]) -> Generator[Outcome, None, None]:
    """Fetch every call of `keys` and yield its outcome as it completes.

    Only so many calls are taken from `keys` beyond what has been handed over, so that memory does
    not grow with the list.
    """
    exhausted = False
    try:
        while not exhausted or pool.unsettled:
            room = 0 if exhausted else max(0, min(_READ_AT_ONCE, _LOOK_AHEAD - pool.unsettled))
            if batch := list(islice(keys, room)):
                pool.put(batch)
            exhausted = exhausted or len(batch) < room
            yield from pool.take(wait=len(batch) < _READ_AT_ONCE)
        yield from pool.take(wait=False)
        if pool.stop.error is not None:
            raise pool.stop.error
    finally:
        pool.close()


def _new_session() -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = f"callkit/{callkit.__version__}"
    for name in ("Accept", "Connection"):  # what HTTP/1.1 means without saying
        del session.headers[name]
    return session
