"""Who speaks to whom: fictional numbers, SIP addresses, clients, SIMs, withheld callers.

Every number comes from a range that the country's regulator has set aside for fiction or examples:

====  ======================================================
+1    NANPA: 555-0100 to 555-0199 in every area code
+33   ARCEP, decision 2018-0881
+353  ComReg: 020 91x xxxx
+44   Ofcom: telephone numbers for drama
+46   PTS: numbers for books and films
+49   Bundesnetzagentur, Mitteilung 148/2021 ("Drama Numbers")
+61   ACMA: numbers for use in creative works
====  ======================================================

The rates per minute are invented.
"""

import re
from decimal import Decimal
from typing import NamedTuple

from callkit.sandbox.draws import Draws, Mix

# What a caller who withholds the number is shown as: a word, spelt on a keypad.
WITHHELD = {
    "+266696687": "ANONYMOUS",
    "+7378742833": "RESTRICTED",
    "+2562533": "BLOCKED",
    "+8656696": "UNKNOWN",
    "+86282452253": "UNAVAILABLE",
}

_NORTH_AMERICAN = re.compile(r"\+1(\d{3})(\d{3})(\d{4})")
_MOBILE_SHARE = 0.55
_FIRST_NAMES = ("Amara", "Björn", "Chloé", "Dara", "Elif", "Farid", "Greta", "Héloïse", "Idris")
_LAST_NAMES = ("Ashdown", "Brannigan", "Castelnau", "Dürrenberg", "Ekström", "Fairlie", "Ó Néill")
_USERS = ("reception", "support", "billing", "sales", "night.desk", "warehouse", "line-2")
_DOMAINS = ("pbx.example.com", "voice.example.net", "example.org;transport=tls")
_STRANGERS = Mix({"telephone": 91, "sip": 4.5, "client": 4, "sim": 0.5})
_AGENTS = Mix({"telephone": 52, "client": 28, "sip": 18, "sim": 2})


class Tariff(NamedTuple):
    """The price of a started minute, in US dollars: of a call to this address, and from it."""

    outbound: Decimal
    inbound: Decimal


class Party(NamedTuple):
    """One end of a call: its address, how that is displayed, what a minute costs.

    ``phone_number_sid`` is set for the account's own numbers.
    """

    address: str
    display: str
    tariff: Tariff
    phone_number_sid: str | None = None


def telephone(draws: Draws, country: str, *, own: bool = False) -> Party:
    """Draw a fictional number; `own` if it is one that the account has bought."""
    fixed, *mobile = _COUNTRIES[country]
    is_mobile = not own and bool(mobile) and draws.chance(_MOBILE_SHARE)
    patterns, tariff = mobile[0] if is_mobile else fixed
    pattern = draws.one_of(patterns)
    digits = pattern.count("#")
    number = pattern.removesuffix("#" * digits)
    if digits:
        number += f"{draws.between(0, 10**digits - 1):0{digits}d}"
    return Party(
        address=number,
        # Only North American numbers are displayed otherwise than in E.164.
        display=_NORTH_AMERICAN.sub(r"(\1) \2-\3", number) if number[1] == "1" else number,
        tariff=tariff,
        phone_number_sid=f"PN{draws.hexadecimal(32)}" if own else None,
    )


def stranger(draws: Draws, reach: Mix[str]) -> Party:
    """Draw somebody outside, in one of the countries that `reach` mixes."""
    return _party(draws, draws.from_mix(_STRANGERS), reach)


def agent(draws: Draws, reach: Mix[str]) -> Party:
    """Draw somebody who works for the account: at a desk phone, in an app, or travelling."""
    return _party(draws, draws.from_mix(_AGENTS), reach)


def withheld_caller(draws: Draws) -> Party:
    """Draw a caller who does not show the number."""
    address = draws.one_of(tuple(WITHHELD))
    return Party(address, address, _APPS)


def caller_name(draws: Draws) -> str:
    """Draw a name as a caller-ID look-up finds it."""
    return f"{draws.one_of(_LAST_NAMES)}, {draws.one_of(_FIRST_NAMES)}".upper()


def _party(draws: Draws, kind: str, reach: Mix[str]) -> Party:
    match kind:
        case "telephone":
            return telephone(draws, draws.from_mix(reach))
        case "sip":
            address = f"sip:{draws.one_of(_USERS)}@{draws.one_of(_DOMAINS)}"
        case "client":
            address = f"client:{draws.one_of(_FIRST_NAMES).lower()}_{draws.between(1, 40)}"
        case _:
            address = f"sim:DE{draws.hexadecimal(32)}"
    return Party(address, address, _APPS)


def _numbers(listed: str, outbound: str, inbound: str) -> tuple[tuple[str, ...], Tariff]:
    return tuple(listed.replace(" ", "").split(",")), Tariff(Decimal(outbound), Decimal(inbound))


_APPS = Tariff(outbound=Decimal("0.0040"), inbound=Decimal("0.0040"))
# Of each country its fixed numbers and, where numbers tell them apart, its mobiles; # is any digit.
_COUNTRIES = {
    "US": [
        _numbers(
            "+1 212 555 01##, +1 312 555 01##, +1 415 555 01##, +1 206 555 01##, +1 305 555 01##",
            *("0.01400", "0.00850"),
        )
    ],
    "CA": [_numbers("+1 416 555 01##, +1 514 555 01##, +1 604 555 01##", "0.01450", "0.00900")],
    "JM": [_numbers("+1 876 555 01##", "0.2840", "0.0120")],
    "DO": [_numbers("+1 809 555 01##", "0.0695", "0.0120")],
    "GB": [
        _numbers(
            "+44 20 7946 0###, +44 121 496 0###, +44 161 496 0###, +44 113 496 0###",
            *("0.01580", "0.01000"),
        ),
        _numbers("+44 7700 900###", "0.036550", "0.01000"),
    ],
    "IE": [_numbers("+353 20 91# ####", "0.02470", "0.01050")],
    "FR": [
        _numbers(
            "+33 1 9900 ####, +33 2 6191 ####, +33 3 5301 ####, +33 4 6571 ####, +33 5 3649 ####",
            *("0.01890", "0.01100"),
        ),
        _numbers("+33 6 3998 ####", "0.062300", "0.01100"),
    ],
    "DE": [
        _numbers(
            "+49 30 23125 ###, +49 69 90009 ###, +49 40 66969 ###, +49 221 4710 ###, "
            "+49 89 99998 ###",
            *("0.01990", "0.01150"),
        ),
        _numbers("+49 171 39200 ##, +49 176 040690 ##", "0.051350", "0.01150"),
    ],
    "SE": [
        _numbers("+46 31 39006##, +46 40 62804##, +46 8 465004##", "0.01320", "0.00950"),
        _numbers(
            "+46 70 174061#, +46 70 174062#, +46 70 174063#, +46 70 174064#, +46 70 174065#",
            *("0.033800", "0.00950"),
        ),
    ],
    "AU": [
        _numbers(
            "+61 2 5550 ####, +61 3 5550 ####, +61 7 5550 ####, +61 8 5550 ####",
            *("0.02520", "0.0105"),
        ),
        _numbers(
            "+61 491 570 006, +61 491 570 156, +61 491 570 157, +61 491 570 158, +61 491 570 159",
            *("0.0750", "0.0105"),
        ),
    ],
}
