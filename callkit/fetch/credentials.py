"""Who signs in, and where the sign-in may be sent."""

import base64
import ipaddress
import os
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import requests

from callkit.errors import CredentialsError
from callkit.fetch.echoes import echoes_of
from callkit.sids import is_account_sid

_LABEL = re.compile(r"[a-z0-9-]{1,63}")
_BASE_URL = re.compile(
    r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[a-z0-9._~/-]*)?",
    re.ASCII | re.IGNORECASE,
)


class Secret:
    """Text that shows in no repr, traceback or debugger, and what finds it in other text."""

    __slots__ = ("reveal", "stands_in")

    def __init__(self, text: str) -> None:
        # In closures, since whatever lists an object's attributes shows what they hold.
        self.reveal: Callable[[], str] = lambda: text
        self.stands_in = echoes_of(text)

    def __reduce__(self) -> str:
        raise TypeError(
            "Credentials cannot be pickled. Create the Client in the process that uses it"
        )


def hidden(text: str | None) -> Secret | None:
    return Secret(text) if text else None


class Credentials:
    """A sign-in by HTTP Basic auth. The secret shows in no repr and travels in no pickle.

    ``stand_in`` says whether a text repeats the secret, or one that ``conceal`` has named.
    """

    __slots__ = ("_concealed", "_secret", "account_sid", "user")

    def __init__(self, account_sid: str, user: str, secret: Secret) -> None:
        self.account_sid = account_sid
        self.user = user
        self._secret = secret
        self._concealed = [secret]

    def __repr__(self) -> str:
        return f"Credentials(account_sid={self.account_sid!r}, user={self.user!r})"

    def conceal(self, secret: Secret) -> None:
        """Have another secret kept out of messages: the password of a proxy."""
        self._concealed.append(secret)

    def stand_in(self, text: str) -> bool:
        return any(secret.stands_in(text) for secret in self._concealed)

    def sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the ``Authorization`` header, as the ``auth`` of a request."""
        request.headers["Authorization"] = basic(self.user, self._secret.reveal())
        return request

    @classmethod
    def resolve(
        cls,
        *,
        account_sid: str | None,
        auth_token: Secret | None,
        api_key: str | None,
        api_secret: Secret | None,
    ) -> "Credentials":
        """Take the sign-in from the arguments, else from the variables that Twilio's tools read.

        An argument for either form (token, or API key) keeps the other form's variables out. From
        the environment alone an API key comes before the token, as Twilio advises.
        """
        account = _checked_account(account_sid or _set_to("TWILIO_ACCOUNT_SID"))
        if auth_token and (api_key or api_secret):
            raise CredentialsError("Pass either auth_token, or api_key and api_secret, not both")
        if not auth_token:
            passed = bool(api_key or api_secret)
            api_key = api_key or _set_to("TWILIO_API_KEY")
            api_secret = api_secret or hidden(_set_to("TWILIO_API_SECRET"))
            if not (passed or (api_key and api_secret)):
                auth_token = hidden(_set_to("TWILIO_AUTH_TOKEN"))
        if auth_token:
            name, user, secret = "auth token", account, auth_token
        elif api_key and api_secret:
            if not (api_key.startswith("SK") and api_key.isalnum()):
                raise CredentialsError(
                    "Invalid API key: expected 'SK' followed by letters and digits"
                )
            name, user, secret = "API secret", api_key, api_secret
        else:
            raise CredentialsError(
                "No credentials found. Set TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and "
                "TWILIO_API_SECRET, in the environment; in Python you can also pass auth_token, "
                "or api_key and api_secret, to callkit.Client"
            )
        if not secret.reveal().isprintable():
            raise CredentialsError(
                f"Invalid {name}: it contains a line break or another invisible character"
            )
        return cls(account, user, secret)


def basic(user: str, password: str) -> str:
    """Return the value of an ``Authorization`` header for HTTP Basic auth (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _set_to(name: str) -> str:
    """Read one variable; the whole environment must be no local of anything that may raise."""
    return os.environ.get(name, "").strip()


def _checked_account(account_sid: str) -> str:
    if not account_sid:
        raise CredentialsError(
            "No account SID found. Set TWILIO_ACCOUNT_SID in the environment; in Python you "
            "can also pass account_sid to callkit.Client"
        )
    if not is_account_sid(account_sid):
        raise CredentialsError(  # not its value: the account and the token are easily swapped
            "Invalid account SID: expected 'AC' followed by 32 hexadecimal digits"
        )
    return account_sid


def base_url_for(base_url: str | None, region: str | None, edge: str | None) -> str:
    """Say where the API is: `base_url`, else Twilio's host for that region and edge.

    Without arguments the environment decides: ``CALLKIT_BASE_URL``, or ``TWILIO_REGION`` and
    ``TWILIO_EDGE``.
    """
    if base_url is None and not (region or edge):
        base_url = _set_to("CALLKIT_BASE_URL") or None
    if base_url is not None:
        return _checked_url(base_url.rstrip("/"))
    edge = edge or _set_to("TWILIO_EDGE")
    region = region or _set_to("TWILIO_REGION") or ("us1" if edge else "")
    for name, value in (("region", region), ("edge", edge)):
        if value and not _LABEL.fullmatch(value):
            raise CredentialsError(
                f"Invalid {name} {value!r}: expected a name such as 'ie1' or 'dublin'"
            )
    return "https://" + ".".join(filter(None, ["api", edge, region, "twilio.com"]))


def _checked_url(base_url: str) -> str:
    """Return `base_url`, if a sign-in may be sent there: over TLS, or to this machine.

    A URL has plain characters only, since two parsers could disagree over the host of another.
    """
    is_url = _BASE_URL.fullmatch(base_url) is not None
    try:
        _ = urlsplit(base_url).port
    except ValueError:  # no port, or no IPv6 address
        is_url = False
    if not is_url:
        raise CredentialsError(  # without its value: it may contain credentials
            "Invalid base_url: expected a URL such as https://host or http://127.0.0.1:8080, "
            "with or without a path and without credentials"
        )
    parts = urlsplit(base_url)
    if parts.scheme == "http" and not is_loopback(base_url):
        raise CredentialsError(
            f"Refusing to send credentials to {parts.hostname} over plain http: use https "
            "(http is allowed for this machine only)"
        )
    return base_url


def is_loopback(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
