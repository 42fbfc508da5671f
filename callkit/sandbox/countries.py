"""Countries, their numbers that ring nobody, and invented rates a minute.

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
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["APPS", "COUNTRIES", "Country", "Tariff"]


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a begun minute costs, in US dollars: when we ring it, and when it is rung at our end."""

    outbound: Decimal
    inbound: Decimal


@dataclass(frozen=True, slots=True)
class Country:
    """A country: patterns of its numbers (``#`` is any digit) and what they cost.

    Where numbers do not tell a mobile from a fixed line, ``mobile`` is empty.
    """

    fixed: tuple[str, ...]
    mobile: tuple[str, ...]
    fixed_tariff: Tariff
    mobile_tariff: Tariff


def _country(
    fixed: str, mobile: str = "", *, to_fixed: str, to_mobile: str | None = None, inbound: str
) -> Country:
    received = Decimal(inbound)
    return Country(
        fixed=_patterns(fixed),
        mobile=_patterns(mobile),
        fixed_tariff=Tariff(Decimal(to_fixed), received),
        mobile_tariff=Tariff(Decimal(to_mobile or to_fixed), received),
    )


def _patterns(listed: str) -> tuple[str, ...]:
    return tuple(pattern for pattern in listed.replace(" ", "").split(",") if pattern)


COUNTRIES: dict[str, Country] = {
    "US": _country(
        "+1 212 555 01##, +1 312 555 01##, +1 415 555 01##, +1 206 555 01##, +1 305 555 01##",
        to_fixed="0.01400",
        inbound="0.00850",
    ),
    "CA": _country(
        "+1 416 555 01##, +1 514 555 01##, +1 604 555 01##", to_fixed="0.01450", inbound="0.00900"
    ),
    "JM": _country("+1 876 555 01##", to_fixed="0.2840", inbound="0.0120"),
    "DO": _country("+1 809 555 01##", to_fixed="0.0695", inbound="0.0120"),
    "GB": _country(
        "+44 20 7946 0###, +44 121 496 0###, +44 161 496 0###, +44 113 496 0###",
        "+44 7700 900###",
        to_fixed="0.01580",
        to_mobile="0.036550",
        inbound="0.01000",
    ),
    "IE": _country("+353 20 91# ####", to_fixed="0.02470", inbound="0.01050"),
    "FR": _country(
        "+33 1 9900 ####, +33 2 6191 ####, +33 3 5301 ####, +33 4 6571 ####, +33 5 3649 ####",
        "+33 6 3998 ####",
        to_fixed="0.01890",
        to_mobile="0.062300",
        inbound="0.01100",
    ),
    "DE": _country(
        "+49 30 23125 ###, +49 69 90009 ###, +49 40 66969 ###, +49 221 4710 ###, +49 89 99998 ###",
        "+49 171 39200 ##, +49 176 040690 ##",
        to_fixed="0.01990",
        to_mobile="0.051350",
        inbound="0.01150",
    ),
    "SE": _country(
        "+46 31 39006##, +46 40 62804##, +46 8 465004##",
        "+46 70 174061#, +46 70 174062#, +46 70 174063#, +46 70 174064#, +46 70 174065#",
        to_fixed="0.01320",
        to_mobile="0.033800",
        inbound="0.00950",
    ),
    "AU": _country(
        "+61 2 5550 ####, +61 3 5550 ####, +61 7 5550 ####, +61 8 5550 ####",
        "+61 491 570 006, +61 491 570 156, +61 491 570 157, +61 491 570 158, +61 491 570 159",
        to_fixed="0.02520",
        to_mobile="0.0750",
        inbound="0.0105",
    ),
}

APPS = Tariff(outbound=Decimal("0.0040"), inbound=Decimal("0.0040"))
"""What a minute to or from a SIP address, a client or a SIM costs."""
