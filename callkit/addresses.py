"""What the address of a party is: its channel, its one canonical spelling, its country and type.

Twilio writes ``to`` and ``from`` in E.164, as SIP URIs, ``client:`` names and ``sim:`` SIDs; lists
that calls are joined to write the same numbers in many ways. A pseudonym in place of an address
keeps the channel, and may keep country and type.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

CHANNELS = ("pstn", "client", "sip", "sim", "trunk", "other")
NUMBER_TYPES = (
    *("mobile", "fixed", "fixed-or-mobile", "toll-free", "premium", "shared-cost", "voip"),
    *("personal", "pager", "universal", "voicemail", "unknown"),
    *("withheld", "client", "sip", "sim", "other", "unparseable", "pseudonym"),
)

_SCHEME = re.compile(r"\s*([A-Za-z]+):")
_SCHEMES = {"sips": "sip", "tel": "pstn"}  # RFC 3966: a tel URI is a number
_PARAMETERS = re.compile(r"[;?].*", re.DOTALL)
_DEFAULT_PORTS = {"sip": ":5060", "sips": ":5061"}
_KEYPAD = {"ABC": "2", "DEF": "3", "GHI": "4", "JKL": "5", "MNO": "6", "PQRS": "7", "TUV": "8"}
_KEYPAD |= {"WXYZ": "9"}
_KEYS = str.maketrans({letter: key for letters, key in _KEYPAD.items() for letter in letters})
# How carriers write that the caller shows no number: a word, the keys that spell it, or RFC 3323.
_WORDS = ("ANONYMOUS", "BLOCKED", "RESTRICTED", "UNAVAILABLE", "UNKNOWN")
_WITHHELD = {*_WORDS, *("+" + word.translate(_KEYS) for word in _WORDS)}
_WITHHELD |= {"SIP:ANONYMOUS@ANONYMOUS.INVALID"}
_NO_COUNTRY = "001"
_CACHED = 2**18  # a number that calls often is looked up once
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

    - Numbers, ``tel:`` URIs (RFC 3966) among them, are E.164 behind a ``+``, without an extension.
      A number without a country code is unchanged.
    - SIP and SIPS URIs are addresses of record, canonical as by RFC 3261, 10.3: no parameters, no
      escapes; the host in small letters (19.1.4), no password and no port that is the default.
      ``sips:`` is ``sip:``, since it names the same resource (19.1). The user's case counts.
    - Of other schemes the scheme is in small letters, and a number behind it in E.164. What a
      client is called stays as it is.

    Examples
    --------
    >>> canonical("tel:+44-20-7946-0000"), canonical("+44 (0)20 7946 0000")
    ('+442079460000', '+442079460000')
    >>> canonical("sips:Amy@PBX.example.com:5061;transport=tls")
    'sip:Amy@pbx.example.com'
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
    """Find where an address belongs.

    Examples
    --------
    >>> origin_of("+442079460000")
    Origin(country='GB', number_type='fixed')
    >>> origin_of("+266696687")
    Origin(country='withheld', number_type='withheld')
    """
    address = canonical(address)
    if address.upper() in _WITHHELD:
        return Origin("withheld", "withheld")
    channel = channel_of(address)
    if channel != "pstn":
        return Origin(channel, channel)
    number = _number(address)
    if number is None:
        return Origin("unparseable", "unparseable")
    import phonenumbers  # noqa: PLC0415

    region = phonenumbers.region_code_for_number(number) or f"+{number.country_code}"
    country = region if region != _NO_COUNTRY else "international"
    number_type = phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(number))
    return Origin(country, _TYPES[number_type])


def read_pseudonym(text: str) -> tuple[str, Origin] | None:
    """Read the channel and the origin that a pseudonym keeps; None if it is not a pseudonym.

    Examples
    --------
    >>> read_pseudonym("pstn~GB~fixed~0123456789abcdef0123456789abcdef")
    ('pstn', Origin(country='GB', number_type='fixed'))
    >>> read_pseudonym("+442079460000")
    """
    match = _PSEUDONYM.fullmatch(text)
    if match is None:
        return None
    channel, country, number_type = match.groups()
    if country is None:
        country = number_type = "pseudonym" if channel == "pstn" else channel
    return channel, Origin(country, number_type)


def _number(address: str) -> "PhoneNumber | None":
    import phonenumbers  # noqa: PLC0415  (its numbering plans are loaded on first use)

    try:
        return phonenumbers.parse(address)
    except phonenumbers.NumberParseException:
        return None


def _in_e164(text: str) -> str:
    number = _number(text)
    if number is None:
        return text
    import phonenumbers  # noqa: PLC0415

    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _address_of_record(uri: str) -> str:
    scheme, _, rest = uri.partition(":")
    userinfo, at, place = rest.rpartition("@")
    host = _PARAMETERS.sub("", place).lower().removesuffix(_DEFAULT_PORTS[scheme.lower()])
    user = unquote(userinfo.partition(":")[0], errors="surrogateescape")
    return f"sip:{user}{at}{host}"
