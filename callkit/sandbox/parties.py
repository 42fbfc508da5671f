"""Who speaks to whom: numbers, SIP addresses, clients, SIMs and callers who withhold theirs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callkit.sandbox.countries import APPS, COUNTRIES, Tariff
from callkit.sandbox.draws import Mix

if TYPE_CHECKING:
    from callkit.sandbox.countries import Country
    from callkit.sandbox.draws import Draws

__all__ = ["WITHHELD", "Party", "agent", "caller_name", "stranger", "telephone", "withheld_caller"]

# What a caller who withholds the number shows as: a word, spelt on a keypad.
WITHHELD = {
    "+266696687": "ANONYMOUS",
    "+7378742833": "RESTRICTED",
    "+2562533": "BLOCKED",
    "+8656696": "UNKNOWN",
    "+86282452253": "UNAVAILABLE",
}

_NORTH_AMERICAN = re.compile(r"\+1(\d{3})(\d{3})(\d{4})")
_PATTERN_DIGIT = "#"
_MOBILE_SHARE = 0.55
_FIRST_NAMES = ("Amara", "Björn", "Chloé", "Dara", "Elif", "Farid", "Greta", "Héloïse", "Idris")
_LAST_NAMES = (
    "Ashdown",
    "Brannigan",
    "Castelnau",
    "Dürrenberg",
    "Ekström",
    "Fairweather",
    "Ó Néill",
)
_USERS = ("reception", "support", "billing", "sales", "night.desk", "warehouse", "line-2")
_DOMAINS = ("pbx.example.com", "voice.example.net", "example.org;transport=tls")
_STRANGERS = Mix({"telephone": 91, "sip": 4.5, "client": 4, "sim": 0.5})
_AGENTS = Mix({"telephone": 52, "client": 28, "sip": 18, "sim": 2})


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a call: its address, how that is displayed, what a minute costs.

    ``phone_number_sid`` is set for the account's own numbers.
    """

    address: str
    display: str
    tariff: Tariff
    phone_number_sid: str | None = None


def telephone(draws: Draws, country: Country, *, own: bool = False) -> Party:
    """Draw a number that rings nobody; `own` if it is one that the account has bought."""
    is_mobile = not own and bool(country.mobile) and draws.chance(_MOBILE_SHARE)
    pattern = draws.one_of(country.mobile if is_mobile else country.fixed)
    digits = pattern.count(_PATTERN_DIGIT)
    stem = pattern.removesuffix(_PATTERN_DIGIT * digits)
    number = stem + (f"{draws.between(0, 10**digits - 1):0{digits}d}" if digits else "")
    return Party(
        address=number,
        display=_displayed(number),
        tariff=country.mobile_tariff if is_mobile else country.fixed_tariff,
        phone_number_sid=f"PN{draws.hexadecimal(32)}" if own else None,
    )


def stranger(draws: Draws, reach: Mix[str]) -> Party:
    """Draw somebody out there, in one of the countries that `reach` mixes."""
    return _party(draws, draws.from_mix(_STRANGERS), reach)


def agent(draws: Draws, reach: Mix[str]) -> Party:
    """Draw somebody who works for the account: at a desk phone, in an app, or out and about."""
    return _party(draws, draws.from_mix(_AGENTS), reach)


def withheld_caller(draws: Draws) -> Party:
    """Draw a caller who does not show the number."""
    address = draws.one_of(tuple(WITHHELD))
    return Party(address, address, APPS)


def caller_name(draws: Draws) -> str:
    """Draw a name as a caller-ID look-up finds it."""
    return f"{draws.one_of(_LAST_NAMES)}, {draws.one_of(_FIRST_NAMES)}".upper()


def _party(draws: Draws, kind: str, reach: Mix[str]) -> Party:
    match kind:
        case "telephone":
            return telephone(draws, COUNTRIES[draws.from_mix(reach)])
        case "sip":
            address = f"sip:{draws.one_of(_USERS)}@{draws.one_of(_DOMAINS)}"
        case "client":
            address = f"client:{draws.one_of(_FIRST_NAMES).lower()}_{draws.between(1, 40)}"
        case _:
            address = f"sim:DE{draws.hexadecimal(32)}"
    return Party(address, address, APPS)


def _displayed(number: str) -> str:
    # Only North American numbers are displayed otherwise than in E.164.
    return _NORTH_AMERICAN.sub(r"(\1) \2-\3", number)
