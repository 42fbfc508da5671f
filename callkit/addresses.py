"""What the address of a party is: its channel, its one canonical spelling, its country and type.

Twilio writes E.164 numbers, SIP URIs, ``client:`` names and ``sim:`` SIDs; tables joined to calls
spell numbers in many ways. A pseudonym keeps the channel, and may keep country and type.
"""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

CHANNELS = ("pstn", "client", "sip", "sim", "trunk", "other")
_TYPES = {  # by their names in phonenumbers
    "MOBILE": "mobile",
    "FIXED_LINE": "fixed",
    "FIXED_LINE_OR_MOBILE": "fixed-or-mobile",
    "TOLL_FREE": "toll-free",
    "PREMIUM_RATE": "premium",
    "SHARED_COST": "shared-cost",
    "VOIP": "voip",
    "PERSONAL_NUMBER": "personal",
    "PAGER": "pager",
    "UAN": "universal",
    "VOICEMAIL": "voicemail",
    "UNKNOWN": "unknown",
}
NUMBER_TYPES = (
    *_TYPES.values(),
    *("withheld", "client", "sip", "sim", "other", "unparseable", "pseudonym"),
)

_SCHEME = re.compile(r"\s*([A-Za-z]+):")
_SCHEMES = {"sips": "sip", "tel": "pstn"}  # RFC 3966: a tel URI is a number
_PARAMETERS = re.compile(r"[;?].*", re.DOTALL)
_DEFAULT_PORTS = {"sip": ":5060", "sips": ":5061"}
# How carriers write that the caller shows no number: a word, the keys that spell it, or RFC 3323.
_WITHHELD = {
    *("ANONYMOUS", "BLOCKED", "RESTRICTED", "UNAVAILABLE", "UNKNOWN"),
    *("+266696687", "+2562533", "+7378742833", "+86282452253", "+8656696"),
    "SIP:ANONYMOUS@ANONYMOUS.INVALID",
}
_CACHED = 2**18  # a number that calls often is looked up once
_PSEUDONYM = re.compile(
    rf"({'|'.join(CHANNELS)})"
    rf"(?:~([A-Z]{{2}}|\+[0-9]+|international|unparseable)~({'|'.join(NUMBER_TYPES)}))?"
    r"~[0-9a-f]{32}"
)


class Origin(NamedTuple):
    """Where a number belongs, and what kind of line it is; of other addresses, what they are."""

    country: str
    number_type: str


def channel_of(address: str) -> str:
    """Say what kind of address it is: pstn, client, sip, sim or other (such as WhatsApp)."""
    match = _SCHEME.match(address)
    scheme = match[1].lower() if match else "tel"
    channel = _SCHEMES.get(scheme, scheme)
    return channel if channel in CHANNELS else "other"


@lru_cache(maxsize=_CACHED)
def canonical(address: str) -> str:
    """Write an address the one way in which all spellings of it are the same.

    A number or ``tel:`` URI is E.164, without an extension, if it has a country code. A scheme
    other than SIP is lower-case, and a number after it E.164; what a client is called is unchanged.
    """
    address = address.strip()
    channel = channel_of(address)
    if channel == "sip":
        return _address_of_record(address)
    if channel == "pstn":
        return _in_e164(address)
    scheme, _, name = address.partition(":")
    return f"{scheme.lower()}:{_in_e164(name) if channel == 'other' else name}"


def is_withheld(address: str) -> bool:
    """Whether the address, such as +266696687, means that the caller withheld the number."""
    return canonical(address).upper() in _WITHHELD


@lru_cache(maxsize=_CACHED)
def origin_of(address: str) -> Origin:
    if is_withheld(address):
        return Origin("withheld", "withheld")
    channel = channel_of(address)
    if channel != "pstn":
        return Origin(channel, channel)
    import phonenumbers  # noqa: PLC0415  (its numbering plans are loaded on first use)

    try:
        number = phonenumbers.parse(canonical(address))
    except phonenumbers.NumberParseException:
        return Origin("unparseable", "unparseable")
    region = phonenumbers.region_code_for_number(number) or f"+{number.country_code}"
    country = "international" if region == "001" else region
    number_type = phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(number))
    return Origin(country, _TYPES[number_type])


def read_pseudonym(text: str) -> tuple[str, Origin] | None:
    """Read the channel and the origin that a pseudonym keeps; None if it is not a pseudonym."""
    match = _PSEUDONYM.fullmatch(text)
    if match is None:
        return None
    channel, country, number_type = match.groups()
    if country is None:
        country = number_type = "pseudonym" if channel == "pstn" else channel
    return channel, Origin(country, number_type)


def _in_e164(text: str) -> str:
    import phonenumbers  # noqa: PLC0415

    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return text
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _address_of_record(uri: str) -> str:
    """Write a SIP URI as by RFC 3261, 10.3: without parameters, escapes, password, default port.

    The host is lower-case (19.1.4), the user's case is kept; ``sips:`` is the same (19.1).
    """
    scheme, _, rest = uri.partition(":")
    userinfo, at, place = rest.rpartition("@")
    host = _PARAMETERS.sub("", place).lower().removesuffix(_DEFAULT_PORTS[scheme.lower()])
    user = unquote(userinfo.partition(":")[0], errors="surrogateescape")
    return f"sip:{user}{at}{host}"
