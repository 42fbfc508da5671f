"""The sandbox's two accounts: a parent billed in dollars, its subaccount in euros."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from callkit.sandbox.draws import Draws, Mix
from callkit.sandbox.parties import Party, telephone
from callkit.sandbox.rhythm import Rhythm

# Account SIDs and secrets begin with it, so that they cannot be mistaken for real ones.
_FAKE = "fa4e" * 3
_OWN_NUMBERS = 12
_TRUNKS = 2


@dataclass(frozen=True, slots=True)
class Account:
    """An account: its currency, when and where it calls, and what it has bought."""

    sid: str
    currency: str
    dollar: Decimal
    rhythm: Rhythm
    reach: Mix[str]
    own_numbers: tuple[Party, ...]
    trunks: tuple[str, ...]

    def rate(self, dollars: Decimal) -> Decimal:
        """Convert a rate per minute to the account's currency, with the digits of `dollars`."""
        return (dollars * self.dollar).quantize(dollars)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Both forms of signing in to the parent account."""

    account_sid: str
    auth_token: str = field(repr=False)
    api_key: str
    api_secret: str = field(repr=False)


def make_credentials(key: bytes, account_sid: str) -> Credentials:
    """Make the credentials of `key`."""
    token, api_key, secret = map(_fake, [Draws(key, b"credentials")] * 3)
    return Credentials(account_sid, token, f"SK{api_key}", secret)


def make_accounts(key: bytes) -> tuple[Account, Account]:
    """Make the parent account and its subaccount."""
    parent = _account(
        Draws(key, b"parent account"),
        currency="USD",
        dollar="1",
        utc_offset=-5,
        homes=("US", "US", "US", "CA", "GB", "AU"),
        reach={"US": 48, "CA": 12, "GB": 11, "AU": 8, "JM": 4, "DO": 4}
        | {"DE": 4, "FR": 4, "IE": 3, "SE": 2},
    )
    subaccount = _account(
        Draws(key, b"subaccount"),
        currency="EUR",
        dollar="0.92",
        utc_offset=1,
        homes=("DE", "FR", "IE", "SE", "GB"),
        reach={"DE": 26, "FR": 21, "GB": 17, "IE": 14, "SE": 12}
        | {"US": 6, "CA": 1.5, "AU": 1.5, "JM": 0.5, "DO": 0.5},
    )
    return parent, subaccount


def _account(
    draws: Draws,
    *,
    currency: str,
    dollar: str,
    utc_offset: int,
    homes: tuple[str, ...],
    reach: Mapping[str, float],
) -> Account:
    bought = [
        telephone(draws, homes[index % len(homes)], own=True) for index in range(_OWN_NUMBERS)
    ]
    return Account(
        sid=f"AC{_fake(draws)}",
        currency=currency,
        dollar=Decimal(dollar),
        rhythm=Rhythm(utc_offset),
        reach=Mix(reach),
        own_numbers=tuple({party.address: party for party in bought}.values()),
        trunks=tuple(f"TK{draws.hexadecimal(32)}" for _ in range(_TRUNKS)),
    )


def _fake(draws: Draws) -> str:
    return _FAKE + draws.hexadecimal(32)[len(_FAKE) :]
