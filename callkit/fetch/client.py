"""The client: credentials, host and limits."""

from collections.abc import Generator, Iterable, Iterator
from typing import Any, Self

import msgspec
import requests

import callkit
from callkit.errors import CallFailedError, InvalidSidError
from callkit.fetch.concurrency import Limiters, RetryPolicy
from callkit.fetch.credentials import Credentials, base_url_for, hidden
from callkit.fetch.inherited import renew_adapters
from callkit.fetch.pages import Page
from callkit.fetch.pool import Pool
from callkit.fetch.transport import Transport
from callkit.forks import renewed_in_children
from callkit.interrupts import Interrupts
from callkit.outcomes import Failure, Outcome
from callkit.renamed import renamed_attributes, signature_of_init
from callkit.sid_list import SidList
from callkit.sids import CallKey, SidSource, accounts_found, is_account_sid, read_sids

_LONGEST_TIMEOUT = 3_600
_LOOK_AHEAD = 2_048  # calls taken from a list and not yet handed over


@renamed_attributes(patience="give_up_after")
class Client:
    """Credentials for the API, and the connections made with them.

    Whatever is not passed is taken from the environment variables that Twilio's own tools read:
    ``TWILIO_ACCOUNT_SID``, ``TWILIO_AUTH_TOKEN``, ``TWILIO_API_KEY``, ``TWILIO_API_SECRET``,
    ``TWILIO_REGION`` and ``TWILIO_EDGE``. ``CALLKIT_BASE_URL`` sets `base_url`.

    Parameters
    ----------
    account_sid : str, optional
        The account whose calls are fetched (``AC…``), unless a SID list names others.
    auth_token : str, optional
        The auth token of the account: the simplest way to authenticate.
    api_key, api_secret : str, optional
        An API key (``SK…``) and its secret: the way that Twilio recommends.
    region, edge : str, optional
        Where the calls are stored and where to connect, for example ``ie1`` and ``dublin``.
    base_url : str, optional
        Another host: a sandbox, or your own gateway.
    timeout : float, default 30
        Seconds that one request may take from start to end.
    concurrency : int, default 25
        The most requests in flight for each account; its other traffic shares the account's limit.
    give_up_after : float, default 300
        Seconds without a successful response after which a run ends; computer sleep is not counted.
    retry_policy : callkit.fetch.RetryPolicy, optional
        How often a call is retried, and after what pauses; the default suits the API.
    session : requests.Session, optional
        Your own session, if proxies, certificates or adapters need more than the settings of the
        environment; its settings are read when the first call is fetched. A custom adapter should
        keep `concurrency` connections alive. callkit does not control what it logs, and after an
        interrupt its requests run on until they end or time out. In a forked process each
        ``HTTPAdapter`` gets new connections; an adapter of another kind has to see to that itself.

    Raises
    ------
    CredentialsError
        Credentials are missing, invalid, or must not be sent to that host.

    Examples
    --------
    >>> sandbox = callkit.sandbox.Sandbox(calls=10)  # synthetic; for yours, use callkit.Client()
    >>> with sandbox.client(concurrency=10) as client:
    ...     client.fetch(sandbox.sids(1)[0])["status"]
    'completed'
    """

    def __new__(cls, **options: object) -> Self:
        """Refuse a renamed parameter; `__init__` cannot, without one that takes any name."""
        is_old = "patience" in options
        del options  # a traceback may show what is at hand here
        if is_old:
            raise TypeError("the parameter 'patience' was renamed: use 'give_up_after'")
        return super().__new__(cls)

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
        give_up_after: float = 300.0,
        retry_policy: RetryPolicy | None = None,
        session: requests.Session | None = None,
    ) -> None:
        token, secret = hidden(auth_token), hidden(api_secret)
        del auth_token, api_secret  # a traceback may show what is at hand here
        if not 0 < timeout <= _LONGEST_TIMEOUT:
            raise ValueError(
                f"Invalid timeout {timeout!r}: expected a number of seconds above 0 and at "
                f"most {_LONGEST_TIMEOUT:,}"
            )
        if not give_up_after > 0:
            raise ValueError(
                f"Invalid give_up_after {give_up_after!r}: expected a number of seconds above 0"
            )
        if concurrency < 1:
            raise ValueError(f"Invalid concurrency {concurrency!r}: expected at least 1")
        self._credentials = Credentials.resolve(
            account_sid=account_sid, auth_token=token, api_key=api_key, api_secret=secret
        )
        self._base_url = base_url_for(base_url, region, edge)
        self._timeout = float(timeout)
        self._give_up_after = float(give_up_after)
        self._concurrency = int(concurrency)
        self._limiters = Limiters(self._concurrency, retry_policy or RetryPolicy())
        self._found_in: set[str] = set()  # the accounts that calls were found in, by any run
        self._own_session = session is None
        self._session = session if session is not None else _new_session()
        self._transport: Transport | None = None
        self._is_inherited = False  # from the process that this one was forked from
        renewed_in_children(self)

    @property
    def account_sid(self) -> str:
        """The account whose calls are fetched."""
        return self._credentials.account_sid

    @property
    def base_url(self) -> str:
        """The URL of the API."""
        return self._base_url

    @property
    def timeout(self) -> float:
        """Seconds that one request may take."""
        return self._timeout

    @property
    def concurrency(self) -> int:
        """The highest number of requests in flight for each account."""
        return self._concurrency

    @property
    def give_up_after(self) -> float:
        """Seconds without a successful response after which a run ends."""
        return self._give_up_after

    __signature__ = signature_of_init(__init__)  # inspect would take that of __new__

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
            The account of the call, if it is not the client's: for example a subaccount.

        Returns
        -------
        dict
            The JSON object, as the server sent it.

        Raises
        ------
        InvalidSidError, CallFailedError, SignInError
            A SID is malformed, the call could not be fetched (see ``.failure``), or authentication
            keeps failing.

        Examples
        --------
        >>> sandbox = callkit.sandbox.Sandbox(calls=10)
        >>> sandbox.client().fetch(sandbox.sids(1)[0])["status"]
        'completed'
        """
        if account_sid is not None and not is_account_sid(account_sid):
            raise InvalidSidError(
                f"Invalid account SID {account_sid!r}: expected 'AC' followed by 32 "
                "hexadecimal digits"
            )
        [key] = read_sids([sid])
        (outcome,) = _each(self.pool(), [key._replace(account_sid=account_sid)])
        if isinstance(outcome, Failure):
            raise CallFailedError(outcome)
        call: dict[str, Any] = msgspec.json.decode(outcome.body)
        return call

    def fetch_many(self, sids: SidSource) -> Generator[Outcome, None, None]:
        """Fetch many calls, and yield each one's outcome as it completes.

        Parameters
        ----------
        sids : str, path, DataFrame, Series, Index or any iterable
            A SID list, as accepted by :func:`callkit.to_frame`.

        Returns
        -------
        generator of Fetched or Failure
            One for each distinct call.

        Raises
        ------
        InvalidSidError, SidListError
            Before the first request (for a generator: after the outcomes of the calls before the
            entry).
        SignInError, WrongAccountError, RunStoppedError
            After the last outcome, if the run ended early.

        Examples
        --------
        >>> sandbox = callkit.sandbox.Sandbox(calls=10)
        >>> outcomes = sandbox.client().fetch_many(sandbox.sids(2) + sandbox.unknown_sids(1))
        >>> [outcome.reason for outcome in outcomes if isinstance(outcome, callkit.Failure)]
        ['not_found']
        """
        pool = self.pool()
        pool.stop.note_found(accounts_found(sids))
        return _each(pool, read_sids(sids))

    def pool(self) -> Pool:
        """Make the workers for one run; raise RunStoppedError if no request can be made at all."""
        if self._is_inherited:
            renew_adapters(self._session)
            self._is_inherited = False
        if self._transport is None:
            self._transport = Transport(
                self._session, self._base_url, self._credentials, self._timeout
            )
        return Pool(
            *(self._transport, self._credentials, self._limiters),
            *(self._give_up_after, self._found_in),
        )

    def renew_in_child(self) -> None:
        """Share no connection with the parent, nor its count of requests in flight."""
        if self._transport is not None:
            self._transport.leave_to_parent()
            self._transport = None
        self._limiters = Limiters(self._concurrency, self._limiters.policy)
        self._is_inherited = True


def _each(pool: Pool, keys: list[CallKey] | Iterator[CallKey]) -> Generator[Outcome, None, None]:
    """Yield each outcome as it completes, reading only so far ahead that memory does not grow."""
    sids, interrupts = SidList(keys), Interrupts()
    try:
        while not sids.exhausted or pool.pending:
            batch: list[CallKey] = []
            if not sids.exhausted:
                batch = sids.read(_LOOK_AHEAD - pool.pending, pool, interrupts)
            if batch:
                pool.put(batch)
            yield from _calls(pool.take(wait=not batch))
        yield from _calls(pool.take(wait=False))
    finally:
        pool.close()
    if error := pool.stop.error or sids.error:
        raise error


def _calls(outcomes: Iterable[Outcome | Page]) -> Iterator[Outcome]:
    return (outcome for outcome in outcomes if not isinstance(outcome, Page))


def _new_session() -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = f"callkit/{callkit.__version__}"
    for name in ("Accept", "Connection"):  # what HTTP/1.1 means without saying
        del session.headers[name]
    return session
