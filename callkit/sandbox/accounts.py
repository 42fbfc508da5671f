"""The sandbox's two accounts, and who calls them: all numbers, addresses and rates are fictional.

Every number comes from a range that the country's regulator has set aside for fiction or examples:

+1    NANPA: 555-0100 to 555-0199 in every area code
+33   ARCEP, decision 2018-0881
+353  ComReg: 020 91x xxxx
+44   Ofcom: telephone numbers for drama
+46   PTS: numbers for books and films
+49   Bundesnetzagentur, Mitteilung 148/2021 ("Drama Numbers")
+61   ACMA: numbers for use in creative works
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from callkit.sandbox.draws import Draws, Mix, Rhythm

_FAKE = "fa4e" * 3
# What a caller who withholds the number is shown as, a word spelt on a keypad: anonymous,
# restricted, blocked, unknown, unavailable.
_WITHHELD = ("+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253")

# Of each country the price of a minute to it and from it, in US dollars, and its fixed numbers; on
# a second line, where numbers tell them apart, those of its mobiles. Each # is any digit.
_TARIFFS = """
US 0.01400  0.00850 +1 212 555 01##,+1 312 555 01##,+1 415 555 01##,+1 206 555 01##,+1 305 555 01##
CA 0.01450  0.00900 +1 416 555 01##,+1 514 555 01##,+1 604 555 01##
JM 0.2840   0.0120  +1 876 555 01##
DO 0.0695   0.0120  +1 809 555 01##
GB 0.01580  0.01000 +44 20 7946 0###,+44 121 496 0###,+44 161 496 0###,+44 113 496 0###
GB 0.036550 0.01000 +44 7700 900###
IE 0.02470  0.01050 +353 20 91# ####
FR 0.01890  0.01100 +33 1 9900 ####,+33 2 6191 ####,+33 3 5301 ####,+33 4 6571 ####,+33 5 3649 ####
FR 0.062300 0.01100 +33 6 3998 ####
DE 0.01990  0.01150 +49 30 23125###,+49 69 90009###,+49 40 66969###,+49 221 4710###,+49 89 99998###
DE 0.051350 0.01150 +49 171 39200##,+49 176 040690##
SE 0.01320  0.00950 +46 31 39006##,+46 40 62804##,+46 8 465004##
SE 0.033800 0.00950 +46 70 174061#,+46 70 174062#,+46 70 174063#,+46 70 174064#,+46 70 174065#
AU 0.02520  0.0105  +61 2 5550 ####,+61 3 5550 ####,+61 7 5550 ####,+61 8 5550 ####
AU 0.0750   0.0105  +61 491 570 006,+61 491 570 156,+61 491 570 157,+61 491 570 158,+61 491 570 159
"""
_APP_RATE = Decimal("0.0040")
_NORTH_AMERICAN = re.compile(r"\+1(\d{3})(\d{3})(\d{4})")
_FIRST_NAMES = ("Amara", "Björn", "Chloé", "Dara", "Elif", "Farid", "Greta", "Héloïse", "Idris")
_LAST_NAMES = ("Ashdown", "Brannigan", "Castelnau", "Dürrenberg", "Ekström", "Fairlie", "Ó Néill")
_USERS = ("reception", "support", "billing", "sales", "night.desk", "warehouse", "line-2")
_DOMAINS = ("pbx.example.com", "voice.example.net", "example.org;transport=tls")
STRANGERS = Mix({"telephone": 91, "sip": 4.5, "client": 4, "sim": 0.5})
# Who works for an account: at a desk phone, in an app, or travelling.
AGENTS = Mix({"telephone": 52, "client": 28, "sip": 18, "sim": 2})


class Party(NamedTuple):
    """One end of a call, and US dollars a minute to and from it; only own numbers have a SID."""

    address: str
    display: str
    rate_to: Decimal
    rate_from: Decimal
    phone_number_sid: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    sid: str
    currency: str
    dollar: Decimal
    rhythm: Rhythm
    reach: Mix[str]
    own_numbers: tuple[Party, ...]
    trunks: tuple[str, ...]


def make_accounts(key: bytes) -> tuple[Account, Account]:
    """Make the parent account, billed in dollars, and its subaccount, billed in euros."""
    return (
        _account(
            Draws(key, b"parent account"),
            currency="USD",
            dollar="1",
            utc_offset=-5,
            homes=("US", "US", "US", "CA", "GB", "AU"),
            reach={"US": 48, "CA": 12, "GB": 11, "AU": 8, "JM": 4, "DO": 4}
            | {"DE": 4, "FR": 4, "IE": 3, "SE": 2},
        ),
        _account(
            Draws(key, b"subaccount"),
            currency="EUR",
            dollar="0.92",
            utc_offset=1,
            homes=("DE", "FR", "IE", "SE", "GB"),
            reach={"DE": 26, "FR": 21, "GB": 17, "IE": 14, "SE": 12}
            | {"US": 6, "CA": 1.5, "AU": 1.5, "JM": 0.5, "DO": 0.5},
        ),
    )


def _account(
    draws: Draws,
    *,
    currency: str,
    dollar: str,
    utc_offset: int,
    homes: tuple[str, ...],
    reach: Mapping[str, float],
) -> Account:
    bought = [telephone(draws, homes[index % len(homes)], own=True) for index in range(12)]
    return Account(
        sid=f"AC{fake(draws)}",
        currency=currency,
        dollar=Decimal(dollar),
        rhythm=Rhythm(utc_offset),
        reach=Mix(reach),
        own_numbers=tuple({party.address: party for party in bought}.values()),
        trunks=tuple(f"TK{draws.hexadecimal(32)}" for _ in range(2)),
    )


def fake(draws: Draws) -> str:
    """Draw 32 hexadecimal digits that cannot be mistaken for those of a real SID or secret."""
    return _FAKE + draws.hexadecimal(32)[len(_FAKE) :]


def telephone(draws: Draws, country: str, *, own: bool = False) -> Party:
    """Draw a fictional number; `own` if it is one that the account has bought."""
    fixed, *mobile = _COUNTRIES[country]
    patterns, rates = mobile[0] if not own and bool(mobile) and draws.chance(0.55) else fixed
    pattern = draws.one_of(patterns)
    digits = pattern.count("#")
    number = pattern.removesuffix("#" * digits)
    if digits:
        number += f"{draws.between(0, 10**digits - 1):0{digits}d}"
    # Only North American numbers are displayed otherwise than in E.164.
    display = _NORTH_AMERICAN.sub(r"(\1) \2-\3", number)
    return Party(number, display, *rates, f"PN{draws.hexadecimal(32)}" if own else None)


def party(draws: Draws, channel: str, reach: Mix[str]) -> Party:
    """Draw somebody on a `channel`; a telephone is in one of the countries of `reach`."""
    match channel:
        case "telephone":
            return telephone(draws, draws.from_mix(reach))
        case "sip":
            address = f"sip:{draws.one_of(_USERS)}@{draws.one_of(_DOMAINS)}"
        case "client":
            address = f"client:{draws.one_of(_FIRST_NAMES).lower()}_{draws.between(1, 40)}"
        case "sim":
            address = f"sim:DE{draws.hexadecimal(32)}"
        case _:
            address = draws.one_of(_WITHHELD)
    return Party(address, address, _APP_RATE, _APP_RATE)


def name_of(draws: Draws, caller: Party) -> str | None:
    """Draw a name as a caller-ID look-up finds it, if it finds one."""
    if caller.address in _WITHHELD or not draws.chance(0.4):
        return None
    return f"{draws.one_of(_LAST_NAMES)}, {draws.one_of(_FIRST_NAMES)}".upper()


def forwarder(draws: Draws, reach: Mix[str]) -> str | None:
    return telephone(draws, draws.from_mix(reach)).address if draws.chance(0.07) else None


def _read(tariffs: str) -> dict[str, list[tuple[list[str], tuple[Decimal, Decimal]]]]:
    countries = defaultdict(list)
    for row in tariffs.strip().splitlines():
        country, rate_to, rate_from, numbers = row.split(maxsplit=3)
        rates = (Decimal(rate_to), Decimal(rate_from))
        countries[country].append((numbers.replace(" ", "").split(","), rates))
    return countries


_COUNTRIES = _read(_TARIFFS)
