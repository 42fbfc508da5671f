"""What an address tells of a party: the country and type of its number, or that it has none."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from callkit.measures import CHANNELS

__all__ = ["Origin", "origin_of", "scheme_of"]

_SCHEME = re.compile(r"([A-Za-z]+):")
_KEYPAD = {"ABC": "2", "DEF": "3", "GHI": "4", "JKL": "5", "MNO": "6", "PQRS": "7", "TUV": "8"}
_KEYPAD |= {"WXYZ": "9"}
_KEYS = str.maketrans({letter: key for letters, key in _KEYPAD.items() for letter in letters})
# How carriers write that the caller shows no number: a word, or the keys that spell it.
_WORDS = ("ANONYMOUS", "BLOCKED", "RESTRICTED", "UNAVAILABLE", "UNKNOWN")
_WITHHELD = {*_WORDS, *("+" + word.translate(_KEYS) for word in _WORDS)}
_NO_COUNTRY = "001"
_TYPES = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "fixed",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed-or-mobile",
    PhoneNumberType.TOLL_FREE: "toll-free",
    PhoneNumberType.PREMIUM_RATE: "premium",
    PhoneNumberType.SHARED_COST: "shared-cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "personal",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "universal",
    PhoneNumberType.VOICEMAIL: "voicemail",
    PhoneNumberType.UNKNOWN: "unknown",
}


class Origin(NamedTuple):
    """Where a number belongs, and what kind of line it is; of other addresses, what they are."""

    country: str
    number_type: str


def scheme_of(address: str) -> str:
    """Say what kind of address it is: pstn, client, sip, sim or other.

    Examples
    --------
    >>> scheme_of("+442079460000"), scheme_of("SIPS:amy@example.com"), scheme_of("whatsapp:+44")
    ('pstn', 'sip', 'other')
    """
    match = _SCHEME.match(address)
    if match is None:
        return "pstn"
    scheme = match[1].lower().replace("sips", "sip")
    return scheme if scheme in CHANNELS else "other"


@lru_cache(maxsize=2**18)  # a number that calls often is looked up once
def origin_of(address: str) -> Origin:
    """Look a party's address up.

    Examples
    --------
    >>> origin_of("+442079460000")
    Origin(country='GB', number_type='fixed')
    >>> origin_of("+266696687")
    Origin(country='withheld', number_type='withheld')
    """
    scheme = scheme_of(address)
    if scheme != "pstn":
        return Origin(scheme, scheme)
    if address.upper() in _WITHHELD:
        return Origin("withheld", "withheld")
    try:
        number = phonenumbers.parse(address)
    except NumberParseException:
        return Origin("unparseable", "unparseable")
    country = phonenumbers.region_code_for_number(number) or f"+{number.country_code}"
    return Origin(
        country if country != _NO_COUNTRY else "international",
        _TYPES[phonenumbers.number_type(number)],
    )
