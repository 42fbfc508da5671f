"""Who signs in, and where the sign-in may be sent."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from callkit.errors import CredentialsError
from callkit.sids import is_account_sid

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Credentials", "base_url_for", "is_loopback", "refuse_unsafe"]

_VARIABLES = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET")
_LABEL = re.compile(r"[a-z0-9-]{1,63}")


class Credentials:
    """A sign-in by HTTP Basic auth. The secret shows in no repr and travels in no pickle."""

    __slots__ = ("_secret", "account_sid", "user")

    def __init__(self, account_sid: str, user: str, secret: str) -> None:
        self.account_sid = account_sid
        self.user = user
        self._secret = secret

    def __repr__(self) -> str:
        return f"Credentials(account_sid={self.account_sid!r}, user={self.user!r})"

    def __reduce__(self) -> str:
        raise TypeError("credentials cannot be pickled: make a Client where it is used")

    def authorization(self) -> str:
        """Return the value of the ``Authorization`` header (RFC 7617)."""
        pair = f"{self.user}:{self._secret}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")

    @classmethod
    def resolve(
        cls,
        *,
        account_sid: str | None,
        auth_token: str | None,
        api_key: str | None,
        api_secret: str | None,
        environment: Mapping[str, str] = os.environ,
    ) -> Credentials:
        """Take the sign-in from the arguments, else from the variables that Twilio's tools read.

        An argument for either form (token, or API key) keeps the other form's variables out. From
        the environment alone an API key comes before the token, as Twilio advises.

        Raises
        ------
        CredentialsError
            Something is missing; the message says what.
        """
        set_to = {name: environment.get(name, "").strip() for name in _VARIABLES}
        account = account_sid or set_to["TWILIO_ACCOUNT_SID"]
        if not account:
            raise CredentialsError(
                "no account: pass account_sid= or set TWILIO_ACCOUNT_SID ('AC' and 32 hexadecimal "
                "digits)"
            )
        if not is_account_sid(account):
            raise CredentialsError(  # not its value: the two are easily swapped
                "the account SID is none: it should be 'AC' and 32 hexadecimal digits"
            )
        if auth_token and (api_key or api_secret):
            raise CredentialsError("pass auth_token, or api_key with api_secret, not both")
        if not (auth_token or api_key or api_secret):
            api_key, api_secret = set_to["TWILIO_API_KEY"], set_to["TWILIO_API_SECRET"]
            if not (api_key and api_secret):
                auth_token = set_to["TWILIO_AUTH_TOKEN"]
        elif not auth_token:
            api_key = api_key or set_to["TWILIO_API_KEY"]
            api_secret = api_secret or set_to["TWILIO_API_SECRET"]
        if auth_token:
            return cls(account, account, auth_token)
        if api_key and api_secret:
            if not api_key.startswith("SK"):
                raise CredentialsError("the API key is none: it should begin with 'SK'")
            return cls(account, api_key, api_secret)
        raise CredentialsError(
            "no sign-in: pass auth_token=, or api_key= and api_secret=, or set TWILIO_AUTH_TOKEN, "
            "or TWILIO_API_KEY and TWILIO_API_SECRET"
        )


def base_url_for(
    base_url: str | None,
    region: str | None,
    edge: str | None,
    environment: Mapping[str, str] = os.environ,
) -> str:
    """Say where the API is: `base_url` as it is, else Twilio's host for that region and edge.

    Without arguments the environment decides: ``CALLKIT_BASE_URL``, or ``TWILIO_REGION`` and
    ``TWILIO_EDGE``.

    Examples
    --------
    >>> base_url_for(None, None, "dublin", environment={})
    'https://api.dublin.us1.twilio.com'
    """
    if base_url is None and not (region or edge):
        base_url = environment.get("CALLKIT_BASE_URL") or None
    if base_url is not None:
        return base_url.rstrip("/")
    region = region or environment.get("TWILIO_REGION", "").strip()
    edge = edge or environment.get("TWILIO_EDGE", "").strip()
    for name, value in (("region", region), ("edge", edge)):
        if value and not _LABEL.fullmatch(value):
            raise CredentialsError(f"{name} {value!r} is none: it should be like 'ie1' or 'dublin'")
    if edge and not region:
        region = "us1"
    return "https://" + ".".join(filter(None, ["api", edge, region, "twilio.com"]))


def refuse_unsafe(base_url: str) -> None:
    """Refuse to send a sign-in anywhere but over TLS, or in the clear to this machine.

    Raises
    ------
    CredentialsError
        `base_url` is no http(s) URL, carries a sign-in itself, or is plain http to another host.
    """
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise CredentialsError(f"base_url is no URL of the form https://host: {error}") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise CredentialsError(
            f"base_url {parts.scheme}://{host or ''} is no URL of the form https://host"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise CredentialsError(
            "base_url is scheme, host and port alone: pass credentials as arguments"
        )
    if parts.scheme == "http" and not is_loopback(base_url):
        raise CredentialsError(
            f"credentials are not sent to {host} over plain http: use https "
            "(http is for this machine only)"
        )


def is_loopback(base_url: str) -> bool:
    """Whether `base_url` is of this machine."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
