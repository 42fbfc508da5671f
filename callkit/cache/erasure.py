"""Whether the record of a call contains a party, in any spelling."""

import re
from collections.abc import Iterable

from callkit.addresses import canonical, channel_of

_FEWEST_DIGITS = 7  # fewer would be found in durations and prices
_PUNCTUATION = b" \t().-/\\" + bytes(range(128, 256))
_ESCAPED = re.compile(rb"\\u([0-9a-fA-F]{4})")
_ADDRESS = re.compile(r"[\"<\s]([a-z][a-z0-9+]*:[^\"<>\s\\]+)", re.IGNORECASE)
_INTERNATIONAL = re.compile(r"\+[0-9 ().-]+")


class Mentions:
    """Tests whether the body of a call contains any of these parties.

    A telephone number is searched for in the whole record by its digits: with or
    without country code, prefix and punctuation, and within a SIP address too. Other addresses are
    the same if their canonical spellings are, but for case. In doubt the answer is yes.

    A party that is neither number nor address raises a ValueError, which gives its position
    but not its value.

    Examples
    --------
    >>> names_her = Mentions(["+1 (415) 555-2671"])
    >>> names_her(b'{"from": "sip:14155552671@pbx.example.com"}')
    True
    """

    def __init__(self, parties: Iterable[str]) -> None:
        # The last digits of a number, quickly found, and the proof.
        self._numbers: list[tuple[bytes, re.Pattern[bytes]]] = []
        self._addresses: set[str] = set()
        for place, party in enumerate(parties, start=1):
            if channel_of(party) == "pstn":
                self._numbers.append(_number(party, place))
            else:
                self._addresses.add(canonical(party).casefold())

    def __call__(self, body: bytes) -> bool:
        """Whether a body contains any of them."""
        text = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)).encode("utf-8", "replace"), body)
        digits = text.translate(None, _PUNCTUATION)
        if any(national in digits and proof.search(digits) for national, proof in self._numbers):
            return True
        return bool(self._addresses) and any(
            canonical(address).casefold() in self._addresses
            for address in _ADDRESS.findall(text.decode("utf-8", "replace"))
        )


def _number(party: str, place: int) -> tuple[bytes, re.Pattern[bytes]]:
    country, national = _split(party)
    if len(country + national) < _FEWEST_DIGITS:
        raise ValueError(
            f"Invalid party {place}: expected a number in international form, such as "
            "+442079460000, or an address such as sip:user@host or client:name"
        )
    with_country = f"(?:00|011)?{country}0?{national}"
    alone = f"|0?{national}" if len(national) >= _FEWEST_DIGITS else ""
    proof = re.compile(f"(?<![0-9])(?:{with_country}{alone})(?![0-9])".encode())
    return national.encode(), proof


def _split(party: str) -> tuple[str, str]:
    """Split a number into country code and the rest, by Google's numbering plans.

    The country code is empty if none fits; both are empty if this is not a number.
    """
    import phonenumbers  # noqa: PLC0415  (its numbering plans are loaded on first use)

    written = re.sub(r"^\s*\(?00", "+", party)
    try:
        number = phonenumbers.parse(written)
    except phonenumbers.NumberParseException:
        international = _INTERNATIONAL.fullmatch(written.strip())
        return "", re.sub(r"[^0-9]", "", international[0]) if international else ""
    return str(number.country_code), phonenumbers.national_significant_number(number)
